/**
 * `npm run mutants [names…]`: damages the source, one rule at a time, and runs the simulation over it
 * until it fails or its budget is spent. A damage that survives is a rule nobody watches.
 *
 * Every simulation is one bundle, made at the start, so that all of them are of the same source.
 */
import { build } from "esbuild";
import type { Plugin } from "esbuild";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import type { KindName } from "../test/sim/kinds.ts";
import { REGRESSIONS } from "../test/sim/regressions.ts";
import { MUTANTS } from "../test/sim/mutants/index.ts";
import type { Mutant } from "../test/sim/mutants/mutant.ts";

const ROOT = join(import.meta.dirname, "..");

interface Failure {
  readonly kind: KindName;
  readonly seed: number;
  readonly invariant?: string;
}

interface Verdict {
  readonly schedules: number;
  readonly steps: number;
  readonly seconds: number;
  readonly failures: readonly Failure[];
}

const command = new Command("mutants")
  .argument("[names...]", "only these; a rule (L5) stands for all of its mutants")
  .option("--schedules <n>", "budget for each", Number, 1_500)
  .option("--from <seed>", "first seed", Number, 1)
  .option("--workers <n>", "processes", Number, availableParallelism())
  .option("--markdown", "print the table of docs/simulation.md")
  .parse();
const options = command.opts<{
  schedules: number;
  from: number;
  workers: number;
  markdown?: boolean;
}>();
const chosen = MUTANTS.filter(
  ({ name, rule }) =>
    command.args.length === 0 || command.args.includes(name) || command.args.includes(rule),
);

const folder = await mkdtemp(join(tmpdir(), "lanemq-mutants-"));
const baseline = await bundle("baseline");
const bundles = new Map<Mutant, string>();
for (const mutant of chosen) bundles.set(mutant, await bundle(mutant.name, mutant));
if (options.markdown === true)
  console.log("| rule | damage | found by | after schedules |\n| --- | --- | --- | ---: |");

const startedAt = performance.now();
const survivors: string[] = [];
const spent = { schedules: 0, steps: 0 };
const waiting = [...chosen];
await Promise.all(Array.from({ length: options.workers }, () => worker()));
await rm(folder, { recursive: true, force: true });
const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
console.log(
  `${options.markdown === true ? "\n" : ""}${chosen.length - survivors.length} of ${chosen.length} killed in ${minutes} minutes, ` +
    `${spent.schedules} schedules, ${spent.steps} steps${survivors.length === 0 ? "" : `; survived: ${survivors.join(", ")}`}`,
);
process.exitCode = survivors.length === 0 ? 0 : 1;

async function worker(): Promise<void> {
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const { schedules, seconds, failure } = await firstFailure(mutant);
    if (failure === undefined) survivors.push(mutant.name);
    console.log(line(mutant, schedules, seconds, failure));
  }
}

function line(
  { rule, name }: Mutant,
  schedules: number,
  seconds: number,
  failure: Failure | undefined,
): string {
  const found = failure === undefined ? "survived" : (failure.invariant ?? "harness");
  if (options.markdown === true) return `| ${rule} | ${name} | ${found} | ${schedules} |`;
  const label = `${rule.padEnd(4)} ${name.padEnd(34)}`;
  const where = failure === undefined ? "" : ` (${failure.kind} ${failure.seed})`;
  return `${failure === undefined ? "SURVIVED" : "killed  "} ${label} ${found} after ${schedules} schedules${where}, ${Math.round(seconds)} s`;
}

/**
 * The first failure that the undamaged source does not have, too. What once found a bug is run first, as
 * in every test run: it found it because it needs the rule.
 */
async function firstFailure(
  mutant: Mutant,
): Promise<{ schedules: number; seconds: number; failure: Failure | undefined }> {
  const program = bundles.get(mutant) ?? baseline;
  let schedules = 0;
  let seconds = 0;
  let from = options.from;
  for (const { kind, seed } of REGRESSIONS.filter((one) => mutant.kinds.includes(one.kind))) {
    const verdict = await simulate(program, seed, 1, [kind]);
    schedules += verdict.schedules;
    seconds += verdict.seconds;
    const [failure] = verdict.failures;
    if (failure !== undefined && (await simulate(baseline, seed, 1, [kind])).failures.length === 0)
      return { schedules, seconds, failure };
  }
  while (schedules < options.schedules) {
    const verdict = await simulate(program, from, options.schedules - schedules, mutant.kinds);
    schedules += verdict.schedules;
    seconds += verdict.seconds;
    const failure = verdict.failures[0];
    if (failure === undefined) break;
    const sound = await simulate(baseline, failure.seed, 1, [failure.kind]);
    if (sound.failures.length === 0) return { schedules, seconds, failure };
    console.log(`the undamaged source fails at ${failure.kind} ${failure.seed}, too`);
    from = failure.seed + 1;
  }
  return { schedules, seconds, failure: undefined };
}

async function bundle(name: string, mutant?: Mutant): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  await build({
    entryPoints: [join(ROOT, "bin/sim.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
    // commander is CommonJS.
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
    plugins: mutant === undefined ? [] : [damage(mutant)],
  });
  return outfile;
}

function damage({ name, file, edits }: Mutant): Plugin {
  const path = join(ROOT, file);
  return {
    name,
    setup: (bundler) => {
      bundler.onLoad({ filter: /\.ts$/ }, async (args) => {
        if (args.path !== path) return undefined;
        let contents = await readFile(path, "utf8");
        for (const [find, replace] of edits) {
          const pieces = contents.split(find);
          if (pieces.length !== 2)
            throw new Error(`${name}: "${find}" stands ${pieces.length - 1} times in ${file}`);
          contents = pieces.join(replace);
        }
        return { contents, loader: "ts" };
      });
    },
  };
}

function simulate(
  program: string,
  from: number,
  schedules: number,
  kinds: readonly KindName[],
): Promise<Verdict> {
  const args = ["--json", "--first", "--schedules", String(schedules), "--from", String(from)];
  args.push("--workers", "1", ...(kinds.length === 0 ? [] : ["--kind", ...kinds]));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.on("error", reject);
    child.on("exit", () => {
      const last = output.trim().split("\n").at(-1) ?? "";
      if (!last.startsWith("{")) {
        reject(new Error(`${program} gave no result: ${last}`));
        return;
      }
      const verdict = JSON.parse(last) as Verdict;
      spent.schedules += verdict.schedules;
      spent.steps += verdict.steps;
      resolve(verdict);
    });
  });
}
