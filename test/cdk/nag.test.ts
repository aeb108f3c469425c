/** cdk-nag's AwsSolutions pack over the whole stack; what it is asked to overlook is listed here. */
import { Validations } from "aws-cdk-lib";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { AwsSolutionsChecks } from "cdk-nag";
import { expect, it } from "vitest";
import { routeKey, ROUTES } from "../../src/http/routes.ts";
import { SQS_ROUTES } from "../../src/sqs/routes.ts";
import { createApp, synth } from "./synth.ts";
import { Stack } from "aws-cdk-lib";

const findings = (scope: Stack) => {
  const report = new AwsSolutionsChecks(scope.node.root).validateScope(scope);
  return report.violations.map(
    (one) => `${one.ruleName} ${one.violatingResources[0]?.resourceLogicalId}`,
  );
};

it("finds nothing in the stack as it is deployed by default", () => {
  expect(findings(synth().stack)).toEqual([]);
});

it("finds nothing in the stack with every setting used", () => {
  const { stack } = synth({
    alarmEmail: "ops@example.com",
    corsOrigins: "https://a.example",
    receiveConcurrency: 10,
  });
  expect(findings(stack)).toEqual([]);
});

it("would find a wildcard, so that silence means something", () => {
  const stack = new Stack(createApp(), "Bad");
  const role = new Role(stack, "Role", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
  role.addToPolicy(new PolicyStatement({ actions: ["dynamodb:*"], resources: ["*"] }));
  new LogGroup(stack, "Logs");
  expect(findings(stack).join()).toContain("AwsSolutions-IAM5");
});

it("is asked to overlook one rule, on the routes that the functions guard themselves", () => {
  const overlooked = synth()
    .stack.node.findAll()
    .flatMap((node) =>
      node.node.metadata
        .filter((entry) => entry.type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
        .map((entry) => ({ path: node.node.path, acknowledged: JSON.stringify(entry.data) })),
    );
  expect(overlooked).toHaveLength(
    ROUTES.filter((route) => route.auth !== "iam").length + SQS_ROUTES.length,
  );
  for (const { path, acknowledged } of overlooked) {
    expect(acknowledged, path).toContain("AwsSolutions-APIG4");
    expect(acknowledged, path).toMatch(/API key|SigV4|Open on purpose/);
  }
  expect(ROUTES.filter((route) => route.auth === "none").map(routeKey)).toEqual(["GET /healthz"]);
});
