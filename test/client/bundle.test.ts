/** Hunts: a client that grew, or that needs Node. */
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

const BUDGET_BYTES = 15_000;

test("the client, with all that it depends on, bundles for browsers and stays small", async () => {
  const { outputFiles, metafile, warnings } = await build({
    entryPoints: ["src/client/index.ts"],
    bundle: true,
    platform: "browser",
    format: "esm",
    minify: true,
    metafile: true,
    write: false,
  });
  expect(warnings).toEqual([]);
  expect(gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length).toBeLessThan(BUDGET_BYTES);
  expect(Object.values(metafile.outputs).flatMap(({ imports }) => imports)).toEqual([]);
  const sources = Object.keys(metafile.inputs);
  expect(sources.filter((path) => !/^src\/(client|core|http)\//.test(path))).toEqual([]);
});

test("it names nothing that only Node has", async () => {
  const { outputFiles } = await build({
    entryPoints: ["src/client/index.ts"],
    bundle: true,
    platform: "browser",
    format: "esm",
    write: false,
  });
  expect(outputFiles[0]?.text).not.toMatch(
    /\b(process|Buffer|require|__dirname|setImmediate)\b[.([]/,
  );
});
