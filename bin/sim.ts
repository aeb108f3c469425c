/** `npm run sim`: schedules of the simulation on all cores, or one of them again. */
import { Command, InvalidArgumentError } from "commander";
import { availableParallelism } from "node:os";
import { bundleWorker, withFolder } from "../test/sim/bundle.ts";
import { runCrew, Tally } from "../test/sim/crew.ts";
import { isKindName, kindNames, turnsOf } from "../test/sim/kinds.ts";
import type { KindName, ScheduleKey } from "../test/sim/kinds.ts";
import { explain, runSchedule } from "../test/sim/schedule.ts";

await main();

async function main(): Promise<void> {
  const command: Command = new Command("sim")
    .description("Runs the service under simulated faults and judges every answer.")
    .option("--minutes <n>", "how long to run", positive, 1)
    .option("--schedules <n>", "how many schedules at most", positive)
    .option("--from <seed>", "first seed; default: by the clock", positive)
    .option("--kind <names...>", `only some kinds of schedules: ${kindNames.join(", ")}`, kinds)
    .option("--seed <seed>", "run this one schedule, of one --kind", positive)
    .option("--trace", "print everything that happens; with --seed")
    .option("--workers <n>", "processes", positive, availableParallelism())
    .option("--first", "stop at the first failure")
    .parse();
  const options = command.opts<{
    minutes: number;
    schedules?: number;
    from?: number;
    seed?: number;
    kind?: KindName[];
    trace?: boolean;
    workers: number;
    first?: boolean;
  }>();
  if (options.seed === undefined) {
    await runMany(options);
    return;
  }
  const [kind, ...others] = options.kind ?? [];
  if (kind === undefined || others.length > 0)
    command.error("error: a seed makes a schedule of one kind; say which: --kind <name>");
  await runOne({ kind, seed: options.seed }, options.trace === true);
}

async function runOne(schedule: ScheduleKey, withTrace: boolean): Promise<void> {
  const report = await runSchedule(schedule, withTrace ? (line) => console.log(line) : undefined);
  console.log(
    report.failure === undefined
      ? `${report.kind} ${report.seed} holds: ${report.steps} steps, ${report.messages} messages (${report.plan})`
      : explain(report),
  );
  process.exitCode = report.failure === undefined ? 0 : 1;
}

async function runMany(options: {
  minutes: number;
  schedules?: number;
  from?: number;
  kind?: readonly KindName[];
  workers: number;
  first?: boolean;
}): Promise<void> {
  const startedAt = performance.now();
  const seconds = (): number => (performance.now() - startedAt) / 1_000;
  const limit = options.schedules === undefined ? options.minutes * 60 : Infinity;
  const firstSeed = options.from ?? Date.now() % 1_000_000_000;
  const tally = new Tally();
  const rate = (): number => Math.round(tally.steps / seconds());
  const rateOfCore = (): number => Math.round(tally.steps / (tally.cpuMs / 1_000));
  console.log(`first seed ${firstSeed}, ${options.workers} workers`);
  const progress = setInterval(() => {
    console.log(
      `${Math.round(seconds())} s: ${tally.schedules} schedules, ${rate()} steps/s, ${tally.failures.length} failures; ${tally.faultLine()}`,
    );
  }, 10_000);
  await withFolder(async (folder) =>
    runCrew({
      program: await bundleWorker(folder, "worker"),
      workers: options.workers,
      firstSeed,
      scheduleOf: turnsOf(options.kind ?? kindNames),
      schedules: options.schedules ?? Infinity,
      mayGoOn: () => seconds() < limit && !(options.first === true && tally.failures.length > 0),
      onReport: (report) => {
        tally.add(report);
        if (report.failure !== undefined) console.log(explain({ ...report, faults: new Map() }));
      },
    }),
  );
  clearInterval(progress);
  console.log(
    `${tally.schedules} schedules, ${tally.steps} steps (${rate()}/s on ${options.workers} workers, ${rateOfCore()} a second of processor time), ${tally.messages} messages, ` +
      `${tally.deliveries} deliveries, ${tally.failures.length} failures\nfaults: ${tally.faultLine()}`,
  );
  for (const [invariant, schedules] of tally.byInvariant()) {
    const some = schedules.slice(0, 8).map(({ kind, seed }) => `${kind} ${seed}`);
    console.log(`  ${invariant}: ${schedules.length} (${some.join(", ")})`);
  }
  process.exitCode = tally.failures.length === 0 ? 0 : 1;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("a positive number is needed");
  return value;
}

function kinds(name: string, before: readonly KindName[] = []): readonly KindName[] {
  if (!isKindName(name)) throw new InvalidArgumentError(`one of ${kindNames.join(", ")}`);
  return [...before, name];
}
