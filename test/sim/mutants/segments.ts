/** Damages to the life of segments (C7), and to erasure, which reads them (X1). */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const LOG = "src/service/log.ts";
const CLAIM = "src/service/claim.ts";
const CURSOR = "src/service/cursor.ts";
const VISIT = "src/service/visit.ts";
const ERASE = "src/service/erase.ts";

const damage = damages(["crowd"]);

export const SEGMENT_MUTANTS: readonly Mutant[] = [
  damage(
    "C7",
    "closes-without-end",
    VISIT,
    "if (claim.drained) state.drained.push(start);",
    "if (claim.passed) state.drained.push(start);",
  ),
  damage(
    "C7",
    "successor-is-forgotten",
    CURSOR,
    "current = await this.#replace(stand, current, [...current.segments, cutAt]);",
    "return current;",
  ),
  damage(
    "C7",
    "cut-inside-an-entry",
    LOG,
    "return holding?.offset ?? segment.headEntry;",
    "return holding === undefined ? segment.start : segment.headEntry;",
  ),
  damage(
    "C7",
    "listed-ones-expire",
    CURSOR,
    "if (next.generation === cursor.generation && next.segments.includes(start)) continue;",
    "",
    ["cuts"],
  ),
  damage(
    "C7",
    "list-without-version",
    CURSOR,
    'cursor.absent ? absent("version") : equal(["version"], cursor.version)',
    'absent("nothing")',
    ["purges", "crowd"],
  ),
  damage(
    "C7",
    "absent-is-always-believed",
    CLAIM,
    "Math.abs(clock.now() - startedAt) > ABSENT_BELIEVED_MS",
    "startedAt < 0",
    ["cuts"],
  ),
  damage(
    "X1",
    "erases-the-pending",
    ERASE,
    "pendingOffsets(lease).every((at) => at < low || at >= high)",
    "pendingOffsets(lease).length > 0",
  ),
  damage("X1", "erases-the-unclaimed", ERASE, "if (segment.head < high) return false;", ""),
  damage(
    "X1",
    "erases-behind-a-cut",
    ERASE,
    "if (last?.end !== undefined && last.end < entryEnd) return false;",
    "",
    ["cuts"],
  ),
  damage(
    "C7",
    "first-list-unguarded",
    CURSOR,
    'cursor.absent ? absent("version") :',
    'cursor.absent ? absent("nothing") :',
    ["corners"],
  ),
  damage("C7", "closes-what-is-on-its-way", CLAIM, "    planned.dead.length > 0 ||\n", "", [
    "expiry",
  ]),
  damage(
    "V1",
    "older-segments-are-left-out",
    VISIT,
    "...serving, ...others], rest",
    "...serving], rest",
  ),
  damage(
    "L2",
    "erasing-changes-the-count",
    ERASE,
    'remove("body"),',
    'remove("body"), set(["count"], 0),',
  ),
  damage(
    "Z1",
    "long-lived-counts-as-expired",
    "src/service/depth.ts",
    "LIMITS.entryTtlAfterExpiryMs > now",
    "LIMITS.entryTtlAfterExpiryMs > now + 3_600_000",
    ["mix", "crowd"],
  ),
  damage("X1", "erases-what-has-gone", ERASE, '      exists("count"),\n', "", ["cuts"]),
];
