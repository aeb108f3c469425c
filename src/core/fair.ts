/**
 * Fair sharing: which lanes are a tenant's own, and whose a lane's backlog is.
 *
 * F4  A tenant keeps to its home lanes, an eighth of all, whatever it sends; only where somebody else has
 *     filled those does it go elsewhere. So a backlog stays on the lanes of the tenant that made it.
 */
import { createHash } from "node:crypto";
import type { StoredMessage } from "./message.ts";
import type { LaneId } from "./types.ts";

/** Lanes that a queue gets when a tenant first sends. */
export const FAIR_LANES = 8;
/** Messages waiting on a lane that are nobody's trouble: a few receives. */
export const CROWDED = 50;

/** Whose messages a few entries from the middle of a backlog hold. */
export type Sample = ReadonlyMap<string | undefined, number>;

/** All lanes in the tenant's own order, which stays as lanes come and go; its home lanes first. */
export function lanesOfTenant(tenant: string, lanes: readonly LaneId[]): readonly LaneId[] {
  const ranked = lanes.map((lane) => ({
    lane,
    rank: createHash("sha256").update(`${lane}\n${tenant}`).digest().readUIntBE(0, 6),
  }));
  return ranked.sort((a, b) => a.rank - b.rank).map(({ lane }) => lane);
}

export const homesAmong = (count: number): number => Math.max(1, Math.floor(count / FAIR_LANES));

export function sampleOf(messages: Iterable<Pick<StoredMessage, "tenant">>): Sample {
  const sample = new Map<string | undefined, number>();
  for (const { tenant } of messages) sample.set(tenant, (sample.get(tenant) ?? 0) + 1);
  return sample;
}

/** Half of what waits is the tenant's: going elsewhere would only take its backlog there. */
export function isMostlyOf(tenant: string | undefined, sample: Sample): boolean {
  let all = 0;
  for (const count of sample.values()) all += count;
  return 2 * (sample.get(tenant) ?? 0) >= all;
}
