/**
 * What goes wrong in one schedule, and how often: drawn from its seed, printed with it, counted as it
 * happens. Rates are per request unless they say otherwise.
 */
import type { Random } from "./random.ts";

interface FaultRates {
  /** The engine refuses the request: nothing applied. */
  readonly throttled: number;
  readonly unavailable: number;
  /** Applied; the reply never comes. */
  readonly replyLost: number;
  /** Never applied; the caller waits for its time-out. */
  readonly requestLost: number;
  /** Applied late: within the time-out, or up to a minute past it. */
  readonly late: number;
  /** Applied twice; the caller gets one of the replies. */
  readonly doubled: number;
  /** The instance dies: before the request leaves, before it is applied, before the reply. */
  readonly crash: number;
  /** The instance stops for up to some minutes and goes on with all it had in memory. */
  readonly freeze: number;
  /** A query's page ends before its range does. */
  readonly shortPage: number;
  /** A query reads its low keys earlier than its high ones. */
  readonly tornQuery: number;
  /** A read that need not be consistent shows an old state. */
  readonly staleRead: number;
  /** The instance's clock is set anew, also backwards. */
  readonly clockStep: number;
}

export interface FaultPlan extends FaultRates {
  /** Instances' clocks are off by at most this much. */
  readonly skewMs: number;
  /** Base of a request's two ways. */
  readonly latencyMs: number;
  readonly ttl: TtlMode;
}

/** When the engine deletes what is past its `ttl`. `mixed`: every item its own way, so in any order. */
type TtlMode = "atOnce" | "late" | "never" | "mixed";

export type FaultKind = keyof FaultRates | "ttl";

const NONE: FaultRates = {
  throttled: 0,
  unavailable: 0,
  replyLost: 0,
  requestLost: 0,
  late: 0,
  doubled: 0,
  crash: 0,
  freeze: 0,
  shortPage: 0,
  tornQuery: 0,
  staleRead: 0,
  clockStep: 0,
};

/** How often at most; the rare ones would otherwise leave nothing to judge. */
const HIGHEST: Readonly<Record<keyof FaultRates, number>> = {
  throttled: 0.1,
  unavailable: 0.05,
  replyLost: 0.1,
  requestLost: 0.05,
  late: 0.1,
  doubled: 0.1,
  crash: 0.02,
  freeze: 0.01,
  shortPage: 0.5,
  tornQuery: 0.9,
  staleRead: 0.5,
  clockStep: 0.02,
};

export function drawFaults(random: Random): FaultPlan {
  const rates: Record<keyof FaultRates, number> = { ...NONE };
  // A schedule with one kind of fault shows what a schedule with all of them drowns.
  const share = random.pick([0, 0.2, 0.5, 1]);
  for (const kind of Object.keys(HIGHEST) as (keyof FaultRates)[]) {
    if (random.chance(share)) rates[kind] = random.skewed(HIGHEST[kind] / 50, HIGHEST[kind]);
  }
  return {
    ...rates,
    skewMs: random.pick([0, 0, 20, 200, 1_000, 4_000]),
    latencyMs: random.pick([1, 4, 10, 40]),
    ttl: random.pick<TtlMode>(["atOnce", "atOnce", "mixed", "mixed", "late", "never"]),
  };
}

/** Few requests, each in trouble: for schedules that wait for the fences of one lane. */
export function drawFenceFaults(random: Random): FaultPlan {
  const plan = drawFaults(random);
  const often = (): number => (random.chance(0.5) ? random.between(0.05, 0.3) : 0);
  return {
    ...plan,
    replyLost: often(),
    requestLost: often() / 2,
    late: often(),
    doubled: often(),
    clockStep: often(),
    tornQuery: random.pick([0, 0.9]),
    freeze: random.pick([0, 0.02, 0.05]),
    crash: random.pick([0, 0.02]),
    throttled: often() / 2,
    unavailable: 0,
    ttl: random.pick<TtlMode>(["atOnce", "atOnce", "mixed"]),
  };
}

export const calm = (plan: FaultPlan): FaultPlan => ({ ...plan, ...NONE });

export class FaultCounts {
  readonly counts = new Map<FaultKind, number>();

  add(kind: FaultKind): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  get total(): number {
    let total = 0;
    for (const count of this.counts.values()) total += count;
    return total;
  }
}

export function describe(plan: FaultPlan): string {
  const parts = [`skew=${plan.skewMs}ms`, `latency=${plan.latencyMs}ms`, `ttl=${plan.ttl}`];
  for (const kind of Object.keys(HIGHEST) as (keyof FaultRates)[]) {
    if (plan[kind] > 0) parts.push(`${kind}=${plan[kind].toPrecision(2)}`);
  }
  return parts.join(" ");
}
