/**
 * Retry back-off: how long a message waits after an attempt that failed.
 *
 * R4  Nothing of it is stored: when a run-out lease may be taken back follows from when it ran out, how
 *     often its messages were received, the settings as they are now, and its id, which gives the jitter.
 *     So all who look at a lease by one clock come to one answer.
 * R5  What has had its last receive waits for nothing: it goes to the dead-letter queue at once.
 */
import { createHash } from "node:crypto";
import type { PlanInput } from "./plan.ts";
import type { Backoff } from "./queue.ts";
import type { Lease } from "./segment.ts";
import { epochMs } from "./types.ts";
import type { EpochMs } from "./types.ts";

/** What says when a lease that has run out may be taken back. */
export type Retry = Pick<PlanInput, "skewMarginMs" | "backoff" | "deadLetter">;

/** How long a message waits after attempt `receives`, in ms. */
export function retryDelayMs(
  { initialSeconds, factor, maxSeconds, jitter }: Backoff,
  { receives, id }: Pick<Lease, "receives" | "id">,
): number {
  const step = initialSeconds * factor ** Math.max(0, receives - 1);
  return Math.round(Math.min(step, maxSeconds) * 1000 * (1 - jitter * shareOf(id)));
}

/** C5. `until` 0 (released at once) is at once; released with a delay, or leaving: no attempt has failed. */
export function claimableAt(lease: Lease, { skewMarginMs, backoff, deadLetter }: Retry): EpochMs {
  if (lease.until === 0) return epochMs(0);
  const isLast = (deadLetter?.maxReceives ?? Number.POSITIVE_INFINITY) <= lease.receives;
  const waits = backoff !== null && !lease.waiting && lease.leaving === undefined && !isLast;
  return epochMs(lease.until + skewMarginMs + (waits ? retryDelayMs(backoff, lease) : 0));
}

/** Uniform in [0, 1), the same for one id. */
const shareOf = (id: string): number =>
  createHash("sha256").update(id).digest().readUIntBE(0, 6) / 2 ** 48;
