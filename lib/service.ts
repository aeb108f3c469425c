/** All that is deployed: one construct per concern. */
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { Construct } from "constructs";
import { Functions } from "./functions.ts";
import { LaneMqHttpApi } from "./http-api.ts";
import { JanitorSchedule } from "./janitor-schedule.ts";
import { Observability } from "./observability.ts";
import type { Settings } from "./settings.ts";
import { Tables } from "./tables.ts";

export interface ServiceOptions {
  readonly settings: Settings;
  /** Names the service in logs and metrics. */
  readonly service: string;
  readonly alarmsTopic?: ITopic | undefined;
}

export interface ServiceParts {
  readonly http: LaneMqHttpApi;
  readonly tables: Tables;
  readonly functions: Functions;
}

export function addService(
  scope: Construct,
  { settings, service, alarmsTopic }: ServiceOptions,
): ServiceParts {
  const tables = new Tables(scope, "Tables", settings);
  const functions = new Functions(scope, "Functions", { settings, tables, service });
  const http = new LaneMqHttpApi(scope, "Http", { settings, functions });
  new JanitorSchedule(scope, "Janitor", functions.get("janitor"));
  new Observability(scope, "Observability", {
    settings,
    service,
    alarmsTopic,
    functions,
    http,
    tables,
  });
  return { http, tables, functions };
}
