/**
 * The planner where order is kept: as `planner.ts`, but a key's messages are given in the order of
 * their sends, and to one holder at a time.
 *
 * Pure. A key is known by its tag (O2); `order` "lane" is one key for the whole lane.
 *
 * T1  A key is blocked while any of its messages is pending: in a lease that lives, waits or leaves, or
 *     in one that has run out and was not taken back just now. Of a plan that drains it is blocked from
 *     the first of these on: what comes back before them is given, though others hold what is behind it.
 * T2  What has run out is taken back by offset across leases; behind one that is left nothing of its
 *     key is given. Within one plan a key goes to one request only.
 * T3  What is held of a key comes before anything fresh of it (H1); of a blocked key the walk notes
 *     the first offset, and passes on. Nothing else keeps the walk from going on but what is not yet
 *     visible, and the size that the segment may have.
 * T4  A plan that drains gives one key after the other (`ordered-drain.ts`).
 * C1  Every claim is guarded by `version` as read, for it rests on all of the segment's leases.
 */
import { absent, equal, remove, set } from "../store/port.ts";
import type { Condition, Edit } from "../store/port.ts";
import { encodeHeld } from "./held.ts";
import type { Held } from "./held.ts";
import { LIMITS } from "./limits.ts";
import { tagOf } from "./order.ts";
import { drain } from "./ordered-drain.ts";
import { takeHeld, walk } from "./ordered-fresh.ts";
import { runOut, takeBack, takeOut } from "./ordered-reclaim.ts";
import { deliveredBytes, drains, takes, untilOf } from "./plan.ts";
import type { DeadLetter, OpenRequest, Placed, Plan, PlanInput } from "./plan.ts";
import {
  leaseBytes,
  leaseEdits,
  leaseRemovals,
  member,
  memberBytes,
  segmentBytes,
} from "./segment.ts";
import type { Lease, Leaving } from "./segment.ts";
import { expiredTo, LEAVING_BYTES, LEAVING_LEASE_MS } from "./reclaim.ts";
import { offset } from "./types.ts";
import type { EpochMs, Offset } from "./types.ts";

/** What is further apart goes into leases of its own, for a lease's stretch of the log is read as a whole. */
const LEASE_SPAN = 4_096;

/** A lease in the making: what one request gets of one run-out lease, or of what was not claimed yet. */
interface Draft {
  readonly request: OpenRequest;
  readonly from: Lease | undefined;
  /** Of the first of its messages: members count from it, and none stands before it. */
  entry: Offset;
  readonly given: Given[];
}

interface Given {
  readonly placed: Placed;
  readonly tag: string;
}

type Leaver = Omit<Draft, "request">;

/** A plan in the making. */
export interface Work {
  readonly input: PlanInput;
  readonly tagOf: (message: Placed["message"]) => string;
  readonly requests: readonly OpenRequest[];
  /** T4 */
  readonly drains: boolean;
  /** T1: from where on, by tag. */
  readonly blocked: Map<string, Offset>;
  /** What goes from each run-out lease. */
  readonly gone: Map<Lease, Set<string>>;
  /** T4: fresh messages that were given ahead of the walk. */
  readonly picked: Set<Offset>;
  /** Behind the last of them: so far the walk must come. */
  pickedTo: Offset;
  /** T2: who got messages of a tag. */
  readonly owners: Map<string, OpenRequest>;
  readonly drafts: Draft[];
  /** What has expired unread and leaves for that. */
  readonly expired: Leaver[];
  /** Where to; `undefined`: it is dropped. */
  readonly expiredTo: Leaving | undefined;
  /** Bytes that may still leave with this plan. */
  deadRoom: number;
  /** In the order in which they were given. */
  readonly given: (Given & { readonly draft: Draft })[];
  readonly counts: Map<OpenRequest, number>;
  readonly dead: DeadLetter[];
  readonly edits: Edit[];
  readonly guards: Condition[];
  readonly held: Map<string, Held>;
  head: Offset;
  headEntry: Offset;
  /** Leases that the update touches so far. */
  touched: number;
  /** It may touch no more, and there is more to give. */
  full: boolean;
  bytes: number;
  nextEventAt: EpochMs | undefined;
  ended: boolean;
  more: boolean;
  capped: boolean;
}

export function planInOrder(input: PlanInput): Plan {
  const { segment, order } = input;
  const work: Work = {
    input,
    tagOf: (message) => tagOf(order, message),
    requests: input.requests.map((request) => ({ deliveries: [], bytes: 0, ...request })),
    drains: drains(order, input.requests),
    blocked: new Map(),
    gone: new Map(),
    picked: new Set(),
    pickedTo: offset(0),
    owners: new Map(),
    drafts: [],
    expired: [],
    expiredTo: expiredTo(input),
    deadRoom: LEAVING_BYTES,
    given: [],
    counts: new Map(),
    dead: [],
    edits: [],
    guards: [],
    held: new Map(segment.held),
    head: segment.head,
    headEntry: segment.headEntry,
    touched: 0,
    full: false,
    bytes: segmentBytes({ ...segment, spent: [] }),
    nextEventAt: undefined,
    ended: false,
    more: false,
    capped: false,
  };
  const members = runOut(work);
  if (work.drains) drain(work, members);
  else {
    for (const one of members) takeBack(work, one);
    takeHeld(work);
  }
  walk(work);
  takeOut(work);
  return finished(work);
}

/** T1 */
export function block(work: Work, tag: string, at: Offset): void {
  const from = work.drains ? at : 0;
  work.blocked.set(tag, offset(Math.min(work.blocked.get(tag) ?? from, from)));
}

export const isBlocked = (work: Work, tag: string, at: Offset): boolean =>
  (work.blocked.get(tag) ?? Number.POSITIVE_INFINITY) <= at;

/** Gives a message to the one request that may have it; `false`: to none, and its key is blocked now. */
export function give(
  work: Work,
  tag: string,
  placed: Placed,
  entry: Offset,
  from?: Lease,
): boolean {
  const request = requestFor(work, tag, placed);
  const draft = request === undefined ? undefined : draftFor(work, request, entry, from);
  if (request === undefined || draft === undefined) {
    block(work, tag, placed.offset);
    return false;
  }
  put(work, draft, { placed, tag }, from?.entry ?? entry);
  work.owners.set(tag, request);
  request.bytes += deliveredBytes(placed.message);
  work.given.push({ draft, placed, tag });
  work.counts.set(request, countOf(work, request) + 1);
  return true;
}

/** Takes a message that has expired unread to where the queue keeps those; its key waits until it is there. */
export function letExpire(
  work: Work,
  tag: string,
  placed: Placed,
  entry: Offset,
  from?: Lease,
): boolean {
  block(work, tag, placed.offset);
  const found = work.expired.findLast((one) => one.from === from && isRoomy(one, from, entry));
  const isOver =
    work.deadRoom <= 0 || (found === undefined && work.touched >= LIMITS.leasesPerUpdate);
  if (isOver) {
    work.full = true;
    return false;
  }
  const draft: Leaver = found ?? { from, entry: from?.entry ?? entry, given: [] };
  if (found === undefined) {
    work.touched += 1;
    work.bytes += leaseBytes([]);
    work.expired.push(draft);
  }
  put(work, draft, { placed, tag }, from?.entry ?? entry);
  work.deadRoom -= deliveredBytes(placed.message);
  return true;
}

function put(work: Work, draft: Leaver, given: Given, entry: Offset): void {
  draft.entry = offset(Math.min(draft.entry, entry));
  work.bytes += memberBytes(member(draft, given.placed.offset, given.tag));
  draft.given.push(given);
}

const isRoomy = (draft: Leaver, from: Lease | undefined, entry: Offset): boolean =>
  draft.given.length < LIMITS.leaseMessages &&
  (from !== undefined || Math.abs(draft.entry - entry) <= LEASE_SPAN);

function requestFor(work: Work, tag: string, placed: Placed): OpenRequest | undefined {
  if (isBlocked(work, tag, placed.offset)) return undefined;
  const owner = work.owners.get(tag);
  const may = owner === undefined ? work.requests : [owner];
  return may.find((request) => takes(request, countOf(work, request), placed.message));
}

export const hasRoom = (work: Work): boolean =>
  work.requests.some((request) => countOf(work, request) < request.max);

const countOf = (work: Work, request: OpenRequest): number => work.counts.get(request) ?? 0;

function draftFor(
  work: Work,
  request: OpenRequest,
  entry: Offset,
  from: Lease | undefined,
): Draft | undefined {
  const found = work.drafts.findLast(
    (one) => one.request === request && one.from === from && isRoomy(one, from, entry),
  );
  if (found !== undefined) return found;
  // What is taken back only changes its lease, so that a full segment can still be worked off.
  const isFull = from === undefined && work.bytes + leaseBytes([]) > LIMITS.orderedSegmentBytes;
  work.capped ||= isFull;
  work.full ||= work.touched >= LIMITS.leasesPerUpdate;
  if (isFull || work.full) return undefined;
  const draft: Draft = { request, from, entry: from?.entry ?? entry, given: [] };
  work.touched += 1;
  work.bytes += leaseBytes([]);
  work.drafts.push(draft);
  return draft;
}

function finished(work: Work): Plan {
  const { input, edits, guards } = work;
  const { segment } = input;
  const leases = new Map(work.drafts.map((draft) => [draft, leaseOf(draft, input)]));
  for (const lease of leases.values()) edits.push(...leaseEdits(lease));
  for (const { draft, placed, tag } of work.given) {
    const lease = leases.get(draft);
    if (lease !== undefined) draft.request.deliveries.push({ lease, tag, ...placed });
  }
  for (const draft of work.expired) {
    const leaving = work.expiredTo;
    if (leaving === undefined) continue;
    const lease = leavingLease(draft, leaving, input);
    edits.push(...leaseEdits(lease));
    work.dead.push({ lease, leaving, messages: draft.given.map(({ placed }) => placed) });
  }
  const held = encodeHeld(work.held);
  if (held !== encodeHeld(segment.held))
    edits.push(held === "" ? remove("held") : set(["held"], held));
  if (work.head !== segment.head)
    edits.push(set(["head"], work.head), set(["headEntry"], work.headEntry));
  if (edits.length > 0) {
    for (const id of segment.spent.slice(0, LIMITS.leasesPerUpdate))
      edits.push(...leaseRemovals(id).slice(0, 1));
    edits.push(set(["version"], segment.version + 1));
    guards.push(
      ...(segment.absent
        ? [absent("version")]
        : [equal(["version"], segment.version), absent("closed")]),
    );
  }
  return {
    deliveries: work.requests.map((request) => request.deliveries),
    dead: work.dead,
    edits,
    guards,
    ownLease: work.dead[0]?.lease.id ?? [...leases.values()][0]?.id,
    head: work.head,
    headEntry: work.headEntry,
    passed: 0,
    cutAt: undefined,
    nextEventAt: work.nextEventAt,
    ended: work.ended && work.held.size === 0,
    more: work.more || work.full,
    capped: work.capped,
  };
}

const membersOf = ({ entry, given }: Leaver): Set<string> =>
  new Set(given.map(({ placed, tag }) => member({ entry }, placed.offset, tag)));

const leavingLease = (draft: Leaver, leaving: Leaving, input: PlanInput): Lease => ({
  id: input.newLeaseId(),
  until: input.now + LEAVING_LEASE_MS,
  receives: draft.from?.receives ?? 0,
  entry: draft.entry,
  firstAt: draft.from?.firstAt ?? input.now,
  leaving,
  waiting: false,
  attempt: undefined,
  isSplit: false,
  pending: membersOf(draft),
});

function leaseOf({ request, from, entry, given }: Draft, input: PlanInput): Lease {
  const counted = request.leaving === undefined ? 1 : 0;
  return {
    id: input.newLeaseId(),
    until: untilOf(input, request),
    receives: (from?.receives ?? 0) + counted,
    entry,
    firstAt: from?.firstAt ?? input.now,
    leaving: request.leaving,
    waiting: false,
    attempt: undefined,
    isSplit: false,
    pending: membersOf({ from, entry, given }),
  };
}
