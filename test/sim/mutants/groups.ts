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
    "B1",
    "latest-is-the-beginning",
    "src/service/starts.ts",
    "return { start: end, isFirst: last === undefined, isLast: true };",
    "return { start: offset(0), isFirst: last === undefined, isLast: true };",
  ),
  damage(
    "B1",
    "latest-is-past-the-end",
    "src/service/starts.ts",
    "return { start: end, isFirst: last === undefined, isLast: true };",
    "return { start: offset(end + 1), isFirst: last === undefined, isLast: true };",
  ),
  damage(
    "B2",
    "time-finds-the-next",
    "src/service/starts.ts",
    "return { start: found.offset, isFirst",
    "return { start: offset(found.offset + found.count), isFirst",
    ["corners"],
  ),
  damage(
    "B3",
    "begins-behind-the-message",
    "src/service/starts.ts",
    "return { start: at, isFirst: at",
    "return { start: offset(at + 1), isFirst: at",
    ["corners"],
  ),
  damage(
    "Y1",
    "group-records-are-always-believed",
    "src/service/group-catalog.ts",
    "age >= 0 && age < maxAgeMs",
    "age < Infinity",
  ),
  damage(
    "Y2",
    "group-record-without-version",
    "src/service/group-catalog.ts",
    'all(equal(["groupId"], group.groupId), equal(["version"], group.version))',
    'equal(["groupId"], group.groupId)',
    ["corners"],
  ),
  damage(
    "Y3",
    "group-is-not-announced",
    "src/service/groups.ts",
    "record.groups.has(name) ? record : await this.#announce(record, name);",
    "record.groups.has(name) ? record : await this.#catalog.fresh(record.name);",
    ["corners"],
  ),
  damage(
    "Y3",
    "late-group-is-not-announced-again",
    "src/service/groups.ts",
    "if ((await this.#announce(record, group.name)) !== undefined) return;",
    "if (record.groups.size >= 0) return;",
    ["corners"],
  ),
  damage(
    "Y4",
    "group-name-is-free-at-once",
    "src/service/groups.ts",
    "if (age >= LIMITS.deletedNameMs) return;",
    "if (age >= 0) return;",
  ),
  damage(
    "Y5",
    "older-seeks-are-taken",
    "src/service/cursor.ts",
    "cursor.sought >= to.seek",
    "cursor.sought > Infinity",
    ["corners"],
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
