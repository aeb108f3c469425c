/**
 * The half of the planner that takes from leases that have run out.
 *
 * C2  The longest run out come first; taking is guarded by `until` and the pending set as read.
 * C6  What has had its receives, has expired where the queue asks for that, or was on its way already,
 *     moves to a lease that leaves.
 */
import type { Condition, Edit } from "../store/port.ts";
import { equal } from "../store/port.ts";
import { claimableAt } from "./backoff.ts";
import { LIMITS } from "./limits.ts";
import {
  leaseBytes,
  leaseEdits,
  leaseName,
  memberRemovals,
  membersAt,
  pendingMembers,
  pendingName,
  segmentBytes,
} from "./segment.ts";
import type { Lease, Leaving } from "./segment.ts";
import { epochMs } from "./types.ts";
import type { EpochMs } from "./types.ts";
import { deliveredBytes, membersOf, takes, untilOf } from "./plan.ts";
import type { DeadLetter, DeadLetterRule, OpenRequest, Placed, PlanInput } from "./plan.ts";

/** How long one attempt at moving messages to another queue is left alone. */
export const LEAVING_LEASE_MS = 60_000;
/** What one plan moves, by `deliveredBytes`: some hundred small messages, or one large one. */
export const LEAVING_BYTES = 256 * 1024;

interface Reclaimed {
  readonly edits: Edit[];
  readonly guards: Condition[];
  readonly dead: DeadLetter[];
  readonly newLeases: string[];
  bytesAfter: number;
  nextEventAt: EpochMs | undefined;
  more: boolean;
}

/** C2, C6: expired leases, the longest expired first. */
export function reclaim(input: PlanInput, requests: OpenRequest[]): Reclaimed {
  const { segment, now } = input;
  const result: Reclaimed = {
    edits: [],
    guards: [],
    dead: [],
    newLeases: [],
    bytesAfter: segmentBytes({ ...segment, spent: [] }),
    nextEventAt: undefined,
    more: false,
  };
  let touched = 0;
  let deadRoom = LEAVING_BYTES;
  for (const lease of [...segment.leases.values()].sort((a, b) => a.until - b.until)) {
    const at = claimableAt(lease, input);
    if (at > now || lease.until > input.startedAt) {
      result.nextEventAt = epochMs(Math.min(result.nextEventAt ?? at, at));
      continue;
    }
    const leaving = leavingOf(lease, input.deadLetter, input.missing);
    if (input.freshFirst && leaving === undefined) continue;
    const members = examine(lease, leaving, input);
    if (members === undefined) continue;
    const leavers = leaving === undefined ? members.expired : members.live;
    if (touched >= LIMITS.leasesPerUpdate || (leavers.length > 0 && deadRoom <= 0)) {
      result.more = true;
      continue;
    }

    const taken: Lease[] = [];
    const dead = leave(lease, leaving ?? expiredTo(input), leavers, deadRoom, input);
    if ((dead?.messages.length ?? 0) < leavers.length) result.more = true;
    if (dead !== undefined) {
      for (const { message } of dead.messages) deadRoom -= deliveredBytes(message);
      taken.push(dead.lease);
      result.dead.push(dead);
    }
    if (leaving === undefined) {
      const room = LIMITS.leasesPerUpdate - touched - taken.length;
      const handed = hand(lease, members.live, requests, input, room);
      if (handed.length === room) result.more = true;
      taken.push(...handed);
    }
    const gone = new Set<string>(members.lost);
    for (const next of taken) for (const text of next.pending) gone.add(text);
    if (gone.size === 0) continue;
    touched += Math.max(1, taken.length);

    const { edits, guards } = takeFrom(lease, gone);
    result.guards.push(...guards);
    result.edits.push(...edits);
    result.bytesAfter -= leaseBytes(gone) - (gone.size === lease.pending.size ? 0 : leaseBytes([]));
    for (const next of taken) {
      result.edits.push(...leaseEdits(next));
      result.newLeases.push(next.id);
      result.bytesAfter += leaseBytes(next.pending);
    }
  }
  return result;
}

/** C2: members go from a lease, which must be as it was read. */
export function takeFrom(
  lease: Lease,
  gone: ReadonlySet<string>,
): { edits: Edit[]; guards: Condition[] } {
  return {
    edits: memberRemovals(lease, gone),
    guards: [
      equal([leaseName(lease.id), "u"], lease.until),
      equal([pendingName(lease.id)], lease.pending),
    ],
  };
}

/** C6: what fits of a lease's messages, as a lease that leaves; `undefined`: it has none. */
export function leave(
  lease: Lease,
  leaving: Leaving | undefined,
  messages: readonly Placed[],
  bytes: number,
  input: PlanInput,
): DeadLetter | undefined {
  const batch = upTo(messages, bytes);
  if (leaving === undefined || batch.length === 0) return undefined;
  const moved: Lease = {
    ...lease,
    id: input.newLeaseId(),
    until: input.now + LEAVING_LEASE_MS,
    leaving,
    waiting: false,
    attempt: undefined,
    isSplit: false,
    pending: membersAt(lease, new Set(batch.map(({ offset }) => offset))),
  };
  return { lease: moved, leaving, messages: batch };
}

/** The first messages that fit, and always one. */
function upTo(messages: readonly Placed[], bytes: number): readonly Placed[] {
  let left = bytes;
  const count = messages.findIndex(
    ({ message }, index) => (left -= deliveredBytes(message)) < 0 && index > 0,
  );
  return count < 0 ? messages : messages.slice(0, count);
}

/** C6: one that is on its way goes on to where it was going, whatever the settings say by now. */
export function leavingOf(
  lease: Lease,
  rule: DeadLetterRule | null,
  missing: ReadonlySet<string>,
): Leaving | undefined {
  const limit = rule?.maxReceives ?? Number.POSITIVE_INFINITY;
  const isDue = rule !== null && lease.receives >= limit;
  const leaving =
    lease.leaving ?? (isDue ? { why: "deadLetter" as const, to: rule.queue } : undefined);
  const isStuck = leaving !== undefined && leaving.why !== "redrive" && missing.has(leaving.to);
  return isStuck ? undefined : leaving;
}

/** Where what expires unread goes; `undefined`: it is dropped. */
export function expiredTo({
  deadLetter,
  missing,
}: Pick<PlanInput, "deadLetter" | "missing">): Leaving | undefined {
  const keeps = deadLetter?.onExpired === "deadLetter" && !missing.has(deadLetter.queue);
  return keeps ? { why: "expired", to: deadLetter.queue } : undefined;
}

/**
 * What of a lease is still to be delivered or moved, what has expired and is to be moved for that, and
 * what is past its expiry or gone. `undefined`: not loaded.
 */
export function examine(
  lease: Lease,
  leaving: Leaving | undefined,
  input: PlanInput,
): { live: Placed[]; expired: Placed[]; lost: string[] } | undefined {
  const live: Placed[] = [];
  const expired: Placed[] = [];
  const lost: string[] = [];
  const keeps = expiredTo(input) !== undefined;
  // Whatever the settings say by now: it left because of that.
  const isLeavingExpired = leaving?.why === "expired";
  // What has had its receives leaves for that, though it has expired meanwhile.
  const staysDead = keeps && leaving?.why === "deadLetter";
  for (const [text, at] of pendingMembers(lease)) {
    const message = input.lookUp(at);
    if (message === "notLoaded") return undefined;
    if (message === "gone") lost.push(text);
    else if (message.expiresAt > input.now || isLeavingExpired || staysDead)
      live.push({ offset: at, message });
    else if (keeps) expired.push({ offset: at, message });
    else lost.push(text);
  }
  return { live, expired, lost };
}

/** Gives messages of an expired lease to requests that have room, as new leases. */
function hand(
  from: Lease,
  messages: readonly Placed[],
  requests: OpenRequest[],
  input: PlanInput,
  room: number,
): Lease[] {
  const leases: Lease[] = [];
  let next = 0;
  for (const request of requests) {
    if (leases.length >= room) break;
    const batch: Placed[] = [];
    while (next < messages.length) {
      const placed = messages[next];
      if (placed === undefined || !takes(request, batch.length, placed.message)) break;
      request.bytes += deliveredBytes(placed.message);
      batch.push(placed);
      next += 1;
    }
    if (batch.length === 0) continue;
    const lease: Lease = {
      id: input.newLeaseId(),
      until: untilOf(input, request),
      receives: from.receives + (request.leaving === undefined ? 1 : 0),
      entry: from.entry,
      firstAt: from.firstAt,
      leaving: request.leaving,
      waiting: false,
      attempt: undefined,
      isSplit: false,
      pending: membersOf(from, batch),
    };
    leases.push(lease);
    for (const placed of batch) request.deliveries.push({ lease, ...placed });
  }
  return leases;
}
