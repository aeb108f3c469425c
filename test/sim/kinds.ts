/**
 * The kinds of schedules: what callers do, and under which faults. A kind and a seed make a schedule, and
 * go on making the same one, whatever kinds come to stand here.
 */
import { drawClearFaults, runClears } from "./clears.ts";
import { drawCornerFaults, runCorners } from "./corners.ts";
import { drawCrowdFaults, runCrowd, runGathered } from "./crowd.ts";
import { drawCutFaults, runCuts } from "./cuts.ts";
import { drawExpiryFaults, runExpiry } from "./expiry.ts";
import { drawFaults, drawFenceFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import { runFences } from "./fences.ts";
import { drawGroupFaults, runGroups } from "./groups.ts";
import { drawHandleFaults, runHandles } from "./handles.ts";
import { drawLeaseFaults, runLeases } from "./leases.ts";
import { drawLetterFaults, runLetters } from "./letters.ts";
import { runMoves } from "./moves.ts";
import { drawNookFaults, runNooks } from "./nooks.ts";
import { drawOnceFaults, runOnce } from "./once.ts";
import type { Operations } from "./operations.ts";
import { drawOrderedFaults, runOrdered } from "./ordered.ts";
import { drawPurgeFaults, runPurges } from "./purges.ts";
import type { Random } from "./random.ts";
import { drawRetireFaults, runRetire } from "./retire.ts";
import { runSharing } from "./sharing.ts";
import type { Simulation } from "./simulation.ts";
import { drawTimerFaults, runTimers } from "./timers.ts";
import { drawRoutedFaults, runRouted } from "./routed.ts";
import { runWorkload } from "./workload.ts";

interface Kind {
  readonly faults: (random: Random) => FaultPlan;
  readonly run: (sim: Simulation) => Promise<Operations>;
  /** How often it comes in a round of all kinds; once, if nothing is said. */
  readonly turns?: number;
}

const TABLE = {
  mix: { faults: drawFaults, run: runWorkload, turns: 2 },
  fences: { faults: drawFenceFaults, run: runFences },
  crowd: { faults: drawCrowdFaults, run: runCrowd },
  cuts: { faults: drawCutFaults, run: runCuts },
  leases: { faults: drawLeaseFaults, run: runLeases },
  letters: { faults: drawLetterFaults, run: runLetters },
  purges: { faults: drawPurgeFaults, run: runPurges },
  retire: { faults: drawRetireFaults, run: runRetire },
  sharing: { faults: drawFaults, run: runSharing },
  ordered: { faults: drawOrderedFaults, run: runOrdered },
  timers: { faults: drawTimerFaults, run: runTimers },
  expiry: { faults: drawExpiryFaults, run: runExpiry },
  groups: { faults: drawGroupFaults, run: runGroups },
  once: { faults: drawOnceFaults, run: runOnce },
  routed: { faults: drawRoutedFaults, run: runRouted },
  corners: { faults: drawCornerFaults, run: runCorners },
  moves: { faults: drawLetterFaults, run: runMoves },
  handles: { faults: drawHandleFaults, run: runHandles },
  clears: { faults: drawClearFaults, run: runClears },
  gathered: { faults: drawCrowdFaults, run: runGathered },
  nooks: { faults: drawNookFaults, run: runNooks },
} satisfies Readonly<Record<string, Kind>>;

export type KindName = keyof typeof TABLE;

export const KINDS: Readonly<Record<KindName, Kind>> = TABLE;

export const kindNames = Object.keys(TABLE) as readonly KindName[];

export const isKindName = (text: string): text is KindName => Object.hasOwn(TABLE, text);

/** What makes a schedule, and makes it again. */
export interface ScheduleKey {
  readonly kind: KindName;
  readonly seed: number;
}

/** The schedules of these kinds by turns, each with a seed of its own. */
export function turnsOf(kinds: readonly KindName[]): (seed: number) => ScheduleKey {
  const round = kinds.flatMap((kind) => Array.from({ length: KINDS[kind].turns ?? 1 }, () => kind));
  return (seed) => ({ kind: round[seed % round.length] ?? "mix", seed });
}
