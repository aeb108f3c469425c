/**
 * The promoter: from timers that are due to entries of the log, each message exactly once.
 *
 * T1  Timers are promoted by a put at the place that the promoter's item names, and that item moves on
 *     only when every timer that the entry there holds has been deleted. So a timer that exists stands
 *     at the named place or nowhere. Who finds a named place goes on there; another is named only when
 *     it is occupied, or can never be written any more (E3).
 * T2  Before a timer goes, it is written down where it went, and none that was written down is promoted
 *     again: a late copy of its put may have brought it back.
 *
 * The lease saves others the work, and nothing rests on it: every change of the promoter's item is
 * conditional on its version as read before the timers, and before their past was looked up.
 */
import { isLaneError, LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { StoredMessage } from "../core/message.ts";
import { unpack } from "../core/packing.ts";
import { ttlOf } from "../core/queue.ts";
import type { QueueRecord } from "../core/queue.ts";
import { entryOf, promoted, timersAmong } from "../core/timer.ts";
import type { Timer, TimerPlace } from "../core/timer.ts";
import { epochMs, laneId, offset } from "../core/types.ts";
import type { EpochMs, LaneId, Offset, QueueId } from "../core/types.ts";
import {
  FIRST_TIMER,
  promotedKey,
  promoterKey,
  timerOfKey,
  timersKey,
  timerSortKey,
  timersUntil,
} from "../store/keys.ts";
import { absent, equal, remove, set } from "../store/port.ts";
import type { Item } from "../store/port.ts";
import type { Appender } from "./append.ts";
import { draftEntry } from "./append.ts";
import type { Bell } from "./bell.ts";
import { boundedCache } from "./cache.ts";
import type { Catalog } from "./catalog.ts";
import { backoffMs, randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import { lanesFor } from "./lane-choice.ts";
import type { LogReader } from "./log.ts";
import { promoterState } from "./promoter-state.ts";
import type { PromoterState } from "./promoter-state.ts";
import type { Tail } from "./tail.ts";

/** How long a promoter that has died keeps the others waiting. */
const LEASE_MS = 5_000;
const DELETES_AT_ONCE = 32;
const ATTEMPTS = 4;
/** Others were quicker: what they leave is looked at again after this. */
const CONTENDED_MS = 100;

export interface Promotion {
  readonly count: number;
  /** Something is left that is due, from this time on; undefined: all that was due is promoted. */
  readonly againAt: EpochMs | undefined;
}

interface Spot {
  readonly lane: LaneId;
  readonly tail: Tail;
}

export class Promoter {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #appender: Appender;
  readonly #log: LogReader;
  readonly #bell: Bell;
  readonly #name: string;
  /** The version of a promoter's item whose place this instance has settled, by shard. */
  readonly #settledAt = boundedCache<number>(1_000);

  constructor(deps: Deps, catalog: Catalog, appender: Appender, log: LogReader, bell: Bell) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#appender = appender;
    this.#log = log;
    this.#bell = bell;
    this.#name = randomId(deps, 12);
  }

  /** One entry of what is due. @throws the store's; what was begun is gone on with by the next one. */
  async promote(record: QueueRecord, shard: number): Promise<Promotion> {
    for (let attempt = 1; ; attempt++) {
      const promotion = await this.#promote(record, shard);
      if (promotion !== "contended") return promotion;
      if (attempt >= ATTEMPTS)
        return { count: 0, againAt: epochMs(this.#deps.clock.now() + CONTENDED_MS) };
      await this.#deps.sleep(backoffMs(this.#deps, attempt, 4, 60));
    }
  }

  /** Contended: others have appended where it was about to, or what became of a write is not known. */
  async #promote(record: QueueRecord, shard: number): Promise<Promotion | "contended"> {
    const { queueId } = record;
    const state = await promoterState(this.#deps, queueId, shard);
    const { timers, more } = await this.#due(queueId, shard);
    if (timers.length === 0) return { count: 0, againAt: undefined };
    const now = this.#deps.clock.now();
    if (state.by !== this.#name && state.until > now)
      return { count: 0, againAt: epochMs(state.until) };
    const spot = await this.#spot(record, shard, { state, first: timers[0]?.message });
    if (spot === undefined) return "contended";
    const fresh = await this.#neverPromoted(queueId, shard, timers);
    const batch = entryOf(fitting(fresh, record, spot.lane));
    if (batch.length === 0) return { count: 0, againAt: more ? now : undefined };
    const version = await this.#take(queueId, shard, state, spot);
    if (version === undefined) return "contended";
    if (!(await this.#put(record, shard, spot, batch))) return "contended";
    this.#settledAt.set(timersKey(queueId, shard), version);
    const isLast = !more && batch.length === fresh.length;
    if (isLast) await this.#done(queueId, shard, version);
    return { count: batch.length, againAt: isLast ? undefined : now };
  }

  /** The first that are due; marks of cancelled ones that nobody needs any more are deleted (T6). */
  async #due(queue: QueueId, shard: number): Promise<{ timers: readonly Timer[]; more: boolean }> {
    const timers: Timer[] = [];
    const now = this.#deps.clock.now();
    let from = FIRST_TIMER;
    for (;;) {
      const page = await this.#deps.store.query("lanes", timersKey(queue, shard), {
        from,
        to: timersUntil(now),
        limit: LIMITS.entryMessages - timers.length,
        consistent: true,
      });
      for (const item of page.items) {
        const place = { queueId: queue, shard, ...timerOfKey(item.sk) };
        const body = item["body"] as Uint8Array | undefined;
        const [message] = body === undefined ? [] : unpack(body);
        if (message !== undefined) timers.push({ place, message });
        else if (now - (item["putAt"] as number) > LIMITS.timerCopiesMs) await this.#delete(place);
      }
      const last = page.items.at(-1);
      const more = page.more && last !== undefined;
      if (!more || timers.length >= LIMITS.entryMessages) return { timers, more };
      from = `${last.sk}\0`;
    }
  }

  /** T1: the named place, or another one once what stands there is settled; undefined: try again. */
  async #spot(
    record: QueueRecord,
    shard: number,
    {
      state: { intent, version },
      first,
    }: { state: PromoterState; first: StoredMessage | undefined },
  ): Promise<Spot | undefined> {
    const { queueId } = record;
    const { tails } = this.#appender;
    const isSettled = this.#settledAt.get(timersKey(queueId, shard)) === version;
    if (intent !== undefined && !isSettled) {
      const { lane, offset: at } = intent;
      let tail = await tails.appendable(queueId, lane);
      if (tail !== "ended" && tail.offset < at) {
        tails.forget(queueId, lane);
        tail = await tails.appendable(queueId, lane);
      }
      const item = await this.#log.entryItem(queueId, lane, at);
      if (item === undefined && tail !== "ended" && tail.offset === at) return { lane, tail };
      if (item !== undefined) await this.#settle(record, shard, lane, item);
    }
    const open = first === undefined ? [] : lanesFor(record, first);
    const lane = open[Math.floor(this.#deps.random() * open.length)];
    if (lane === undefined) return undefined;
    const tail = await tails.appendable(queueId, lane);
    if (tail !== "ended") return { lane, tail };
    await this.#catalog.fresh(record.name);
    return undefined;
  }

  /** T2: leaves out, and deletes, what came back after it had been promoted. */
  async #neverPromoted(
    queue: QueueId,
    shard: number,
    timers: readonly Timer[],
  ): Promise<readonly Timer[]> {
    const [first] = timers;
    if (first === undefined) return [];
    const keys = new Map(timers.map((timer) => [sortKey(timer.place), timer]));
    const back: TimerPlace[] = [];
    let from: string | undefined = sortKey(first.place);
    while (from !== undefined) {
      const page = await this.#deps.store.query("lanes", promotedKey(queue, shard), {
        from,
        consistent: true,
      });
      for (const item of page.items) {
        const isTouched = [...keys.keys()].some(
          (sk) => (item["first"] as string) <= sk && sk <= item.sk,
        );
        if (!isTouched) continue;
        const lane = laneId(item["lane"] as number);
        const entry = await this.#log.entryItem(queue, lane, offset(item["offset"] as number));
        if (entry === undefined) continue;
        for (const place of timersAmong(this.#idsOf(queue, lane, entry), queue, shard))
          if (keys.delete(sortKey(place))) back.push(place);
      }
      const last = page.items.at(-1);
      from = page.more && last !== undefined ? `${last.sk}\0` : undefined;
    }
    await this.#deleteAll(back);
    return [...keys.values()];
  }

  /** Names the place, and takes the lease; undefined: others have changed the item since it was read. */
  async #take(
    queue: QueueId,
    shard: number,
    { version }: PromoterState,
    { lane, tail }: Spot,
  ): Promise<number | undefined> {
    const edits = [
      set(["version"], version + 1),
      set(["by"], this.#name),
      set(["until"], this.#deps.clock.now() + LEASE_MS),
      set(["lane"], lane),
      set(["offset"], tail.offset),
    ];
    const guard = version === 0 ? absent("version") : equal(["version"], version);
    const key = promoterKey(queue, shard);
    try {
      const { ok } = await this.#deps.store.update("lanes", key, edits, guard);
      return ok ? version + 1 : undefined;
    } catch (error) {
      if (isLaneError(error, "outcome-unknown")) return undefined;
      throw error;
    }
  }

  /** T1: the put at the named place, and what follows it; false: something else stands there, or it is not known. */
  async #put(
    record: QueueRecord,
    shard: number,
    { lane, tail }: Spot,
    batch: readonly Timer[],
  ): Promise<boolean> {
    const { queueId, settings } = record;
    const places = batch.map(({ place }) => place);
    // L6: the belief is checked before every attempt, and must still say this place.
    const believed = await this.#appender.tails.appendable(queueId, lane);
    if (believed === "ended" || believed.offset !== tail.offset) return false;
    const now = this.#deps.clock.now();
    const messages = batch.map(({ message }) => promoted(message, settings, now));
    const soonest = Math.ceil((now + LIMITS.entryTtlAfterExpiryMs) / 1000);
    const ttl = Math.max(soonest, ttlOf(messages, settings));
    try {
      const draft = draftEntry(this.#deps, messages, ttl);
      const outcome = await this.#appender.put(queueId, lane, believed, draft);
      if (outcome.is !== "stored") return false;
    } catch (error) {
      if (isLaneError(error, "outcome-unknown")) return false;
      throw error;
    }
    this.#bell.ring(queueId);
    await this.#settled(shard, queueId, lane, tail.offset, ttl, places);
    return true;
  }

  async #settle(record: QueueRecord, shard: number, lane: LaneId, item: Item): Promise<void> {
    const { queueId } = record;
    const places = timersAmong(this.#idsOf(queueId, lane, item), queueId, shard);
    const at = offset(Number(item.sk));
    await this.#settled(shard, queueId, lane, at, item["ttl"] as number, places);
  }

  /** T2, then T1: written down first, then deleted. */
  async #settled(
    shard: number,
    queue: QueueId,
    lane: LaneId,
    at: Offset,
    ttl: number,
    places: readonly TimerPlace[],
  ): Promise<void> {
    const keys = places.map(sortKey).sort();
    const [first] = keys;
    const last = keys.at(-1);
    if (first === undefined || last === undefined) return;
    const item = { pk: promotedKey(queue, shard), sk: last, first, lane, offset: at, ttl };
    await this.#again(() => this.#deps.store.put("lanes", item));
    await this.#deleteAll(places);
  }

  #idsOf(queue: QueueId, lane: LaneId, item: Item): readonly (string | undefined)[] {
    const { messages } = this.#log.decode(queue, lane, item);
    return messages?.map(({ id }) => id) ?? (item["timers"] as string[] | undefined) ?? [];
  }

  /** Best effort: a promoter that finds the place named settles it once more. */
  async #done(queue: QueueId, shard: number, version: number): Promise<void> {
    const edits = [
      set(["version"], version + 1),
      ...(["by", "until", "lane", "offset"] as const).map((name) => remove(name)),
    ];
    try {
      await this.#deps.store.update(
        "lanes",
        promoterKey(queue, shard),
        edits,
        equal(["version"], version),
      );
    } catch (error) {
      if (!(error instanceof LaneError)) throw error;
    }
  }

  async #deleteAll(places: readonly TimerPlace[]): Promise<void> {
    for (let at = 0; at < places.length; at += DELETES_AT_ONCE) {
      const some = places.slice(at, at + DELETES_AT_ONCE);
      const settled = await Promise.allSettled(some.map((place) => this.#delete(place)));
      for (const one of settled) if (one.status === "rejected") throw one.reason;
    }
  }

  async #delete(place: TimerPlace): Promise<void> {
    const key = { pk: timersKey(place.queueId, place.shard), sk: sortKey(place) };
    await this.#again(() => this.#deps.store.delete("lanes", key));
  }

  /** Writes that may be made twice. */
  async #again(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!isLaneError(error, "outcome-unknown")) throw error;
      await write();
    }
  }
}

/** Those that may go to a lane, as priorities ask; to a place that is named already, any rather than none. */
function fitting(timers: readonly Timer[], record: QueueRecord, lane: LaneId): readonly Timer[] {
  const some = timers.filter(({ message }) => lanesFor(record, message).includes(lane));
  return some.length > 0 ? some : timers;
}

const sortKey = ({ at, tag }: TimerPlace): string => timerSortKey(at, tag);
