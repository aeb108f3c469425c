/** What callers rest on who keep their first receipt, and give single messages back (F1–F3, A2–A4, T1, T4). */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const FOLLOW = "src/core/follow.ts";
const MOVES = "src/core/moves.ts";
const ACK = "src/service/ack.ts";
const PLAN = "src/core/ordered-plan.ts";
const RECEIVE = "src/service/receive.ts";
const DRAIN = "src/core/ordered-drain.ts";
const FRESH = "src/core/ordered-fresh.ts";

const damage = damages(["handles"]);

export const HANDLE_MUTANTS: readonly Mutant[] = [
  damage("F1", "attempt-is-not-written", MOVES, "(lease.attempt ?? lease.id)", "undefined"),
  damage(
    "F1",
    "anybody's-is-one's-own",
    FOLLOW,
    'reach === "anyone" || isOf(receipt, holder)',
    "holder",
  ),
  damage(
    "F1",
    "goes-to-whoever-it-changed",
    "src/service/moved.ts",
    "if (isOf(receipt, lease)) ",
    "",
  ),
  damage("F2", "nobody-else-is-looked-at", FOLLOW, 'reach === "anyone" || isOf', "isOf"),
  damage("F3", "finds-what-leaves", FOLLOW, " || holder.leaving !== undefined", ""),
  damage("A2", "does-not-follow", ACK, "if (holder !== undefined)\n", "if (holder === null)\n"),
  damage(
    "A3",
    "acks-when-it-is-over",
    ACK,
    '...[...running].map((lease) => more([leaseName(lease), "u"], now)),',
    "",
  ),
  damage("A3", "refuses-what-runs", ACK, "holder.until <= now", "holder.until > now"),
  damage(
    "A4",
    "carried-over-is-gone",
    ACK,
    "if (cursor.generation === group.generation) return",
    "if (cursor.generation >= group.generation) return",
  ),
  damage(
    "T1",
    "drains-what-is-behind-the-leased",
    PLAN,
    "const from = work.drains ? at : 0;",
    "const from = work.drains ? Number.POSITIVE_INFINITY : 0;",
  ),
  damage(
    "T4",
    "forgets-how-far-it-picked",
    DRAIN,
    "    work.pickedTo = offset(Math.max(work.pickedTo, one.offset + 1));\n",
    "",
  ),
  damage("T4", "holds-what-it-picked", FRESH, " || work.picked.has(work.head)", ""),
  damage("T4", "picks-behind-the-held", DRAIN, "  if (work.held.has(tag)) return;\n", ""),
  damage(
    "T4",
    "passes-what-it-does-not-pick",
    FRESH,
    "const isPassed = work.head < work.pickedTo;",
    "const isPassed = work.head < work.pickedTo;\n  if (isPassed) return true;",
  ),
  damage(
    "T4",
    "mixes-keys",
    RECEIVE,
    "drain ? keyByKey(answer.given, chainOf) : answer.given",
    "answer.given",
  ),
];
