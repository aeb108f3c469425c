/**
 * Consumer groups: what each may set for itself, its record, and a queue as one of them has it.
 *
 * Every queue has the group `default`, which has no record of its own: its settings are the queue's.
 *
 * U1  A group's id is new for every creation, so cursors, leases and receipts of a deleted group are
 *     never taken for those of another one of its name.
 * U2  An odd `seeks` says that a seek is under way, or was left half-way: then no lane counts as drained.
 */
import { setsOf } from "./queue.ts";
import type { Lanes, QueueRecord, QueueSettings } from "./queue.ts";
import { parsePattern } from "./pattern.ts";
import type { Pattern } from "./pattern.ts";
import { DEFAULT_GROUP, groupName } from "./types.ts";
import type { EpochMs, GroupId, GroupName, LaneId } from "./types.ts";

/** What is absent is as the queue has it; without a filter it gets everything. */
export interface GroupSettings {
  /** An event pattern. What it does not let through is passed over. */
  readonly filter?: Readonly<Record<string, unknown>>;
  /** 1–1,000; null: no limit */
  readonly maxReceives?: number | null;
  readonly deadLetter?: QueueSettings["deadLetter"];
}

export interface GroupRecord {
  readonly name: GroupName;
  readonly groupId: GroupId;
  readonly settings: GroupSettings;
  /** The filter, parsed. */
  readonly pattern: Pattern | undefined;
  readonly createdAt: EpochMs;
  /** One more with every change of the record. */
  readonly version: number;
  /** Number of the last seek, plus one when it has ended (U2). */
  readonly seeks: number;
  /** Ended lanes that the group is through with. */
  readonly drained: ReadonlySet<LaneId>;
  /** Set: a tombstone. */
  readonly deletedAt: EpochMs | undefined;
}

/** A queue as one of its groups has it: what the group sets for itself stands in place of the queue's. */
export interface GroupQueue extends QueueRecord {
  readonly group: GroupRecord;
}

export function asSeenBy(record: QueueRecord, group: GroupRecord): GroupQueue {
  const { maxReceives, deadLetter } = group.settings;
  const settings = {
    ...record.settings,
    ...(maxReceives === undefined ? {} : { maxReceives }),
    ...(deadLetter === undefined ? {} : { deadLetter }),
  };
  // A literal that begins with the record would give each its own hidden class (hidden-classes.test.ts).
  return Object.assign({}, record, { settings, group });
}

export const defaultGroup = (record: QueueRecord): GroupRecord => ({
  name: groupName(DEFAULT_GROUP),
  groupId: DEFAULT_GROUP,
  settings: {},
  pattern: undefined,
  createdAt: record.createdAt,
  version: record.version,
  seeks: record.lanes.seeks ?? 0,
  drained: new Set(
    record.lanes.ended.flatMap(({ lane, isDrained }) => (isDrained === true ? [lane] : [])),
  ),
  deletedAt: undefined,
});

export const asSeenByDefault = (record: QueueRecord): GroupQueue =>
  asSeenBy(record, defaultGroup(record));

/** @throws LaneError `invalid-request`, which names the place in the filter. */
export const patternOf = ({ filter }: GroupSettings): Pattern | undefined =>
  filter === undefined ? undefined : parsePattern(filter);

/** U2 */
export const isSeeking = ({ seeks }: Pick<GroupRecord, "seeks">): boolean => seeks % 2 === 1;

interface LanesOfGroup {
  readonly lanes: Lanes;
  readonly group: Pick<GroupRecord, "seeks" | "drained">;
}

/**
 * The lanes in which a receive of the group may find something. Of an ended one whose last message has
 * expired nothing is left, perhaps not even the end entry by which a reader knows that it is through.
 */
export function receivableLanes({ lanes, group }: LanesOfGroup, now: EpochMs): LaneId[] {
  const ended = lanes.ended.filter(
    ({ lane, until }) =>
      (until === 0 || until > now) && (isSeeking(group) || !group.drained.has(lane)),
  );
  return [...lanes.open, ...ended.map(({ lane }) => lane)];
}

/** The same, in sets to be read one after the other (Q3). */
export const receivableSets = (queue: LanesOfGroup, now: EpochMs): LaneId[][] =>
  setsOf(queue.lanes, receivableLanes(queue, now));
