/**
 * Group records: reading them with a cache of 10 s, and changing them by version, as `catalog.ts` does
 * with queues.
 *
 * Y1  An instance acts on a group's settings at most 10 s old, so that a deleted name is safe to use
 *     again after 60 s. Cursors of a deleted group are cleared an hour after its deletion, so that no
 *     instance that knew it makes them anew.
 * Y2  Every change is conditional on the version that it was made from, and on the id.
 */
import { LaneError } from "../core/errors.ts";
import { asSeenBy, asSeenByDefault, patternOf } from "../core/group.ts";
import type { GroupQueue, GroupRecord, GroupSettings } from "../core/group.ts";
import { LIMITS } from "../core/limits.ts";
import type { QueueRecord } from "../core/queue.ts";
import { DEFAULT_GROUP, epochMs, groupId, laneId } from "../core/types.ts";
import type { EpochMs, GroupId, GroupName, QueueId } from "../core/types.ts";
import { groupGraveKey, groupKey, groupsKey } from "../store/keys.ts";
import { absent, all, equal, exists, set } from "../store/port.ts";
import type { Item } from "../store/port.ts";
import { boundedCache } from "./cache.ts";
import type { Deps } from "./deps.ts";

interface Cached {
  readonly group: GroupRecord;
  readonly readAt: EpochMs;
}

/** What a query of a queue's groups shows. */
export interface GroupListing {
  /** By name. */
  readonly live: readonly GroupRecord[];
  /** What is left of deleted ones. */
  readonly dead: readonly {
    readonly groupId: GroupId;
    readonly deletedAt: EpochMs;
    readonly sk: string;
  }[];
}

export class Groups {
  readonly #deps: Deps;
  readonly #cache = boundedCache<Cached>(1_000);

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** @throws LaneError `group-not-found`, also for a group deleted a moment ago. */
  async get(
    record: QueueRecord,
    name: GroupName,
    maxAgeMs: number = LIMITS.settingsCachedMs,
  ): Promise<GroupQueue> {
    if (isDefault(name)) return asSeenByDefault(record);
    const cached = this.#cache.get(cacheKey(record.queueId, name));
    const age = cached === undefined ? -1 : this.#deps.clock.now() - cached.readAt;
    const group =
      cached !== undefined && age >= 0 && age < maxAgeMs
        ? cached.group
        : await this.fresh(record, name);
    return asSeenBy(record, group);
  }

  async fresh(record: QueueRecord, name: GroupName): Promise<GroupRecord> {
    const group = await this.find(record.queueId, name);
    if (group === undefined || group.deletedAt !== undefined) {
      this.forget(record.queueId, name);
      throw new LaneError(
        "group-not-found",
        group === undefined
          ? `There is no group "${name}" on the queue "${record.name}".`
          : `The group "${name}" of the queue "${record.name}" has been deleted.`,
      );
    }
    return group;
  }

  /** Strongly read, tombstones included. */
  async find(queue: QueueId, name: GroupName): Promise<GroupRecord | undefined> {
    const readAt = this.#deps.clock.now();
    const item = await this.#deps.store.get("catalog", groupKey(queue, name), { consistent: true });
    if (item === undefined) return undefined;
    const group = parseGroup(item);
    if (group.deletedAt === undefined) this.#cache.set(cacheKey(queue, name), { group, readAt });
    return group;
  }

  /** Strongly read. No read where the queue never had a group but the default one. */
  async list(record: QueueRecord): Promise<GroupListing> {
    const live: GroupRecord[] = [];
    const dead: GroupListing["dead"][number][] = [];
    let from: string | undefined;
    for (let more = record.groups.size > 0; more;) {
      const page = await this.#deps.store.query("catalog", groupsKey(record.queueId), {
        ...(from === undefined ? {} : { from: `${from}\0` }),
        consistent: true,
      });
      for (const item of page.items) {
        from = item.sk;
        const group = item.sk.startsWith("#") ? undefined : parseGroup(item);
        if (group !== undefined && group.deletedAt === undefined) live.push(group);
        else
          dead.push({
            groupId: group?.groupId ?? groupId(item.sk.slice(1)),
            deletedAt: epochMs(item["deletedAt"] as number),
            sk: item.sk,
          });
      }
      more = page.more && page.items.length > 0;
    }
    return { live, dead };
  }

  /** The queue as each of its groups has it, the default one first. */
  async all(record: QueueRecord): Promise<readonly GroupQueue[]> {
    const { live } = await this.list(record);
    return [asSeenByDefault(record), ...live.map((group) => asSeenBy(record, group))];
  }

  forget(queue: QueueId, name: GroupName): void {
    this.#cache.delete(cacheKey(queue, name));
  }

  /** A new group, in place of a tombstone where there is one, which leaves a grave; false: somebody else was first. */
  async create(
    queue: QueueId,
    group: GroupRecord,
    tombstone: GroupRecord | undefined,
  ): Promise<boolean> {
    if (tombstone?.deletedAt !== undefined) {
      const { deletedAt } = tombstone;
      await this.#deps.store.put("catalog", {
        ...groupGraveKey(queue, tombstone.groupId),
        deletedAt,
      });
    }
    const guard =
      tombstone === undefined
        ? absent("pk")
        : all(equal(["groupId"], tombstone.groupId), exists("deletedAt"));
    const item = { ...groupKey(queue, group.name), ...attributesOf(group) };
    const result = await this.#deps.store.put("catalog", item, guard);
    this.forget(queue, group.name);
    return result.ok || result.found?.["groupId"] === group.groupId;
  }

  /** Y2. `undefined`: somebody changed or deleted the group meanwhile. */
  async change(
    queue: QueueId,
    group: GroupRecord,
    change: Partial<Pick<GroupRecord, "settings" | "pattern" | "seeks" | "drained" | "deletedAt">>,
  ): Promise<GroupRecord | undefined> {
    const next: GroupRecord = { ...group, ...change, version: group.version + 1 };
    const readAt = this.#deps.clock.now();
    const { ok } = await this.#deps.store.update(
      "catalog",
      groupKey(queue, group.name),
      Object.entries(attributesOf(next)).map(([name, value]) => set([name], value)),
      all(equal(["groupId"], group.groupId), equal(["version"], group.version)),
    );
    if (!ok || next.deletedAt !== undefined) this.forget(queue, group.name);
    else this.#cache.set(cacheKey(queue, group.name), { group: next, readAt });
    return ok ? next : undefined;
  }
}

export const isDefault = (name: GroupName): boolean => (name as string) === DEFAULT_GROUP;

const cacheKey = (queue: QueueId, name: GroupName): string => `${queue}/${name}`;

const attributesOf = (group: GroupRecord) => ({
  groupId: group.groupId,
  settings: JSON.stringify(group.settings),
  createdAt: group.createdAt,
  version: group.version,
  seeks: group.seeks,
  drained: [...group.drained],
  ...(group.deletedAt === undefined ? {} : { deletedAt: group.deletedAt }),
});

function parseGroup(item: Item): GroupRecord {
  const settings = JSON.parse(item["settings"] as string) as GroupSettings;
  return {
    name: item.sk as GroupName,
    groupId: groupId(item["groupId"] as string),
    settings,
    pattern: patternOf(settings),
    createdAt: epochMs(item["createdAt"] as number),
    version: item["version"] as number,
    seeks: item["seeks"] as number,
    drained: new Set((item["drained"] as readonly number[]).map(laneId)),
    deletedAt: item["deletedAt"] === undefined ? undefined : epochMs(item["deletedAt"] as number),
  };
}
