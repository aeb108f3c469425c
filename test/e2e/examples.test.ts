/**
 * The programs in the documentation: each is type-checked, run against the embedded service, and has
 * to print what stands below it. One that goes on until it is told to stop is told so then, and has to
 * end well.
 */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Local } from "../../src/local/runtime.ts";
import { read, ROOT } from "../docs/markdown.ts";
import { start } from "./local-service.ts";

const PAGES = ["docs/quick-start.md", "docs/recipes.md", "docs/client.md"];
/** Those that only have to hold: they are parts of what is deployed. */
const CHECKED = ["docs/operations.md"];
const PATIENCE_MS = 50_000;
const DEFAULT_ENDPOINT = "http://127.0.0.1:9324";

interface Example {
  readonly heading: string;
  readonly code: string;
  readonly output: string | undefined;
}

function examplesOf(page: string): Example[] {
  const text = read(page);
  return [...text.matchAll(/^```ts\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?/gms)].map(
    ({ 1: code = "", 2: output, index }) => ({
      heading: [...text.slice(0, index).matchAll(/^#+ (.+)$/gm)].at(-1)?.[1] ?? page,
      code,
      output,
    }),
  );
}

/** Below the repository, so that other packages are found. */
let folder: string;
beforeAll(() => {
  mkdirSync(join(ROOT, ".cache"), { recursive: true });
  folder = mkdtempSync(join(ROOT, ".cache", "examples-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("all of them have the types that they use", async () => {
  const pages = [...PAGES, ...CHECKED];
  const examples = pages.flatMap((page) => examplesOf(page));
  expect(examples.length).toBeGreaterThan(15);
  const files = examples.map(({ code }, index) => {
    writeFileSync(join(folder, `${index}.ts`), `${code}\nexport {};\n`);
    return `${index}.ts`;
  });
  const compilerOptions = {
    paths: {
      lanemq: [join(ROOT, "src/client/index.ts")],
      "lanemq/cdk": [join(ROOT, "lib/construct.ts")],
    },
    noEmit: true,
  };
  const config = { extends: join(ROOT, "tsconfig.json"), compilerOptions, files, include: [] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, "-p", folder]).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).toBe("");
});

describe.each(PAGES)("%s", (page) => {
  let local: Local;
  beforeAll(async () => void (local = await start()));
  afterAll(() => local.close());

  test.each(examplesOf(page))("$heading", async ({ code, output = "" }) => {
    const { outputFiles } = await build({
      stdin: { contents: code, loader: "ts", resolveDir: ROOT },
      alias: { lanemq: join(ROOT, "src/client/index.ts") },
      bundle: true,
      platform: "node",
      target: "node20",
      format: "esm",
      external: ["zod", "node:*"],
      write: false,
    });
    const file = join(folder, "example.mjs");
    const text = outputFiles[0]?.text ?? "";
    writeFileSync(file, text.replaceAll(DEFAULT_ENDPOINT, local.url));
    const stops = code.includes('process.once("SIGTERM"');
    expect(await printedBy(file, output, stops)).toEqual({ printed: output, code: 0 });
  });
});

async function printedBy(
  file: string,
  expected: string,
  stops: boolean,
): Promise<{ printed: string; code: number | null }> {
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  const read = (chunk: Buffer): void => {
    printed += chunk.toString();
    if (stops && printed === expected) child.kill("SIGTERM");
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  const tooLong = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(tooLong);
  return { printed, code };
}
