/** The service as a stack of its own, with outputs that name what users need. */
import { CfnOutput, Stack, type StackProps } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { addService } from "./service.ts";
import { parseSettings, type Settings } from "./settings.ts";

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
    const { http, tables } = addService(this, { settings, service: this.stackName });
    new CfnOutput(this, "Endpoint", {
      value: http.api.apiEndpoint,
      description: "Where the API is: /healthz is open, /v1/keys takes IAM-signed requests",
    });
    new CfnOutput(this, "CatalogTable", { value: tables.catalog.tableName });
    new CfnOutput(this, "LanesTable", { value: tables.lanes.tableName });
  }
}
