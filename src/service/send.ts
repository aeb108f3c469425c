/**
 * Send: messages into entries, entries onto a lane.
 *
 * A sender picks an open lane at random and keeps it until it meets another sender there. What one
 * process sends at the same time goes as one entry (group commit). Senders that keep meeting double the
 * queue's lanes.
 *
 * S2  Every message gets its own answer: stored, surely not stored, or unknown.
 */
import { isLaneError, LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { OutgoingMessage, StoredMessage } from "../core/message.ts";
import { packedBytes } from "../core/packing.ts";
import type { QueueRecord } from "../core/queue.ts";
import { messageId } from "../core/receipt.ts";
import { scheduleError, stampOf } from "../core/timer.ts";
import type { Stamp } from "../core/timer.ts";
import type { EpochMs, LaneId, Offset, QueueName } from "../core/types.ts";
import type { SendResult } from "./api.ts";
import type { Appender } from "./append.ts";
import type { Bell } from "./bell.ts";
import type { Catalog } from "./catalog.ts";
import { Combiner } from "./combiner.ts";
import { backoffMs } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { LaneKeeper } from "./lanes.ts";
import { writeParts } from "./parts.ts";
import type { Timers } from "./timers.ts";
import { boundedCache } from "./cache.ts";

/** Conflicts of one append after which the queue gets more lanes, and the sender tries another. */
const PATIENCE = 3;
const LANE_ATTEMPTS = 12;

interface Chunk {
  readonly record: QueueRecord;
  readonly lane: LaneId;
  readonly messages: readonly StoredMessage[];
  readonly bytes: number;
  /** No other lane will be tried: conflicts are followed for longer. */
  readonly isLastTry: boolean;
}

type Stored = { readonly at: Offset } | "ended" | "crowded";

export class Sender {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #appender: Appender;
  readonly #lanes: LaneKeeper;
  readonly #bell: Bell;
  readonly #timers: Timers;
  readonly #appends: Combiner<Chunk, Stored>;
  readonly #kept = boundedCache<LaneId>(1_000);

  constructor(
    deps: Deps,
    catalog: Catalog,
    appender: Appender,
    lanes: LaneKeeper,
    bell: Bell,
    timers: Timers,
  ) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#appender = appender;
    this.#lanes = lanes;
    this.#bell = bell;
    this.#timers = timers;
    this.#appends = new Combiner((chunks) => this.#append(chunks), { weigh: share, maxWeight: 1 });
  }

  /** @throws LaneError `queue-not-found`, `message-too-large`; the store's, where nothing was stored. */
  async send(
    name: QueueName,
    messages: readonly OutgoingMessage[],
  ): Promise<readonly SendResult[]> {
    const record = await this.#catalog.get(name);
    if (messages.length === 0) return [];
    checkSizes(record, messages);
    const now = this.#deps.clock.now();
    checkSchedules(messages, now);
    const stamped = messages.map((message) => {
      const stamp = stampOf(message, record.settings, now);
      return { message: stampedMessage(message, stamp), stamp };
    });
    const ready = stamped.filter(({ stamp }) => stamp.promoteAt === undefined);
    const [appended, scheduled] = await Promise.all([
      this.#appendAll(name, record, ready),
      this.#schedule(record, stamped),
    ]);
    const outcomes = stamped.map(
      ({ stamp }) => (stamp.promoteAt === undefined ? appended : scheduled).shift() ?? UNANSWERED,
    );
    if (outcomes.every((outcome) => outcome instanceof LaneError)) {
      throw outcomes.find((error) => isLaneError(error, "outcome-unknown")) ?? outcomes[0];
    }
    return outcomes.map((outcome, index) => answer(outcome, stamped[index]?.stamp));
  }

  async #appendAll(
    name: QueueName,
    record: QueueRecord,
    stamped: readonly { readonly message: StoredMessage }[],
  ): Promise<(string | LaneError)[]> {
    const whole = await Promise.all(
      stamped.map(({ message }) => writeParts(this.#deps, record.queueId, message)),
    );
    const chunks = chunksOf(whole);
    const results = await Promise.all(chunks.map((chunk) => this.#send(name, record, chunk)));
    if (results.some((result) => result.ids !== undefined)) this.#bell.ring(record.queueId);
    return results.flatMap(({ ids, error }, index) =>
      (chunks[index] ?? []).map((_, place) => ids?.[place] ?? error ?? UNANSWERED),
    );
  }

  async #schedule(
    record: QueueRecord,
    stamped: readonly { readonly message: StoredMessage; readonly stamp: Stamp }[],
  ): Promise<(string | LaneError)[]> {
    const waiting = stamped.flatMap(({ message, stamp: { promoteAt } }) =>
      promoteAt === undefined ? [] : [{ message, at: promoteAt }],
    );
    return waiting.length === 0 ? [] : [...(await this.#timers.put(record, waiting))];
  }

  async #send(
    name: QueueName,
    first: QueueRecord,
    messages: readonly StoredMessage[],
  ): Promise<{ ids?: readonly string[]; error?: LaneError }> {
    const bytes = messages.reduce((sum, message) => sum + packedBytes(message), 0);
    let record = first;
    try {
      for (let attempt = 0; attempt < LANE_ATTEMPTS; attempt++) {
        const lane = this.#laneOf(record);
        const stored = await this.#appends.submit(`${record.queueId}#${lane}`, {
          record,
          lane,
          messages,
          bytes,
          isLastTry: attempt === LANE_ATTEMPTS - 1,
        });
        if (stored !== "ended" && stored !== "crowded") {
          return {
            ids: messages.map((_, index) =>
              messageId({ queueId: record.queueId, lane, offset: (stored.at + index) as Offset }),
            ),
          };
        }
        if (stored === "crowded")
          await this.#deps.sleep(backoffMs(this.#deps, Math.min(attempt, 5), 8, 200));
        record = await this.#catalog.fresh(name);
      }
      throw new LaneError(
        "throttled",
        `The lanes of the queue "${name}" are changing; nothing was stored.`,
      );
    } catch (error) {
      if (isLaneError(error)) return { error };
      throw error;
    }
  }

  /** A random one, kept for as long as nobody else appends there: its tail is then known. */
  #laneOf(record: QueueRecord): LaneId {
    const { open } = record.lanes;
    const kept = this.#kept.get(record.queueId);
    if (kept !== undefined && open.includes(kept)) return kept;
    const lane = open[Math.floor(this.#deps.random() * open.length)] as LaneId;
    this.#kept.set(record.queueId, lane);
    return lane;
  }

  /** All chunks are for one lane of one queue. */
  async #append(chunks: readonly Chunk[]): Promise<readonly Stored[]> {
    const [first] = chunks;
    if (first === undefined) return [];
    const { record, lane } = first;
    const isLast = chunks.some((chunk) => chunk.isLastTry);
    const appended = await this.#appender.append(
      record.queueId,
      lane,
      chunks.flatMap((chunk) => chunk.messages),
      isLast ? undefined : PATIENCE,
    );
    if (appended === "crowded") await this.#lanes.grow(record).catch(() => undefined);
    if (appended === "ended" || appended === "crowded") {
      this.#kept.delete(record.queueId);
      return chunks.map(() => appended);
    }
    if (appended.conflicts > 0) this.#kept.delete(record.queueId);
    let at: number = appended.at;
    return chunks.map((chunk) => {
      const stored = { at: at as Offset };
      at += chunk.messages.length;
      return stored;
    });
  }
}

/** What a chunk takes of an entry's room, by messages or by bytes. */
const share = (chunk: Chunk): number =>
  Math.max(chunk.messages.length / LIMITS.entryMessages, chunk.bytes / LIMITS.entryRawBytes);

const UNANSWERED = new LaneError("internal", "");

function answer(outcome: string | LaneError, stamp: Stamp | undefined): SendResult {
  if (outcome instanceof LaneError)
    return {
      error: { code: outcome.code, detail: outcome.message, retryable: outcome.retryable },
    };
  return {
    id: outcome,
    ...(stamp?.promoteAt === undefined ? {} : { deliverAt: stamp.times.visibleAt }),
    ...(stamp?.isPast === true ? { isPast: true as const } : {}),
  };
}

/** M2: times are fixed here and never change. */
const stampedMessage = (message: OutgoingMessage, { times }: Stamp): StoredMessage => ({
  kind: message.kind,
  body: message.body,
  contentType: message.contentType,
  headers: message.headers,
  ...(message.key === undefined ? {} : { key: message.key }),
  ...times,
});

function checkSchedules(messages: readonly OutgoingMessage[], now: EpochMs): void {
  const errors = messages.flatMap((message, index) => {
    const error = scheduleError(message, now);
    return error === undefined
      ? []
      : [{ path: `messages[${index}].${error.field}`, message: error.message }];
  });
  const [first] = errors;
  if (first !== undefined)
    throw new LaneError("invalid-request", `${first.path} ${first.message}.`, { errors });
}

function checkSizes(record: QueueRecord, messages: readonly OutgoingMessage[]): void {
  const max = record.settings.maxMessageBytes;
  const errors = messages.flatMap((message, index) => {
    const bytes = messageBytes(message);
    return bytes <= max
      ? []
      : [
          {
            path: `messages[${index}]`,
            message: `is ${bytes} bytes with its headers; the queue takes ${max}`,
          },
        ];
  });
  if (errors.length > 0)
    throw new LaneError(
      "message-too-large",
      `A message is larger than the ${max} bytes that the queue "${record.name}" takes.`,
      { errors },
    );
}

/** Body and headers, in UTF-8 bytes: what `maxMessageBytes` limits. */
function messageBytes(message: OutgoingMessage): number {
  let bytes = message.body.length;
  for (const name in message.headers)
    bytes += Buffer.byteLength(name) + Buffer.byteLength(message.headers[name] ?? "");
  return bytes;
}

/** Messages in runs that one entry takes each. */
export function chunksOf(messages: readonly StoredMessage[]): StoredMessage[][] {
  const chunks: StoredMessage[][] = [];
  let chunk: StoredMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    const more = packedBytes(message);
    if (
      chunk.length > 0 &&
      (chunk.length >= LIMITS.entryMessages || bytes + more > LIMITS.entryRawBytes)
    ) {
      chunks.push(chunk);
      chunk = [];
      bytes = 0;
    }
    chunk.push(message);
    bytes += more;
  }
  if (chunk.length > 0) chunks.push(chunk);
  return chunks;
}
