/** One schedule from its kind and seed: the workload under its faults, the drain, the verdict. */
import { drain } from "./drain.ts";
import { describe } from "./faults.ts";
import type { FaultKind } from "./faults.ts";
import { KINDS } from "./kinds.ts";
import type { ScheduleKey } from "./kinds.ts";
import { Stuck } from "./scheduler.ts";
import { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";
import type { Invariant } from "./violation.ts";

export interface ScheduleReport extends ScheduleKey {
  /** Requests that reached the storage engine. */
  readonly steps: number;
  readonly events: number;
  readonly messages: number;
  readonly deliveries: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
  readonly plan: string;
  readonly failure:
    { readonly invariant: Invariant | "harness"; readonly text: string } | undefined;
}

const EVENTS_MAX = 1_500_000;

export async function runSchedule(
  { kind, seed }: ScheduleKey,
  trace?: (line: string) => void,
): Promise<ScheduleReport> {
  const { faults, run } = KINDS[kind];
  const sim = new Simulation(seed, faults, trace);
  let failure: ScheduleReport["failure"];
  try {
    await sim.scheduler.run(async () => {
      const operations = await run(sim);
      await drain(sim, operations);
      for (const verdict of operations.verdicts) await verdict();
    }, EVENTS_MAX);
    sim.check();
  } catch (error) {
    failure = verdict(error);
  }
  return {
    kind,
    seed,
    steps: sim.engine.steps,
    events: sim.scheduler.events,
    messages: sim.auditor.messages.length,
    deliveries: sim.auditor.leases.length,
    faults: sim.world.counts.counts,
    plan: describe(sim.plan),
    failure,
  };
}

/** How a failure is told: what broke, under which faults, and how to see it again. */
export const explain = (report: ScheduleReport): string =>
  `${report.kind} ${report.seed} breaks ${report.failure?.text ?? "nothing"}\n` +
  `  faults: ${report.plan}\n  replay: npm run sim -- --kind ${report.kind} --seed ${report.seed} --trace`;

function verdict(error: unknown): NonNullable<ScheduleReport["failure"]> {
  if (error instanceof Violation) return { invariant: error.invariant, text: error.message };
  if (error instanceof Stuck) return { invariant: "drains", text: `drains: ${error.message}` };
  return {
    invariant: "harness",
    text: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}
