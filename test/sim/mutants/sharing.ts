/** What priorities and fair sharing rest on. */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const PRIORITY = "src/core/priority.ts";

const damage = damages(["sharing"]);

export const SHARING_MUTANTS: readonly Mutant[] = [
  damage("Y1", "ids-of-a-level-begin-anew", PRIORITY, "next: last + 1 };", "next: lanes.next };"),
  damage(
    "Y2",
    "only-the-top-level-is-read",
    PRIORITY,
    "return order.map((priority)",
    "return order.slice(0, 1).map((priority)",
  ),
];
