/**
 * The HTTP API: one route for each row of the route tables, to the function of the row's role.
 * Routes for API keys are authorised by IAM, so that no bootstrap secret exists; the functions check
 * API keys on the others.
 */
import { RemovalPolicy, Validations } from "aws-cdk-lib";
import { AccessLogFormat } from "aws-cdk-lib/aws-apigateway";
import {
  CorsHttpMethod,
  HttpApi,
  HttpMethod,
  HttpStage,
  LogGroupLogDestination,
} from "aws-cdk-lib/aws-apigatewayv2";
import { HttpIamAuthorizer } from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { type FaceName, ROUTES } from "../src/http/routes.ts";
import { SQS_ROUTES } from "../src/sqs/routes.ts";
import type { Functions } from "./functions.ts";
import type { Settings } from "./settings.ts";

/** Neither headers nor query strings: they may hold keys and what users send. */
const ACCESS_LOG = {
  requestId: "$context.requestId",
  time: "$context.requestTime",
  ip: "$context.identity.sourceIp",
  method: "$context.httpMethod",
  route: "$context.routeKey",
  path: "$context.path",
  status: "$context.status",
  bytes: "$context.responseLength",
  latencyMs: "$context.responseLatency",
  integrationMs: "$context.integrationLatency",
  integrationError: "$context.integrationErrorMessage",
};

export class LaneMqHttpApi extends Construct {
  readonly api: HttpApi;
  readonly stage: HttpStage;

  constructor(
    scope: Construct,
    id: string,
    { settings, functions }: { settings: Settings; functions: Functions },
  ) {
    super(scope, id);
    this.api = new HttpApi(this, "Api", {
      description: "LaneMQ",
      createDefaultStage: false,
      ...(settings.corsOrigins === undefined ? {} : { corsPreflight: cors(settings.corsOrigins) }),
    });
    this.addRoutes(functions, settings.sqs ? SQS_ROUTES.map(signed) : []);
    const logs = new LogGroup(this, "AccessLogs", {
      retention: settings.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.stage = new HttpStage(this, "Stage", {
      httpApi: this.api,
      autoDeploy: true,
      throttle: { rateLimit: settings.throttleRate, burstLimit: settings.throttleBurst },
      accessLogSettings: {
        destination: new LogGroupLogDestination(logs),
        format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)),
      },
    });
  }

  private addRoutes(
    functions: Functions,
    signedRoutes: readonly ReturnType<typeof signed>[],
  ): void {
    const iam = new HttpIamAuthorizer();
    const integrations = new Map<FaceName, HttpLambdaIntegration>();
    for (const route of [...ROUTES, ...signedRoutes]) {
      const integration =
        integrations.get(route.role) ??
        new HttpLambdaIntegration(`${route.role}Integration`, functions.get(route.role), {
          // One permission per function, not per route: a function's policy is limited to 20 KB.
          scopePermissionToRoute: false,
        });
      integrations.set(route.role, integration);
      const added = this.api.addRoutes({
        path: route.path,
        methods: [HttpMethod[route.method]],
        integration,
        ...(route.auth === "iam" ? { authorizer: iam } : {}),
      });
      if (route.auth === "iam") continue;
      for (const one of added)
        Validations.of(one).acknowledge({
          id: "AwsSolutions-APIG4",
          reason:
            route.auth === "signature"
              ? "The function itself verifies the caller's signature (SigV4) and its key's scopes: see src/sqs/authenticate.ts."
              : route.auth === "key"
                ? "The function itself checks the caller's API key and its scopes, which an authorizer of the gateway could not do for the price of none: see src/http/authorise.ts."
                : "Open on purpose: it says that the service is up and reveals nothing else.",
        });
    }
  }
}

/** SQS clients sign their requests. */
const signed = (route: (typeof SQS_ROUTES)[number]) => ({ ...route, auth: "signature" as const });

const cors = (allowOrigins: string[]) => ({
  allowOrigins,
  allowMethods: [CorsHttpMethod.ANY],
  allowHeaders: ["authorization", "content-type", "content-encoding"],
  exposeHeaders: ["x-request-id", "retry-after"],
});
