/**
 * What is really deployed: the bundles of a synthesis like that of `cdk deploy`. Hunts a dependency
 * that makes cold starts slow, and a bundle that lacks what it needs.
 */
import { Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { LaneMqStack } from "../../lib/lanemq-stack.ts";
import { FUNCTION_NAMES } from "../../lib/grants.ts";
import { parseSettings } from "../../lib/settings.ts";
import { createApp, type Resource } from "./synth.ts";

const BUDGET_BYTES = 700 * 1024;

const bundles = new Map<string, string>();

beforeAll(() => {
  const app = createApp();
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const stack = new LaneMqStack(app, "LaneMQ", { settings: parseSettings({}) });
  const assembly = app.synth();
  const { Resources } = assembly.getStackByName(stack.stackName).template as {
    Resources: Record<string, Resource & { Metadata: Record<string, string> }>;
  };
  for (const one of Object.values(Resources)) {
    if (one.Type !== "AWS::Lambda::Function") continue;
    const name = String(one.Properties["Description"]).replace("LaneMQ: ", "");
    bundles.set(name, join(assembly.directory, one.Metadata["aws:asset:path"] ?? "", "index.mjs"));
  }
});

const ENVIRONMENT = {
  PATH: process.env["PATH"] ?? "",
  AWS_REGION: "eu-west-1",
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "1",
  LANEMQ_CATALOG_TABLE: "catalog",
  LANEMQ_LANES_TABLE: "lanes",
  POWERTOOLS_SERVICE_NAME: "LaneMQ",
  POWERTOOLS_METRICS_NAMESPACE: "LaneMQ",
};

/** Imports the bundle as Lambda does, in a process of its own: the time in ms, and what it exports. */
function load(file: string): { ms: number; handler: string } {
  const script = `
    const before = performance.now();
    const loaded = await import(${JSON.stringify(file)});
    const ms = performance.now() - before;
    console.log(JSON.stringify({ ms, handler: typeof loaded.handler }));
    process.exit(0);`;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    env: ENVIRONMENT,
    encoding: "utf8",
  });
  return JSON.parse(output) as { ms: number; handler: string };
}

describe.each(FUNCTION_NAMES)("the bundle of %s", (name) => {
  it("stays within its budget, loads without node_modules and exports its handler", () => {
    const file = bundles.get(name) ?? "";
    const { size } = statSync(file);
    const { ms, handler } = load(file);
    console.log(`${name}: ${(size / 1024).toFixed(0)} KiB, imports in ${ms.toFixed(0)} ms`);
    expect(size).toBeLessThan(BUDGET_BYTES);
    expect(handler).toBe("function");
  });

  it("holds no CDK, no test store and no path of the machine that built it", () => {
    const code = readFileSync(bundles.get(name) ?? "", "utf8");
    expect(code).not.toMatch(/aws-cdk-lib|AWS::Lambda/);
    expect(code).not.toContain(process.cwd());
  });
});
