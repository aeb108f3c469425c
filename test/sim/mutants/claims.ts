/** Damages to claims of fresh messages (C1, M2). */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const PLANNER = "src/core/planner.ts";
const CLAIM_FRESH = "src/core/claim-fresh.ts";
const CLAIM = "src/service/claim.ts";

const damage = damages(["crowd"]);

export const CLAIM_MUTANTS: readonly Mutant[] = [
  damage("C1", "claim-without-head", CLAIM_FRESH, 'equal(["head"], segment.head),', ""),
  damage(
    "C1",
    "claim-without-end",
    CLAIM_FRESH,
    'segment.end === undefined ? absent("end") : equal(["end"], segment.end),',
    "",
  ),
  damage(
    "C1",
    "claim-of-closed",
    PLANNER,
    'segment.absent ? absent("version") : absent("closed")',
    'absent("nothing")',
    ["purges"],
  ),
  damage(
    "C1",
    "own-claim-is-foreign",
    CLAIM,
    "planned.ownLease !== undefined &&",
    "planned.ownLease === null &&",
  ),
  {
    name: "first-claim-unguarded",
    rule: "C1",
    kinds: ["crowd"],
    file: PLANNER,
    edits: [['segment.absent ? absent("version") : absent("closed")', 'absent("closed")']],
  },
  damage(
    "M2",
    "delivers-the-invisible",
    CLAIM_FRESH,
    "message.visibleAt > now",
    "message.visibleAt > now + 60_000",
    ["mix"],
  ),
  damage(
    "C10",
    "leases-of-unequal-length-shared",
    CLAIM_FRESH,
    "one.leaseMs === other.leaseMs &&",
    "true &&",
    ["gathered"],
  ),
  damage(
    "C1",
    "claim-past-a-cut",
    CLAIM_FRESH,
    'segment.end === undefined ? absent("end") :',
    'segment.end === undefined ? absent("nothing") :',
  ),
  damage(
    "C1",
    "cut-ahead-without-head",
    CLAIM_FRESH,
    'guards: [...headGuards(segment), absent(segment.absent ? "version" : "closed")]',
    'guards: [absent(segment.absent ? "version" : "closed")]',
  ),
];
