/** Damages to leases: taking back, acks, moves, the skew margin (C2–C5). */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const RECLAIM = "src/core/reclaim.ts";
const BACKOFF = "src/core/backoff.ts";
const MOVES = "src/core/moves.ts";
const ACK = "src/service/ack.ts";
const SEGMENT = "src/core/segment.ts";

const CHANGE = "src/service/change-leases.ts";

const damage = damages(["leases"]);

export const LEASE_MUTANTS: readonly Mutant[] = [
  damage(
    "C2",
    "reclaim-undoes-extension",
    RECLAIM,
    'equal([leaseName(lease.id), "u"], lease.until),',
    "",
  ),
  damage("C2", "reclaim-undoes-ack", RECLAIM, "equal([pendingName(lease.id)], lease.pending),", ""),
  damage(
    "C2",
    "receives-stand-still",
    RECLAIM,
    "receives: from.receives + (request.leaving === undefined ? 1 : 0)",
    "receives: from.receives",
  ),
  damage(
    "C2",
    "reclaim-keeps-the-old",
    SEGMENT,
    "lease.pending.size) return leaseRemovals(lease.id);",
    "lease.pending.size) return [];",
  ),
  damage(
    "C3",
    "ack-of-anything-is-done",
    ACK,
    "pending?.has(member(lease, receipt.offset, receipt.tag)) === true",
    "pending?.size !== 0",
  ),
  damage("A1", "split-is-forgotten", ACK, " && fields.s !== true", "", ["nooks"]),
  damage("A1", "doubt-is-done", ACK, "fields !== undefined && fields.u > now", "item !== null", [
    "letters",
  ]),
  damage(
    "A1",
    "doubt-is-refused",
    ACK,
    "throw attempt > 1 ? afterChange(error, PARTLY) : error;",
    "throw error;",
    ["corners"],
  ),
  damage(
    "A4",
    "purge-hides-what-was-done",
    ACK,
    "throw isChanged ? afterChange(error, PARTLY) : error;",
    "throw error;",
    ["nooks"],
  ),
  damage("C3", "moved-is-done", ACK, "if (isPending(receipt, segment))", "if (item === null)", [
    "handles",
  ]),
  {
    rule: "C3",
    name: "acks-the-closed",
    kinds: ["purges"],
    file: ACK,
    edits: [
      ['        absent("closed"),\n', ""],
      ['item === undefined || item["closed"] === true', "item === undefined"],
    ],
  },
  damage("C4", "move-without-presence", MOVES, "guards: byMember", "guards: 1 > 0 ? [] : byMember"),
  damage(
    "C4",
    "move-leaves-a-copy",
    MOVES,
    "edits: memberRemovals(lease, members)",
    "edits: isWhole ? memberRemovals(lease, members) : []",
  ),
  damage(
    "C4",
    "release-counts-always",
    MOVES,
    'change.to === "release" && !change.countAttempt ? lease.receives - 1',
    'change.to === "release" && !change.countAttempt ? lease.receives - 2',
  ),
  damage(
    "C4",
    "extends-what-left",
    MOVES,
    "equal([pendingName(lease.id)], lease.pending),\n      equal([leaseName",
    "equal([leaseName",
  ),
  damage(
    "C4",
    "extension-undoes-extension",
    MOVES,
    'equal([leaseName(lease.id), "u"], lease.until),',
    "",
    ["corners"],
  ),
  damage(
    "C4",
    "one-lease-speaks-for-all",
    MOVES,
    "sign.leases.every(",
    "sign.leases.slice(0, 1).every(",
    ["nooks"],
  ),
  damage("C5", "no-skew-margin", BACKOFF, "lease.until + skewMarginMs + ", "lease.until + "),
  damage(
    "C4",
    "moves-the-whole-unguarded",
    MOVES,
    ": [equal([pendingName(lease.id)], lease.pending)],\n  };",
    ": [],\n  };",
  ),
  damage(
    "C4",
    "moves-within-the-closed",
    CHANGE,
    'all(...planned.guards, absent("closed"))',
    "all(...planned.guards)",
    ["corners"],
  ),
];
