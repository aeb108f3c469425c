/** Damages to messages that go to several queues: published again, or dead (H1, I3, C6). */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const PUBLISH = "src/service/publish.ts";
const CHOICES = "src/service/choices.ts";
const DEAD = "src/service/dead-letter.ts";
const ROUTE = "src/core/route.ts";

const damage = damages(["routed"]);

export const ROUTING_MUTANTS: readonly Mutant[] = [
  damage(
    "H1",
    "chooses-anew",
    PUBLISH,
    "return this.#choices.kept(input, one, `publish#${dedupId}`, until);",
    "void [input, until]; return one;",
  ),
  damage(
    "H1",
    "choice-is-written-over",
    CHOICES,
    'store.put("lanes", item, this.#unlessKept());\n      if',
    'store.put("lanes", item);\n      if',
  ),
  damage(
    "H1",
    "one-binding-is-no-choice",
    ROUTE,
    'table.exchange.settings.type === "balance";',
    'table.exchange.settings.type === "balance" && table.leadsTo.size > 0;',
  ),
  damage(
    "I3",
    "confirms-what-failed",
    PUBLISH,
    "const [first] = failed;",
    "const first = failed[failed.length];",
  ),
  damage(
    "I3",
    "copies-forget-their-id",
    PUBLISH,
    "const copy = { ...message, ...content, ...origin, ...id };",
    "const copy = { ...message, ...content, ...origin, ...id, dedupId: String(this.#deps.random()) };",
  ),
  damage(
    "C6",
    "one-grave-is-enough",
    DEAD,
    "for (const [queue, leavers] of copies) {",
    "for (const [queue, leavers] of [...copies].slice(0, 1)) {",
  ),
];
