/** Reading without leasing: browse from a place on, and look one message up by its id. */
import { LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { StoredMessage } from "../core/message.ts";
import { deliveredBytes } from "../core/plan.ts";
import type { LogEntry } from "../core/plan.ts";
import { readableLanes } from "../core/queue.ts";
import type { QueueRecord } from "../core/queue.ts";
import { parseMessageId } from "../core/receipt.ts";
import type { Place } from "../core/receipt.ts";
import { parseTimerId } from "../core/timer.ts";
import { offset } from "../core/types.ts";
import type { EpochMs, LaneId, Offset, QueueId, QueueName } from "../core/types.ts";
import type { LookedUpMessage, MessageView } from "./api.ts";
import type { Catalog } from "./catalog.ts";
import type { Deps } from "./deps.ts";
import type { Groups } from "./group-catalog.ts";
import type { Lives } from "./life.ts";
import type { LogReader } from "./log.ts";
import { messageView, scheduledView } from "./message-view.ts";
import type { Starts } from "./starts.ts";
import type { Timers } from "./timers.ts";

export interface LanePlace {
  readonly lane: LaneId;
  readonly offset: Offset;
}

/** Pages of one call: a stretch of expired entries longer than this ends a page early, with a cursor. */
const PAGES_PER_CALL = 20;
const ENTRIES_PER_PAGE = 16;

export class Browser {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #groups: Groups;
  readonly #log: LogReader;
  readonly #timers: Timers;
  readonly #starts: Starts;
  readonly #lives: Lives;

  constructor(
    deps: Deps,
    catalog: Catalog,
    groups: Groups,
    log: LogReader,
    timers: Timers,
    starts: Starts,
    lives: Lives,
  ) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#groups = groups;
    this.#log = log;
    this.#timers = timers;
    this.#starts = starts;
    this.#lives = lives;
  }

  /** Lane by lane, each in its own order. */
  async browse(
    name: QueueName,
    request: {
      from?: { lane: LaneId; offset: number; queueId?: QueueId };
      since?: EpochMs;
      lane?: LaneId;
      limit: number;
    },
  ): Promise<{ messages: readonly MessageView[]; next?: LanePlace }> {
    const record = await this.#catalog.get(name);
    if (request.from?.queueId !== undefined && request.from.queueId !== record.queueId) {
      throw new LaneError("invalid-request", `The message was not sent to the queue "${name}".`, {
        errors: [{ path: "from", message: "is not a message of this queue" }],
      });
    }
    const first = request.lane ?? request.from?.lane ?? (0 as LaneId);
    const lanes = readableLanes(record.lanes)
      .sort((a, b) => a - b)
      .filter((lane) => (request.lane === undefined ? lane >= first : lane === request.lane));
    const messages: MessageView[] = [];
    let bytes = 0;
    let pages = 0;
    for (const lane of lanes) {
      let at = await this.#first(record, lane, request);
      for (
        let entries = await this.#page(record, lane, at);
        entries.length > 0;
        entries = await this.#page(record, lane, at)
      ) {
        for (const { message, place } of live(entries, {
          record,
          lane,
          at,
          now: this.#deps.clock.now(),
        })) {
          const size = deliveredBytes(message);
          if (
            messages.length >= request.limit ||
            (messages.length > 0 && bytes + size > LIMITS.responseBytes)
          ) {
            return { messages, next: { lane, offset: place.offset } };
          }
          const body = await this.#log.body(record.queueId, message);
          if (body !== undefined) messages.push(messageView(place, message, body));
          bytes += size;
        }
        const last = entries.at(-1);
        if (last === undefined || last.end) break;
        at = offset(last.offset + last.count);
        pages += 1;
        if (pages >= PAGES_PER_CALL) return { messages, next: { lane, offset: at } };
      }
    }
    return { messages };
  }

  async #first(
    { queueId }: QueueRecord,
    lane: LaneId,
    { from, since }: { from?: { lane: LaneId; offset: number }; since?: EpochMs },
  ): Promise<Offset> {
    if (from?.lane === lane) return offset(from.offset);
    return since === undefined ? offset(0) : this.#starts.since(queueId, lane, since);
  }

  /** @throws LaneError `queue-not-found`, `message-not-found` */
  async lookUp(name: QueueName, id: string): Promise<LookedUpMessage> {
    const record = await this.#catalog.get(name);
    const timer = parseTimerId(id);
    const found = timer?.queueId === record.queueId ? await this.#timers.find(timer) : undefined;
    if (found?.is === "waiting") return this.#waiting(record, id, found.message);
    const place = found?.is === "promoted" ? found.place : (timer ?? parseMessageId(id));
    if (place === undefined)
      throw new LaneError("message-not-found", `"${id}" is not a message id.`);
    if (place.queueId !== record.queueId) {
      throw new LaneError(
        "message-not-found",
        `The message "${id}" was not sent to this queue "${name}"; a moved message is found by its place.`,
      );
    }
    if (!("lane" in place)) throw gone(id);
    const entry = await this.#log.holding(record.queueId, place.lane, place.offset);
    const message = entry?.messages?.[place.offset - entry.offset];
    const body = message === undefined ? undefined : await this.#log.body(record.queueId, message);
    if (message === undefined || body === undefined) throw gone(id);
    const groups = await this.#groups.all(record);
    const states = await Promise.all(
      groups.map(
        async (queue) =>
          [queue.group.name, await this.#lives.of(queue, place, message, body)] as const,
      ),
    );
    return { ...messageView(place, message, body), groups: Object.fromEntries(states) };
  }

  async #waiting(
    record: QueueRecord,
    id: string,
    message: StoredMessage,
  ): Promise<LookedUpMessage> {
    const body = await this.#log.body(record.queueId, message);
    if (body === undefined) throw gone(id);
    const { deliverAt, ...view } = scheduledView(message, id, body);
    const state = { state: "scheduled", deliverAt } as const;
    const groups = await this.#groups.all(record);
    return { ...view, groups: Object.fromEntries(groups.map(({ group }) => [group.name, state])) };
  }

  async #page(record: QueueRecord, lane: LaneId, at: Offset): Promise<readonly LogEntry[]> {
    const holding = at === 0 ? undefined : await this.#log.holding(record.queueId, lane, at);
    const page = await this.#log.query(record.queueId, lane, {
      from: holding?.offset ?? at,
      limit: ENTRIES_PER_PAGE,
    });
    return page.entries;
  }
}

const gone = (id: string): LaneError =>
  new LaneError(
    "message-not-found",
    `The message "${id}" has expired, or has been erased or cancelled.`,
  );

function* live(
  entries: readonly LogEntry[],
  { record, lane, at, now }: { record: QueueRecord; lane: LaneId; at: Offset; now: number },
): Generator<{ message: StoredMessage; place: Place }> {
  for (const entry of entries) {
    for (const [index, message] of (entry.messages ?? []).entries()) {
      const here = offset(entry.offset + index);
      if (here >= at && message.expiresAt > now)
        yield { message, place: { queueId: record.queueId, lane, offset: here } };
    }
  }
}
