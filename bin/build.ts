/**
 * Builds what runs on Node into dist/: the embedded service and the command line. A file that is as it
 * should be is not touched, so that building again disturbs nobody who runs it.
 */
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";

const OUT = "dist";

const { outputFiles } = await build({
  entryPoints: {
    main: "src/local/main.ts",
    "engine-worker": "src/local/engine-worker.ts",
    lanemq: "src/cli/main.ts",
  },
  outdir: OUT,
  bundle: true,
  // The service is a part that only `start` loads.
  splitting: true,
  platform: "node",
  target: "node20",
  format: "esm",
  packages: "external",
  logLevel: "warning",
  write: false,
});

mkdirSync(OUT, { recursive: true });
for (const { path, contents } of outputFiles) if (!isThere(path, contents)) replace(path, contents);
chmodSync(join(OUT, "lanemq.js"), 0o755);
const made = new Set(outputFiles.map(({ path }) => basename(path)));
for (const name of readdirSync(OUT)) {
  if (name.endsWith(".js") && !made.has(name)) rmSync(join(OUT, name), { force: true });
}

function isThere(path: string, contents: Uint8Array): boolean {
  try {
    return readFileSync(path).equals(contents);
  } catch {
    return false;
  }
}

function replace(path: string, contents: Uint8Array): void {
  const next = `${path}.${process.pid}`;
  writeFileSync(next, contents);
  renameSync(next, path);
}
