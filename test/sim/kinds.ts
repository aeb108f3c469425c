/** The kinds of schedules: what callers do, and under which faults. A seed is of one kind for good. */
import { drawCrowdFaults, runCrowd } from "./crowd.ts";
import { drawFaults, drawFenceFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import { runFences } from "./fences.ts";
import { drawLeaseFaults, runLeases } from "./leases.ts";
import { drawLetterFaults, runLetters } from "./letters.ts";
import type { Operations } from "./operations.ts";
import { drawPurgeFaults, runPurges } from "./purges.ts";
import type { Random } from "./random.ts";
import { drawRetireFaults, runRetire } from "./retire.ts";
import type { Simulation } from "./simulation.ts";
import { runWorkload } from "./workload.ts";

export interface Kind {
  readonly faults: (random: Random) => FaultPlan;
  readonly run: (sim: Simulation) => Promise<Operations>;
}

export type KindName = "mix" | "fences" | "crowd" | "leases" | "letters" | "purges" | "retire";

const KINDS: Readonly<Record<KindName, Kind>> = {
  mix: { faults: drawFaults, run: runWorkload },
  fences: { faults: drawFenceFaults, run: runFences },
  crowd: { faults: drawCrowdFaults, run: runCrowd },
  leases: { faults: drawLeaseFaults, run: runLeases },
  letters: { faults: drawLetterFaults, run: runLetters },
  purges: { faults: drawPurgeFaults, run: runPurges },
  retire: { faults: drawRetireFaults, run: runRetire },
};

/** Of eight seeds in a row. */
const TURNS: readonly KindName[] = [
  "fences",
  "mix",
  "crowd",
  "mix",
  "leases",
  "letters",
  "purges",
  "retire",
];

export const kindNames = Object.keys(KINDS) as readonly KindName[];

const turnOf = (seed: number): KindName => TURNS[seed % TURNS.length] ?? "mix";

export const kindOf = (seed: number): Kind & { readonly name: KindName } => {
  const name = turnOf(seed);
  return { name, ...KINDS[name] };
};

/** The first seed from here on that is of one of the kinds. */
export function nextSeed(from: number, kinds: readonly KindName[]): number {
  let seed = from;
  while (kinds.length > 0 && !kinds.includes(turnOf(seed))) seed += 1;
  return seed;
}
