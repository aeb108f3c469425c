/**
 * The planner: what one claim on one segment gives to whom, and how the segment changes.
 *
 * A pure function. It reads no clock and does no I/O; the executor (`service/claim.ts`) loads what it
 * needs and applies the result as one conditional update.
 *
 * C1  Fresh claims are guarded by `head` and `end` as read, and by the segment not being closed.
 * C2  Expired leases come first; taking from one is guarded by its `until` and its pending set as
 *     read, and what is taken moves to a lease of a new id with one more receive.
 * C5  A lease is expired only after `until` + the skew margin.
 * C6  After `maxReceives` attempts, what an expired lease holds moves to a lease
 *     that leaves for the dead-letter queue; so does what expires unread, where the queue asks for that.
 * C7  A segment is cut where a claim stopped for want of room, or left too little for another like it.
 * M2  A message past its expiry is passed over; one not yet visible stops the walk.
 */
import { absent, set } from "../store/port.ts";
import { LIMITS } from "./limits.ts";
import { leaseRemovals } from "./segment.ts";
import { epochMs } from "./types.ts";
import type { EpochMs } from "./types.ts";
import type { OpenRequest, Plan, PlanInput } from "./plan.ts";
import { claimFresh } from "./claim-fresh.ts";
import { planInOrder } from "./ordered-plan.ts";
import { reclaim } from "./reclaim.ts";

export function plan(input: PlanInput): Plan {
  if (input.order !== "none") return planInOrder(input);
  const { segment, now } = input;
  const requests: OpenRequest[] = input.requests.map((request) => ({
    deliveries: [],
    bytes: 0,
    ...request,
  }));
  const reclaimed = reclaim(input, requests);
  const room = LIMITS.leasesPerUpdate - reclaimed.newLeases.length;
  const claimed = claimFresh(input, requests, reclaimed.bytesAfter, room);

  const edits = [...reclaimed.edits, ...claimed.edits];
  const guards = [...reclaimed.guards, ...claimed.guards];
  if (edits.length > 0) {
    for (const id of segment.spent.slice(0, LIMITS.leasesPerUpdate))
      edits.push(...leaseRemovals(id).slice(0, 1));
    edits.push(set(["version"], segment.version + 1));
    guards.push(segment.absent ? absent("version") : absent("closed"));
  }
  return {
    deliveries: requests.map((request) => request.deliveries),
    dead: [...reclaimed.dead, ...claimed.dead],
    edits,
    guards,
    ownLease: reclaimed.newLeases[0] ?? claimed.newLeases[0],
    head: claimed.head,
    headEntry: claimed.headEntry,
    passed: claimed.passed,
    cutAt: claimed.cutAt,
    nextEventAt: earliest(reclaimed.nextEventAt, claimed.nextEventAt),
    ended: claimed.ended,
    more: reclaimed.more,
    capped: false,
  };

  function earliest(a: EpochMs | undefined, b: EpochMs | undefined): EpochMs | undefined {
    if (a === undefined || b === undefined) return a ?? b;
    return epochMs(Math.max(now, Math.min(a, b)));
  }
}
