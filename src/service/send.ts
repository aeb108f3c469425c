/**
 * Send: messages into entries on lanes (`lane-writer.ts`), or on timers until they are due.
 *
 * S2  Every message gets its own answer: stored, surely not stored, or unknown.
 */
import { runsOf } from "../core/chunks.ts";
import { dedupName, dedupOf, fingerprint } from "../core/dedup.ts";
import { isLaneError, LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { originOf, sharingOf } from "../core/message.ts";
import type { OutgoingMessage, StoredMessage } from "../core/message.ts";
import { packedBytes } from "../core/packing.ts";
import { DEFAULT_PRIORITY } from "../core/priority.ts";
import type { QueueRecord } from "../core/queue.ts";
import { messageId } from "../core/receipt.ts";
import { stampOf } from "../core/timer.ts";
import type { Stamp } from "../core/timer.ts";
import { offset } from "../core/types.ts";
import type { EpochMs, QueueName } from "../core/types.ts";
import type { SendResult } from "./api.ts";
import type { Bell } from "./bell.ts";
import type { Catalog } from "./catalog.ts";
import type { Deps } from "./deps.ts";
import { onceUnit } from "./intents.ts";
import type { OnceUnit } from "./intents.ts";
import type { LaneWriter, Parcel } from "./lane-writer.ts";
import { slimOf, writeParts } from "./parts.ts";
import type { KeyedRequest, Requests } from "./requests.ts";
import { checkDedup, checkOrder, checkSchedules, checkSharing, checkSizes } from "./send-checks.ts";
import type { Timers } from "./timers.ts";

/** A message with its times, and what it is remembered by. */
export interface Stamped {
  readonly message: StoredMessage;
  readonly stamp: Stamp;
}

interface Parcels {
  readonly parcels: readonly Parcel[];
  /** Of the messages of each. */
  readonly indexes: readonly (readonly number[])[];
}

type Outcome = { readonly id: string; readonly isRepeat?: boolean } | LaneError;

export class Sender {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #writer: LaneWriter;
  readonly #requests: Requests;
  readonly #bell: Bell;
  readonly #timers: Timers;

  constructor(
    deps: Deps,
    catalog: Catalog,
    writer: LaneWriter,
    requests: Requests,
    bell: Bell,
    timers: Timers,
  ) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#writer = writer;
    this.#requests = requests;
    this.#bell = bell;
    this.#timers = timers;
  }

  /**
   * @throws LaneError `queue-not-found`, `message-too-large`, `idempotency-key-reused`; the store's, where
   * nothing was stored.
   */
  async send(
    name: QueueName,
    messages: readonly OutgoingMessage[],
    {
      idempotencyKey,
      rememberSeconds = 0,
    }: { idempotencyKey?: string; rememberSeconds?: number } = {},
  ): Promise<readonly SendResult[]> {
    const record = await this.#catalog.get(name);
    if (messages.length === 0) return [];
    checkSizes(record, messages);
    checkOrder(record, messages);
    checkSharing(record, messages);
    const now = this.#deps.clock.now();
    checkSchedules(messages, now);
    const stamped = messages.map((message) => stampedMessage(message, record, now));
    checkDedup(stamped, idempotencyKey);
    const ready = stamped.filter(({ stamp }) => stamp.promoteAt === undefined);
    const [appended, scheduled] = await Promise.all([
      this.#appendAll(
        name,
        record,
        ready.map(({ message }) => message),
        now,
        idempotencyKey === undefined
          ? undefined
          : { key: idempotencyKey, fingerprint: fingerprint(messages) },
        rememberSeconds,
      ),
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
    messages: readonly StoredMessage[],
    now: EpochMs,
    keyed: Pick<KeyedRequest, "key" | "fingerprint"> | undefined,
    rememberSeconds: number,
  ): Promise<Outcome[]> {
    const windowMs = Math.max(dedupOf(record.settings).windowSeconds, rememberSeconds) * 1000;
    const ttl = Math.ceil((now + windowMs + LIMITS.dedupSpareMs) / 1000);
    const outcomes: Outcome[] = [];
    const { parcels, indexes } =
      keyed === undefined
        ? await this.#parcels(record, messages, ttl)
        : await this.#keyedParcels(name, record, messages, { ttl, ...keyed });
    await this.#writer.store(name, record, parcels);
    for (const [at, parcel] of parcels.entries())
      for (const [place, index] of (indexes[at] ?? []).entries())
        outcomes[index] = outcomeOf(parcel, place);
    if (outcomes.some((outcome) => !(outcome instanceof LaneError)))
      this.#bell.ring(record.queueId);
    return outcomes;
  }

  async #parcels(
    record: QueueRecord,
    messages: readonly StoredMessage[],
    ttl: number,
  ): Promise<Parcels> {
    const parcels = await Promise.all(
      messages.map(async (message) => {
        if (message.dedupId !== undefined) return this.#parcelOnce(record, message, ttl);
        return plainParcel(await writeParts(this.#deps, record, message));
      }),
    );
    return { parcels, indexes: messages.map((_, index) => [index]) };
  }

  /** Messages with ids of their own are stored by those; the request's record is for the others. */
  async #keyedParcels(
    name: QueueName,
    record: QueueRecord,
    messages: readonly StoredMessage[],
    request: KeyedRequest,
  ): Promise<Parcels> {
    const entries = [...messages.entries()];
    const own = entries.filter(([, { dedupId }]) => dedupId !== undefined);
    const slim = new Map(
      entries
        .filter(([, { dedupId }]) => dedupId === undefined)
        .map(([index, message]) => [plainParcel(slimOf(message)), index]),
    );
    const planned = await this.#writer.plan(name, record, [...slim.keys()]);
    if (planned.length === 0 && slim.size > 0)
      throw new LaneError(
        "throttled",
        `The lanes of the queue "${name}" are changing; nothing was stored.`,
      );
    const proposed = planned.map(({ lane, parcels }) => ({
      lane,
      indexes: parcels.map((parcel) => slim.get(parcel) ?? 0),
    }));
    const slots = await this.#requests.open(record, request, messages, proposed);
    const shared = slots.flatMap(({ unit, indexes }) => {
      const inSlot = indexes.flatMap((index) => messages[index] ?? []);
      const bytes = inSlot.reduce((sum, message) => sum + packedBytes(slimOf(message)), 0);
      const [first] = inSlot;
      return first === undefined ? [] : [{ ...onceParcel(first, unit), bytes }];
    });
    return {
      parcels: [...shared, ...own.map(([, one]) => this.#parcelOnce(record, one, request.ttl))],
      indexes: [...slots.map(({ indexes }) => indexes), ...own.map(([index]) => [index])],
    };
  }

  /** Parts are written only where the message is to be stored, and not for its repeats. */
  #parcelOnce(record: QueueRecord, message: StoredMessage, ttl: number): Parcel {
    let whole: Promise<readonly StoredMessage[]> | undefined;
    const messages = () => (whole ??= writeParts(this.#deps, record, message).then((one) => [one]));
    return onceParcel(message, onceUnit({ id: message.dedupId ?? "", ttl, count: 1, messages }));
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

/** Of the message at a place within the parcel. */
function outcomeOf({ outcome }: Parcel, at: number): Outcome {
  if (outcome === undefined) return UNANSWERED;
  if ("error" in outcome) return outcome.error;
  const { place, isRepeat } = outcome;
  return { id: messageId({ ...place, offset: offset(place.offset + at) }), isRepeat };
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
  const dedupId = dedupName(message, dedupOf(record.settings), record.clearedAt);
  return {
    stamp,
    message: {
      kind: message.kind,
      body: message.body,
      contentType: message.contentType,
      headers: message.headers,
      ...(message.key === undefined ? {} : { key: message.key }),
      ...sharingOf(message),
      ...(record.settings.priorities === false
        ? {}
        : { priority: message.priority ?? DEFAULT_PRIORITY }),
      ...originOf(message),
      ...(message.id === undefined ? {} : { id: message.id }),
      ...(message.sqs === undefined ? {} : { sqs: message.sqs }),
      ...(dedupId === undefined ? {} : { dedupId }),
      ...stamp.times,
    },
  };
}

/** Messages in runs that one entry takes each. */
export const chunksOf = (messages: readonly StoredMessage[]): StoredMessage[][] =>
  runsOf(messages, (message) => ({ count: 1, bytes: packedBytes(message) }));

const plainParcel = (message: StoredMessage): Parcel => ({
  message,
  unit: undefined,
  count: 1,
  bytes: packedBytes(message),
  outcome: undefined,
});

const onceParcel = (message: StoredMessage, unit: OnceUnit): Parcel => ({
  message,
  unit,
  count: unit.count,
  bytes: packedBytes(slimOf(message)),
  outcome: undefined,
});
