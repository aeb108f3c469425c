/**
 * A segment: the part of a cursor that says what a group has claimed of a stretch of a lane.
 *
 * Owns the reading and writing of segment items and the arithmetic on them; decides nothing.
 *
 * C5  A lease counts as expired only after `until` + the skew margin; `until` 0 (released) at once.
 * C7  Pending members are base-36 distances from the lease's `entry`, so they stay short however
 *     large offsets are; `segmentBytes` estimates what the item costs.
 */
import type { Attributes, Edit, Item } from "../store/port.ts";
import { add, discard, remove, set } from "../store/port.ts";
import { decodeHeld, encodeHeld, heldBytes, heldFrom } from "./held.ts";
import type { HeldByTag } from "./held.ts";
import { epochMs, offset } from "./types.ts";
import type { EpochMs, Offset } from "./types.ts";

/** Where a lease's messages are being moved, and why. */
export interface Leaving {
  readonly why: "deadLetter" | "expired" | "redrive";
  /** Name of the queue, or as `leavingTo` writes an exchange; empty: each message to the queue that it was dead-lettered from. */
  readonly to: string;
}

export interface Lease {
  readonly id: string;
  /** Epoch ms; 0: released, free at once. */
  readonly until: number;
  readonly receives: number;
  /** Offset of the entry that holds its first message; members count from it. */
  readonly entry: Offset;
  readonly firstAt: EpochMs;
  /** C6: on its way to another queue; `until` bounds the attempt. Nobody holds a receipt of it. */
  readonly leaving: Leaving | undefined;
  /** Released with a delay: nobody holds it. */
  readonly waiting: boolean;
  /** Where an extension has moved its messages here: the lease that their attempt began with (F1). */
  readonly attempt: string | undefined;
  /** A1: something has left it that nobody has acked in it. */
  readonly isSplit: boolean;
  readonly pending: ReadonlySet<string>;
}

export interface Segment {
  readonly start: Offset;
  /** No item: nothing has been claimed yet. */
  readonly absent: boolean;
  readonly head: Offset;
  /** Offset of the entry that holds `head`, or `head` itself. */
  readonly headEntry: Offset;
  /** Set once cut: the segment serves offsets below this. */
  readonly end: Offset | undefined;
  readonly closed: boolean;
  readonly version: number;
  /** Where order is kept: what the head has passed by, by tag of its key (`held.ts`). */
  readonly held: HeldByTag;
  /** Leases with something pending. */
  readonly leases: ReadonlyMap<string, Lease>;
  /** Ids of leases with nothing pending, to be swept by the next claim. */
  readonly spent: readonly string[];
}

const LEASE = "x#";
const PENDING = "p#";

export const leaseName = (id: string): string => `${LEASE}${id}`;
export const pendingName = (id: string): string => `${PENDING}${id}`;

/** Where order is kept, a member ends with the tag of its key, so that nobody reads the log to know it. */
export const member = (lease: Pick<Lease, "entry">, at: Offset, tag?: string): string =>
  tag === undefined ? (at - lease.entry).toString(36) : `${(at - lease.entry).toString(36)}.${tag}`;
export const memberOffset = (lease: Pick<Lease, "entry">, text: string): Offset =>
  offset(lease.entry + Number.parseInt(text, 36));

export const memberTag = (text: string): string => text.slice(text.indexOf(".") + 1);

/** The members that stand at some offsets. */
export function membersAt(lease: Lease, offsets: ReadonlySet<Offset>): Set<string> {
  return new Set([...lease.pending].filter((text) => offsets.has(memberOffset(lease, text))));
}

/** What is pending, in order: as it is written, and where it stands. */
export const pendingMembers = (lease: Lease): (readonly [string, Offset])[] =>
  [...lease.pending]
    .map((text) => [text, memberOffset(lease, text)] as const)
    .sort(([, a], [, b]) => a - b);

/** What is pending, in order. */
export const pendingOffsets = (lease: Lease): Offset[] =>
  [...lease.pending].map((text) => memberOffset(lease, text)).sort((a, b) => a - b);

export const isExpired = (lease: Lease, now: EpochMs, skewMarginMs: number): boolean =>
  lease.until === 0 || now >= lease.until + skewMarginMs;

/** Nothing of it will ever be claimed again, and nothing is pending. */
export const isDrained = (segment: Segment): boolean =>
  segment.end !== undefined && segment.head >= segment.end && segment.leases.size === 0;

export function parseSegment(start: Offset, item: Item | undefined): Segment {
  if (item === undefined) {
    return {
      start,
      absent: true,
      head: start,
      headEntry: start,
      end: undefined,
      closed: false,
      version: 0,
      held: new Map(),
      leases: new Map(),
      spent: [],
    };
  }
  const leases = new Map<string, Lease>();
  const spent: string[] = [];
  for (const name of Object.keys(item)) {
    if (!name.startsWith(LEASE)) continue;
    const id = name.slice(LEASE.length);
    const lease = parseLease(id, item);
    if (lease === undefined) spent.push(id);
    else leases.set(id, lease);
  }
  return {
    start,
    absent: false,
    head: offset(item["head"] as number),
    headEntry: offset(item["headEntry"] as number),
    end: item["end"] === undefined ? undefined : offset(item["end"] as number),
    closed: item["closed"] === true,
    version: item["version"] as number,
    held: decodeHeld((item["held"] as string | undefined) ?? ""),
    leases,
    spent,
  };
}

/** `undefined` where nothing of the lease is pending. */
export function parseLease(id: string, item: Attributes): Lease | undefined {
  const fields = item[leaseName(id)] as
    | {
        u: number;
        r?: number;
        e: number;
        f: number;
        d?: string;
        v?: boolean;
        o?: boolean;
        w?: boolean;
        a?: string;
        s?: boolean;
      }
    | undefined;
  const pending = item[pendingName(id)] as ReadonlySet<string> | undefined;
  if (fields === undefined || pending === undefined) return undefined;
  return {
    id,
    until: fields.u,
    receives: fields.r ?? 1,
    entry: offset(fields.e),
    firstAt: epochMs(fields.f),
    leaving: fields.d === undefined ? undefined : { why: whyOf(fields), to: fields.d },
    waiting: fields.w === true,
    attempt: fields.a,
    isSplit: fields.s === true,
    pending,
  };
}

const whyOf = ({ v, o }: { v?: boolean; o?: boolean }): Leaving["why"] =>
  v === true ? "redrive" : o === true ? "expired" : "deadLetter";

/** The edits that write a lease as new. */
export function leaseEdits(lease: Lease): Edit[] {
  return [
    set([leaseName(lease.id)], leaseFields(lease)),
    add(pendingName(lease.id), lease.pending),
  ];
}

/** Small, for a segment's size is what claims and acks cost: the first receive is not written. */
const leaseFields = (lease: Lease) => ({
  u: lease.until,
  ...(lease.receives === 1 ? {} : { r: lease.receives }),
  e: lease.entry,
  f: lease.firstAt,
  ...(lease.leaving === undefined ? {} : { d: lease.leaving.to }),
  ...(lease.leaving?.why === "redrive" ? { v: true } : {}),
  ...(lease.leaving?.why === "expired" ? { o: true } : {}),
  ...(lease.waiting ? { w: true } : {}),
  ...(lease.attempt === undefined ? {} : { a: lease.attempt }),
  ...(lease.isSplit ? { s: true } : {}),
});

export const leaseRemovals = (id: string): Edit[] => [
  remove(leaseName(id)),
  remove(pendingName(id)),
];

/** What takes members from a lease, unless by an ack. */
export function memberRemovals(lease: Lease, members: ReadonlySet<string>): Edit[] {
  if (members.size === lease.pending.size) return leaseRemovals(lease.id);
  const taken = discard(pendingName(lease.id), members);
  return lease.isSplit ? [taken] : [taken, set([leaseName(lease.id), "s"], true)];
}

/** A segment as a new item. */
export function segmentAttributes(segment: Segment): Attributes {
  const leases = [...segment.leases.values()].flatMap((lease) => [
    [leaseName(lease.id), leaseFields(lease)] as const,
    [pendingName(lease.id), lease.pending] as const,
  ]);
  return {
    head: segment.head,
    headEntry: segment.headEntry,
    version: segment.version,
    ...(segment.end === undefined ? {} : { end: segment.end }),
    ...(segment.held.size === 0 ? {} : { held: encodeHeld(segment.held) }),
    ...Object.fromEntries(leases),
  };
}

/**
 * What of a generation's segments, closed and so at rest, stands at or behind `start`: the next
 * generation begins with it. `start` is the beginning of an entry.
 */
export function carryOver(segments: readonly Segment[], start: Offset): Segment[] {
  return segments.flatMap((segment) => {
    if (segment.end !== undefined && segment.end <= start) return [];
    const from = offset(Math.max(segment.start, start));
    const leases = [...segment.leases.values()].flatMap((lease) => {
      const pending = new Set(
        [...lease.pending].filter((text) => memberOffset(lease, text) >= from),
      );
      return pending.size === 0 ? [] : [[lease.id, { ...lease, pending }] as const];
    });
    const isBehind = segment.head >= from;
    return {
      start: from,
      absent: segment.end === undefined && segment.head <= from && leases.length === 0,
      head: isBehind ? segment.head : from,
      headEntry: isBehind ? segment.headEntry : from,
      end: segment.end,
      closed: false,
      version: 0,
      held: heldFrom(segment.held, from, segment.head),
      leases: new Map(leases),
      spent: [],
    };
  });
}

const SEGMENT_BASE_BYTES = 150;
const LEASE_BASE_BYTES = 72;
const ATTEMPT_BYTES = 12;
const SPLIT_BYTES = 3;

export const leaseBytes = (members: Iterable<string>): number => {
  let bytes = LEASE_BASE_BYTES;
  for (const text of members) bytes += memberBytes(text);
  return bytes;
};
export const memberBytes = (text: string): number => text.length + 1;

/** An estimate of the item's size in bytes, by DynamoDB's rules. */
export function segmentBytes(segment: Segment): number {
  let bytes = SEGMENT_BASE_BYTES + segment.spent.length * LEASE_BASE_BYTES;
  for (const lease of segment.leases.values())
    bytes +=
      leaseBytes(lease.pending) +
      (lease.attempt === undefined ? 0 : ATTEMPT_BYTES) +
      (lease.isSplit ? SPLIT_BYTES : 0);
  return bytes + heldBytes(segment.held);
}
