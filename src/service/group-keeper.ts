/**
 * What the janitor does for groups beside the default one: remembers which ended lanes they are
 * through with, and clears what is left of deleted ones.
 *
 * Y1  The cursors of a deleted group are cleared an hour after its deletion.
 */
import { isSeeking } from "../core/group.ts";
import type { GroupRecord } from "../core/group.ts";
import { readableLanes } from "../core/queue.ts";
import type { QueueRecord } from "../core/queue.ts";
import type { EpochMs, GroupId, LaneId, QueueId } from "../core/types.ts";
import { cursorKey, groupsKey } from "../store/keys.ts";
import { exists } from "../store/port.ts";
import type { Catalog } from "./catalog.ts";
import type { Deps } from "./deps.ts";
import type { GroupListing, Groups } from "./group-catalog.ts";

const GRAVE_MS = 3_600_000;
const PAGE = 50;

export class GroupKeeper {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #groups: Groups;

  constructor(deps: Deps, catalog: Catalog, groups: Groups) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#groups = groups;
  }

  /** L9: `finished` were seen since `group` was read, so a seek that came between refuses the change. */
  async markDrained(
    record: QueueRecord,
    group: GroupRecord,
    finished: ReadonlySet<LaneId>,
  ): Promise<void> {
    if (isSeeking(group)) return;
    const drained = new Set(
      record.lanes.ended
        .filter(({ lane, until }) => until !== 0 && (finished.has(lane) || group.drained.has(lane)))
        .map(({ lane }) => lane),
    );
    if ([...drained].every((lane) => group.drained.has(lane))) return;
    await this.#groups.change(record.queueId, group, { drained });
  }

  /** Clears groups deleted an hour ago. `record` was read before `listing`. */
  async clear(record: QueueRecord, listing: GroupListing, deadline: EpochMs): Promise<void> {
    const { store, clock } = this.#deps;
    const left = new Set<string>(listing.live.map((group) => group.name));
    for (const { groupId, deletedAt, sk } of listing.dead) {
      left.add(sk);
      if (clock.now() - deletedAt < GRAVE_MS) continue;
      for (const lane of readableLanes(record.lanes)) {
        if (clock.now() >= deadline) return;
        await this.#clearCursors(record.queueId, lane, groupId);
      }
      const key = { pk: groupsKey(record.queueId), sk };
      await store.delete("catalog", key, exists("deletedAt"));
      left.delete(sk);
    }
    // Graves bear other names than their groups: the names go when the last grave has.
    if (left.size === 0 && record.groups.size > 0)
      await this.#catalog.change(record, { groups: new Set() });
  }

  async #clearCursors(queue: QueueId, lane: LaneId, group: GroupId): Promise<void> {
    const { store } = this.#deps;
    const { pk, sk: from } = cursorKey(queue, lane, group);
    for (;;) {
      const range = { from, to: `${from}#~`, limit: PAGE, consistent: true };
      const page = await store.query("lanes", pk, range);
      for (const item of page.items) await store.delete("lanes", { pk, sk: item.sk });
      if (!page.more || page.items.length === 0) return;
    }
  }
}
