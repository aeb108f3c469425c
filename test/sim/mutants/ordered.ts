/** What queues that keep order rest on. */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const PLAN = "src/core/ordered-plan.ts";
const RECLAIM = "src/core/ordered-reclaim.ts";
const FRESH = "src/core/ordered-fresh.ts";
const WRITER = "src/service/lane-writer.ts";
const CHOICE = "src/service/lane-choice.ts";
const CHANGE = "src/service/change-leases.ts";

const damage = damages(["ordered"]);

export const ORDERED_MUTANTS: readonly Mutant[] = [
  damage(
    "T1",
    "live-keys-are-free",
    RECLAIM,
    "epochMs(Math.min(work.nextEventAt ?? at, at));\n      blockAll(work, lease);",
    "epochMs(Math.min(work.nextEventAt ?? at, at));",
  ),
  damage(
    "T1",
    "what-leaves-blocks-nothing",
    RECLAIM,
    "blockAll(work, lease);\n    letGo(",
    "letGo(",
    ["corners"],
  ),
  damage(
    "T1",
    "late-extensions-go-by-others",
    CHANGE,
    "isOrdered ? this.#inTime(group, found, reach, item) : found",
    "found",
    ["nooks"],
  ),
  damage(
    "T1",
    "claims-meanwhile-are-overlooked",
    CHANGE,
    'equal(["version"], item["version"] as number)',
    "",
    ["nooks"],
  ),
  damage(
    "T2",
    "takes-back-the-last-first",
    RECLAIM,
    "members.sort((a, b) => a.offset - b.offset)",
    "members.sort((a, b) => b.offset - a.offset)",
  ),
  damage(
    "T2",
    "a-key-for-many",
    PLAN,
    "owner === undefined ? work.requests : [owner]",
    "work.requests",
  ),
  damage("T3", "fresh-before-held", FRESH, "    held === undefined &&\n    give(", "    give("),
  damage(
    "T3",
    "passes-without-a-note",
    FRESH,
    "  if (held === undefined && !isPassed) {\n    if (work.bytes",
    "  if (held === undefined && !isPassed) {\n    if (tag !== undefined) return true;\n    if (work.bytes",
  ),
  damage(
    "H1",
    "held-place-too-far",
    FRESH,
    "work.held.set(tag, { entry: entry.offset, index, count });\n        return;",
    "work.held.set(tag, { entry: entry.offset, index: index + 1, count });\n        return;",
  ),
  damage(
    "H1",
    "members-before-their-entry",
    PLAN,
    "  draft.entry = offset(Math.min(draft.entry, entry));\n",
    "",
    ["nooks"],
  ),
  damage(
    "H1",
    "held-is-forgotten",
    FRESH,
    "if (stretch.complete) {",
    "if (stretch !== undefined) {",
  ),
  damage("H1", "held-stays", FRESH, "work.held.delete(tag);", ""),
  damage(
    "H1",
    "a-purge-forgets-what-is-held",
    "src/core/held.ts",
    "if (head <= from) return new Map();",
    "if (head >= 0) return new Map();",
    ["corners"],
  ),
  damage("H1", "held-is-not-counted", FRESH, ": { ...held, count: held.count + 1 }", ": held"),
  damage(
    "C1",
    "ordered-claim-without-version",
    PLAN,
    '[equal(["version"], segment.version), absent("closed")]',
    '[absent("closed")]',
  ),
  damage(
    "O1",
    "any-lane-for-a-key",
    CHOICE,
    'if (settings.order !== "none" && key !== undefined) return [laneOfKey(key, open)];',
    'if (settings.order !== "none" && key !== undefined) return [open[(lanesFor.calls = (lanesFor.calls ?? 0) + 1) % open.length]];',
  ),
  damage(
    "O1",
    "goes-on-behind-a-failure",
    WRITER,
    'if (chunk.every(({ outcome }) => outcome !== undefined && "place" in outcome)) continue;',
    "if (chunk.length > 0) continue;",
  ),
  damage(
    "Q3",
    "opens-before-the-end",
    "src/core/queue.ts",
    "    opening: count,\n  };",
    "    open: Array.from({ length: count }, (_, at) => (lanes.next + at) as LaneId),\n    next: lanes.next + count,\n  };",
  ),
  damage(
    "Q3",
    "reads-all-sets-at-once",
    "src/service/receive.ts",
    "if (!set.every((lane) => through.has(lane) || this.#isFinished(queue, lane))) break;",
    "",
  ),
  damage(
    "L9",
    "waits-for-an-end-that-has-expired",
    "src/core/group.ts",
    "(until === 0 || until > now) && ",
    "until <= Math.max(until, now) && ",
    ["corners"],
  ),
  damage(
    "X1",
    "erases-the-held",
    "src/service/erase.ts",
    "if (isAnyHeld === true) return false;",
    "",
  ),
];
