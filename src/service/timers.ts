/**
 * Scheduled messages while they wait: putting them on timers, listing, looking up and cancelling them.
 * The promoter takes them from there.
 *
 * T3  A timer is promoted at its time or after it, by the clock of who promotes, and is not cancelled
 *     less than 10 s before that. A cancellation is confirmed only if it was over before the time had
 *     come on any clock.
 * T6  A cancelled timer stays as a mark until no copy of its put can arrive any more, which would bring
 *     it back.
 */
import { afterChange, isLaneError, LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { StoredMessage } from "../core/message.ts";
import { pack, unpack } from "../core/packing.ts";
import { deliveredBytes } from "../core/plan.ts";
import { ttlOf } from "../core/queue.ts";
import type { QueueRecord } from "../core/queue.ts";
import { parseMessageId } from "../core/receipt.ts";
import type { Place } from "../core/receipt.ts";
import { newTag, parseTimerId, timerId } from "../core/timer.ts";
import type { TimerPlace } from "../core/timer.ts";
import { laneId, offset } from "../core/types.ts";
import type { EpochMs, QueueName } from "../core/types.ts";
import { FIRST_TIMER, partKey, promotedKey, timersKey, timerSortKey } from "../store/keys.ts";
import { absent, all, exists, remove, set } from "../store/port.ts";
import type { Condition, Edit, Item, Key } from "../store/port.ts";
import type { ScheduledMessage } from "./api.ts";
import type { Catalog } from "./catalog.ts";
import { backoffMs, randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { DueTimers } from "./due.ts";
import type { LogReader } from "./log.ts";
import { scheduledView } from "./message-view.ts";
import { writeParts } from "./parts.ts";

const PUT_ATTEMPTS = 4;
const PUTS_AT_ONCE = 32;
const SHARD_ATTEMPTS = 8;

/** A message for a timer, and when that is due. */
export interface Waiting {
  readonly message: StoredMessage;
  readonly at: EpochMs;
}

/** Where a scheduled message is by now. */
export type Whereabouts =
  | { readonly is: "waiting"; readonly message: StoredMessage }
  | { readonly is: "promoted"; readonly place: Place }
  | { readonly is: "cancelled" | "unknown" };

export class Timers {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #due: DueTimers;
  readonly #log: LogReader;

  constructor(deps: Deps, catalog: Catalog, due: DueTimers, log: LogReader) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#due = due;
    this.#log = log;
  }

  /** Each its id, or why it has none. Throws only what is no LaneError. */
  async put(
    record: QueueRecord,
    waiting: readonly Waiting[],
  ): Promise<readonly (string | LaneError)[]> {
    const results: (string | LaneError)[] = [];
    try {
      const shards = await this.#shards(record);
      for (let at = 0; at < waiting.length; at += PUTS_AT_ONCE) {
        const some = waiting.slice(at, at + PUTS_AT_ONCE);
        results.push(...(await Promise.all(some.map((one) => this.#put(record, shards, one)))));
      }
    } catch (error) {
      if (!isLaneError(error)) throw error;
      while (results.length < waiting.length) results.push(error);
    }
    return results;
  }

  /** As many shards as the queue has lanes, for both are there for its load; readers must know of them first. */
  async #shards(first: QueueRecord): Promise<number> {
    let record = first;
    for (let attempt = 0; attempt < SHARD_ATTEMPTS; attempt++) {
      const wanted = Math.min(record.lanes.open.length, LIMITS.timerShardsMax);
      if (record.timerShards >= wanted) return record.timerShards;
      const changed = await this.#catalog.change(record, { timerShards: wanted });
      if (changed !== undefined) return wanted;
      await this.#deps.sleep(backoffMs(this.#deps, Math.min(attempt, 5), 8, 200));
      record = await this.#catalog.fresh(first.name);
    }
    if (record.timerShards > 0) return record.timerShards;
    throw new LaneError(
      "throttled",
      `The queue "${first.name}" is being changed by others; nothing was scheduled.`,
    );
  }

  async #put(
    record: QueueRecord,
    shards: number,
    { message, at }: Waiting,
  ): Promise<string | LaneError> {
    const { store, clock, random } = this.#deps;
    const { queueId } = record;
    const tag = newTag((length) => randomId(this.#deps, length));
    const place = { queueId, shard: Math.floor(random() * shards), at, tag };
    const id = timerId(place);
    try {
      const ttl = ttlOf([message], record.settings);
      const body = await this.#packed({ ...message, id }, record);
      const item = { ...keyOf(place), body, putAt: clock.now(), ttl };
      let unknown: LaneError | undefined;
      for (let attempt = 0; attempt < PUT_ATTEMPTS; attempt++) {
        if (attempt > 0) await this.#deps.sleep(backoffMs(this.#deps, attempt, 50, 400));
        try {
          // Refused: an attempt of ours whose outcome was unknown has been applied, for tags are random.
          await store.put("lanes", item, absent("pk"));
          this.#due.note(queueId, place.shard, at);
          return id;
        } catch (error) {
          if (!isLaneError(error, "outcome-unknown")) throw unknown ?? error;
          unknown = error;
        }
      }
      return unknown ?? new LaneError("throttled", "The message was not scheduled.");
    } catch (error) {
      if (isLaneError(error)) return error;
      throw error;
    }
  }

  /** What is larger than a write unit stands in parts: a timer is put, deleted, and its message put again. */
  async #packed(message: StoredMessage, queue: QueueRecord): Promise<Uint8Array> {
    const whole = pack([message]);
    if (whole.length <= LIMITS.timerInlineBytes || message.body.length === 0) return whole;
    const inlineBytes = Math.min(LIMITS.timerInlineBytes / 3, message.body.length - 1);
    return pack([await writeParts(this.#deps, queue, message, inlineBytes)]);
  }

  /** In the order in which they are due; `after`: behind a message of an earlier page. */
  async list(
    name: QueueName,
    request: { limit: number; after?: string },
  ): Promise<{ messages: readonly ScheduledMessage[]; next?: string }> {
    const record = await this.#catalog.get(name);
    const { queueId, timerShards } = record;
    const from = request.after === undefined ? FIRST_TIMER : `${request.after}\0`;
    const pages = await Promise.all(
      Array.from({ length: timerShards }, (_, shard) =>
        this.#page(timersKey(queueId, shard), from, request.limit + 1),
      ),
    );
    const items = pages.flat().sort((a, b) => (a.sk < b.sk ? -1 : 1));
    const messages: ScheduledMessage[] = [];
    let bytes = 0;
    let last: string | undefined;
    for (const item of items) {
      const message = messageOf(item);
      if (message?.id === undefined) continue;
      const size = deliveredBytes(message);
      if (messages.length > 0 && bytes + size > LIMITS.responseBytes)
        return { messages, ...next(last) };
      if (messages.length >= request.limit) return { messages, ...next(last) };
      bytes += size;
      last = item.sk;
      const body = await this.#log.body(queueId, message);
      if (body !== undefined) messages.push(scheduledView(message, message.id, body));
    }
    return { messages };
  }

  async count(name: QueueName, max: number): Promise<number> {
    const { queueId, timerShards } = await this.#catalog.get(name);
    let count = 0;
    for (let shard = 0; shard < timerShards && count < max; shard++)
      count += (await this.#page(timersKey(queueId, shard), FIRST_TIMER, max - count)).length;
    return count;
  }

  /** At least as many as asked, as long as there are some; marks of cancelled ones are not counted. */
  async #page(pk: string, first: string, wanted: number): Promise<Item[]> {
    const items: Item[] = [];
    let from = first;
    for (;;) {
      const limit = wanted - items.length;
      const page = await this.#deps.store.query("lanes", pk, { from, limit, consistent: true });
      items.push(...page.items.filter((item) => item["body"] !== undefined));
      const last = page.items.at(-1);
      if (!page.more || last === undefined || items.length >= wanted) return items;
      from = `${last.sk}\0`;
    }
  }

  /** @throws LaneError `message-not-found`, `not-cancellable`; the store's. */
  async cancel(name: QueueName, id: string): Promise<void> {
    const record = await this.#catalog.get(name);
    const place = parseTimerId(id);
    if ((place ?? parseMessageId(id))?.queueId !== record.queueId)
      throw new LaneError("message-not-found", `"${id}" is not the id of a message of "${name}".`);
    if (place === undefined)
      throw new LaneError("not-cancellable", `The message "${id}" is not scheduled.`);
    if (place.at - this.#deps.clock.now() < LIMITS.cancelMarginMs) {
      const found = await this.find(place);
      if (found.is === "cancelled" || (found.is === "unknown" && place.at > this.#deps.clock.now()))
        throw notScheduled(id);
      throw new LaneError(
        "not-cancellable",
        `The message "${id}" is due within ${LIMITS.cancelMarginMs / 1000} s, or has been delivered.`,
      );
    }
    const message = await this.#mark(place, id);
    // T3: another clock may be ahead of this one.
    if (this.#deps.clock.now() >= place.at - this.#deps.skewMarginMs) {
      throw new LaneError(
        "outcome-unknown",
        `The message "${id}" became due while it was being cancelled; it may have been delivered.`,
      );
    }
    if (record.settings.eraseOnAck) await this.#erase(record, message);
  }

  async #mark(place: TimerPlace, id: string): Promise<StoredMessage> {
    const { store } = this.#deps;
    const key = keyOf(place);
    const before = await store.get("lanes", key, { consistent: true });
    const message = before === undefined ? undefined : messageOf(before);
    if (message === undefined) throw notScheduled(id);
    const mark = randomId(this.#deps, 12);
    const { edits, guard } = cancellation(mark);
    try {
      const { ok } = await store.update("lanes", key, edits, guard);
      if (!ok) throw notScheduled(id);
    } catch (error) {
      if (!isLaneError(error, "outcome-unknown")) throw error;
      const item = await store.get("lanes", key, { consistent: true }).catch(() => undefined);
      if (item?.["cancelled"] !== mark) throw error;
    }
    return message;
  }

  async #erase({ queueId }: QueueRecord, { parts }: StoredMessage): Promise<void> {
    try {
      for (let number = 0; number < (parts?.count ?? 0); number++)
        await this.#deps.store.delete("lanes", partKey(queueId, parts?.name ?? "", number));
    } catch (error) {
      throw afterChange(error, "The message was cancelled, but its body could not be erased.");
    }
  }

  /** Where a scheduled message is: still on its timer, or in the log (T2). */
  async find(place: TimerPlace): Promise<Whereabouts> {
    const { store } = this.#deps;
    const item = await store.get("lanes", keyOf(place), { consistent: true });
    if (item?.["cancelled"] !== undefined) return { is: "cancelled" };
    const message = item === undefined ? undefined : messageOf(item);
    if (message !== undefined) return { is: "waiting", message };
    const id = timerId(place);
    const sk = timerSortKey(place.at, place.tag);
    let from: string | undefined = sk;
    while (from !== undefined) {
      const pk = promotedKey(place.queueId, place.shard);
      const page = await store.query("lanes", pk, { from, consistent: true });
      for (const record of page.items) {
        if ((record["first"] as string) > sk) continue;
        const lane = laneId(record["lane"] as number);
        const at = offset(record["offset"] as number);
        const entry = await this.#log.entryItem(place.queueId, lane, at);
        const { messages = [] } =
          entry === undefined ? {} : this.#log.decode(place.queueId, lane, entry);
        const index = messages.findIndex((one) => one.id === id);
        if (index >= 0)
          return {
            is: "promoted",
            place: { queueId: place.queueId, lane, offset: offset(at + index) },
          };
      }
      const last = page.items.at(-1);
      from = page.more && last !== undefined ? `${last.sk}\0` : undefined;
    }
    return { is: "unknown" };
  }
}

/** T6: what turns a timer into a mark. */
export const cancellation = (mark: string): { edits: Edit[]; guard: Condition } => ({
  edits: [remove("body"), set(["cancelled"], mark)],
  guard: all(exists("body"), absent("cancelled")),
});

const keyOf = ({ queueId, shard, at, tag }: TimerPlace): Key => ({
  pk: timersKey(queueId, shard),
  sk: timerSortKey(at, tag),
});

function messageOf(item: Item): StoredMessage | undefined {
  const body = item["body"] as Uint8Array | undefined;
  return body === undefined ? undefined : unpack(body)[0];
}

const next = (last: string | undefined) => (last === undefined ? {} : { next: last });

const notScheduled = (id: string): LaneError =>
  new LaneError(
    "message-not-found",
    `No message "${id}" is scheduled; it may have been cancelled.`,
  );
