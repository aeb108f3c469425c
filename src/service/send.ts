/**
 * Send: messages into entries, entries onto a lane.
 *
 * A sender picks an open lane at random and keeps it until it meets another sender there. What one
 * process sends at the same time goes as one entry (group commit). Senders that keep meeting double the
 * queue's lanes.
 *
 * S1  Parts are written before the entry that names them.
 * S2  Every message gets its own answer: stored, surely not stored, or unknown.
 */
import { isLaneError, LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { OutgoingMessage, StoredMessage } from "../core/message.ts";
import { packedBytes } from "../core/packing.ts";
import type { QueueRecord } from "../core/queue.ts";
import { messageId } from "../core/receipt.ts";
import { epochMs } from "../core/types.ts";
import type { EpochMs, LaneId, Offset, QueueId, QueueName } from "../core/types.ts";
import { partKey } from "../store/keys.ts";
import type { Item } from "../store/port.ts";
import type { SendResult } from "./api.ts";
import type { Appender } from "./append.ts";
import type { Bell } from "./bell.ts";
import type { Catalog } from "./catalog.ts";
import { Combiner } from "./combiner.ts";
import { backoffMs, randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { LaneKeeper } from "./lanes.ts";
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
  readonly #appends: Combiner<Chunk, Stored>;
  readonly #kept = boundedCache<LaneId>(1_000);

  constructor(deps: Deps, catalog: Catalog, appender: Appender, lanes: LaneKeeper, bell: Bell) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#appender = appender;
    this.#lanes = lanes;
    this.#bell = bell;
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
    const stored = messages.map((message) => stamp(message, record, now));
    const whole = await Promise.all(
      stored.map((message) => writeParts(this.#deps, record.queueId, message)),
    );
    const chunks = chunksOf(whole);
    const results = await Promise.all(chunks.map((chunk) => this.#send(name, record, chunk)));
    if (results.every((result) => result.error !== undefined)) {
      throw (
        results.find((result) => isLaneError(result.error, "outcome-unknown"))?.error ??
        results[0]?.error
      );
    }
    this.#bell.ring(record.queueId);
    return results.flatMap(({ ids, error }, index) =>
      (chunks[index] ?? []).map((_, place) => answer(ids?.[place], error)),
    );
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

const answer = (id: string | undefined, error: LaneError | undefined): SendResult =>
  id !== undefined
    ? { id }
    : {
        error: {
          code: error?.code ?? "internal",
          detail: error?.message ?? "",
          retryable: error?.retryable ?? false,
        },
      };

/** M2: times are fixed here and never change. */
function stamp(message: OutgoingMessage, record: QueueRecord, now: EpochMs): StoredMessage {
  return {
    kind: message.kind,
    body: message.body,
    contentType: message.contentType,
    headers: message.headers,
    ...(message.key === undefined ? {} : { key: message.key }),
    sentAt: now,
    expiresAt: epochMs(now + record.settings.retentionSeconds * 1000),
    visibleAt: epochMs(now + record.settings.delaySeconds * 1000),
  };
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

/** S1. A message too large for an entry, with its body in parts; others as they are. */
export async function writeParts(
  deps: Deps,
  queue: QueueId,
  message: StoredMessage,
): Promise<StoredMessage> {
  if (message.body.length <= LIMITS.inlineMessageBytes) return message;
  const name = randomId(deps, 12);
  const count = Math.ceil(message.body.length / LIMITS.partBytes);
  // Nobody reads a body past its message's expiry, so parts need not wait for an entry that lives longer.
  const ttl = Math.ceil((message.expiresAt + LIMITS.entryTtlAfterExpiryMs) / 1000);
  await Promise.all(
    Array.from({ length: count }, (_, number) => {
      const body = message.body.subarray(
        number * LIMITS.partBytes,
        (number + 1) * LIMITS.partBytes,
      );
      return putPart(deps, { ...partKey(queue, name, number), body, ttl });
    }),
  );
  return { ...message, body: new Uint8Array(), parts: { name, count, bytes: message.body.length } };
}

/** Parts have random names and one content, so that writing one twice changes nothing. */
async function putPart(deps: Deps, part: Item): Promise<void> {
  try {
    await deps.store.put("lanes", part);
  } catch (error) {
    if (!isLaneError(error, "outcome-unknown")) throw error;
    await deps.store.put("lanes", part);
  }
}
