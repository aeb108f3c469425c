/** Hunts what a deployment could get wrong unseen: routes, open doors, data that goes with the stack. */
import { describe, expect, it } from "vitest";
import { USAGE } from "../../lib/cost.ts";
import { FUNCTION_NAMES } from "../../lib/grants.ts";
import { routeKey, ROUTES } from "../../src/http/routes.ts";
import { SQS_ROUTES } from "../../src/sqs/routes.ts";
import { list, resources, type Statement, synth } from "./synth.ts";

const { template } = synth();

const idOf = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);

/** Logical id of the function that a route's integration invokes. */
function targetOf(route: Record<string, unknown>): string {
  const target = JSON.stringify(route["Target"]);
  const [, integration] =
    resources(template, "AWS::ApiGatewayV2::Integration").find(([id]) => target.includes(id)) ?? [];
  return JSON.stringify(integration?.Properties["IntegrationUri"]);
}

describe("routes", () => {
  const deployed = resources(template, "AWS::ApiGatewayV2::Route").map(([, r]) => r.Properties);

  it("are those of the route tables, no more and no fewer", () => {
    expect(deployed.map((route) => route["RouteKey"])).toHaveLength(
      ROUTES.length + SQS_ROUTES.length,
    );
    expect(new Set(deployed.map((route) => route["RouteKey"]))).toEqual(
      new Set([...ROUTES, ...SQS_ROUTES].map(routeKey)),
    );
  });

  it.each(ROUTES.map((route) => [routeKey(route), route] as const))(
    "%s goes to the function of its role, and IAM guards it where the table says so",
    (key, row) => {
      const route = deployed.find((one) => one["RouteKey"] === key) ?? {};
      expect(route["AuthorizationType"]).toBe(row.auth === "iam" ? "AWS_IAM" : "NONE");
      expect(targetOf(route)).toContain(`"Functions${idOf(row.role)}`);
    },
  );

  it("for SQS clients go to the function that verifies their signatures", () => {
    for (const row of SQS_ROUTES) {
      const route = deployed.find((one) => one["RouteKey"] === routeKey(row)) ?? {};
      expect(route["AuthorizationType"]).toBe("NONE");
      expect(targetOf(route)).toContain('"FunctionsSqs');
    }
  });

  it("keeps every key route behind IAM, for no secret exists before the first key", () => {
    const keys = deployed.filter((route) => String(route["RouteKey"]).includes("/v1/keys"));
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.every((route) => route["AuthorizationType"] === "AWS_IAM")).toBe(true);
  });

  it("speaks payload format 2.0 to every function", () => {
    const formats = resources(template, "AWS::ApiGatewayV2::Integration").map(
      ([, one]) => one.Properties["PayloadFormatVersion"],
    );
    expect(new Set(formats)).toEqual(new Set(["2.0"]));
  });

  it("lets API Gateway invoke every function that serves a route", () => {
    const invocable = JSON.stringify(
      resources(template, "AWS::Lambda::Permission")
        .filter(([, one]) => one.Properties["Principal"] === "apigateway.amazonaws.com")
        .map(([, one]) => one.Properties["FunctionName"]),
    );
    for (const role of new Set(ROUTES.map((route) => route.role)))
      expect(invocable).toContain(`"Functions${idOf(role)}`);
  });
});

describe("policies", () => {
  const all = resources(template, "AWS::IAM::Policy").flatMap(
    ([, policy]) => (policy.Properties["PolicyDocument"] as { Statement: Statement[] }).Statement,
  );

  it("name their resources without wildcards", () => {
    expect(all.length).toBeGreaterThan(0);
    expect(JSON.stringify(all.map((statement) => statement.Resource))).not.toContain("*");
  });

  it("name their actions without wildcards, and never Scan", () => {
    const actions = all.flatMap((statement) => list(statement.Action));
    expect(actions.filter((action) => action.includes("*") || /scan/i.test(action))).toEqual([]);
  });

  it("are one per function, each for the function's own role", () => {
    const roles = resources(template, "AWS::Lambda::Function").map(([, fn]) =>
      JSON.stringify(fn.Properties["Role"]),
    );
    expect(roles).toHaveLength(FUNCTION_NAMES.length);
    expect(new Set(roles).size).toBe(FUNCTION_NAMES.length);
  });

  it("come without AWS's managed policies, which allow more", () => {
    for (const [, role] of resources(template, "AWS::IAM::Role"))
      expect(role.Properties).not.toHaveProperty("ManagedPolicyArns");
  });
});

describe("tables", () => {
  const tables = resources(template, "AWS::DynamoDB::GlobalTable");
  const replica = (id: string) => {
    const [, table] = tables.find(([name]) => name.startsWith(id)) ?? [];
    return (table?.Properties["Replicas"] as Record<string, unknown>[] | undefined)?.[0];
  };

  it("outlive the stack: retained, and protected from deletion", () => {
    expect(tables).toHaveLength(2);
    for (const [id, table] of tables) {
      expect(table.DeletionPolicy).toBe("Retain");
      expect(table.UpdateReplacePolicy).toBe("Retain");
      expect(replica(id)).toMatchObject({ DeletionProtectionEnabled: true });
    }
  });

  it("can be restored to a point in time: the catalog", () => {
    expect(replica("TablesCatalog")).toMatchObject({
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    });
  });

  it("drop expired items by the attribute that the store writes", () => {
    for (const [, table] of tables)
      expect(table.Properties["TimeToLiveSpecification"]).toEqual({
        AttributeName: "ttl",
        Enabled: true,
      });
  });

  it("cost nothing while nobody calls: on demand", () => {
    for (const [, table] of tables) expect(table.Properties["BillingMode"]).toBe("PAY_PER_REQUEST");
  });
});

describe("one account and region", () => {
  it("hold several stacks: nothing has a physical name", () => {
    const naming =
      /^(TableName|FunctionName|RoleName|LogGroupName|AlarmName|DashboardName|TopicName|PolicyName)$/;
    for (const type of ["DynamoDB::GlobalTable", "IAM::Role", "Logs::LogGroup"])
      for (const [id, one] of resources(template, `AWS::${type}`))
        expect(
          Object.keys(one.Properties).filter((key) => naming.test(key)),
          id,
        ).toEqual([]);
    for (const type of ["Lambda::Function", "CloudWatch::Alarm", "CloudWatch::Dashboard"])
      for (const [id, one] of resources(template, `AWS::${type}`))
        expect(
          Object.keys(one.Properties).filter((key) => naming.test(key)),
          id,
        ).toEqual([]);
  });

  it("tell two stacks' metrics apart", () => {
    const other = synth({ stackName: "Other" });
    const names = resources(other.template, "AWS::Lambda::Function").map(
      ([, fn]) =>
        (fn.Properties["Environment"] as { Variables: Record<string, unknown> }).Variables[
          "POWERTOOLS_SERVICE_NAME"
        ],
    );
    expect(new Set(names)).toEqual(new Set(["Other"]));
    expect(JSON.stringify(other.template.findResources("AWS::CloudWatch::Alarm"))).toContain(
      '"Name":"service","Value":"Other"',
    );
  });
});

describe("functions", () => {
  const functions = resources(template, "AWS::Lambda::Function").map(([, fn]) => fn.Properties);

  it("run on arm64 and the newest Node.js", () => {
    for (const fn of functions)
      expect(fn).toMatchObject({ Architectures: ["arm64"], Runtime: "nodejs24.x" });
  });

  it("end before API Gateway gives up, yet wait as long as a caller may ask", () => {
    for (const fn of functions.filter((one) => one["Description"] !== "LaneMQ: janitor")) {
      expect(fn["Timeout"]).toBeLessThan(29);
      expect(fn["Timeout"]).toBeGreaterThan(20);
    }
  });

  it("reserve concurrency for receives only when told to", () => {
    expect(functions.some((fn) => "ReservedConcurrentExecutions" in fn)).toBe(false);
    const told = resources(synth({ receiveConcurrency: 50 }).template, "AWS::Lambda::Function")
      .map(([, fn]) => fn.Properties)
      .filter((fn) => "ReservedConcurrentExecutions" in fn);
    expect(told).toMatchObject([
      { Description: "LaneMQ: receive", ReservedConcurrentExecutions: 50 },
    ]);
  });

  it("run the janitor every minute", () => {
    const [[, rule] = []] = resources(template, "AWS::Events::Rule");
    expect(rule?.Properties).toMatchObject({ ScheduleExpression: "rate(1 minute)" });
    expect(JSON.stringify(rule?.Properties["Targets"])).toContain('"FunctionsJanitor');
  });
});

describe("the key of access keys", () => {
  const [key] = resources(template, "AWS::KMS::Key");

  it("is rotated, and stays with the tables that hold what is sealed under it", () => {
    expect(resources(template, "AWS::KMS::Key")).toHaveLength(1);
    expect(key?.[1].Properties).toMatchObject({ EnableKeyRotation: true });
    expect(key?.[1].DeletionPolicy).toBe("Retain");
    const [trial] = resources(synth({ removal: "destroy" }).template, "AWS::KMS::Key");
    expect(trial?.[1].DeletionPolicy).toBe("Delete");
  });

  it("is sealed with by the function that makes keys, and opened with by that of SQS clients", () => {
    const users = resources(template, "AWS::Lambda::Function").filter(([, fn]) =>
      JSON.stringify(fn.Properties["Environment"]).includes("LANEMQ_KMS_KEY"),
    );
    expect(users.map(([id]) => id.replace(/^Functions|[0-9A-F]{8}$/g, "")).sort()).toEqual([
      "Admin",
      "Sqs",
    ]);
    const actions = resources(template, "AWS::IAM::Policy").flatMap(([, { Properties }]) =>
      (Properties["PolicyDocument"] as { Statement: Statement[] }).Statement.flatMap((one) =>
        list(one.Action),
      ),
    );
    const ofKey = actions.filter((action) => action.startsWith("kms:"));
    expect(ofKey.sort()).toEqual(["kms:Decrypt", "kms:Encrypt"]);
  });

  it("may be that of a stack that is gone", () => {
    const arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555";
    const { template } = synth({ sqsKmsKeyArn: arn });
    template.resourceCountIs("AWS::KMS::Key", 0);
    const policies = JSON.stringify(template.findResources("AWS::IAM::Policy"));
    expect(policies.split(arn)).toHaveLength(3);
  });
});

describe("logs", () => {
  it("end: every group has a retention, and every function and the API write to one of them", () => {
    const groups = resources(template, "AWS::Logs::LogGroup");
    for (const [id, group] of groups) expect(group.Properties["RetentionInDays"], id).toBe(30);
    const [[, stage] = []] = resources(template, "AWS::ApiGatewayV2::Stage");
    const users = JSON.stringify([
      ...resources(template, "AWS::Lambda::Function").map(
        ([, fn]) => fn.Properties["LoggingConfig"],
      ),
      stage?.Properties["AccessLogSettings"],
    ]);
    for (const [id] of groups) expect(users).toContain(`"${id}"`);
  });

  it("keep what may hold secrets out of the access log", () => {
    const [[, stage] = []] = resources(template, "AWS::ApiGatewayV2::Stage");
    const settings = stage?.Properties["AccessLogSettings"] as { Format: string } | undefined;
    const Format = settings?.Format;
    expect(Format).not.toMatch(/authoriz|querystring|header/i);
    expect(Format).toContain("$context.requestId");
  });
});

describe("settings", () => {
  it("set the throttles of the stage", () => {
    const { template } = synth({ throttleRate: 7, throttleBurst: "9" });
    template.hasResourceProperties("AWS::ApiGatewayV2::Stage", {
      DefaultRouteSettings: { ThrottlingRateLimit: 7, ThrottlingBurstLimit: 9 },
    });
  });

  it("leave out all that is for SQS clients, its price included", () => {
    const { template } = synth({ sqs: "false" });
    template.resourceCountIs("AWS::KMS::Key", 0);
    template.resourceCountIs("AWS::Lambda::Function", FUNCTION_NAMES.length - 1);
    template.resourceCountIs("AWS::ApiGatewayV2::Route", ROUTES.length);
    expect(JSON.stringify(template.toJSON())).not.toMatch(/kms|Sqs/i);
  });

  it("serve tables that exist already, with the same grants", () => {
    const { template } = synth({ catalogTable: "old-catalog", lanesTable: "old-lanes" });
    template.resourceCountIs("AWS::DynamoDB::GlobalTable", 0);
    const policies = JSON.stringify(template.findResources("AWS::IAM::Policy"));
    expect(policies).toContain(":table/old-catalog");
    expect(policies).toContain(":table/old-lanes");
    expect(policies).not.toContain('*"');
  });

  it("delete the tables with the stack only when asked to", () => {
    const { template } = synth({ removal: "destroy" });
    for (const [, table] of resources(template, "AWS::DynamoDB::GlobalTable"))
      expect(table.DeletionPolicy).toBe("Delete");
  });

  it("let CloudWatch publish to the topic of the alarms", () => {
    const { template } = synth({ alarmEmail: "ops@example.com" });
    const [[topic] = []] = resources(template, "AWS::SNS::Topic");
    template.hasResourceProperties("AWS::SNS::Subscription", { Endpoint: "ops@example.com" });
    for (const [, alarm] of resources(template, "AWS::CloudWatch::Alarm"))
      expect(alarm.Properties["AlarmActions"]).toEqual([{ Ref: topic }]);
    const [[, policy] = []] = resources(template, "AWS::SNS::TopicPolicy");
    const document = policy?.Properties["PolicyDocument"] as { Statement: Statement[] };
    expect(document.Statement).toContainEqual(
      expect.objectContaining({
        Effect: "Allow",
        Action: "sns:Publish",
        Principal: { Service: "cloudwatch.amazonaws.com" },
      }),
    );
  });

  it("leave CORS off unless origins are given", () => {
    const cors = (of: typeof template) =>
      resources(of, "AWS::ApiGatewayV2::Api")[0]?.[1].Properties["CorsConfiguration"];
    expect(cors(template)).toBeUndefined();
    expect(
      cors(synth({ corsOrigins: "https://a.example, https://b.example" }).template),
    ).toMatchObject({
      AllowOrigins: ["https://a.example", "https://b.example"],
    });
  });

  it("refuse what they do not know, by name", () => {
    expect(() => synth({ throttleRat: 5 } as never)).toThrow("throttleRat: is not a setting");
    expect(() => synth({ throttleRate: "fast" })).toThrow("throttleRate");
    expect(() => synth({ logRetentionDays: 31 })).toThrow("logRetentionDays");
    expect(() => synth({ removal: "keep" as never })).toThrow("removal");
  });
});

describe("alarms", () => {
  const alarms = JSON.stringify(template.findResources("AWS::CloudWatch::Alarm"));

  it("watch 5xx, errors, throttles and the oldest age", () => {
    for (const metric of [
      "5xx",
      '"MetricName":"Errors"',
      '"MetricName":"Throttles"',
      "WriteThrottleEvents",
      "OldestReadyAgeSeconds",
    ])
      expect(alarms).toContain(metric);
  });

  it("stay quiet while nothing is emitted", () => {
    for (const [, alarm] of resources(template, "AWS::CloudWatch::Alarm"))
      expect(alarm.Properties["TreatMissingData"]).toBe("notBreaching");
  });

  it("read metrics by the names and dimensions that the janitor emits", () => {
    const [, oldest] =
      resources(template, "AWS::CloudWatch::Alarm").find(([id]) => id.includes("OldestAge")) ?? [];
    expect(oldest?.Properties).toMatchObject({
      Namespace: "LaneMQ",
      MetricName: "OldestReadyAgeSeconds",
      Dimensions: [{ Name: "service", Value: "LaneMQ" }],
      Threshold: 3600,
    });
  });

  it("are on as many metrics as the cost guide counts", () => {
    const metrics = resources(template, "AWS::CloudWatch::Alarm").map(
      ([, alarm]) =>
        (alarm.Properties["Metrics"] as { MetricStat?: unknown }[] | undefined)?.filter(
          (one) => one.MetricStat !== undefined,
        ).length ?? 1,
    );
    expect(metrics.reduce((sum, count) => sum + count, 0)).toBe(USAGE.alarmMetrics);
  });

  it("name the endpoint in the outputs", () => {
    expect(Object.keys(template.findOutputs("*"))).toEqual(
      expect.arrayContaining(["Endpoint", "CatalogTable", "LanesTable"]),
    );
  });
});
