/**
 * `npm run mutants [names…]`: damages a copy of the source, one rule at a time, and runs the simulation
 * over it until it fails or its budget is spent. A damage that survives is a rule nobody watches.
 */
import { spawn } from "node:child_process";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { MUTANTS } from "../test/sim/mutants.ts";
import type { Mutant } from "../test/sim/mutants.ts";

const ROOT = join(import.meta.dirname, "..");
const COPIES = join(ROOT, ".cache", "mutants");

interface Failure {
  readonly seed: number;
  readonly invariant?: string;
  readonly text?: string;
}

interface Verdict {
  readonly schedules: number;
  readonly seconds: number;
  readonly failures: readonly Failure[];
}

const command = new Command("mutants")
  .argument("[names...]", "only these; a rule (L5) stands for all of its mutants")
  .option("--schedules <n>", "budget for each", Number, 3_000)
  .option("--from <seed>", "first seed", Number, 1)
  .option("--workers <n>", "processes", Number, availableParallelism())
  .parse();
const options = command.opts<{ schedules: number; from: number; workers: number }>();
const chosen = MUTANTS.filter(
  ({ name, rule }) =>
    command.args.length === 0 || command.args.includes(name) || command.args.includes(rule),
);

const BASELINE = join(COPIES, "baseline");
await copy(ROOT, BASELINE);
const survivors: string[] = [];
for (const mutant of chosen) {
  const folder = await damaged(mutant);
  const { schedules, seconds, failure } = await firstFailure(folder);
  await rm(folder, { recursive: true, force: true });
  const label = `${mutant.rule.padEnd(4)} ${mutant.name.padEnd(34)}`;
  if (failure === undefined) {
    survivors.push(mutant.name);
    console.log(`SURVIVED ${label} ${schedules} schedules, ${Math.round(seconds)} s`);
  } else {
    console.log(
      `killed   ${label} by ${failure.invariant ?? "?"} after ${schedules} schedules (seed ${failure.seed}), ${Math.round(seconds)} s`,
    );
  }
}
console.log(
  `${chosen.length - survivors.length} of ${chosen.length} killed${survivors.length === 0 ? "" : `; survived: ${survivors.join(", ")}`}`,
);
process.exitCode = survivors.length === 0 ? 0 : 1;

/** The first failure that the undamaged source does not have, too. */
async function firstFailure(
  folder: string,
): Promise<{ schedules: number; seconds: number; failure: Failure | undefined }> {
  let seconds = 0;
  let from = options.from;
  const end = options.from + options.schedules;
  while (from < end) {
    const verdict = await simulate(folder, from, end - from);
    seconds += verdict.seconds;
    const failure = verdict.failures[0];
    if (failure === undefined) break;
    const sound = await simulate(BASELINE, failure.seed, 1);
    const schedules = from - options.from + verdict.schedules;
    if (sound.failures.length === 0) return { schedules, seconds, failure };
    console.log(`         the undamaged source fails at seed ${failure.seed}, too`);
    from = failure.seed + 1;
  }
  return { schedules: options.schedules, seconds, failure: undefined };
}

/** What the simulation runs. */
async function copy(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await mkdir(to, { recursive: true });
  for (const part of ["src/core", "src/store", "src/service", "test/sim", "bin/sim.ts"]) {
    await cp(join(from, part), join(to, part), { recursive: true });
  }
}

async function damaged(mutant: Mutant): Promise<string> {
  const folder = join(COPIES, mutant.name);
  await copy(BASELINE, folder);
  const file = join(folder, mutant.file);
  let source = await readFile(file, "utf8");
  for (const [find, replace] of mutant.edits) {
    const pieces = source.split(find);
    if (pieces.length !== 2)
      throw new Error(
        `${mutant.name}: "${find}" stands ${pieces.length - 1} times in ${mutant.file}`,
      );
    source = pieces.join(replace);
  }
  await writeFile(file, source);
  return folder;
}

function simulate(folder: string, from: number, schedules: number): Promise<Verdict> {
  const { workers } = options;
  const args = ["--import", "tsx", join(folder, "bin/sim.ts"), "--json", "--first"];
  args.push("--schedules", String(schedules), "--from", String(from), "--workers", String(workers));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.on("error", reject);
    child.on("exit", () => {
      const line = output.trim().split("\n").at(-1) ?? "";
      if (line.startsWith("{")) resolve(JSON.parse(line) as Verdict);
      else reject(new Error(`the simulation of ${folder} gave no result: ${line}`));
    });
  });
}
