/**
 * Send: messages into entries on lanes (`lane-writer.ts`), or on timers until they are due.
 *
 * S2  Every message gets its own answer: stored, surely not stored, or unknown.
 */
import { runsOf } from "../core/chunks.ts";
import { dedupName, dedupOf } from "../core/dedup.ts";
import { isLaneError, LaneError } from "../core/errors.ts";
import type { FieldError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { originOf } from "../core/message.ts";
import type { OutgoingMessage, StoredMessage } from "../core/message.ts";
import { packedBytes } from "../core/packing.ts";
import type { QueueRecord } from "../core/queue.ts";
import { messageId } from "../core/receipt.ts";
import { scheduleError, stampOf } from "../core/timer.ts";
import type { Stamp } from "../core/timer.ts";
import type { EpochMs, QueueName } from "../core/types.ts";
import type { SendResult } from "./api.ts";
import type { Bell } from "./bell.ts";
import type { Catalog } from "./catalog.ts";
import type { Deps } from "./deps.ts";
import { onceUnit } from "./intents.ts";
import type { OnceUnit } from "./intents.ts";
import type { LaneWriter, Parcel } from "./lane-writer.ts";
import { writeParts } from "./parts.ts";
import type { Timers } from "./timers.ts";

/** A message with its times, and what it is remembered by. */
interface Stamped {
  readonly message: StoredMessage;
  readonly stamp: Stamp;
}

type Outcome = { readonly id: string; readonly isRepeat?: boolean } | LaneError;

export class Sender {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #writer: LaneWriter;
  readonly #bell: Bell;
  readonly #timers: Timers;

  constructor(deps: Deps, catalog: Catalog, writer: LaneWriter, bell: Bell, timers: Timers) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#writer = writer;
    this.#bell = bell;
    this.#timers = timers;
  }

  /** @throws LaneError `queue-not-found`, `message-too-large`; the store's, where nothing was stored. */
  async send(
    name: QueueName,
    messages: readonly OutgoingMessage[],
  ): Promise<readonly SendResult[]> {
    const record = await this.#catalog.get(name);
    if (messages.length === 0) return [];
    checkSizes(record, messages);
    checkOrder(record, messages);
    const now = this.#deps.clock.now();
    checkSchedules(messages, now);
    const stamped = messages.map((message) => stampedMessage(message, record, now));
    checkDedup(stamped);
    const ready = stamped.filter(({ stamp }) => stamp.promoteAt === undefined);
    const [appended, scheduled] = await Promise.all([
      this.#appendAll(name, record, ready, now),
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
    stamped: readonly Stamped[],
    now: EpochMs,
  ): Promise<Outcome[]> {
    const parcels = await Promise.all(
      stamped.map(({ message }) => this.#parcel(record, message, now)),
    );
    await this.#writer.store(name, record, parcels);
    const outcomes = parcels.map(outcomeOf);
    if (outcomes.some((outcome) => !(outcome instanceof LaneError)))
      this.#bell.ring(record.queueId);
    return outcomes;
  }

  async #parcel(record: QueueRecord, message: StoredMessage, now: EpochMs): Promise<Parcel> {
    const { dedupId } = message;
    if (dedupId === undefined) {
      const whole = await writeParts(this.#deps, record.queueId, message);
      const bytes = packedBytes(whole);
      return { message: whole, unit: undefined, count: 1, bytes, outcome: undefined };
    }
    const windowMs = dedupOf(record.settings).windowSeconds * 1000;
    const ttl = Math.ceil((now + windowMs + LIMITS.dedupSpareMs) / 1000);
    const unit = this.#unit(record, message, dedupId, ttl);
    return { message, unit, count: 1, bytes: slimBytes(message), outcome: undefined };
  }

  /** Parts are written only where the message is to be stored, and not for its repeats. */
  #unit(record: QueueRecord, message: StoredMessage, id: string, ttl: number): OnceUnit {
    let whole: Promise<readonly StoredMessage[]> | undefined;
    const messages = () =>
      (whole ??= writeParts(this.#deps, record.queueId, message).then((one) => [one]));
    return onceUnit({ id, ttl, count: 1, messages });
  }

  async #schedule(record: QueueRecord, stamped: readonly Stamped[]): Promise<Outcome[]> {
    const waiting = stamped.flatMap(({ message, stamp: { promoteAt } }) =>
      promoteAt === undefined ? [] : [{ message, at: promoteAt }],
    );
    if (waiting.length === 0) return [];
    const ids = await this.#timers.put(record, waiting);
    return ids.map((id) => (id instanceof LaneError ? id : { id }));
  }
}

const UNANSWERED = new LaneError("internal", "");

function outcomeOf({ outcome }: Parcel): Outcome {
  if (outcome === undefined) return UNANSWERED;
  return "error" in outcome
    ? outcome.error
    : { id: messageId(outcome.place), isRepeat: outcome.isRepeat };
}

function answer(outcome: Outcome, stamp: Stamp | undefined): SendResult {
  if (outcome instanceof LaneError)
    return {
      error: { code: outcome.code, detail: outcome.message, retryable: outcome.retryable },
    };
  return {
    id: outcome.id,
    ...(outcome.isRepeat === true ? { duplicate: true as const } : {}),
    ...(stamp?.promoteAt === undefined ? {} : { deliverAt: stamp.times.visibleAt }),
    ...(stamp?.isPast === true ? { isPast: true as const } : {}),
  };
}

/** M2: times are fixed here and never change. */
function stampedMessage(message: OutgoingMessage, record: QueueRecord, now: EpochMs): Stamped {
  const stamp = stampOf(message, record.settings, now);
  const dedupId = dedupName(message, dedupOf(record.settings));
  return {
    stamp,
    message: {
      kind: message.kind,
      body: message.body,
      contentType: message.contentType,
      headers: message.headers,
      ...(message.key === undefined ? {} : { key: message.key }),
      ...originOf(message),
      ...(message.id === undefined ? {} : { id: message.id }),
      ...(dedupId === undefined ? {} : { dedupId }),
      ...stamp.times,
    },
  };
}

/** A timer is not yet stored exactly once. */
function checkDedup(stamped: readonly Stamped[]): void {
  const errors = stamped.flatMap(({ message, stamp }, index) =>
    message.dedupId === undefined || stamp.promoteAt === undefined
      ? []
      : [
          {
            path: `messages[${index}].dedupId`,
            message: "is not supported yet for a message that is delayed",
          },
        ],
  );
  const [first] = errors;
  if (first !== undefined)
    throw new LaneError("invalid-request", `${first.path} ${first.message}.`, { errors });
}

export function checkSchedules(messages: readonly OutgoingMessage[], now: EpochMs): void {
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

/** O1: where order is kept, a message's place in it is that of its send, and by key it needs one. */
function checkOrder(record: QueueRecord, messages: readonly OutgoingMessage[]): void {
  const { order } = record.settings;
  if (order === "none") return;
  const errors = messages.flatMap((message, index) => {
    const found: FieldError[] = [];
    if (order === "key" && message.key === undefined)
      found.push({ path: `messages[${index}].key`, message: "is required" });
    for (const field of ["delaySeconds", "deliverAt"] as const)
      if (message[field] !== undefined)
        found.push({ path: `messages[${index}].${field}`, message: "does not go with order" });
    return found;
  });
  if (errors.length > 0)
    throw new LaneError(
      "invalid-request",
      `The queue "${record.name}" keeps order${order === "key" ? " by key" : ""}: ${errors[0]?.path} ${errors[0]?.message}.`,
      { errors },
    );
}

/** Body and headers, in UTF-8 bytes: what `maxMessageBytes` limits. */
export function messageBytes(message: OutgoingMessage): number {
  let bytes = message.body.length;
  for (const name in message.headers)
    bytes += Buffer.byteLength(name) + Buffer.byteLength(message.headers[name] ?? "");
  return bytes;
}

/** Messages in runs that one entry takes each. */
export const chunksOf = (messages: readonly StoredMessage[]): StoredMessage[][] =>
  runsOf(messages, (message) => ({ count: 1, bytes: packedBytes(message) }));

/** What a message takes of an entry, once the parts of a large one stand elsewhere. */
const slimBytes = (message: StoredMessage): number =>
  packedBytes(
    message.body.length <= LIMITS.inlineMessageBytes ? message : { ...message, body: NO_BODY },
  );

const NO_BODY = new Uint8Array();
