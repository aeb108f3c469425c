/** One schedule from its seed: the workload under its faults, the drain, the verdict. */
import { drain } from "./drain.ts";
import { describe } from "./faults.ts";
import type { FaultKind } from "./faults.ts";
import { kindOf } from "./kinds.ts";
import { Stuck } from "./scheduler.ts";
import { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";
import type { Invariant } from "./violation.ts";

export interface ScheduleReport {
  readonly seed: number;
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
  seed: number,
  trace?: (line: string) => void,
): Promise<ScheduleReport> {
  const kind = kindOf(seed);
  const sim = new Simulation(seed, kind.faults, trace);
  let failure: ScheduleReport["failure"];
  try {
    await sim.scheduler.run(async () => {
      await drain(sim, await kind.run(sim));
    }, EVENTS_MAX);
    sim.check();
  } catch (error) {
    failure = verdict(error);
  }
  return {
    seed,
    steps: sim.engine.steps,
    events: sim.scheduler.events,
    messages: sim.auditor.messages.length,
    deliveries: sim.auditor.leases.length,
    faults: sim.world.counts.counts,
    plan: `${kind.name} ${describe(sim.plan)}`,
    failure,
  };
}

/** How a failure is told: what broke, under which faults, and how to see it again. */
export const explain = (report: ScheduleReport): string =>
  `seed ${report.seed} breaks ${report.failure?.text ?? "nothing"}\n` +
  `  faults: ${report.plan}\n  replay: npm run sim -- --seed ${report.seed} --trace`;

function verdict(error: unknown): NonNullable<ScheduleReport["failure"]> {
  if (error instanceof Violation) return { invariant: error.invariant, text: error.message };
  if (error instanceof Stuck) return { invariant: "drains", text: `drains: ${error.message}` };
  return {
    invariant: "harness",
    text: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}
