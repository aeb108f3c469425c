/** Damages to lanes that come and go (L9), and to the record that lists them (D2). */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const TAIL = "src/service/tail.ts";
const LANES = "src/service/lanes.ts";
const CATALOG = "src/service/catalog.ts";

const damage = damages(["retire"]);

export const LANE_MUTANTS: readonly Mutant[] = [
  damage(
    "L9",
    "end-entry-is-a-tail",
    TAIL,
    'anchor?.["ended"] === true || last?.["end"] === true',
    'anchor?.["ended"] === true',
  ),
  damage(
    "L9",
    "anchor-forgets-the-end",
    TAIL,
    'anchor?.["ended"] === true || last?.["end"] === true',
    'last?.["end"] === true',
  ),
  damage(
    "L9",
    "lane-forgotten-early",
    LANES,
    'Math.max(1, ((items[0]?.["ttl"] as number | undefined) ?? 0) * 1000)',
    "1",
  ),
  damage("L9", "end-overwrites", LANES, '        absent("pk"),', "        undefined,"),
  damage(
    "Q1",
    "ids-of-lanes-are-used-again",
    "src/core/queue.ts",
    "(lanes.next + index) as LaneId",
    "(lanes.open.length + index) as LaneId",
  ),
  damage(
    "Q2",
    "ended-lanes-are-not-read",
    "src/core/group.ts",
    "return [...lanes.open, ...ended.map(({ lane }) => lane)];",
    "return ended.length < 0 ? [] : [...lanes.open];",
  ),
  damage(
    "V2",
    "one-wave-is-enough",
    "src/service/receive.ts",
    "lanes = lanes.slice(size);",
    "lanes = [];",
  ),
  damage(
    "D1",
    "settings-are-always-believed",
    CATALOG,
    "age >= 0 && age < maxAgeMs",
    "age < Infinity",
    ["purges", "mix"],
  ),
  damage(
    "D2",
    "record-without-version",
    CATALOG,
    'all(equal(["queueId"], record.queueId), equal(["version"], record.version))',
    'equal(["queueId"], record.queueId)',
    ["corners"],
  ),
];
