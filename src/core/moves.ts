/**
 * Release and extend: what a holder of receipts does to leases before they run out.
 *
 * Pure, as the planner; `service/change-leases.ts` loads and applies.
 *
 * C4  Extending a whole lease changes it in place, guarded by its pending set and its `until` as read,
 *     so that a late copy of a shorter extension changes nothing. Otherwise members move to a new lease
 *     in the same update, guarded by their presence (at most `moveMembers`; more: by the whole pending
 *     set as read). A release always moves, so that the receipt is spent: the same release made twice
 *     would take back an attempt twice.
 */
import type { Condition, Edit } from "../store/port.ts";
import { contains, discard, equal, remove, set } from "../store/port.ts";
import { LIMITS } from "./limits.ts";
import { leaseEdits, leaseName, leaseRemovals, pendingName } from "./segment.ts";
import type { Lease } from "./segment.ts";

export type LeaseChange =
  | { readonly to: "extend"; readonly until: number }
  /** `until` 0: free at once. */
  | { readonly to: "release"; readonly until: number; readonly countAttempt: boolean };

export interface Move {
  readonly edits: readonly Edit[];
  readonly guards: readonly Condition[];
  /** The lease that the members belong to afterwards. */
  readonly lease: Lease;
}

/** `members` are pending in `lease` as read, and not empty. */
export function planMove(
  lease: Lease,
  members: ReadonlySet<string>,
  change: LeaseChange,
  newLeaseId: () => string,
): Move {
  const isWhole = members.size === lease.pending.size;
  const isInPlace = isWhole && change.to === "extend";
  const next: Lease = {
    ...lease,
    id: isInPlace ? lease.id : newLeaseId(),
    until: change.until,
    receives: change.to === "release" && !change.countAttempt ? lease.receives - 1 : lease.receives,
    waiting: change.to === "release" && change.until !== 0,
    pending: members,
    ...(change.to === "release" ? { leaving: undefined } : {}),
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
  const byMember = !isWhole && members.size <= LIMITS.moveMembers;
  return {
    lease: next,
    edits: [
      ...(isWhole ? leaseRemovals(lease.id) : [discard(pendingName(lease.id), members)]),
      ...leaseEdits(next),
    ],
    guards: byMember
      ? [...members].map((text) => contains([pendingName(lease.id)], text))
      : [equal([pendingName(lease.id)], lease.pending)],
  };
}
