/** Damages to consumer groups: where they begin, seeks (C8, Y5, U2), filters (C9), names used again (U1). */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const damage = damages(["groups"]);

export const GROUP_MUTANTS: readonly Mutant[] = [
  damage(
    "C8",
    "seek-carries-over",
    "src/service/cursor.ts",
    "const carried = next.seek === undefined ?",
    "const carried = next.generation > 0 ?",
  ),
  damage(
    "C8",
    "latest-is-the-beginning",
    "src/service/starts.ts",
    "return { start: end, isFirst: last === undefined, isLast: true };",
    "return { start: offset(0), isFirst: last === undefined, isLast: true };",
  ),
  damage(
    "C9",
    "filter-lets-all-through",
    "src/core/claim-fresh.ts",
    "(isLive || leaving !== undefined) && input.accepts(message);",
    "(isLive || leaving !== undefined);",
  ),
  damage(
    "C9",
    "walk-forgets-its-place",
    "src/service/claim.ts",
    "walk?.from === segment.head &&",
    "walk !== undefined &&",
  ),
  damage(
    "U1",
    "group-is-its-name",
    "src/service/groups.ts",
    "groupId: groupId(randomId(this.#deps, 12)),",
    "groupId: groupId(name),",
  ),
  damage(
    "U2",
    "finished-survives-a-seek",
    "src/service/receive.ts",
    "return this.#finished.get(key)?.seeks === group.seeks;",
    "return this.#finished.get(key) !== undefined;",
  ),
];
