/**
 * How many lanes a queue has.
 *
 * L9  Lane ids are never reused; adding lanes needs no ceremony. A lane is retired by taking it from
 *     the senders first, then appending its end entry, then marking its anchor; a sender that meets
 *     the end entry reads the settings afresh. Readers go on with an ended lane until its last message
 *     has expired.
 */
import { LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { defaultGroup, isSeeking } from "../core/group.ts";
import { FAIR_LANES } from "../core/fair.ts";
import {
  DEFAULT_PRIORITY,
  evenLanes,
  lanesAt,
  openLanesAt,
  priorityOf,
  quietLanes,
} from "../core/priority.ts";
import { closeLanes, lanesWanted, openLanes, openNextSet, replaceLanes } from "../core/queue.ts";
import type { EndedLane, Lanes, QueueRecord } from "../core/queue.ts";
import type { LaneId } from "../core/types.ts";
import { anchorKey, entryKey, logKey } from "../store/keys.ts";
import { absent, equal, set } from "../store/port.ts";
import type { Catalog } from "./catalog.ts";
import { backoffMs, randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { Tails } from "./tail.ts";

const RETIRE_ATTEMPTS = 8;
const PROVIDE_ATTEMPTS = 8;
/** For each lane there is: what a growth does shows only when senders have read the settings afresh. */
const GROW_EVERY_MS = 60;
/** Where order is kept a growth ends all lanes, and readers finish the old ones before they begin on the new. */
const REPLACE_EVERY_MS = 10_000;
/** The record of a queue holds 400 KB at most. */
const ENDED_MAX = 2_000;

export class LaneKeeper {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #tails: Tails;

  constructor(deps: Deps, catalog: Catalog, tails: Tails) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#tails = tails;
  }

  /** Doubles the lanes of a queue whose senders meet on `lane`, at most so often; one of many who try succeeds. */
  async grow(record: QueueRecord, lane: LaneId): Promise<void> {
    if (record.settings.lanes !== "auto") return;
    const now = this.#deps.clock.now();
    const hasPriorities = record.settings.priorities !== false;
    const { open } = record.lanes;
    const count = hasPriorities ? lanesAt(open, priorityOf(lane)).length : open.length;
    const max = hasPriorities ? LIMITS.lanesOfPriorityMax : LIMITS.lanesMax;
    const more = Math.min(count, max - count);
    const keepsOrder = record.settings.order !== "none";
    const everyMs = keepsOrder ? REPLACE_EVERY_MS : GROW_EVERY_MS * count;
    if (
      more <= 0 ||
      record.lanes.ended.length > ENDED_MAX ||
      now - (record.lanes.grownAt ?? 0) < everyMs
    )
      return;
    const grown = hasPriorities
      ? openLanesAt(record.lanes, priorityOf(lane), more)
      : keepsOrder
        ? replaceLanes(record.lanes, count + more)
        : openLanes(record.lanes, more);
    const lanes = { ...grown, grownAt: now };
    const changed = await this.#catalog.change(record, { lanes });
    if (changed === undefined) return;
    this.#deps.onEvent?.({ type: "laneGrown" });
    await this.complete(changed);
  }

  /**
   * Sees to it that a message of that priority, and for a tenant, has the lanes that it needs: a priority
   * gets its first when it is first used, and a queue enough of them when a tenant first sends.
   */
  async provide(
    first: QueueRecord,
    need: { readonly priority: number; readonly isShared: boolean },
  ): Promise<QueueRecord> {
    let record = first;
    for (let attempt = 0; attempt < PROVIDE_ATTEMPTS; attempt++) {
      const lanes = provided(record, need);
      if (lanes === record.lanes) return record;
      const changed = await this.#catalog.change(record, { lanes });
      if (changed !== undefined) return changed;
      await this.#deps.sleep(backoffMs(this.#deps, Math.min(attempt, 5), 8, 200));
      record = await this.#catalog.fresh(first.name);
    }
    throw new LaneError("throttled", `The lanes of the queue "${first.name}" are changing.`);
  }

  /** Takes half of the open lanes from the senders of a queue that has gone quiet; `finish` retires them. */
  async shrink(record: QueueRecord): Promise<QueueRecord | undefined> {
    const keep = Math.ceil(record.lanes.open.length / 2);
    const lanes =
      record.settings.priorities !== false
        ? quietLanes(record.lanes)
        : record.settings.order === "none"
          ? closeLanes(record.lanes, keep)
          : replaceLanes(record.lanes, keep);
    return this.#catalog.change(record, { lanes });
  }

  /** Q3: goes on with a change of lanes that is under way; whoever meets one does. */
  async complete(record: QueueRecord): Promise<QueueRecord> {
    if (record.lanes.opening === undefined) return record;
    const { record: after } = await this.finish(record, new Set());
    return after;
  }

  /**
   * Gives closing lanes their end entries, marks those that the default group is through with, and forgets ended
   * ones whose last message has expired.
   */
  async finish(
    record: QueueRecord,
    finished: ReadonlySet<LaneId>,
  ): Promise<{ record: QueueRecord; ended: number; forgotten: readonly LaneId[] }> {
    const now = this.#deps.clock.now();
    const ended: EndedLane[] = [];
    const forgotten: LaneId[] = [];
    let retired = 0;
    let isChanged = false;
    const isUnsure = isSeeking(defaultGroup(record));
    for (const one of record.lanes.ended) {
      if (one.until !== 0 && one.until <= now) {
        forgotten.push(one.lane);
        continue;
      }
      const until = one.until === 0 ? await this.#end(record, one.lane) : one.until;
      const isNewlyDrained =
        one.isDrained !== true && until !== 0 && finished.has(one.lane) && !isUnsure;
      if (until !== one.until) retired += 1;
      isChanged ||= until !== one.until || isNewlyDrained;
      ended.push({ ...one, until, ...(isNewlyDrained ? { isDrained: true as const } : {}) });
    }
    const lanes = openNextSet({ ...record.lanes, ended });
    isChanged ||= lanes.opening !== record.lanes.opening;
    if (!isChanged && forgotten.length === 0) return { record, ended: 0, forgotten: [] };
    const changed = await this.#catalog.change(record, { lanes });
    return changed === undefined
      ? { record, ended: 0, forgotten: [] }
      : { record: changed, ended: retired, forgotten };
  }

  /** Appends the end entry; gives when the lane's last message has expired, or 0: not done yet. */
  async #end(record: QueueRecord, lane: LaneId): Promise<number> {
    const { store, clock } = this.#deps;
    for (let attempt = 0; attempt < RETIRE_ATTEMPTS; attempt++) {
      const tail = await this.#tails.appendable(record.queueId, lane);
      if (tail === "ended") return this.#mark(record, lane);
      const ttl = Math.max(
        tail.last?.ttl ?? 0,
        Math.ceil((clock.now() + LIMITS.entryTtlAfterExpiryMs) / 1000),
      );
      const { ok } = await store.put(
        "lanes",
        {
          ...entryKey(record.queueId, lane, tail.offset),
          count: 0,
          end: true,
          writer: randomId(this.#deps, 12),
          sentAt: clock.now(),
          ttl,
        },
        absent("pk"),
      );
      this.#tails.forget(record.queueId, lane);
      if (ok) return this.#mark(record, lane);
    }
    return 0;
  }

  /** The anchor remembers the end when TTL has taken the end entry. */
  async #mark(record: QueueRecord, lane: LaneId): Promise<number> {
    const { store } = this.#deps;
    const key = anchorKey(record.queueId, lane);
    const anchor = await store.get("lanes", key, { consistent: true });
    const guard =
      anchor === undefined ? absent("token") : equal(["token"], anchor["token"] as string);
    if (anchor?.["ended"] !== true) {
      const { ok } = await store.update(
        "lanes",
        key,
        [set(["ended"], true), set(["token"], randomId(this.#deps, 12))],
        guard,
      );
      if (!ok) return 0;
    }
    // The end entry is the last one, and ttl is monotone (L4): past its ttl nothing of the lane is left.
    const { items } = await store.query("lanes", logKey(record.queueId, lane), {
      reverse: true,
      limit: 1,
      consistent: true,
    });
    return Math.max(1, ((items[0]?.["ttl"] as number | undefined) ?? 0) * 1000);
  }
}

/** The lanes of a new queue; of priorities, those of the usual one. */
export function firstLanes(settings: QueueRecord["settings"]): Lanes {
  const none: Lanes = { open: [], ended: [], next: 0 };
  const count = lanesWanted(settings) ?? 1;
  return settings.priorities === false
    ? openLanes(none, count)
    : openLanesAt(none, DEFAULT_PRIORITY, count);
}

/** The lanes with those that a message needs; as they are where it has them. */
function provided(
  { lanes, settings }: QueueRecord,
  { priority, isShared }: { readonly priority: number; readonly isShared: boolean },
): Lanes {
  const wanted = lanesWanted(settings) ?? (isShared ? FAIR_LANES : 1);
  const hasPriorities = settings.priorities !== false;
  const count = hasPriorities ? lanesAt(lanes.open, priority).length : lanes.open.length;
  const isMarked = !isShared || lanes.isShared === true;
  if (isMarked && (count >= wanted || (count > 0 && settings.lanes !== "auto"))) return lanes;
  const more = Math.max(0, wanted - count);
  const opened = hasPriorities ? openLanesAt(lanes, priority, more) : openLanes(lanes, more);
  return isMarked ? opened : { ...opened, isShared: true };
}

/** The lanes that a queue gets by its settings, from what it has; for an automatic number: unchanged. */
export function adjustLanes(lanes: Lanes, settings: QueueRecord["settings"]): Lanes {
  const wanted = lanesWanted(settings);
  if (wanted === undefined || wanted === (lanes.opening ?? lanes.open.length)) return lanes;
  if (settings.order !== "none") return replaceLanes(lanes, wanted);
  if (settings.priorities !== false) return evenLanes(lanes, wanted);
  return wanted > lanes.open.length
    ? openLanes(lanes, wanted - lanes.open.length)
    : closeLanes(lanes, wanted);
}
