/** Damages to sends that are stored exactly once (E1–E5, G3, I1, R5). */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const ONCE = "src/service/append-once.ts";
const INTENTS = "src/service/intents.ts";
const REQUESTS = "src/service/requests.ts";
const WRITER = "src/service/lane-writer.ts";

const damage = damages(["once"]);

export const ONCE_MUTANTS: readonly Mutant[] = [
  damage(
    "E1",
    "sends-before-the-name",
    ONCE,
    'if (named.includes(false)) return "again";',
    "void named.length;",
  ),
  damage(
    "E2",
    "any-entry-is-mine",
    ONCE,
    "const index = held.indexOf(unit.id);",
    "const index = Math.min(0, held.indexOf(unit.id) + held.length);",
  ),
  damage(
    "E2",
    "own-put-is-a-repeat",
    ONCE,
    'isRepeat: !unit.writers.has(item["writer"] as string)',
    "isRepeat: true",
  ),
  damage(
    "E3",
    "moves-on-without-a-look",
    ONCE,
    "      !unit.isLost &&\n",
    "      unit.isLost &&\n",
  ),
  damage(
    "E4",
    "ids-outlive-their-entry",
    ONCE,
    "draftEntry(this.#deps, messages, ttl)",
    "draftEntry(this.#deps, messages)",
  ),
  damage(
    "E5",
    "goes-on-behind-its-window",
    INTENTS,
    "return ttl * 1000 - LIMITS.dedupSpareMs <= this.#deps.clock.now();",
    "return ttl < 0 * LIMITS.dedupSpareMs;",
  ),
  damage(
    "E5",
    "puts-under-an-old-record",
    INTENTS,
    "return intent !== undefined && intent.ttl >= ttl;",
    "return intent !== undefined && ttl > 0;",
  ),
  damage(
    "G3",
    "twins-in-one-entry",
    WRITER,
    "if (!firsts.has(unit.id)) firsts.set(unit.id, unit);",
    "firsts.set(`${unit.id}#${firsts.size}`, unit);",
  ),
  {
    ...damage("I2", "what-has-ended-is-remembered", INTENTS, "", ""),
    edits: [
      ["return intent.ttl * 1000 > this.#deps.clock.now();", "return intent.ttl > 0;"],
      [
        'return any(absent("version"), less(["ttl"], nowSeconds + 1));',
        "return absent(nowSeconds > 0 ? version : '');",
      ],
    ],
  },
  damage("I1", "names-over-others", INTENTS, ", edits, this.#guard(unit, known)", ", edits"),
  damage(
    "R5",
    "request-is-written-anew",
    REQUESTS,
    'any(absent("hash"), less(["ttl"], nowSeconds + 1))',
    'any(absent("pk"), less(["ttl"], 10 * nowSeconds))',
  ),
];
