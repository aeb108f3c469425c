/**
 * Where a group begins: from what a caller names to an offset on each lane. Changes nothing.
 *
 * B1  "Latest" passes over everything whose send was confirmed before the call, and nothing that is
 *     sent after its answer.
 * B2  By time, nothing that entered the queue at or after it is passed over, as long as the clocks and
 *     puts of senders are no further apart than `DISORDER_MS`: entries of a lane stand in the order of
 *     their puts, and `sentAt` of an entry is its writer's clock at the put.
 * B3  By message, its lane begins with it exactly, the others by the time at which its entry was put.
 */
import { LaneError } from "../core/errors.ts";
import type { LogEntry } from "../core/plan.ts";
import { readableLanes } from "../core/queue.ts";
import type { QueueRecord } from "../core/queue.ts";
import { parseMessageId } from "../core/receipt.ts";
import type { Place } from "../core/receipt.ts";
import { parseTimerId } from "../core/timer.ts";
import { offset } from "../core/types.ts";
import type { EpochMs, LaneId, Offset, QueueId } from "../core/types.ts";
import type { Begins, StartFrom } from "./api.ts";
import type { Deps } from "./deps.ts";
import type { LogReader } from "./log.ts";
import type { Tails } from "./tail.ts";
import type { Timers } from "./timers.ts";

interface LaneStart {
  readonly lane: LaneId;
  readonly start: Offset;
}

export interface Start {
  readonly lanes: readonly LaneStart[];
  readonly begins: Begins;
}

interface Found {
  readonly start: Offset;
  /** Nothing that is left on the lane stands before it. */
  readonly isFirst: boolean;
  /** Nothing stands at or behind it. */
  readonly isLast: boolean;
}

const DISORDER_MS = 10_000;
const LANES_AT_ONCE = 16;
const ENTRIES_PER_PAGE = 64;

export class Starts {
  readonly #deps: Deps;
  readonly #tails: Tails;
  readonly #log: LogReader;
  readonly #timers: Timers;

  constructor(deps: Deps, tails: Tails, log: LogReader, timers: Timers) {
    this.#deps = deps;
    this.#tails = tails;
    this.#log = log;
    this.#timers = timers;
  }

  /** @throws LaneError `invalid-request` for a time to come, `message-not-found`, and the store's. */
  async of(record: QueueRecord, from: StartFrom): Promise<Start> {
    if (from === "earliest") return all(record, EARLIEST);
    if (from === "latest")
      return this.#each(record, async (lane) => {
        const { end, last } = await this.#tails.peek(record.queueId, lane);
        return { start: end, isFirst: last === undefined, isLast: true };
      });
    if ("id" in from) return this.#fromMessage(record, await this.#placeOf(record, from.id));
    if (from.time > this.#deps.clock.now()) {
      throw new LaneError("invalid-request", "A group cannot begin at a time that is to come.", {
        errors: [{ path: "from.time", message: "must not be in the future" }],
      });
    }
    return this.#each(record, (lane) => this.#fromTime(record.queueId, lane, from.time));
  }

  /** B2 */
  async since(queue: QueueId, lane: LaneId, time: EpochMs): Promise<Offset> {
    return (await this.#fromTime(queue, lane, time)).start;
  }

  async #placeOf(record: QueueRecord, id: string): Promise<Place> {
    const timer = parseTimerId(id);
    const place = parseMessageId(id);
    if (timer === undefined && place === undefined) {
      throw new LaneError("invalid-request", "from.id is not a message id.", {
        errors: [{ path: "from.id", message: "is not a message id" }],
      });
    }
    if ((timer ?? place)?.queueId !== record.queueId) {
      throw new LaneError(
        "message-not-found",
        `The message "${id}" was not sent to the queue "${record.name}"; a moved message is found by its place.`,
      );
    }
    if (place !== undefined) return place;
    const found = timer === undefined ? undefined : await this.#timers.find(timer);
    if (found?.is === "promoted") return found.place;
    throw new LaneError(
      "message-not-found",
      `The message "${id}" is not in the log: it waits for its time, was cancelled, or has expired.`,
    );
  }

  /** B3. One that has expired with all that stood before it: the group begins with the earliest. */
  async #fromMessage(record: QueueRecord, place: Place): Promise<Start> {
    const { queueId, lane, offset: at } = place;
    const isKnown = lane < record.lanes.next;
    const isReadable = readableLanes(record.lanes).includes(lane);
    const { end } = isReadable ? await this.#tails.peek(queueId, lane) : { end: offset(0) };
    if (!isKnown || (isReadable && at >= end))
      throw new LaneError("message-not-found", "No message has been sent to that place yet.");
    const first = isReadable ? await this.#first(queueId, lane, offset(0)) : undefined;
    if (first === undefined || at < first.offset) return all(record, EARLIEST);
    const entry =
      (await this.#log.holding(queueId, lane, at)) ?? (await this.#first(queueId, lane, at));
    return this.#each(record, async (other) => {
      if (other === lane) return { start: at, isFirst: at <= first.offset, isLast: false };
      if (entry !== undefined) return this.#fromTime(queueId, other, entry.sentAt);
      return { start: (await this.#tails.peek(queueId, other)).end, isFirst: false, isLast: true };
    });
  }

  /** B2: by bisection to an entry that is surely before it, then onwards. */
  async #fromTime(queue: QueueId, lane: LaneId, time: EpochMs): Promise<Found> {
    const first = await this.#first(queue, lane, offset(0));
    if (first === undefined) return EARLIEST;
    const before = await this.#lastBefore(queue, lane, first, time - DISORDER_MS);
    for (let from = before?.offset ?? first.offset; ;) {
      const page = await this.#log.query(queue, lane, { from, limit: ENTRIES_PER_PAGE });
      const found = page.entries.find((entry) => entry.sentAt >= time);
      if (found !== undefined)
        return { start: found.offset, isFirst: found.offset <= first.offset, isLast: found.end };
      const last = page.entries.at(-1);
      if (!page.more || last === undefined) break;
      from = offset(last.offset + Math.max(1, last.count));
    }
    const { end } = await this.#tails.peek(queue, lane);
    return { start: end, isFirst: false, isLast: true };
  }

  /** An entry put before `time` behind which none is known to be; `undefined`: not even the first is. */
  async #lastBefore(
    queue: QueueId,
    lane: LaneId,
    first: LogEntry,
    time: number,
  ): Promise<LogEntry | undefined> {
    if (first.sentAt >= time) return undefined;
    let before = first;
    let low: number = first.offset + 1;
    let { end: high }: { end: number } = await this.#tails.peek(queue, lane);
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const { entries } = await this.#log.query(queue, lane, {
        from: offset(low),
        to: offset(middle),
        limit: 1,
        reverse: true,
      });
      const [entry] = entries;
      if (entry === undefined) low = middle + 1;
      else if (entry.sentAt >= time) high = entry.offset;
      else {
        before = entry;
        low = middle + 1;
      }
    }
    return before;
  }

  async #first(queue: QueueId, lane: LaneId, from: Offset): Promise<LogEntry | undefined> {
    return (await this.#log.query(queue, lane, { from, limit: 1 })).entries[0];
  }

  async #each(record: QueueRecord, find: (lane: LaneId) => Promise<Found>): Promise<Start> {
    const lanes = readableLanes(record.lanes);
    const found: (Found & { lane: LaneId })[] = [];
    for (let index = 0; index < lanes.length; index += LANES_AT_ONCE) {
      const some = lanes.slice(index, index + LANES_AT_ONCE);
      found.push(
        ...(await Promise.all(some.map(async (lane) => ({ lane, ...(await find(lane)) })))),
      );
    }
    return summary(found);
  }
}

const EARLIEST: Found = { start: offset(0), isFirst: true, isLast: false };

const all = (record: QueueRecord, found: Found): Start =>
  summary(readableLanes(record.lanes).map((lane) => ({ lane, ...found })));

function summary(found: readonly (Found & { lane: LaneId })[]): Start {
  const begins = found.every((one) => one.isFirst)
    ? "earliest"
    : found.every((one) => one.isLast)
      ? "latest"
      : "within";
  return { lanes: found.map(({ lane, start }) => ({ lane, start })), begins };
}
