/** The commands of the page for those who come from RabbitMQ do what it says they do. */
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Local } from "../../src/local/runtime.ts";
import { start } from "../e2e/local-service.ts";
import { read, section } from "./markdown.ts";

const PAGE = read("docs/coming-from-rabbitmq.md");
const TUTORIALS = [...PAGE.matchAll(/^## \d\. .+$/gm)].map(([heading]) => heading);
const run = promisify(execFile);

/** Commands, and what they are to print; `…` stands for anything. */
interface Step {
  readonly commands: string;
  readonly output: string | undefined;
}

const stepsOf = (text: string): Step[] =>
  [...text.matchAll(/```sh\n(.*?)```(?:\n\n```\n(.*?)\n```)?/gs)].map(
    ([, commands = "", output]) => ({ commands, output }),
  );

const patternOf = (output: string): RegExp =>
  new RegExp(`^${output.split("…").map(escaped).join(".*")}$`, "s");

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

const hasTools = ((): boolean => {
  try {
    execFileSync("bash", ["-c", "command -v curl grep cut paste"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasTools)(`the tutorials${hasTools ? "" : " (no bash and curl: skipped)"}`, () => {
  let local: Local;
  let folder: string;
  beforeAll(async () => {
    local = await start();
    folder = mkdtempSync(join(tmpdir(), "lanemq-tutorials-"));
  });
  afterAll(async () => {
    await local?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  const [preamble] = stepsOf(section(PAGE, "## What is different"));

  test("are RabbitMQ's six", () => {
    expect(TUTORIALS).toHaveLength(6);
    expect(preamble?.commands).toContain("http://127.0.0.1:9324");
  });

  test.each(TUTORIALS)("%s", async (heading) => {
    const steps = stepsOf(section(PAGE, heading));
    expect(steps.filter(({ output }) => output !== undefined).length).toBeGreaterThan(0);
    const before = (preamble?.commands ?? "").replace("http://127.0.0.1:9324", local.url);
    for (const { commands, output } of steps) {
      const script = `set -euo pipefail\n${before}\nprintf '\\n---\\n'\n${commands}`;
      const { stdout } = await run("bash", ["-c", script], { cwd: folder });
      const printed = stdout.slice(stdout.lastIndexOf("\n---\n") + 5).trim();
      if (output !== undefined) expect(printed).toMatch(patternOf(output));
    }
  });
});
