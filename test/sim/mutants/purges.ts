/** Damages to purges (C8), to clearing (K1, U3), and to names that are used again (D4). */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const CURSOR = "src/service/cursor.ts";
const QUEUES = "src/service/queues.ts";

const JANITOR = "src/service/janitor.ts";

const PURGE = "src/service/purge.ts";
const PROMOTER_STATE = "src/service/promoter-state.ts";
const DEDUP = "src/core/dedup.ts";

const damage = damages(["purges"]);
const clearing = damages(["clears"]);

export const PURGE_MUTANTS: readonly Mutant[] = [
  damage(
    "C8",
    "purge-closes-nothing",
    CURSOR,
    'const closed = await store.update("lanes", key, [set(["closed"], true)], exists("version"));',
    "const closed = { ok: true };",
  ),
  damage("C8", "purge-leaves-the-absent", CURSOR, "if (!closed.ok) {", 'if (key.pk === "") {'),
  damage(
    "C8",
    "next-is-left-alone",
    CURSOR,
    "if (cursor.next === undefined) {",
    "if (cursor.version >= 0) {",
  ),
  damage(
    "C8",
    "purge-forgets-what-came-after",
    CURSOR,
    "carryOver(closed, next.start) : []",
    "carryOver([], next.start) : []",
  ),
  damage(
    "C8",
    "switch-without-version",
    CURSOR,
    "versionGuard(cursor),\n    );\n    this.forget(stand);",
    ");\n    this.forget(stand);",
    ["corners"],
  ),
  damage(
    "C8",
    "visit-keeps-its-places",
    "src/service/visit.ts",
    "claim.end);\n      if (state.cursor.generation !== generation) return this.#beginAnew(state);",
    "claim.end);\n      if (state.cursor.generation !== generation) state.drained.length = 0;",
    ["handles", "purges"],
  ),
  damage("D4", "name-is-free-at-once", QUEUES, "age < LIMITS.deletedNameMs", "age < 0"),
  damage(
    "C8",
    "purge-without-version",
    CURSOR,
    "versionGuard(cursor),\n      );\n      if (!ok) continue;",
    ");\n      if (!ok) continue;",
    ["corners"],
  ),
  damage(
    "C8",
    "closes-over-a-first-claim",
    CURSOR,
    'set(["version"], 0),\n          ],\n          absent("version"),',
    'set(["version"], 0),\n          ],',
  ),
  damage("C8", "leaves-a-first-claim-open", CURSOR, "if (!created.ok)", "if (key.sk === '')"),
  damage(
    "C8",
    "carries-over-what-goes-on",
    CURSOR,
    '...segmentAttributes(segment) }, absent("version"))',
    "...segmentAttributes(segment) })",
    ["corners"],
  ),
  damage(
    "D4",
    "buries-the-living",
    JANITOR,
    '      all(equal(["queueId"], record.queueId), exists("deletedAt")),\n    );\n  }\n\n  async #clearGraves',
    "    );\n  }\n\n  async #clearGraves",
    ["corners"],
  ),
  clearing("K1", "schedules-outlive-clearing", PURGE, "await this.#clearTimers(record);", ""),
  clearing(
    "K1",
    "clearing-waits-for-nothing",
    PURGE,
    "if (left === undefined) return this.#fence.raise(record);",
    "if (left !== null) return this.#fence.raise(record);",
  ),
  clearing(
    "K1",
    "clearing-raises-no-fence",
    PURGE,
    "if (left === undefined) return this.#fence.raise(record);",
    "if (left === undefined) return;",
    ["corners"],
  ),
  clearing(
    "F1",
    "fence-leaves-the-version",
    PROMOTER_STATE,
    'const edits = [set(["version"], version + 1)];',
    'const edits = [set(["version"], version)];',
    ["corners"],
  ),
  clearing(
    "F1",
    "fence-leaves-the-named-place",
    PROMOTER_STATE,
    "if (intent !== undefined) await this.#occupy(record, intent.lane, intent.offset);",
    "",
    ["corners"],
  ),
  clearing(
    "K2",
    "clearing-forgets-no-ids",
    PURGE,
    "if ((await this.#catalog.change(record, { clearedAt })) !== undefined) return;",
    "if (clearedAt > 0) return;",
  ),
  {
    ...clearing("K2", "clearing-forgets-ids-first", PURGE, "", "", ["corners"]),
    edits: [
      ["      await this.#purgeLanes(record);\n      for (let attempt", "      for (let attempt"],
      [
        "{ clearedAt })) !== undefined) return;",
        "{ clearedAt })) !== undefined) return await this.#purgeLanes(record);",
      ],
    ],
  },
  clearing(
    "U3",
    "ids-outlive-clearing",
    DEDUP,
    'const since = clearedAt === undefined ? "" : `.${clearedAt.toString(36)}`;',
    'const since = clearedAt === undefined ? "" : "";',
  ),
];
