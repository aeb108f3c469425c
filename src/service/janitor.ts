/**
 * The janitor: what must happen though nobody calls.
 *
 * Each round goes over all queues, from where the last bounded round ended: dead-letters and tidies
 * for queues that nobody polls, retires lanes of queues that have gone quiet, measures depth, and
 * clears what is left of deleted queues. Any number of janitors may run at once.
 *
 * J1  What belongs to a deleted queue is deleted an hour after its deletion, long after the last
 *     instance that might still know its settings; its log goes by TTL.
 * J2  A queue of many lanes is written down before it is tended, so that one that takes longer than
 *     the function lives is passed by the next round.
 */
import { isLaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { asSeenBy, asSeenByDefault, receivableLanes } from "../core/group.ts";
import type { GroupQueue } from "../core/group.ts";
import { readableLanes } from "../core/queue.ts";
import type { QueueRecord } from "../core/queue.ts";
import { DEFAULT_GROUP, epochMs, laneId, queueId } from "../core/types.ts";
import type { EpochMs, LaneId, QueueId } from "../core/types.ts";
import {
  anchorKey,
  cursorKey,
  GRAVES,
  graveKey,
  groupsKey,
  JANITOR,
  promoterKey,
  QUEUES,
  queueKey,
} from "../store/keys.ts";
import { all, equal, exists } from "../store/port.ts";
import type { JanitorReport } from "./api.ts";
import { parseRecord } from "./catalog.ts";
import type { DeadLetters } from "./dead-letter.ts";
import type { Gauge, Measured } from "./depth.ts";
import type { Deps } from "./deps.ts";
import type { DueTimers } from "./due.ts";
import type { Groups } from "./group-catalog.ts";
import type { GroupKeeper } from "./group-keeper.ts";
import type { LaneKeeper } from "./lanes.ts";
import { dig } from "./queues.ts";
import type { Schedules } from "./schedules.ts";
import type { Sources } from "./sources.ts";
import type { Visits } from "./visit.ts";

/** A queue to which nothing was sent for this long is quiet. */
const QUIET_MS = 30 * 60_000;
const GRAVE_MS = 3_600_000;
const PAGE = 50;
/** Of one round for one queue; its receivers go on with what is left, or the next round. */
const PROMOTE_MS = 15_000;
const FIRE_MS = 20_000;
/** A queue with more lanes may take as long as the function lives. */
const SLOW_LANES = 16;

/** A round under way. */
interface Round {
  readonly deadline: EpochMs;
  readonly queues: JanitorReport["queues"][number][];
  lanesRetired: number;
  saved: string | undefined;
}

export class Janitor {
  readonly #deps: Deps;
  readonly #groups: Groups;
  readonly #sources: Sources;
  readonly #keeper: GroupKeeper;
  readonly #visits: Visits;
  readonly #gauge: Gauge;
  readonly #lanes: LaneKeeper;
  readonly #deadLetters: DeadLetters;
  readonly #due: DueTimers;
  readonly #schedules: Schedules;

  constructor(
    deps: Deps,
    groups: Groups,
    sources: Sources,
    keeper: GroupKeeper,
    visits: Visits,
    gauge: Gauge,
    lanes: LaneKeeper,
    deadLetters: DeadLetters,
    due: DueTimers,
    schedules: Schedules,
  ) {
    this.#deps = deps;
    this.#groups = groups;
    this.#sources = sources;
    this.#keeper = keeper;
    this.#visits = visits;
    this.#gauge = gauge;
    this.#lanes = lanes;
    this.#deadLetters = deadLetters;
    this.#due = due;
    this.#schedules = schedules;
  }

  async run(deadline: EpochMs): Promise<JanitorReport> {
    const { store, clock } = this.#deps;
    const before = this.#deadLetters.moved;
    const fired = await this.#fire(deadline);
    const round: Round = {
      deadline,
      queues: [],
      lanesRetired: 0,
      saved: undefined,
    };
    const state = await store.get("catalog", JANITOR, { consistent: true });
    let from = state?.["after"] as string | undefined;
    round.saved = from;
    let complete = false;
    while (clock.now() < deadline && !complete) {
      const page = await store.query("catalog", QUEUES, {
        ...(from === undefined ? {} : { from: `${from}\0` }),
        limit: PAGE,
        consistent: true,
      });
      for (const item of page.items) {
        if (clock.now() >= deadline) break;
        from = item.sk;
        await this.#attend(parseRecord(item), round);
      }
      complete = !page.more && from === (page.items.at(-1)?.sk ?? from) && clock.now() < deadline;
    }
    await this.#save(round, complete ? undefined : from);
    const deletedQueuesCleared = clock.now() < deadline ? await this.#clearGraves(deadline) : 0;
    const { queues, lanesRetired } = round;
    return {
      fired,
      queues,
      lanesRetired,
      deadLettered: this.#deadLetters.moved - before,
      deletedQueuesCleared,
      complete,
    };
  }

  /** First, for due times are what others wait for; a trouble there must not keep queues waiting. */
  async #fire(deadline: EpochMs): Promise<number> {
    const until = Math.min(deadline, this.#deps.clock.now() + FIRE_MS);
    try {
      return await this.#schedules.fire(epochMs(until));
    } catch (error) {
      if (!isLaneError(error)) throw error;
      this.#deps.onEvent?.({ type: "scheduleFailed", schedule: "", error });
      return 0;
    }
  }

  async #save(round: Round, after: string | undefined): Promise<void> {
    if (after === round.saved) return;
    round.saved = after;
    await this.#deps.store.put("catalog", {
      ...JANITOR,
      ...(after === undefined ? {} : { after }),
    });
  }

  async #attend(record: QueueRecord, round: Round): Promise<void> {
    try {
      // J2
      if (readableLanes(record.lanes).length * (1 + record.groups.size) > SLOW_LANES)
        await this.#save(round, record.name);
      if (record.deletedAt !== undefined) {
        await this.#bury(record);
        return;
      }
      const tended = await this.#tend(record, round.deadline);
      if (tended === undefined) return;
      const { depth, oldestReadyAgeSeconds } = tended.measured;
      round.queues.push({ name: record.name, depth, oldestReadyAgeSeconds });
      round.lanesRetired += tended.retired;
    } catch (error) {
      // One queue's trouble must not keep the others waiting; the next round comes in a minute.
      this.#deps.onEvent?.({ type: "tendFailed", queue: record.name, error });
    }
  }

  async #tend(
    record: QueueRecord,
    deadline: EpochMs,
  ): Promise<{ measured: Measured; retired: number } | undefined> {
    const promoteUntil = Math.min(deadline, this.#deps.clock.now() + PROMOTE_MS);
    await this.#due.promoteAll(record, epochMs(promoteUntil));
    const queue = asSeenByDefault(record);
    const finished = await this.#visit(queue, deadline);
    const groups = await this.#groups.list(record);
    for (const group of groups.live) {
      const done = await this.#visit(asSeenBy(record, group), deadline);
      await this.#keeper.markDrained(record, group, done);
    }
    if (this.#deps.clock.now() >= deadline) return undefined;
    const measured = await this.#gauge.measure(queue);
    const { ready, leased, delayed } = measured.depth;
    const isQuiet =
      ready + leased + delayed === 0 &&
      this.#deps.clock.now() - (measured.newestSentAt ?? record.createdAt) > QUIET_MS;
    let current = record;
    if (record.settings.lanes === "auto" && record.lanes.open.length > 1 && isQuiet) {
      current = (await this.#lanes.shrink(record)) ?? record;
    }
    const { record: after, ended, forgotten } = await this.#lanes.finish(current, finished);
    for (const lane of forgotten) {
      if (!readableLanes(after.lanes).includes(lane)) await this.#clearLane(record.queueId, lane);
    }
    await this.#keeper.clear(after, groups, deadline);
    return { measured, retired: ended };
  }

  /** Upkeep of one group on all of its lanes; gives those that it is through with. */
  async #visit(queue: GroupQueue, deadline: EpochMs): Promise<ReadonlySet<LaneId>> {
    const finished = new Set<LaneId>();
    for (const lane of receivableLanes(queue, this.#deps.clock.now())) {
      if (this.#deps.clock.now() >= deadline) break;
      const stand = { queue: queue.queueId, lane, group: queue.group.groupId };
      const visit = await this.#visits.visit(queue, stand, []);
      if (visit.finished) finished.add(lane);
    }
    return finished;
  }

  /** D4: the tombstone has done its work, unless others still dead-letter to it (D3); a grave takes over. */
  async #bury(record: QueueRecord): Promise<void> {
    if (this.#deps.clock.now() - (record.deletedAt ?? 0) < LIMITS.deletedNameMs) return;
    if ((await this.#sources.live(record)).length > 0) return;
    await dig(this.#deps, record);
    await this.#deps.store.delete(
      "catalog",
      queueKey(record.name),
      all(equal(["queueId"], record.queueId), exists("deletedAt")),
    );
  }

  async #clearGraves(deadline: EpochMs): Promise<number> {
    const { store, clock } = this.#deps;
    let cleared = 0;
    let from: string | undefined;
    for (;;) {
      const range = {
        ...(from === undefined ? {} : { from: `${from}\0` }),
        limit: PAGE,
        consistent: true,
      };
      const page = await store.query("catalog", GRAVES, range);
      for (const item of page.items) {
        from = item.sk;
        if (clock.now() - epochMs(item["deletedAt"] as number) < GRAVE_MS) continue;
        const queue = queueId(item.sk);
        const lanes = item["lanes"] as number;
        for (let lane = 0; lane < lanes; lane++) {
          if (clock.now() >= deadline) return cleared;
          await this.#clearLane(queue, laneId(lane));
        }
        // Timers, and where they went, go by TTL.
        for (let shard = 0; shard < ((item["timerShards"] as number | undefined) ?? 0); shard++)
          await store.delete("lanes", promoterKey(queue, shard));
        await this.#clearGroups(queue);
        await store.delete("catalog", graveKey(queue));
        cleared += 1;
      }
      if (!page.more || clock.now() >= deadline) return cleared;
    }
  }

  async #clearGroups(queue: QueueId): Promise<void> {
    const { store } = this.#deps;
    for (let more = true; more;) {
      const page = await store.query("catalog", groupsKey(queue), {
        limit: PAGE,
        consistent: true,
      });
      for (const { pk, sk } of page.items) await store.delete("catalog", { pk, sk });
      more = page.more && page.items.length > 0;
    }
  }

  /** Anchor, cursors and segments; entries, parts and dedup records go by TTL. */
  async #clearLane(queue: QueueId, lane: LaneId): Promise<void> {
    const { store } = this.#deps;
    const { pk } = cursorKey(queue, lane, DEFAULT_GROUP);
    for (;;) {
      const page = await store.query("lanes", pk, { limit: PAGE, consistent: true });
      for (const item of page.items) await store.delete("lanes", { pk, sk: item.sk });
      if (!page.more || page.items.length === 0) break;
    }
    await store.delete("lanes", anchorKey(queue, lane));
  }
}
