/** Which of a real deployment's requests fail, and how: rates drawn from a seed, counted as they happen. */
import type { Fault } from "../engines/fault-proxy.ts";
import type { Random } from "../sim/random.ts";

type Kind = "throttled" | "error" | "errorAfter" | "reset" | "lost" | "torn" | "slow" | "late";

/** How often at most. */
const HIGHEST: Readonly<Record<Kind, number>> = {
  throttled: 0.08,
  error: 0.02,
  errorAfter: 0.03,
  reset: 0.03,
  lost: 0.05,
  torn: 0.02,
  slow: 0.15,
  late: 0.01,
};
const KINDS = Object.keys(HIGHEST) as Kind[];
/** Slow ones are still answered in time, at most 5 s by the services' clock; late ones never are. */
const SLOW_MS = [1, 80] as const;
const LATE_MS = [5, 3_000] as const;

export class Faults {
  readonly counts: Record<Kind, number> = {
    throttled: 0,
    error: 0,
    errorAfter: 0,
    reset: 0,
    lost: 0,
    torn: 0,
    slow: 0,
    late: 0,
  };
  readonly #rates = new Map<Kind, number>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
    for (const kind of KINDS)
      this.#rates.set(kind, random.between(HIGHEST[kind] / 4, HIGHEST[kind]));
  }

  next(): Fault | undefined {
    const random = this.#random;
    const kind = KINDS.find((one) => random.chance(this.#rates.get(one) ?? 0));
    if (kind === undefined) return undefined;
    this.counts[kind] += 1;
    if (kind === "slow") return { slowMs: random.skewed(...SLOW_MS) };
    if (kind === "late") return { lateMs: random.skewed(...LATE_MS) };
    return kind;
  }
}
