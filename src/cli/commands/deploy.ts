/** `lanemq deploy`: the CDK toolkit, with the application that this package holds. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Argument, Command } from "commander";
import { UsageError } from "../usage-error.ts";

const ACTIONS = ["deploy", "diff", "synth", "bootstrap", "destroy"] as const;

export const deployCommand = (): Command =>
  new Command("deploy")
    .addArgument(new Argument("[action]", "what to do").choices(ACTIONS).default("deploy"))
    .argument("[arguments...]", "after --, for the CDK toolkit")
    .option("-c, --context <name=value>", "a setting; may be repeated", collected, [])
    .description("Put the service into an AWS account, by the CDK.")
    .addHelpText(
      "after",
      `
It needs packages beside this one: npm install aws-cdk aws-cdk-lib constructs,
and credentials of the account in the environment. The settings are in
docs/operations.md.

Examples:
  lanemq deploy bootstrap
  lanemq deploy diff -c stackName=Shop
  lanemq deploy -c stackName=Shop -c alarmEmail=ops@example.com
  lanemq deploy synth -- --quiet`,
    )
    .action(deploy);

async function deploy(
  action: string,
  more: readonly string[],
  flags: { readonly context: readonly string[] },
): Promise<void> {
  const app = fileURLToPath(new URL("./cdk/app.js", import.meta.url));
  if (!existsSync(app))
    throw new UsageError("this build cannot deploy: use npx cdk deploy instead");
  const toolkit = toolkitOf();
  const context = flags.context.flatMap((one) => ["--context", one]);
  const args = [toolkit, action, "--app", app, ...context, ...more];
  const child = spawn(process.execPath, args, { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  process.exitCode = code ?? 1;
}

/** Of the project that this runs in, else of where this package is. @throws UsageError */
function toolkitOf(): string {
  for (const from of [pathToFileURL(join(process.cwd(), "package.json")), import.meta.url]) {
    const find = createRequire(from);
    try {
      find.resolve("aws-cdk-lib/package.json");
      find.resolve("constructs/package.json");
      return join(dirname(find.resolve("aws-cdk/package.json")), "bin", "cdk");
    } catch {
      continue;
    }
  }
  throw new UsageError("deploying needs the CDK: npm install aws-cdk aws-cdk-lib constructs");
}

const collected = (text: string, before: readonly string[]): string[] => [...before, text];
