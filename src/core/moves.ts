/**
 * Release and extend: what a holder of receipts does to leases before they run out.
 *
 * Pure, as the planner; `service/change-leases.ts` loads and applies.
 *
 * C4  Extending a whole lease changes it in place, guarded by its pending set and its `until` as read,
 *     so that a late copy of a shorter extension changes nothing. Otherwise members move to a new lease
 *     in the same update, guarded by their presence (at most `moveMembers`; more: by the whole pending
 *     set as read). A release always moves, so that the receipt is spent: the same release made twice
 *     would take back an attempt twice; what an extension moves says to which attempt it belongs (F1).
 *     In doubt, a lease of a new id tells that its update was applied; leases changed in place tell it
 *     only all together, each with all of its members: others may have changed one to the same time.
 */
import type { Condition, Edit, Item } from "../store/port.ts";
import { contains, equal, remove, set } from "../store/port.ts";
import { LIMITS } from "./limits.ts";
import {
  leaseEdits,
  leaseName,
  memberOffset,
  memberRemovals,
  memberTag,
  parseLease,
  pendingName,
} from "./segment.ts";
import type { Lease } from "./segment.ts";
import type { EpochMs, Offset } from "./types.ts";

/** 0: free at once. It may follow from the lease (R4). */
type Until = number | ((lease: Lease) => number);

export type LeaseChange =
  | { readonly to: "extend"; readonly until: Until }
  | { readonly to: "release"; readonly until: Until; readonly countAttempt: boolean };

const untilOf = ({ until }: LeaseChange, lease: Lease): number =>
  typeof until === "number" ? until : until(lease);

export interface Move {
  readonly edits: readonly Edit[];
  readonly guards: readonly Condition[];
  /** The lease that the members belong to afterwards. */
  readonly lease: Lease;
}

/** `members` are pending in `lease` as read, and not empty; `named`: how many the update names in all. */
export function planMove(
  lease: Lease,
  members: ReadonlySet<string>,
  change: LeaseChange,
  newLeaseId: () => string,
  named: number = members.size,
): Move {
  const isWhole = members.size === lease.pending.size;
  const isInPlace = isWhole && change.to === "extend";
  const until = untilOf(change, lease);
  const next: Lease = {
    ...lease,
    id: isInPlace ? lease.id : newLeaseId(),
    until,
    receives: change.to === "release" && !change.countAttempt ? lease.receives - 1 : lease.receives,
    waiting: change.to === "release" && until !== 0,
    attempt: isInPlace ? lease.attempt : (lease.attempt ?? lease.id),
    isSplit: isInPlace && lease.isSplit,
    pending: members,
    ...(change.to === "release" ? { leaving: undefined, attempt: undefined } : {}),
  };
  if (isInPlace) {
    const extended = set([leaseName(lease.id), "u"], next.until);
    const edits = lease.waiting ? [extended, remove(leaseName(lease.id), "w")] : [extended];
    const guards = [
      equal([pendingName(lease.id)], lease.pending),
      equal([leaseName(lease.id), "u"], lease.until),
    ];
    return { lease: next, edits, guards };
  }
  const { edits, guards } = takeOut(lease, members, named);
  return { lease: next, edits: [...edits, ...leaseEdits(next)], guards };
}

/**
 * T1: of members of a lease that has run out, those that somebody else's lease keeps waiting: one of `others`,
 * that lives, has something of their key before them. To extend them would make two holders of a key.
 */
export function overtaken(
  lease: Lease,
  members: ReadonlySet<string>,
  others: Iterable<Lease>,
  now: EpochMs,
): ReadonlySet<string> {
  const living = [...others].filter(
    (other) => other.until > now && !other.waiting && other.leaving === undefined,
  );
  const first = firstByTag(living, (other) => other.pending);
  return new Set(
    [...members].filter((text) => {
      const at = first.get(memberTag(text));
      return at !== undefined && at < memberOffset(lease, text);
    }),
  );
}

/** What tells that a change was applied. */
export type Sign =
  | { readonly is: "newLease"; readonly id: string }
  | { readonly is: "inPlace"; readonly leases: readonly Lease[] };

/** C4: `item`: the segment that the change was made to, as it was found afterwards. */
export function shows(sign: Sign, item: Item | undefined): boolean {
  if (item === undefined) return false;
  if (sign.is === "newLease") return item[leaseName(sign.id)] !== undefined;
  return sign.leases.every(({ id, until, pending }) => {
    const now = parseLease(id, item);
    if (now === undefined || now.until !== until || now.waiting) return false;
    return [...pending].every((text) => now.pending.has(text));
  });
}

/** C4: members leave a lease, guarded by their presence: by name, unless the update names too many. */
function takeOut(
  lease: Lease,
  members: ReadonlySet<string>,
  named: number,
): { edits: readonly Edit[]; guards: readonly Condition[] } {
  const isWhole = members.size === lease.pending.size;
  const byMember = !isWhole && named <= LIMITS.moveMembers;
  return {
    edits: memberRemovals(lease, members),
    guards: byMember
      ? [...members].map((text) => contains([pendingName(lease.id)], text))
      : [equal([pendingName(lease.id)], lease.pending)],
  };
}

type Release = Extract<LeaseChange, { to: "release" }>;

/**
 * A release where order is kept. What the same holder has of a released message's key behind it goes
 * back with it, so that the message comes before it again; that counts as no attempt at those.
 *
 * `members`: by lease, pending as read, at least one. `named`: the members, by lease id, that the caller
 * gives back in other updates; they are no company of these.
 */
export function planReleaseInOrder(
  leases: Iterable<Lease>,
  members: ReadonlyMap<string, ReadonlySet<string>>,
  named: ReadonlyMap<string, ReadonlySet<string>>,
  change: Release,
  now: EpochMs,
  newLeaseId: () => string,
): Move | undefined {
  const all = [...leases];
  const first = firstByTag(all, (lease) => members.get(lease.id) ?? NOTHING);
  const parts = all.flatMap((lease) => {
    const own = members.get(lease.id) ?? NOTHING;
    const company = companyOf(lease, first, own, named.get(lease.id) ?? NOTHING, now);
    return own.size + company.size === 0 ? [] : [{ lease, own, company }];
  });
  const count = parts.reduce((sum, { own, company }) => sum + own.size + company.size, 0);
  const edits: Edit[] = [];
  const guards: Condition[] = [];
  let marker: Lease | undefined;
  for (const { lease, own, company } of parts) {
    const taken = takeOut(lease, new Set([...own, ...company]), count);
    edits.push(...taken.edits);
    guards.push(...taken.guards);
    const until = untilOf(change, lease);
    const back = {
      ...lease,
      until,
      waiting: until !== 0,
      leaving: undefined,
      attempt: undefined,
      isSplit: false,
    };
    const uncounted = lease.receives - 1;
    const released = {
      ...back,
      id: newLeaseId(),
      receives: change.countAttempt ? lease.receives : uncounted,
      pending: own,
    };
    const untried = { ...back, id: newLeaseId(), receives: uncounted, pending: company };
    for (const one of [released, untried]) {
      if (one.pending.size === 0) continue;
      edits.push(...leaseEdits(one));
      marker ??= one;
    }
  }
  return marker === undefined ? undefined : { lease: marker, edits, guards };
}

/** What a holder has of the keys that are released, behind what is; what has run out nobody has. */
function companyOf(
  lease: Lease,
  first: ReadonlyMap<string, Offset>,
  own: ReadonlySet<string>,
  named: ReadonlySet<string>,
  now: EpochMs,
): ReadonlySet<string> {
  if (lease.leaving !== undefined || lease.waiting || lease.until <= now) return NOTHING;
  return new Set(
    [...lease.pending].filter((text) => {
      const from = first.get(memberTag(text));
      const isBehind = from !== undefined && memberOffset(lease, text) > from;
      return isBehind && !own.has(text) && !named.has(text);
    }),
  );
}

const NOTHING: ReadonlySet<string> = new Set();

/** The first offset of each tag among those members of leases. */
function firstByTag(
  leases: readonly Lease[],
  membersOf: (lease: Lease) => ReadonlySet<string>,
): ReadonlyMap<string, Offset> {
  const first = new Map<string, Offset>();
  for (const lease of leases) {
    for (const text of membersOf(lease)) {
      const at = memberOffset(lease, text);
      const tag = memberTag(text);
      if (at < (first.get(tag) ?? Number.POSITIVE_INFINITY)) first.set(tag, at);
    }
  }
  return first;
}
