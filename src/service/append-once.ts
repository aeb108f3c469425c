/**
 * Exactly-once appends: dead-lettering and redrive use them, and senders' dedup ids will.
 *
 * The dedup record holds the intent: lane and offset of the put that its writer is about to make.
 *
 * E1  Before each put the records of its messages name its place.
 * E2  Done means: the entry at the named place holds the id, whoever wrote it.
 * E3  A retrier appends at the named place. A record is moved, conditional on what was read, only when
 *     that place is occupied by an entry without the id, or can never be written any more: the tail is
 *     past it, and a strong read begun after the tail was read shows nothing there.
 * E4  The entry lives at least as long as every record that names it (L4), so that while a record
 *     lives, an absent entry was never there.
 *
 * So a message stands at one offset only, whatever crashes in between.
 */
import { isLaneError, LaneError } from "../core/errors.ts";
import type { StoredMessage } from "../core/message.ts";
import type { QueueRecord } from "../core/queue.ts";
import type { Place } from "../core/receipt.ts";
import { laneId, offset } from "../core/types.ts";
import type { LaneId, Offset, QueueName } from "../core/types.ts";
import { dedupKey } from "../store/keys.ts";
import { absent, any, equal, less, set } from "../store/port.ts";
import type { Appender } from "./append.ts";
import { draftEntry } from "./append.ts";
import type { Catalog } from "./catalog.ts";
import { backoffMs } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { LogReader } from "./log.ts";

const ATTEMPTS = 12;

export interface OnceMessage extends StoredMessage {
  readonly dedupId: string;
}

interface Intent {
  readonly lane: LaneId;
  readonly offset: Offset;
  readonly version: number;
  readonly ttl: number;
  readonly isExpired: boolean;
}

interface Pending {
  readonly message: OnceMessage;
  readonly intent: Intent | undefined;
}

export class OnceAppender {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #appender: Appender;
  readonly #log: LogReader;

  constructor(deps: Deps, catalog: Catalog, appender: Appender, log: LogReader) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#appender = appender;
    this.#log = log;
  }

  /**
   * At most one entry's worth of messages, with distinct ids; `ttl` (seconds since 1970) is how long
   * each id is remembered. Gives each message's place, by id.
   * @throws LaneError `throttled` and the store's; calling again goes on where this ended.
   */
  async append(
    target: QueueName,
    messages: readonly OnceMessage[],
    ttl: number,
  ): Promise<ReadonlyMap<string, Place>> {
    const places = new Map<string, Place>();
    let open = messages;
    for (let attempt = 0; attempt < ATTEMPTS && open.length > 0; attempt++) {
      if (attempt > 0) await this.#deps.sleep(backoffMs(this.#deps, Math.min(attempt, 5), 5, 400));
      const record =
        attempt === 0 ? await this.#catalog.get(target) : await this.#catalog.fresh(target);
      try {
        await this.#attempt(record, open, ttl, places);
      } catch (error) {
        if (!isLaneError(error, "outcome-unknown")) throw error;
      }
      open = open.filter((message) => !places.has(message.dedupId));
    }
    if (open.length > 0)
      throw new LaneError(
        "throttled",
        "Too many writers met while appending exactly once; it goes on with the next attempt.",
      );
    return places;
  }

  async #attempt(
    record: QueueRecord,
    messages: readonly OnceMessage[],
    ttl: number,
    places: Map<string, Place>,
  ): Promise<void> {
    const pending = await Promise.all(
      messages.map(async (message) => ({
        message,
        intent: await this.#intent(record, message.dedupId),
      })),
    );
    const unnamed: Pending[] = [];
    for (const group of byPlace(pending)) {
      const named = group[0]?.intent;
      if (named === undefined || named.isExpired) unnamed.push(...group);
      else unnamed.push(...(await this.#atNamedPlace(record, named, group, ttl, places)));
    }
    if (unnamed.length > 0) await this.#atNewPlace(record, unnamed, ttl, places);
  }

  /** E2, E3: gives back those whose place can never be theirs. */
  async #atNamedPlace(
    record: QueueRecord,
    named: Intent,
    group: readonly Pending[],
    ttl: number,
    places: Map<string, Place>,
  ): Promise<readonly Pending[]> {
    let tail = await this.#appender.tails.appendable(record.queueId, named.lane);
    if (tail !== "ended" && tail.offset < named.offset) {
      this.#appender.tails.forget(record.queueId, named.lane);
      tail = await this.#appender.tails.appendable(record.queueId, named.lane);
    }
    const item = await this.#log.entryItem(record.queueId, named.lane, named.offset);
    if (item !== undefined) {
      const held =
        this.#log.decode(record.queueId, named.lane, item).messages?.map((one) => one.dedupId) ??
        (item["ids"] as string[] | undefined) ??
        [];
      return group.filter(({ message }) => {
        const index = held.indexOf(message.dedupId);
        if (index >= 0)
          places.set(message.dedupId, {
            queueId: record.queueId,
            lane: named.lane,
            offset: offset(named.offset + index),
          });
        return index < 0;
      });
    }
    if (tail === "ended" || tail.offset !== named.offset) return group;
    const lasting = Math.max(ttl, ...group.map(({ intent }) => intent?.ttl ?? 0));
    await this.#put(
      record,
      named.lane,
      tail.offset,
      group.map(({ message }) => message),
      lasting,
      places,
    );
    return [];
  }

  /** E1: records first, then the put, with those messages whose record took the new place. */
  async #atNewPlace(
    record: QueueRecord,
    group: readonly Pending[],
    ttl: number,
    places: Map<string, Place>,
  ): Promise<void> {
    const { open } = record.lanes;
    const lane = open[Math.floor(this.#deps.random() * open.length)];
    if (lane === undefined) return;
    const tail = await this.#appender.tails.appendable(record.queueId, lane);
    if (tail === "ended") return;
    const named = await Promise.all(
      group.map((one) => this.#name(record, one, lane, tail.offset, ttl)),
    );
    const messages = group.filter((_, index) => named[index]).map(({ message }) => message);
    if (messages.length > 0) await this.#put(record, lane, tail.offset, messages, ttl, places);
  }

  async #put(
    record: QueueRecord,
    lane: LaneId,
    at: Offset,
    messages: readonly OnceMessage[],
    ttl: number,
    places: Map<string, Place>,
  ): Promise<void> {
    // L6: the belief is checked before every attempt, and must still say this place.
    const tail = await this.#appender.tails.appendable(record.queueId, lane);
    if (tail === "ended" || tail.offset !== at) return;
    const outcome = await this.#appender.put(
      record.queueId,
      lane,
      tail,
      draftEntry(this.#deps, messages, ttl),
    );
    if (outcome.is !== "stored") return;
    messages.forEach((message, index) =>
      places.set(message.dedupId, { queueId: record.queueId, lane, offset: offset(at + index) }),
    );
  }

  async #intent(record: QueueRecord, dedupId: string): Promise<Intent | undefined> {
    const item = await this.#deps.store.get("lanes", dedupKey(record.queueId, dedupId), {
      consistent: true,
    });
    if (item === undefined) return undefined;
    return {
      lane: laneId(item["lane"] as number),
      offset: offset(item["offset"] as number),
      version: item["version"] as number,
      ttl: item["ttl"] as number,
      isExpired: (item["ttl"] as number) * 1000 <= this.#deps.clock.now(),
    };
  }

  /** Whether the record names the place now. Conditional on what was read, so a late write of ours is refused. */
  async #name(
    record: QueueRecord,
    { message, intent }: Pending,
    lane: LaneId,
    at: Offset,
    ttl: number,
  ): Promise<boolean> {
    const version = (intent?.version ?? 0) + 1;
    const edits = [
      set(["lane"], lane),
      set(["offset"], at),
      set(["version"], version),
      set(["ttl"], ttl),
    ];
    const nowSeconds = Math.floor(this.#deps.clock.now() / 1000);
    const guard =
      intent === undefined
        ? absent("version")
        : intent.isExpired
          ? any(absent("version"), less(["ttl"], nowSeconds + 1))
          : equal(["version"], intent.version);
    const { ok } = await this.#deps.store.update(
      "lanes",
      dedupKey(record.queueId, message.dedupId),
      edits,
      guard,
    );
    return ok;
  }
}

/** Groups that name one place; those that name none are one group. */
function byPlace(pending: readonly Pending[]): Pending[][] {
  const groups = new Map<string, Pending[]>();
  for (const one of pending) {
    const key =
      one.intent === undefined || one.intent.isExpired
        ? "-"
        : `${one.intent.lane}#${one.intent.offset}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()];
}
