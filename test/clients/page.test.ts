/** The programs of the page for those who come from SQS do what they say: each prints what it received. */
import { execFile } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { read, section } from "../docs/markdown.ts";
import { programOf } from "./foreign.ts";
import { startService } from "./speakers.ts";
import type { Served } from "./speakers.ts";

const PAGE = read("docs/coming-from-sqs.md");
const ENDPOINT = "http://127.0.0.1:9324";
/** Within the repository, so that programs find its packages. */
const FOLDER = resolve(".cache/clients/page");
const TSX = resolve("node_modules/tsx/dist/cli.mjs");
const LONG_MS = 180_000;
const run = promisify(execFile);

let served: Served;
beforeAll(async () => {
  mkdirSync(FOLDER, { recursive: true });
  served = await startService();
});
afterAll(() => served.close());

/** The first program below the heading, with the endpoint of the service under test. */
const programIn = (heading: string, language: string): string => {
  const found = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "s").exec(section(PAGE, heading))?.[1];
  if (found === undefined) throw new Error(`"${heading}" has no program`);
  expect(found).toContain(ENDPOINT.replace("http://", ""));
  return found.replaceAll(ENDPOINT.replace("http://", ""), served.url.replace("http://", ""));
};

const file = (name: string, text: string): string => {
  const path = join(FOLDER, name);
  writeFileSync(path, text);
  return path;
};

/** Without the line in question; the environment has it instead. */
const withoutTheLine = (program: string): string => {
  const left = program.replace(/^.*the one line.*\n/m, "");
  expect(left).not.toBe(program);
  return left;
};

const ANYBODY = {
  AWS_ACCESS_KEY_ID: "any",
  AWS_SECRET_ACCESS_KEY: "any",
  AWS_REGION: "us-east-1",
  AWS_DEFAULT_REGION: "us-east-1",
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_PAGER: "",
};
const fromTheEnvironment = (): Record<string, string> => ({
  ...ANYBODY,
  AWS_ENDPOINT_URL_SQS: served.url,
});

/** The last line, for loggers may greet before it. */
const shown = async (
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = ANYBODY,
): Promise<string> => {
  const { stdout } = await run(command, args, { env: { ...process.env, ...env }, cwd: FOLDER });
  return stdout.trim().split("\n").at(-1) ?? "";
};

test("TypeScript", { timeout: LONG_MS }, async () => {
  const program = programIn("## TypeScript and JavaScript", "ts");
  const here = [TSX, file("orders.mts", program)];
  expect(await shown(process.execPath, here)).toBe("hello");
  const there = [TSX, file("orders-env.mts", withoutTheLine(program))];
  expect(await shown(process.execPath, there, fromTheEnvironment())).toBe("hello");
});

const python = programOf("boto3");
test.skipIf(python.isMissing)(`Python: ${python.title}`, { timeout: LONG_MS }, async () => {
  const program = programIn("## Python: boto3", "python");
  const [interpreter = ""] = python.command;
  expect(await shown(interpreter, [file("orders.py", program)])).toBe("hello");
  const there = file("orders_env.py", withoutTheLine(program));
  expect(await shown(interpreter, [there], fromTheEnvironment())).toBe("hello");
});

const cli = programOf("aws-cli");
test.skipIf(cli.isMissing)(`AWS CLI: ${cli.title}`, { timeout: LONG_MS }, async () => {
  const program = programIn("## AWS CLI", "sh");
  const path = [dirname(cli.command[0] ?? ""), process.env["PATH"]].join(delimiter);
  const script = ["-c", `set -euo pipefail\n${program}`];
  expect(await shown("bash", script, { ...ANYBODY, PATH: path })).toBe("hello");
});

const go = programOf("go");
test.skipIf(go.isMissing)(`Go: ${go.title}`, { timeout: LONG_MS }, async () => {
  for (const name of ["go.mod", "go.sum"])
    copyFileSync(join("test/clients/go", name), join(FOLDER, name));
  const program = file("main.go", programIn("## Go", "go"));
  expect(await shown("go", ["run", program])).toBe("hello");
});

const java = programOf("java");
test.skipIf(java.isMissing)(`Java: ${java.title}`, { timeout: LONG_MS }, async () => {
  const program = file("Orders.java", programIn("## Java and Spring", "java"));
  const path = java.command[java.command.indexOf("-cp") + 1] ?? "";
  expect(existsSync(path.split(":")[0] ?? "")).toBe(true);
  expect(await shown("java", ["-cp", path, program])).toBe("hello");
});

const celery = programOf("celery");
test.skipIf(celery.isMissing)(`Celery: ${celery.title}`, { timeout: LONG_MS }, async () => {
  file("orders_celery.py", programIn("## Celery", "python"));
  const send = "from orders_celery import greet; print(bool(greet.delay('SQS').id))";
  const [interpreter = ""] = celery.command;
  expect(await shown(interpreter, ["-c", send])).toBe("True");
  // What it sent is a message like any other, and can be browsed.
  const browsed = await fetch(`${served.url}/v1/queues/celery/messages`);
  expect(await browsed.json()).toMatchObject({ messages: [{ body: expect.any(String) }] });
});
