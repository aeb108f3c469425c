/**
 * Builds the rest of what the package holds into dist/: the client and its types, the construct with
 * the bundles of its functions, and the application behind `lanemq deploy`.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { build, type BuildOptions } from "esbuild";
import { bundling } from "../lib/bundling.ts";
import { FUNCTION_NAMES } from "../lib/grants.ts";

const ENTRIES = ["src/client/index.d.ts", "lib/construct.d.ts"];
const TYPES = "dist/types";

for (const part of ["client", "cdk", "types"])
  rmSync(join("dist", part), { recursive: true, force: true });

const shared: BuildOptions = { bundle: true, format: "esm", logLevel: "warning" };
await build({
  ...shared,
  entryPoints: ["src/client/index.ts"],
  outfile: "dist/client/index.js",
  platform: "browser",
  target: "es2022",
});
await build({
  ...shared,
  entryPoints: { index: "lib/construct.ts", app: "lib/deploy-app.ts" },
  outdir: "dist/cdk",
  platform: "node",
  target: "node20",
  packages: "external",
});
for (const name of FUNCTION_NAMES) {
  await build({
    ...shared,
    entryPoints: [`lambdas/${name}.ts`],
    outfile: `dist/cdk/functions/${name}/index.mjs`,
    platform: "node",
    ...pick(bundling),
  });
}
const tsc = join(
  dirname(createRequire(import.meta.url).resolve("typescript/package.json")),
  "bin/tsc",
);
execFileSync(process.execPath, [tsc, "-p", "tsconfig.package.json"], { stdio: "inherit" });
keepReachable();

/** As the CDK would have bundled them from source. */
function pick({ target, minify, mainFields, banner }: typeof bundling): BuildOptions {
  return {
    ...(target === undefined ? {} : { target }),
    ...(minify === undefined ? {} : { minify }),
    ...(mainFields === undefined ? {} : { mainFields }),
    ...(banner === undefined ? {} : { banner: { js: banner } }),
  };
}

/** Types name their files as JavaScript, and those that no entry leads to are left out. */
function keepReachable(): void {
  const reached = new Set<string>();
  const waiting = ENTRIES.map((entry) => resolve(TYPES, entry));
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    const text = readFileSync(file, "utf8");
    const own = /((?:from|import)\s*\(?\s*")(\.{1,2}\/[^"]+)\.ts"/g;
    for (const [, , path = ""] of text.matchAll(own))
      waiting.push(resolve(dirname(file), `${path}.d.ts`));
    writeFileSync(file, text.replace(own, '$1$2.js"'));
  }
  for (const path of readdirSync(TYPES, { recursive: true, encoding: "utf8" })) {
    const file = resolve(TYPES, path);
    if (path.endsWith(".d.ts") && !reached.has(file)) rmSync(file);
  }
  process.stdout.write(`${reached.size} files of types, from ${relative(".", resolve(TYPES))}\n`);
}
