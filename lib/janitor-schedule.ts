/** Runs the janitor every minute. Rounds may overlap and may be missed; nothing depends on either. */
import { Duration } from "aws-cdk-lib";
import { Rule, Schedule } from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";

export class JanitorSchedule extends Construct {
  constructor(scope: Construct, id: string, janitor: IFunction) {
    super(scope, id);
    new Rule(this, "EveryMinute", {
      description: "LaneMQ: runs the janitor",
      schedule: Schedule.rate(Duration.minutes(1)),
      // A round that failed is made up for by the next one, a minute later.
      targets: [
        new LambdaFunction(janitor, { retryAttempts: 0, maxEventAge: Duration.minutes(1) }),
      ],
    });
  }
}
