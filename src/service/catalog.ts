/**
 * Queue records: reading them with a cache of 10 s, and changing them by version.
 *
 * D1  An instance acts on settings at most 10 s old, so that a deleted name is safe to use again
 *     after 60 s. A change made by this instance is seen by it at once.
 * D2  Every change is conditional on the version that it was made from.
 */
import { isLaneError, LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { DEFAULT_SETTINGS } from "../core/queue.ts";
import type { Lanes, QueueRecord, QueueSettings, SqsPart } from "../core/queue.ts";
import { epochMs, laneId, queueId } from "../core/types.ts";
import type { EpochMs, QueueName } from "../core/types.ts";
import { queueKey } from "../store/keys.ts";
import { all, equal, remove, set } from "../store/port.ts";
import type { Edit, Item } from "../store/port.ts";
import type { Deps } from "./deps.ts";
import { boundedCache } from "./cache.ts";

interface Cached {
  readonly record: QueueRecord;
  readonly readAt: EpochMs;
}

export class Catalog {
  readonly #deps: Deps;
  readonly #cache = boundedCache<Cached>(1_000);

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** @throws LaneError `queue-not-found`, also for a queue deleted a moment ago. */
  async get(name: QueueName, maxAgeMs: number = LIMITS.settingsCachedMs): Promise<QueueRecord> {
    const cached = this.#cache.get(name);
    const age = cached === undefined ? -1 : this.#deps.clock.now() - cached.readAt;
    if (cached !== undefined && age >= 0 && age < maxAgeMs) return cached.record;
    return this.fresh(name);
  }

  /** Whether there is such a queue, as `get` would say. */
  async has(name: QueueName): Promise<boolean> {
    try {
      await this.get(name);
      return true;
    } catch (error) {
      if (isLaneError(error, "queue-not-found")) return false;
      throw error;
    }
  }

  async fresh(name: QueueName): Promise<QueueRecord> {
    const record = await this.find(name);
    if (record === undefined || record.deletedAt !== undefined) {
      this.#cache.delete(name);
      throw new LaneError(
        "queue-not-found",
        record === undefined
          ? `There is no queue "${name}".`
          : `The queue "${name}" has been deleted.`,
      );
    }
    return record;
  }

  /** Strongly read, tombstones included. */
  async find(name: QueueName): Promise<QueueRecord | undefined> {
    const readAt = this.#deps.clock.now();
    const item = await this.#deps.store.get("catalog", queueKey(name), { consistent: true });
    if (item === undefined) return undefined;
    const record = parseRecord(item);
    if (record.deletedAt === undefined) this.#cache.set(name, { record, readAt });
    return record;
  }

  forget(name: QueueName): void {
    this.#cache.delete(name);
  }

  /** D2. `undefined`: somebody changed or deleted the queue meanwhile. */
  async change(
    record: QueueRecord,
    change: {
      settings?: QueueSettings;
      sqs?: SqsPart;
      clearedAt?: EpochMs;
      lanes?: Lanes;
      timerShards?: number;
      groups?: ReadonlySet<string>;
    },
  ): Promise<QueueRecord | undefined> {
    const edits: Edit[] = [set(["version"], record.version + 1)];
    const isModified = change.settings !== undefined || change.sqs !== undefined;
    const modifiedAt = isModified ? this.#deps.clock.now() : record.modifiedAt;
    if (isModified) edits.push(set(["modifiedAt"], modifiedAt));
    if (change.settings !== undefined)
      edits.push(set(["settings"], JSON.stringify(change.settings)));
    if (change.sqs !== undefined) edits.push(set(["sqs"], JSON.stringify(change.sqs)));
    if (change.clearedAt !== undefined) edits.push(set(["clearedAt"], change.clearedAt));
    if (change.lanes !== undefined) edits.push(set(["lanes"], storedLanes(change.lanes)));
    if (change.timerShards !== undefined) edits.push(set(["timerShards"], change.timerShards));
    if (change.groups !== undefined)
      edits.push(change.groups.size === 0 ? remove("groups") : set(["groups"], change.groups));
    const readAt = this.#deps.clock.now();
    const { ok } = await this.#deps.store.update(
      "catalog",
      queueKey(record.name),
      edits,
      all(equal(["queueId"], record.queueId), equal(["version"], record.version)),
    );
    if (!ok) {
      this.forget(record.name);
      return undefined;
    }
    const next: QueueRecord = { ...record, ...change, modifiedAt, version: record.version + 1 };
    this.#cache.set(record.name, { record: next, readAt });
    return next;
  }
}

export function parseRecord(item: Item): QueueRecord {
  const lanes = item["lanes"] as {
    open: number[];
    ended: { lane: number; until: number; drained?: boolean; set?: number }[];
    next: number;
    grownAt?: number;
    shared?: boolean;
    seeks?: number;
    set?: number;
    opening?: number;
  };
  return {
    name: item.sk as QueueName,
    queueId: queueId(item["queueId"] as string),
    settings: {
      ...DEFAULT_SETTINGS,
      ...(JSON.parse(item["settings"] as string) as Partial<QueueSettings>),
    },
    lanes: {
      open: lanes.open.map(laneId),
      ended: lanes.ended.map(({ lane, until, drained, set }) => ({
        lane: laneId(lane),
        until,
        ...(drained === true ? { isDrained: true as const } : {}),
        ...(set === undefined ? {} : { set }),
      })),
      next: lanes.next,
      ...(lanes.grownAt === undefined ? {} : { grownAt: lanes.grownAt }),
      ...(lanes.shared === true ? { isShared: true as const } : {}),
      ...(lanes.seeks === undefined ? {} : { seeks: lanes.seeks }),
      ...(lanes.set === undefined ? {} : { set: lanes.set }),
      ...(lanes.opening === undefined ? {} : { opening: lanes.opening }),
    },
    secret: item["secret"] as Uint8Array,
    createdAt: epochMs(item["createdAt"] as number),
    modifiedAt: epochMs((item["modifiedAt"] ?? item["createdAt"]) as number),
    sqs: JSON.parse((item["sqs"] as string | undefined) ?? "{}") as SqsPart,
    clearedAt: item["clearedAt"] === undefined ? undefined : epochMs(item["clearedAt"] as number),
    version: item["version"] as number,
    timerShards: (item["timerShards"] as number | undefined) ?? 0,
    sources: (item["sources"] as ReadonlySet<string> | undefined) ?? new Set(),
    groups: (item["groups"] as ReadonlySet<string> | undefined) ?? new Set(),
    deletedAt: item["deletedAt"] === undefined ? undefined : epochMs(item["deletedAt"] as number),
  };
}

export function recordItem(record: QueueRecord): Item {
  return {
    ...queueKey(record.name),
    queueId: record.queueId,
    settings: JSON.stringify(record.settings),
    lanes: storedLanes(record.lanes),
    secret: record.secret,
    createdAt: record.createdAt,
    ...(Object.keys(record.sqs).length === 0 ? {} : { sqs: JSON.stringify(record.sqs) }),
    version: record.version,
    ...(record.timerShards === 0 ? {} : { timerShards: record.timerShards }),
    ...(record.sources.size === 0 ? {} : { sources: record.sources }),
    ...(record.groups.size === 0 ? {} : { groups: record.groups }),
  };
}

const storedLanes = (lanes: Lanes) => ({
  open: lanes.open,
  ended: lanes.ended.map(({ lane, until, isDrained, set }) => ({
    lane,
    until,
    ...(isDrained === true ? { drained: true } : {}),
    ...(set === undefined ? {} : { set }),
  })),
  next: lanes.next,
  ...(lanes.grownAt === undefined ? {} : { grownAt: lanes.grownAt }),
  ...(lanes.isShared === true ? { shared: true } : {}),
  ...(lanes.seeks === undefined ? {} : { seeks: lanes.seeks }),
  ...(lanes.set === undefined ? {} : { set: lanes.set }),
  ...(lanes.opening === undefined ? {} : { opening: lanes.opening }),
});
