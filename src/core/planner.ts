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
 *     that leaves for the dead-letter queue.
 * C7  A segment is cut where a claim stopped for want of room, or left too little for another like it.
 * M2  A message past its expiry is passed over; one not yet visible stops the walk.
 */
import type { Condition, Edit } from "../store/port.ts";
import { absent, discard, equal, set } from "../store/port.ts";
import type { StoredMessage } from "./message.ts";
import { LIMITS } from "./limits.ts";
import {
  isExpired,
  leaseBytes,
  leaseEdits,
  leaseName,
  leaseRemovals,
  member,
  memberBytes,
  pendingName,
  pendingOffsets,
  segmentBytes,
} from "./segment.ts";
import type { Lease, Leaving, Segment } from "./segment.ts";
import { epochMs, offset } from "./types.ts";
import type { EpochMs, Offset } from "./types.ts";
import { wireBytes } from "./wire-size.ts";

/** An entry as readers hold it. Immutable but for erasure (L2). */
export interface LogEntry {
  readonly offset: Offset;
  readonly count: number;
  readonly sentAt: EpochMs;
  /** `undefined`: erased, or an end entry. */
  readonly messages: readonly StoredMessage[] | undefined;
  /** L9: the last entry of a retired lane. */
  readonly end: boolean;
}

export interface ClaimRequest {
  readonly max: number;
  /** Of `wireBytes`. */
  readonly maxBytes: number;
  readonly leaseMs: number;
  /** Redrive: what it takes leaves for another queue, and counts no receive. */
  readonly leaving?: Leaving;
  /** It has messages from elsewhere already: then even the first one here may be refused for its size. */
  readonly isStarted?: boolean;
}

export interface PlanInput {
  readonly segment: Segment;
  /** From the entry that holds `head` on, without holes but for confirmed gaps (L8). */
  readonly fresh: readonly LogEntry[];
  /** Cut segments: a consistent query begun after the cut was seen showed nothing below `end`; all of it has expired. */
  readonly exhausted: boolean;
  /** The message at an offset that an expired lease holds; `gone` where a consistent read showed none. */
  readonly lookUp: (at: Offset) => StoredMessage | "gone" | "notLoaded";
  readonly requests: readonly ClaimRequest[];
  readonly now: EpochMs;
  /** When the caller's visit began: what it leased since then is not taken from it again. */
  readonly startedAt: EpochMs;
  readonly skewMarginMs: number;
  /** After how many receives messages go where; null: they go on being delivered. */
  readonly deadLetter: DeadLetterRule | null;
  /** Dead-letter queues that do not exist: what is on its way there goes on being delivered. */
  readonly missing: ReadonlySet<string>;
  readonly newLeaseId: () => string;
  /** Leave run-out leases alone, but for those that leave: now and then what is fresh comes first. */
  readonly freshFirst: boolean;
}

export interface DeadLetterRule {
  readonly maxReceives: number;
  readonly queue: string;
}

export interface Delivery {
  readonly offset: Offset;
  readonly message: StoredMessage;
  /** The lease it belongs to; ids stay valid however many members go. */
  readonly lease: Lease;
}

export interface DeadLetter {
  readonly lease: Lease;
  readonly leaving: Leaving;
  readonly messages: readonly { readonly offset: Offset; readonly message: StoredMessage }[];
}

export interface Plan {
  /** Per request, in the requests' order. */
  readonly deliveries: readonly (readonly Delivery[])[];
  readonly dead: readonly DeadLetter[];
  readonly edits: readonly Edit[];
  readonly guards: readonly Condition[];
  /** A lease id that this plan creates: finding it in the item means that the plan was applied (C1). */
  readonly ownLease: string | undefined;
  readonly head: Offset;
  readonly headEntry: Offset;
  /** Where this plan cuts the segment. */
  readonly cutAt: Offset | undefined;
  /** When something of this segment may become claimable without anyone's doing. */
  readonly nextEventAt: EpochMs | undefined;
  /** The walk met the lane's end entry. */
  readonly ended: boolean;
  /** More leases have run out than one update may touch. */
  readonly more: boolean;
}

/** How long one attempt at moving messages to another queue is left alone. */
export const LEAVING_LEASE_MS = 60_000;
/** What one plan moves, by `deliveredBytes`: some hundred small messages, or one large one. */
const LEAVING_BYTES = 256 * 1024;

/** A stored message's size in an answer, its parts included. */
export const deliveredBytes = (message: StoredMessage): number =>
  wireBytes(message) + Math.ceil(((message.parts?.bytes ?? 0) * 4) / 3);

interface OpenRequest extends ClaimRequest {
  readonly deliveries: Delivery[];
  bytes: number;
}

export function plan(input: PlanInput): Plan {
  const { segment, now } = input;
  const requests: OpenRequest[] = input.requests.map((request) => ({
    ...request,
    deliveries: [],
    bytes: 0,
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
    dead: reclaimed.dead,
    edits,
    guards,
    ownLease: reclaimed.newLeases[0] ?? claimed.newLeases[0],
    head: claimed.head,
    headEntry: claimed.headEntry,
    cutAt: claimed.cutAt,
    nextEventAt: earliest(reclaimed.nextEventAt, claimed.nextEventAt),
    ended: claimed.ended,
    more: reclaimed.more,
  };

  function earliest(a: EpochMs | undefined, b: EpochMs | undefined): EpochMs | undefined {
    if (a === undefined || b === undefined) return a ?? b;
    return epochMs(Math.max(now, Math.min(a, b)));
  }
}

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
function reclaim(input: PlanInput, requests: OpenRequest[]): Reclaimed {
  const { segment, now, skewMarginMs } = input;
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
    if (!isExpired(lease, now, skewMarginMs) || lease.until > input.startedAt) {
      result.nextEventAt ??= epochMs(lease.until + skewMarginMs);
      continue;
    }
    const leaving = leavingOf(lease, input.deadLetter, input.missing);
    if (input.freshFirst && leaving === undefined) continue;
    const members = examine(lease, input);
    if (members === undefined) continue;
    if (touched >= LIMITS.leasesPerUpdate || (leaving !== undefined && deadRoom <= 0)) {
      result.more = true;
      continue;
    }

    const taken: Lease[] = [];
    if (leaving !== undefined) {
      const batch = upTo(members.live, deadRoom);
      if (batch.length < members.live.length) result.more = true;
      for (const { message } of batch) deadRoom -= deliveredBytes(message);
      if (batch.length > 0) {
        const moved: Lease = {
          ...lease,
          id: input.newLeaseId(),
          until: now + LEAVING_LEASE_MS,
          leaving,
          waiting: false,
          pending: membersOf(lease, batch),
        };
        taken.push(moved);
        result.dead.push({ lease: moved, leaving, messages: batch });
      }
    } else {
      const room = LIMITS.leasesPerUpdate - touched;
      const handed = hand(lease, members.live, requests, input, room);
      if (handed.length === room) result.more = true;
      taken.push(...handed);
    }
    const gone = new Set<string>(members.lost);
    for (const next of taken) for (const text of next.pending) gone.add(text);
    if (gone.size === 0) continue;
    touched += Math.max(1, taken.length);

    result.guards.push(
      equal([leaseName(lease.id), "u"], lease.until),
      equal([pendingName(lease.id)], lease.pending),
    );
    result.edits.push(
      ...(gone.size === lease.pending.size
        ? leaseRemovals(lease.id)
        : [discard(pendingName(lease.id), gone)]),
    );
    result.bytesAfter -= leaseBytes(gone) - (gone.size === lease.pending.size ? 0 : leaseBytes([]));
    for (const next of taken) {
      result.edits.push(...leaseEdits(next));
      result.newLeases.push(next.id);
      result.bytesAfter += leaseBytes(next.pending);
    }
  }
  return result;
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
  const isDue = rule !== null && lease.receives >= rule.maxReceives;
  const leaving =
    lease.leaving ?? (isDue ? { why: "deadLetter" as const, to: rule.queue } : undefined);
  return leaving?.why === "deadLetter" && missing.has(leaving.to) ? undefined : leaving;
}

type Placed = { readonly offset: Offset; readonly message: StoredMessage };

/** What of a lease is still to be delivered, and what is past its expiry or gone. `undefined`: not loaded. */
function examine(lease: Lease, input: PlanInput): { live: Placed[]; lost: string[] } | undefined {
  const live: Placed[] = [];
  const lost: string[] = [];
  for (const at of pendingOffsets(lease)) {
    const message = input.lookUp(at);
    if (message === "notLoaded") return undefined;
    if (message === "gone" || message.expiresAt <= input.now) lost.push(member(lease, at));
    else live.push({ offset: at, message });
  }
  return { live, lost };
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
      pending: membersOf(from, batch),
    };
    leases.push(lease);
    for (const placed of batch) request.deliveries.push({ ...placed, lease });
  }
  return leases;
}

/** At least a millisecond, so that a lease of 0 s is still told from one that was there before. */
const untilOf = ({ now }: PlanInput, request: ClaimRequest): number =>
  now + Math.max(1, request.leaseMs);

const membersOf = (lease: Pick<Lease, "entry">, messages: readonly Placed[]): Set<string> =>
  new Set(messages.map((placed) => member(lease, placed.offset)));

/** Whether a request takes one more message; its very first one is never refused for its size. */
const takes = (request: OpenRequest, pendingHere: number, message: StoredMessage): boolean => {
  const count = request.deliveries.length + pendingHere;
  const isFirst = count === 0 && request.isStarted !== true;
  return (
    count < request.max && (isFirst || request.bytes + deliveredBytes(message) <= request.maxBytes)
  );
};

interface Fresh {
  readonly edits: Edit[];
  readonly guards: Condition[];
  readonly newLeases: string[];
  head: Offset;
  headEntry: Offset;
  cutAt: Offset | undefined;
  nextEventAt: EpochMs | undefined;
  ended: boolean;
}

interface Draft {
  readonly request: OpenRequest;
  readonly entry: Offset;
  readonly placed: Placed[];
}

/** C1, C7: messages from the head on. */
function claimFresh(
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
    head: segment.head,
    headEntry: segment.headEntry,
    cutAt: undefined,
    nextEventAt: undefined,
    ended: false,
  };
  const drafts: Draft[] = [];
  const queue = [...requests];
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
      if (message !== undefined && message.expiresAt > now) {
        if (message.visibleAt > now) {
          result.nextEventAt = message.visibleAt;
          break walk;
        }
        while (queue[0] !== undefined && !takes(queue[0], draftOf(queue[0]), message)) {
          queue.shift();
          draft = undefined;
        }
        const request = queue[0];
        if (request === undefined) break walk;
        if (draft === undefined || draft.placed.length >= LIMITS.leaseMessages) {
          if (drafts.length >= room) break walk;
          draft = { request, entry: entry.offset, placed: [] };
          bytes += leaseBytes([]);
          drafts.push(draft);
        }
        const cost = memberBytes(member(draft, result.head));
        if (segment.end === undefined && bytes + cost > LIMITS.segmentBytes) {
          full = true;
          break walk;
        }
        bytes += cost;
        request.bytes += deliveredBytes(message);
        draft.placed.push({ offset: result.head, message });
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
      pending: membersOf({ entry }, placed),
    };
    result.edits.push(...leaseEdits(lease));
    result.newLeases.push(lease.id);
    for (const one of placed) request.deliveries.push({ ...one, lease });
  }
  const lastLease = drafts.at(-1);
  const another = lastLease === undefined ? 0 : leaseBytes(membersOf(lastLease, lastLease.placed));
  const isCrowded = another > 0 && bytes + another > LIMITS.segmentRoomyBytes;
  if (segment.end === undefined && (full || isCrowded)) result.cutAt = result.head;
  if (result.head !== segment.head || result.cutAt !== undefined) {
    result.edits.push(set(["head"], result.head), set(["headEntry"], result.headEntry));
    result.guards.push(...headGuards(segment));
    if (result.cutAt !== undefined) result.edits.push(set(["end"], result.cutAt));
  }
  return result;

  function draftOf(request: OpenRequest): number {
    let count = 0;
    for (const one of drafts) if (one.request === request) count += one.placed.length;
    return count;
  }
}

/** C1 */
const headGuards = (segment: Segment): Condition[] =>
  segment.absent
    ? [absent("version")]
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
    guards: [...headGuards(segment), absent("closed")],
  };
}
