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
    "D2",
    "record-without-version",
    CATALOG,
    'all(equal(["queueId"], record.queueId), equal(["version"], record.version))',
    'equal(["queueId"], record.queueId)',
    ["corners"],
  ),
];
