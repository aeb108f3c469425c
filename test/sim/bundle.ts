/**
 * Worker programs, each of the source as it stood when it was made, or damaged by a plugin on the way.
 *
 * A bundle of its own, because the loader that runs TypeScript keeps the names of functions, at each of
 * their makings: a tenth of a simulation's time.
 */
import { build } from "esbuild";
import type { Plugin } from "esbuild";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const WORKER = join(import.meta.dirname, "worker.ts");

/** Calls with a folder for bundles, which goes with it. */
export async function withFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "lanemq-sim-"));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Gives back its path. */
export async function bundleWorker(
  folder: string,
  name: string,
  plugins: Plugin[] = [],
): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  await build({
    entryPoints: [WORKER],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    logLevel: "error",
    plugins,
  });
  return outfile;
}
