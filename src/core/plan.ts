/** What a plan is made of and what it is: the words that the planner and its two halves share. */
import type { Condition, Edit } from "../store/port.ts";
import type { StoredMessage } from "./message.ts";
import type { Backoff, Order } from "./queue.ts";
import { member } from "./segment.ts";
import type { Lease, Leaving, Segment } from "./segment.ts";
import { epochMs } from "./types.ts";
import type { EpochMs, Offset } from "./types.ts";
import { wireBytes } from "./wire-size.ts";

/** An entry as readers hold it. Immutable but for erasure (L2). */
export interface LogEntry {
  readonly offset: Offset;
  readonly count: number;
  readonly sentAt: EpochMs;
  /** As it was when first read, in seconds; it may have been raised since (L5). */
  readonly ttl: number;
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
  /** Where keys are ordered: one key after the other (T4); all requests of a plan agree on it. */
  readonly drain?: boolean;
}

/** Whether a group is to get a message; `notLoaded`: its body has to be fetched first. */
export type Verdict = boolean | "notLoaded";

/** How far a group has looked beyond the head as stored, past messages that it is not to get. */
export interface Walked {
  readonly head: Offset;
  readonly headEntry: Offset;
  /** So many messages lie between. */
  readonly passed: number;
}

export interface PlanInput {
  readonly segment: Segment;
  /** Where the walk begins, if that is beyond the segment's head. */
  readonly walked: Walked | undefined;
  /** What is not accepted is passed over without a lease. */
  readonly accepts: (message: StoredMessage) => Verdict;
  /** So many messages may be passed over before that alone is worth a write of the head. */
  readonly passFreely: number;
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
  /** What becomes a dead letter, and where; null: nothing does. */
  readonly deadLetter: DeadLetterRule | null;
  readonly backoff: Backoff | null;
  /** Dead-letter queues that do not exist: what is on its way there goes on being delivered. */
  readonly missing: ReadonlySet<string>;
  readonly newLeaseId: () => string;
  /** Leave run-out leases alone, but for those that leave: now and then what is fresh comes first. */
  readonly freshFirst: boolean;
  readonly order: Order;
  /** Where order is kept: the entries from a tag's held place on; `undefined`: not loaded. */
  readonly heldEntries: (tag: string) => HeldStretch | undefined;
  /** `onPoison` "block": after so many receives a message is not delivered any more, and its key waits. */
  readonly blocksAfter: number | null;
}

export interface HeldStretch {
  readonly entries: readonly LogEntry[];
  /** They reach up to the head. */
  readonly complete: boolean;
}

export interface DeadLetterRule {
  /** Null: however often it was received. */
  readonly maxReceives: number | null;
  readonly onExpired: "drop" | "deadLetter";
  /** Where to, as a lease that leaves says it. */
  readonly queue: string;
}

export interface Delivery {
  readonly offset: Offset;
  readonly message: StoredMessage;
  /** The lease it belongs to; ids stay valid however many members go. */
  readonly lease: Lease;
  /** Where order is kept: of its key. */
  readonly tag?: string;
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
  /** Messages between the head as stored and as planned that were not accepted. */
  readonly passed: number;
  /** Where this plan cuts the segment. */
  readonly cutAt: Offset | undefined;
  /** When something of this segment may become claimable without anyone's doing. */
  readonly nextEventAt: EpochMs | undefined;
  /** The walk met the lane's end entry. */
  readonly ended: boolean;
  /** More leases have run out than one update may touch, or more is held than was looked at. */
  readonly more: boolean;
  /** Where order is kept: the segment holds as much as it may. */
  readonly capped: boolean;
}

/** Messages never change (L2), and each is weighed several times on its way out. */
const weighed = new WeakMap<StoredMessage, number>();

/** A stored message's size in an answer, its parts included. */
export function deliveredBytes(message: StoredMessage): number {
  let bytes = weighed.get(message);
  if (bytes === undefined) {
    bytes = wireBytes(message) + Math.ceil(((message.parts?.bytes ?? 0) * 4) / 3);
    weighed.set(message, bytes);
  }
  return bytes;
}

export interface OpenRequest extends ClaimRequest {
  readonly deliveries: Delivery[];
  bytes: number;
}

/** Whether a plan for these goes by keys (T4). */
export const drains = (order: Order, requests: readonly ClaimRequest[]): boolean =>
  order === "key" && requests.some(({ drain }) => drain === true);

export type Placed = { readonly offset: Offset; readonly message: StoredMessage };

/** At least a millisecond, so that a lease of 0 s is still told from one that was there before. */
export const untilOf = ({ now }: PlanInput, request: ClaimRequest): number =>
  now + Math.max(1, request.leaseMs);

/** When a lease was claimed for so long. */
export const claimedAt = ({ until }: Lease, leaseMs: number): EpochMs =>
  epochMs(until - Math.max(1, leaseMs));

export const membersOf = (lease: Pick<Lease, "entry">, messages: readonly Placed[]): Set<string> =>
  new Set(messages.map((placed) => member(lease, placed.offset)));

/** Whether a request takes one more message; its very first one is never refused for its size. */
export const takes = (
  request: OpenRequest,
  pendingHere: number,
  message: StoredMessage,
): boolean => {
  const count = request.deliveries.length + pendingHere;
  const isFirst = count === 0 && request.isStarted !== true;
  return (
    count < request.max && (isFirst || request.bytes + deliveredBytes(message) <= request.maxBytes)
  );
};
