/**
 * `npm run mutants [names…]`: damages the source, one rule at a time, and runs the simulation over it
 * until it fails or its budget is spent. A damage that survives is a rule nobody watches.
 *
 * Every simulation is one bundle, made at the start, so that all of them are of the same source.
 */
import type { Plugin } from "esbuild";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { bundleWorker, withFolder } from "../test/sim/bundle.ts";
import { runCrew, Tally } from "../test/sim/crew.ts";
import type { Told } from "../test/sim/crew.ts";
import { turnsOf } from "../test/sim/kinds.ts";
import type { KindName, ScheduleKey } from "../test/sim/kinds.ts";
import { REGRESSIONS } from "../test/sim/regressions.ts";
import { MUTANTS } from "../test/sim/mutants/index.ts";
import type { Mutant } from "../test/sim/mutants/mutant.ts";

const ROOT = join(import.meta.dirname, "..");

interface Verdict {
  readonly schedules: number;
  readonly seconds: number;
  /** Absent: the damage survives. */
  readonly failure: Told | undefined;
}

const command = new Command("mutants")
  .argument("[names...]", "only these; a rule (L5) stands for all of its mutants")
  .option("--schedules <n>", "budget for each", Number, 1_500)
  .option("--from <seed>", "first seed", Number, 1)
  .option("--workers <n>", "processes", Number, availableParallelism())
  .option("--kind <names...>", "schedules of these kinds, in place of its own")
  .option("--markdown", "print the table of docs/simulation.md")
  .parse();
const options = command.opts<{
  schedules: number;
  from: number;
  workers: number;
  kind?: KindName[];
  markdown?: boolean;
}>();
const chosen = MUTANTS.filter(
  ({ name, rule }) =>
    command.args.length === 0 || command.args.includes(name) || command.args.includes(rule),
).map((mutant) => ({ ...mutant, kinds: options.kind ?? mutant.kinds }));

const startedAt = performance.now();
const survivors: string[] = [];
const spent = new Tally();
await withFolder(async (folder) => {
  const baseline = await bundleWorker(folder, "baseline");
  const waiting: (readonly [Mutant, string])[] = [];
  for (const mutant of chosen)
    waiting.push([mutant, await bundleWorker(folder, mutant.name, [damage(mutant)])]);
  if (options.markdown === true)
    console.log("| rule | damage | found by | after schedules |\n| --- | --- | --- | ---: |");
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [mutant, program] = next;
      const verdict = await firstFailure(mutant, program, baseline);
      if (verdict.failure === undefined) survivors.push(mutant.name);
      console.log(line(mutant, verdict));
    }
  };
  await Promise.all(Array.from({ length: options.workers }, worker));
});
const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
console.log(
  `${options.markdown === true ? "\n" : ""}${chosen.length - survivors.length} of ${chosen.length} killed in ${minutes} minutes, ` +
    `${spent.schedules} schedules, ${spent.steps} steps${survivors.length === 0 ? "" : `; survived: ${survivors.join(", ")}`}`,
);
process.exitCode = survivors.length === 0 ? 0 : 1;

function line({ rule, name }: Mutant, { schedules, seconds, failure }: Verdict): string {
  const found = failure === undefined ? "survived" : (failure.failure?.invariant ?? "harness");
  if (options.markdown === true) return `| ${rule} | ${name} | ${found} | ${schedules} |`;
  const label = `${rule.padEnd(4)} ${name.padEnd(34)}`;
  const where = failure === undefined ? "" : ` (${failure.kind} ${failure.seed})`;
  return `${failure === undefined ? "SURVIVED" : "killed  "} ${label} ${found} after ${schedules} schedules${where}, ${Math.round(seconds)} s`;
}

/**
 * The first failure that the undamaged source does not have, too. What once found a bug is run first, as
 * in every test run: it found it because it needs the rule.
 */
async function firstFailure(mutant: Mutant, program: string, baseline: string): Promise<Verdict> {
  const began = performance.now();
  const pinned = REGRESSIONS.filter(({ kind }) => mutant.kinds.includes(kind));
  const byTurns = turnsOf(mutant.kinds);
  const scheduleOf = (number: number): ScheduleKey =>
    pinned[number] ?? byTurns(options.from + number - pinned.length);
  let next = 0;
  let failure: Told | undefined;
  while (failure === undefined && next < options.schedules) {
    const { failures, schedules } = await simulate(program, next, options.schedules, scheduleOf);
    next += schedules;
    const [first] = failures;
    if (first === undefined) break;
    const sound = await simulate(baseline, 0, 1, () => first);
    if (sound.failures.length === 0) failure = first;
    else console.log(`the undamaged source fails at ${first.kind} ${first.seed}, too`);
  }
  return { schedules: next, seconds: (performance.now() - began) / 1_000, failure };
}

/** From one number of a schedule to another, or to the first failure. */
async function simulate(
  program: string,
  from: number,
  to: number,
  scheduleOf: (number: number) => ScheduleKey,
): Promise<Tally> {
  const tally = new Tally();
  await runCrew({
    program,
    workers: 1,
    firstSeed: from,
    scheduleOf,
    schedules: to - from,
    mayGoOn: () => tally.failures.length === 0,
    onReport: (report) => {
      tally.add(report);
      spent.add(report);
    },
  });
  return tally;
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
