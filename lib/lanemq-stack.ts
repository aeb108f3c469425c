/** All that is deployed: one construct per concern, and outputs that name what users need. */
import { CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { Functions } from "./functions.ts";
import { LaneMqHttpApi } from "./http-api.ts";
import { JanitorSchedule } from "./janitor-schedule.ts";
import { Observability } from "./observability.ts";
import { parseSettings, type Settings } from "./settings.ts";
import { Tables } from "./tables.ts";

export interface LaneMqStackProps extends StackProps {
  readonly settings?: Settings;
}

export class LaneMqStack extends Stack {
  constructor(scope: Construct, id: string, props: LaneMqStackProps = {}) {
    const { settings = parseSettings({}), ...stackProps } = props;
    super(scope, id, {
      description: "LaneMQ: a message queue on API Gateway, Lambda and DynamoDB",
      ...stackProps,
    });
    const tables = new Tables(this, "Tables", settings);
    const functions = new Functions(this, "Functions", { settings, tables });
    const http = new LaneMqHttpApi(this, "Http", { settings, functions });
    new JanitorSchedule(this, "Janitor", functions.get("janitor"));
    new Observability(this, "Observability", { settings, functions, http, tables });

    new CfnOutput(this, "Endpoint", {
      value: http.api.apiEndpoint,
      description: "Where the API is: /healthz is open, /v1/keys takes IAM-signed requests",
    });
    new CfnOutput(this, "CatalogTable", { value: tables.catalog.tableName });
    new CfnOutput(this, "LanesTable", { value: tables.lanes.tableName });
  }
}
