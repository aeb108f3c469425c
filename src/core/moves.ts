/**
 * Release and extend: what a holder of receipts does to leases before they run out.
 *
 * Pure, as the planner; `service/change-leases.ts` loads and applies.
 *
 * C4  A whole lease changes in place. Some of its members move to a new lease in the same update,
 *     guarded by their presence (at most `moveMembers`; more: by the whole pending set as read).
 */
import type { Condition, Edit } from "../store/port.ts";
import { contains, discard, equal, exists, remove, set } from "../store/port.ts";
import { LIMITS } from "./limits.ts";
import { leaseEdits, leaseName, pendingName } from "./segment.ts";
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
  const next: Lease = {
    ...lease,
    id: isWhole ? lease.id : newLeaseId(),
    until: change.until,
    receives: change.to === "release" && !change.countAttempt ? lease.receives - 1 : lease.receives,
    waiting: change.to === "release" && change.until !== 0,
    pending: members,
  };
  if (isWhole)
    return {
      lease: next,
      edits: changeInPlace(lease, next),
      guards: [exists(pendingName(lease.id))],
    };
  return {
    lease: next,
    edits: [discard(pendingName(lease.id), members), ...leaseEdits(next)],
    guards:
      members.size <= LIMITS.moveMembers
        ? [...members].map((text) => contains([pendingName(lease.id)], text))
        : [equal([pendingName(lease.id)], lease.pending)],
  };
}

function changeInPlace(lease: Lease, next: Lease): Edit[] {
  const name = leaseName(lease.id);
  const edits: Edit[] = [set([name, "u"], next.until)];
  if (next.receives !== lease.receives) edits.push(set([name, "r"], next.receives));
  if (next.waiting) edits.push(set([name, "w"], true));
  else if (lease.waiting) edits.push(remove(name, "w"));
  return edits;
}
