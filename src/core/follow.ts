/**
 * Which lease holds a receipt's message by now.
 *
 * F1  A receipt is good for its attempt: in the lease that was claimed, and in whichever lease an
 *     extension has moved the message to since. To take a message back begins another attempt, and a
 *     release ends one.
 * F2  A caller may ask for the message whoever has it: then any lease of its segment is looked at, for a
 *     message never leaves its segment before it is done with.
 * F3  What is on its way to another queue is nobody's, and is not found (C6).
 */
import type { Receipt } from "./receipt.ts";
import { member } from "./segment.ts";
import type { Lease } from "./segment.ts";

/** Whose lease is meant. */
export type Reach = "attempt" | "anyone";

export const attemptOf = ({ attempt, lease }: Receipt): string => attempt ?? lease;

/** F1 */
export const isOf = (receipt: Receipt, { id, attempt }: Lease): boolean =>
  (attempt ?? id) === attemptOf(receipt);

export const holds = (lease: Lease, receipt: Receipt): boolean =>
  lease.pending.has(member(lease, receipt.offset, receipt.tag));

export function holderOf(
  receipt: Receipt,
  leases: ReadonlyMap<string, Lease>,
  reach: Reach,
): Lease | undefined {
  const named = leases.get(receipt.lease);
  const holder =
    named !== undefined && holds(named, receipt)
      ? named
      : [...leases.values()].find((lease) => holds(lease, receipt));
  if (holder === undefined || holder.leaving !== undefined) return undefined;
  return reach === "anyone" || isOf(receipt, holder) ? holder : undefined;
}
