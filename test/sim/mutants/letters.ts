/** Damages to messages on their way to another queue, exactly once (C6, E1–E4). */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const ONCE = "src/service/append-once.ts";
const INTENTS = "src/service/intents.ts";
const RECLAIM = "src/core/reclaim.ts";
const DEAD = "src/service/dead-letter.ts";

const damage = damages(["letters"]);

export const LETTER_MUTANTS: readonly Mutant[] = [
  damage(
    "C6",
    "one-receive-too-many",
    RECLAIM,
    "lease.receives >= limit",
    "lease.receives > limit",
  ),
  damage(
    "C6",
    "one-receive-too-few",
    RECLAIM,
    "lease.receives >= limit",
    "lease.receives + 1 >= limit",
  ),
  damage("C6", "dead-lease-is-delivered", RECLAIM, "lease.leaving ?? (isDue", "(isDue"),
  damage(
    "C6",
    "dead-letters-without-append",
    DEAD,
    "await this.#once.append(target.name, chunk as OnceMessage[], ttl);",
    "void [chunk, ttl];",
  ),
  damage(
    "C6",
    "dead-letters-twice",
    INTENTS,
    "intent !== undefined && this.isAlive(intent) ? intent : undefined",
    "undefined as typeof intent",
  ),
  damage(
    "C6",
    "who-slept-moves-on",
    DEAD,
    "if (now >= dead.lease.until) break;",
    "if (now < 0) break;",
    ["nooks"],
  ),
  damage(
    "E1",
    "puts-without-the-name",
    ONCE,
    'if (named.includes(false)) return "again";',
    "void named;",
  ),
  damage(
    "E3",
    "leaves-the-named-place",
    ONCE,
    'tail === "ended" || tail.offset !== at ? "closed" : "free"',
    '"closed"',
    ["once", "letters"],
  ),
  damage("E3", "record-without-guard", INTENTS, ", edits, this.#guard(unit, known)", ", edits"),
];
