/**
 * The half of the planner that claims fresh messages from the head on, and cuts.
 *
 * C1  Guarded by `head` and `end` as read.
 * C6  What has expired before anyone has received it moves to a lease that leaves, where the queue asks
 *     for that; else it is passed over.
 * C9  What the group is not to get is passed over without a lease. The head goes with the next claim,
 *     or by itself once enough has been passed.
 * C10  What callers of one plan take for the same time stands in one lease, so that the item stays small; a
 *     member moves out of it when its holder changes its time (C4).
 * C7  A segment is cut where a claim stopped for want of room, or left too little for another like it.
 */
import type { Condition, Edit } from "../store/port.ts";
import { absent, equal, set } from "../store/port.ts";
import { LIMITS } from "./limits.ts";
import { leaseBytes, leaseEdits, member, memberBytes } from "./segment.ts";
import type { Lease, Segment } from "./segment.ts";
import { offset } from "./types.ts";
import type { EpochMs, Offset } from "./types.ts";
import { deliveredBytes, membersOf, takes, untilOf } from "./plan.ts";
import type { DeadLetter, LogEntry, OpenRequest, Placed, PlanInput } from "./plan.ts";
import { expiredTo, LEAVING_BYTES, LEAVING_LEASE_MS } from "./reclaim.ts";

interface Fresh {
  readonly edits: Edit[];
  readonly guards: Condition[];
  readonly newLeases: string[];
  readonly dead: DeadLetter[];
  head: Offset;
  headEntry: Offset;
  passed: number;
  cutAt: Offset | undefined;
  nextEventAt: EpochMs | undefined;
  ended: boolean;
}

/** A lease in the making. What several callers take at once shares one where their leases are as long (C10). */
interface Draft {
  readonly request: OpenRequest;
  readonly entry: Offset;
  readonly placed: (Placed & { readonly to: OpenRequest })[];
}

/** C1, C7: messages from the head on. */
export function claimFresh(
  input: PlanInput,
  requests: readonly OpenRequest[],
  bytesBefore: number,
  room: number,
): Fresh {
  const { segment, now } = input;
  const result: Fresh = {
    edits: [],
    guards: [],
    newLeases: [],
    dead: [],
    head: input.walked?.head ?? segment.head,
    headEntry: input.walked?.headEntry ?? segment.headEntry,
    passed: input.walked?.passed ?? 0,
    cutAt: undefined,
    nextEventAt: undefined,
    ended: false,
  };
  const drafts: Draft[] = [];
  const leaving = expiredTo(input);
  const expired: { readonly entry: Offset; readonly placed: Placed[] }[] = [];
  let last: (typeof expired)[number] | undefined;
  let deadRoom = LEAVING_BYTES;
  const queue = [...requests];
  /** How much each request takes here. */
  const taken = new Map<OpenRequest, number>();
  let draft: Draft | undefined;
  let bytes = bytesBefore;
  let full = false;

  walk: for (const entry of input.fresh) {
    const entryEnd = offset(entry.offset + entry.count);
    if (segment.end !== undefined && entry.offset >= segment.end) {
      result.head = result.headEntry = segment.end;
      break;
    }
    if (entry.offset > result.head) {
      result.head = entry.offset;
      draft = undefined;
    }
    if (entry.end) {
      result.headEntry = entry.offset;
      result.ended = true;
      break;
    }
    result.headEntry = result.head < entryEnd ? entry.offset : entryEnd;
    const stop = segment.end === undefined ? entryEnd : offset(Math.min(entryEnd, segment.end));
    while (result.head < stop) {
      const message = entry.messages?.[result.head - entry.offset];
      const isLive = message !== undefined && message.expiresAt > now;
      const verdict =
        message !== undefined && (isLive || leaving !== undefined) && input.accepts(message);
      if (verdict === "notLoaded") break walk;
      if (isLive && !verdict) result.passed += 1;
      if (verdict && message.expiresAt <= now && leaving !== undefined) {
        if (last === undefined || last.placed.length >= LIMITS.leaseMessages) {
          if (drafts.length + expired.length >= room) break walk;
          last = { entry: entry.offset, placed: [] };
          bytes += leaseBytes([]);
          expired.push(last);
        }
        const cost = memberBytes(member(last, result.head));
        if (segment.end === undefined && bytes + cost > LIMITS.segmentBytes) {
          full = true;
          break walk;
        }
        if (deadRoom <= 0) break walk;
        bytes += cost;
        deadRoom -= deliveredBytes(message);
        last.placed.push({ offset: result.head, message });
      } else if (verdict && isLive) {
        if (message.visibleAt > now) {
          result.nextEventAt = message.visibleAt;
          break walk;
        }
        while (queue[0] !== undefined && !takes(queue[0], taken.get(queue[0]) ?? 0, message))
          queue.shift();
        const request = queue[0];
        if (request === undefined) break walk;
        if (
          draft === undefined ||
          draft.placed.length >= LIMITS.leaseMessages ||
          !canShare(draft.request, request)
        ) {
          if (drafts.length + expired.length >= room) break walk;
          draft = { request, entry: entry.offset, placed: [] };
          bytes += leaseBytes([]);
          drafts.push(draft);
        }
        const isAnother = draft.placed.length > 0 && draft.placed.at(-1)?.to !== request;
        const cost = memberBytes(member(draft, result.head)) + (isAnother ? HOLDER_BYTES : 0);
        if (segment.end === undefined && bytes + cost > LIMITS.segmentBytes) {
          full = true;
          break walk;
        }
        bytes += cost;
        request.bytes += deliveredBytes(message);
        draft.placed.push({ offset: result.head, message, to: request });
        taken.set(request, (taken.get(request) ?? 0) + 1);
      }
      result.head = offset(result.head + 1);
      result.headEntry = result.head < entryEnd ? entry.offset : result.head;
    }
    if (result.head < entryEnd) break;
  }
  if (input.exhausted && segment.end !== undefined) result.head = result.headEntry = segment.end;

  for (const { request, entry, placed } of drafts) {
    if (placed.length === 0) continue;
    const lease: Lease = {
      id: input.newLeaseId(),
      until: untilOf(input, request),
      receives: request.leaving === undefined ? 1 : 0,
      entry,
      firstAt: now,
      leaving: request.leaving,
      waiting: false,
      attempt: undefined,
      isSplit: false,
      pending: membersOf({ entry }, placed),
    };
    result.edits.push(...leaseEdits(lease));
    result.newLeases.push(lease.id);
    for (const { to, offset, message } of placed) to.deliveries.push({ offset, message, lease });
  }
  for (const { entry, placed } of expired) {
    if (leaving === undefined || placed.length === 0) continue;
    const lease: Lease = {
      id: input.newLeaseId(),
      until: now + LEAVING_LEASE_MS,
      receives: 0,
      entry,
      firstAt: now,
      leaving,
      waiting: false,
      attempt: undefined,
      isSplit: false,
      pending: membersOf({ entry }, placed),
    };
    result.edits.push(...leaseEdits(lease));
    result.newLeases.push(lease.id);
    result.dead.push({ lease, leaving, messages: placed });
  }
  const lastLease = drafts.at(-1);
  const another = lastLease === undefined ? 0 : leaseBytes(membersOf(lastLease, lastLease.placed));
  const isCrowded = another > 0 && bytes + another > LIMITS.segmentRoomyBytes;
  if (segment.end === undefined && (full || isCrowded)) result.cutAt = result.head;
  const isMerelyPassed =
    result.newLeases.length === 0 &&
    result.passed > 0 &&
    result.passed < input.passFreely &&
    segment.end === undefined;
  if ((result.head !== segment.head && !isMerelyPassed) || result.cutAt !== undefined) {
    result.edits.push(set(["head"], result.head), set(["headEntry"], result.headEntry));
    result.guards.push(...headGuards(segment));
    if (result.cutAt !== undefined) result.edits.push(set(["end"], result.cutAt));
  }
  return result;
}

/**
 * C10: what another holder of a shared lease counts for, who may come to need a lease of its own: a
 * quarter of one, as most do not.
 */
const HOLDER_BYTES = Math.ceil(leaseBytes([]) / 4);

/** C10 */
const canShare = (one: OpenRequest, other: OpenRequest): boolean =>
  one === other ||
  (one.leaseMs === other.leaseMs && one.leaving === undefined && other.leaving === undefined);

/** C1; that an absent segment is still absent is the guard of the whole plan. */
const headGuards = (segment: Segment): Condition[] =>
  segment.absent
    ? []
    : [
        equal(["head"], segment.head),
        segment.end === undefined ? absent("end") : equal(["end"], segment.end),
      ];

/**
 * C7: where to cut a segment ahead of its head, after claims on it have met: behind about as many
 * messages as one item can hold leases for, by the size of the leases it holds, and within what was read.
 */
export function cutAhead(
  segment: Segment,
  fresh: readonly LogEntry[],
): { edits: Edit[]; guards: Condition[]; at: Offset } | undefined {
  const last = fresh.at(-1);
  if (segment.end !== undefined || segment.closed || last === undefined) return undefined;
  const sizes = [...segment.leases.values()].map((lease) => lease.pending.size);
  const perLease =
    sizes.length === 0
      ? 1
      : Math.max(1, Math.ceil(sizes.reduce((sum, size) => sum + size, 0) / sizes.length));
  const leases = Math.max(
    2,
    Math.floor(LIMITS.segmentBytes / leaseBytes(Array.from({ length: perLease }, () => "00"))),
  );
  const at = offset(
    Math.min(
      last.offset + last.count,
      Math.max(segment.head, fresh[0]?.offset ?? 0) + perLease * leases,
    ),
  );
  if (at <= segment.head) return undefined;
  // A segment may begin within an entry, which is then the first of those read.
  const first = fresh[0];
  const headEntry =
    first !== undefined && first.offset <= segment.head ? first.offset : segment.headEntry;
  const start: Edit[] = segment.absent
    ? [set(["head"], segment.head), set(["headEntry"], headEntry)]
    : [];
  return {
    at,
    edits: [...start, set(["end"], at), set(["version"], segment.version + 1)],
    guards: [...headGuards(segment), absent(segment.absent ? "version" : "closed")],
  };
}
