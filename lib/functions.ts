/** The functions: one per role, one for SQS clients and the janitor, each with its own bundle, log group and least-privilege policy. */
import { Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { Effect, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import {
  Architecture,
  ApplicationLogLevel,
  Code,
  Function as LambdaFunction,
  type FunctionProps,
  type IFunction,
  LoggingFormat,
  Runtime,
  SystemLogLevel,
} from "aws-cdk-lib/aws-lambda";
import { NodejsFunction } from "aws-cdk-lib/aws-lambda-nodejs";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { fileURLToPath } from "node:url";
import { bundling } from "./bundling.ts";
import { FUNCTION_NAMES, type FunctionName, GRANTS, KEY_GRANTS } from "./grants.ts";
import { METRICS_NAMESPACE } from "../lambdas/metric-names.ts";
import { accessKeysKey } from "./access-keys-key.ts";
import type { Settings } from "./settings.ts";
import type { Tables } from "./tables.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** In the package the bundles stand beside this module; from source they are made by the synthesis. */
const IS_SOURCE = import.meta.url.endsWith(".ts");

/** HTTP API gives up after 29 s; the function must have answered or ended by then. */
const API_TIMEOUT = Duration.seconds(28);
const JANITOR_TIMEOUT = Duration.seconds(58);

interface Props {
  readonly settings: Settings;
  readonly tables: Tables;
  /** Names the service in logs and metrics. */
  readonly service: string;
}

export class Functions extends Construct {
  private readonly functions: ReadonlyMap<FunctionName, IFunction>;

  constructor(scope: Construct, id: string, props: Props) {
    super(scope, id);
    const { sqs } = props.settings;
    const key = sqs ? accessKeysKey(this, "AccessKeysKey", props.settings) : undefined;
    this.functions = new Map(
      FUNCTION_NAMES.filter((name) => sqs || name !== "sqs").map(
        (name) => [name, createFunction(this, name, { ...props, key })] as const,
      ),
    );
  }

  get(name: FunctionName): IFunction {
    const found = this.functions.get(name);
    if (found === undefined) throw new Error(`There is no function ${name}.`);
    return found;
  }

  entries(): readonly (readonly [FunctionName, IFunction])[] {
    return [...this.functions];
  }
}

function createFunction(
  scope: Construct,
  name: FunctionName,
  { settings, tables, service, key }: Props & { readonly key: IKey | undefined },
): LambdaFunction {
  const id = name.charAt(0).toUpperCase() + name.slice(1);
  const logGroup = new LogGroup(scope, `${id}Logs`, {
    retention: settings.logRetentionDays,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  const role = new Role(scope, `${id}Role`, {
    assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
    description: `LaneMQ: what the ${name} function may do`,
  });
  logGroup.grantWrite(role);
  for (const table of ["catalog", "lanes"] as const) {
    const actions = GRANTS[name][table];
    if (actions.length === 0) continue;
    role.addToPolicy(
      new PolicyStatement({
        effect: Effect.ALLOW,
        actions: actions.map((action) => `dynamodb:${action}`),
        resources: [tables.get(table).tableArn],
      }),
    );
  }
  const keyAction = KEY_GRANTS[name];
  const usesKey = key !== undefined && keyAction !== undefined;
  if (usesKey)
    role.addToPolicy(
      new PolicyStatement({
        effect: Effect.ALLOW,
        actions: [`kms:${keyAction}`],
        resources: [key.keyArn],
      }),
    );
  const props: Omit<FunctionProps, "code" | "handler"> & { runtime: Runtime } = {
    description: `LaneMQ: ${name}`,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    memorySize: name === "receive" || name === "sqs" ? settings.receiveMemoryMb : 512,
    timeout: name === "janitor" ? JANITOR_TIMEOUT : API_TIMEOUT,
    ...(name === "receive" && settings.receiveConcurrency !== undefined
      ? { reservedConcurrentExecutions: settings.receiveConcurrency }
      : {}),
    role,
    logGroup,
    loggingFormat: LoggingFormat.JSON,
    applicationLogLevelV2: ApplicationLogLevel.INFO,
    // Without the three lines a call that Lambda writes by itself: the access log has one of its own.
    systemLogLevelV2: SystemLogLevel.WARN,
    environment: {
      LANEMQ_CATALOG_TABLE: tables.catalog.tableName,
      LANEMQ_LANES_TABLE: tables.lanes.tableName,
      POWERTOOLS_SERVICE_NAME: service,
      ...(usesKey ? { LANEMQ_KMS_KEY: key.keyArn } : {}),
      ...(name === "sqs" ? { LANEMQ_ACCOUNT: Stack.of(scope).account } : {}),
      ...(name === "janitor"
        ? {
            POWERTOOLS_METRICS_NAMESPACE: METRICS_NAMESPACE,
            LANEMQ_QUEUE_METRICS: String(settings.queueMetrics),
          }
        : {}),
    },
  };
  if (!IS_SOURCE) {
    const folder = fileURLToPath(new URL(`./functions/${name}`, import.meta.url));
    const code = Code.fromAsset(folder);
    return new LambdaFunction(scope, id, { ...props, code, handler: "index.handler" });
  }
  return new NodejsFunction(scope, id, {
    ...props,
    entry: `${ROOT}lambdas/${name}.ts`,
    projectRoot: ROOT,
    depsLockFilePath: `${ROOT}package-lock.json`,
    awsSdkConnectionReuse: false,
    bundling,
  });
}
