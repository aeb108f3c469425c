/**
 * One queue: its calls, with bodies as values and, if it has a schema, checked both ways. Longer than
 * most files, for it has a method for each call.
 *
 * V1  What does not fit the schema is never handed out: it goes to `onInvalid.queue` with its reasons
 *     and is acked there, or is released as a failed attempt, so that `maxReceives` takes it to the
 *     queue's own dead-letter queue. Nothing is acked before it is stored elsewhere.
 */
import { LIMITS } from "../core/limits.ts";
import { asideOf } from "./aside.ts";
import type { Misfit } from "./aside.ts";
import { LaneMQError } from "./errors.ts";
import { Group } from "./group.ts";
import { decodeMessage, encodeBody, encodeMessage } from "./message.ts";
import type {
  BrowsedMessage,
  LookedUpMessage,
  Message,
  OutgoingMessage,
  ScheduledMessage,
  SendOptions,
} from "./message.ts";
import { after, pages } from "./pages.ts";
import { Producer } from "./producer.ts";
import type { ProducerOptions } from "./producer.ts";
import { check, demandFit } from "./schema.ts";
import type { Schema } from "./schema.ts";
import { chunksOf, isScheduled, sendOnce } from "./send.ts";
import type { Encoded, SendCallOptions } from "./send.ts";
import type { Tracing } from "./tracing.ts";
import type { CallOptions, Transport } from "./transport.ts";
import type {
  AnswerOf,
  BodyOf,
  BrowsedJson,
  LookedUpJson,
  Operation,
  PathOf,
  QueryOf,
  QueueSettings,
  QueueView,
  ReceiptResult,
  ReceivedJson,
  ReceiveRequest,
  ScheduledJson,
  SendResult,
} from "./wire.ts";
import { Worker } from "./worker.ts";
import type { Handler, WorkerOptions } from "./worker-options.ts";

export interface QueueOptions<In = unknown, Out = unknown> {
  readonly schema?: Schema<In, Out>;
  /** Of messages that do not fit the schema. Absent: they are released as failed attempts. */
  readonly onInvalid?: {
    /** Where they are put, with the headers `lanemq-invalid`, `-queue` and `-id`. */
    readonly queue: string;
  };
}

/** What a queue needs of its client. */
export interface Client {
  readonly transport: Transport;
  readonly tracing: () => Promise<Tracing>;
  call<O extends Operation>(
    operation: O,
    request: {
      readonly path: PathOf<O>;
      readonly query?: QueryOf<O>;
      readonly body?: BodyOf<O>;
    } & CallOptions,
  ): Promise<AnswerOf<O>>;
}

/** A message, or its receipt. */
export type Receipt = string | { readonly receipt: string };

export interface Taken<T> {
  readonly messages: readonly Message<T>[];
  readonly invalid: readonly Misfit[];
}

const BROWSE_PAGE = 100;

export class Queue<In = unknown, Out = In> {
  readonly name: string;
  readonly #client: Client;
  readonly #options: QueueOptions<In, Out>;

  constructor(client: Client, name: string, options: QueueOptions<In, Out> = {}) {
    this.name = name;
    this.#client = client;
    this.#options = options;
  }

  /** Creates the queue, or replaces the whole of its settings. */
  create(settings: QueueSettings = {}, options: CallOptions = {}): Promise<QueueView> {
    return this.#client.call("putQueue", { ...options, path: this.#path, body: settings });
  }

  /** Changes the settings given, and no other. */
  update(settings: QueueSettings, options: CallOptions = {}): Promise<QueueView> {
    return this.#client.call("patchQueue", { ...options, path: this.#path, body: settings });
  }

  /** Settings, depth, and the age of the oldest ready message. */
  info(options: CallOptions = {}): Promise<QueueView> {
    return this.#client.call("getQueue", { ...options, path: this.#path });
  }

  /** Deletes the queue and all of its messages. */
  async delete(options: CallOptions = {}): Promise<void> {
    await this.#client.call("deleteQueue", { ...options, path: this.#path });
  }

  /** Drops all messages that are in the queue now. */
  async purge(options: CallOptions = {}): Promise<void> {
    await this.#client.call("purgeQueue", { ...options, path: this.#path });
  }

  /** Moves dead letters back, or to another queue. One call works for about 15 s: see `remaining`. */
  redrive(
    request: BodyOf<"redrive"> = {},
    options: CallOptions = {},
  ): Promise<AnswerOf<"redrive">> {
    return this.#client.call("redrive", { ...options, path: this.#path, body: request });
  }

  /**
   * Sends one message.
   * @throws LaneMQError also for what `sendBatch` gives as a result
   */
  async send(
    body: In | Uint8Array,
    message: SendOptions = {},
    options: SendCallOptions = {},
  ): Promise<{ readonly id: string; readonly duplicate?: true }> {
    const [result] = await this.sendBatch([{ ...message, body }], options);
    if (result === undefined) throw new LaneMQError("internal", "The answer has no result.");
    if ("error" in result) {
      const { code, detail, retryable } = result.error;
      throw new LaneMQError(code, detail, { retryable });
    }
    return result;
  }

  /**
   * Sends messages in as few requests as they fit in, and gives one result a message, in order. It
   * throws where a request failed as a whole; requests before it have stored theirs.
   */
  async sendBatch(
    messages: readonly OutgoingMessage<In>[],
    options: SendCallOptions = {},
  ): Promise<SendResult[]> {
    const bodies = messages.map(({ body }) => encodeBody(body));
    const { schema } = this.#options;
    if (schema !== undefined) for (const { body } of messages) await demandFit(schema, body);
    const tracing = await this.#client.tracing();
    return tracing.sending(this.name, messages.length, async (headers) => {
      const results: SendResult[] = [];
      const encoded = messages.map((message, index) => ({
        text: encodeMessage(bodies[index] ?? "", message, headers),
        isScheduled: isScheduled(message),
      }));
      for (const [index, chunk] of chunksOf(encoded).entries()) {
        const { idempotencyKey: key } = options;
        const idempotencyKey = key === undefined || index === 0 ? key : `${key}.${index}`;
        results.push(...(await this.sendEncoded(chunk, { ...options, idempotencyKey })));
      }
      return results;
    });
  }

  /** Leases messages, waiting for some if there are none and `waitSeconds` says so. */
  async receive(request: ReceiveRequest = {}, options: CallOptions = {}): Promise<Message<Out>[]> {
    const { messages, invalid } = await this.take(request, options);
    await this.putAside(invalid, options);
    return [...messages];
  }

  /** Says that messages are done with. One result a receipt, in order. */
  ack(receipts: Receipt | readonly Receipt[], options: CallOptions = {}): Promise<ReceiptResult[]> {
    return this.#receipts("ack", receipts, {}, options);
  }

  /** Gives messages back, at once or after `delaySeconds`. */
  release(
    receipts: Receipt | readonly Receipt[],
    request: Omit<BodyOf<"release">, "receipts"> = {},
    options: CallOptions = {},
  ): Promise<ReceiptResult[]> {
    return this.#receipts("release", receipts, request, options);
  }

  /** Keeps messages for `leaseSeconds` from now. A result's `receipt` replaces the one given. */
  extend(
    receipts: Receipt | readonly Receipt[],
    leaseSeconds: number,
    options: CallOptions = {},
  ): Promise<ReceiptResult[]> {
    return this.#receipts("extend", receipts, { leaseSeconds }, options);
  }

  /** All that is stored, acked messages included, lane by lane, as far as you read on. */
  async *browse(
    query: QueryOf<"browse"> = {},
    options: CallOptions = {},
  ): AsyncGenerator<BrowsedMessage, void, undefined> {
    const page = (from = query.from) =>
      this.#client.call("browse", {
        ...options,
        path: this.#path,
        query: { limit: BROWSE_PAGE, ...query, ...(from === undefined ? {} : { from }) },
      });
    for await (const { messages } of pages(page)) {
      for (const message of messages) yield decodeMessage<BrowsedJson>(message);
    }
  }

  /** What waits on a schedule, soonest first. */
  async *scheduled(options: CallOptions = {}): AsyncGenerator<ScheduledMessage, void, undefined> {
    const page = (cursor: string | undefined) =>
      this.#client.call("listScheduled", { ...options, path: this.#path, query: after(cursor) });
    for await (const { messages } of pages(page)) {
      for (const message of messages) yield decodeMessage<ScheduledJson>(message);
    }
  }

  /** Cancels a scheduled message. */
  async cancel(id: string, options: CallOptions = {}): Promise<void> {
    await this.#client.call("cancelScheduled", { ...options, path: { queue: this.name, id } });
  }

  /** One message, by its id or place, and its state. */
  async find(id: string, options: CallOptions = {}): Promise<LookedUpMessage> {
    const path = { queue: this.name, id };
    return decodeMessage<LookedUpJson>(await this.#client.call("lookUp", { ...options, path }));
  }

  /** A consumer group of this name, whether it exists or not. */
  group(name: string): Group {
    return new Group(this.#client, this.name, name);
  }

  /** All groups, the default one first. */
  async groups(options: CallOptions = {}): Promise<AnswerOf<"listGroups">["groups"]> {
    return (await this.#client.call("listGroups", { ...options, path: this.#path })).groups;
  }

  /** Collects single sends into batches. */
  producer(options: ProducerOptions = {}): Producer<In> {
    const { schema } = this.#options;
    return new Producer(this, this.#client, schema, options);
  }

  /** Starts a worker: see `WorkerOptions`. */
  worker(handler: Handler<Out>, options: WorkerOptions = {}): Worker<Out> {
    return new Worker(this, this.#client, handler, options);
  }

  /** @internal Leases messages and leaves those that do not fit to the caller. */
  async take(request: ReceiveRequest, options: CallOptions): Promise<Taken<Out>> {
    const waits = request.waitSeconds ?? LIMITS.waitSecondsMax;
    const answer = await this.#client.call("receive", {
      timeoutSeconds: waits + ANSWER_SECONDS,
      ...options,
      path: this.#path,
      body: request,
    });
    const received = answer.messages.map((json) => decodeMessage<ReceivedJson>(json));
    const { schema } = this.#options;
    if (schema === undefined) return { messages: received as Message<Out>[], invalid: [] };
    const messages: Message<Out>[] = [];
    const invalid: Misfit[] = [];
    for (const message of received) {
      const result = await check(schema, message.body);
      if (result.ok) messages.push({ ...message, body: result.value });
      else invalid.push({ message, errors: result.errors });
    }
    return { messages, invalid };
  }

  /** @internal V1 */
  async putAside(invalid: Taken<Out>["invalid"], options: CallOptions): Promise<void> {
    if (invalid.length === 0) return;
    const { onInvalid } = this.#options;
    const all = invalid.map(({ message }) => message);
    if (onInvalid === undefined) {
      await this.release(all, {}, options);
      return;
    }
    const aside = new Queue(this.#client, onInvalid.queue);
    const results = await aside.sendBatch(
      invalid.map((misfit) => asideOf(this.name, misfit)),
      options,
    );
    const stored = all.filter((_, index) => "id" in (results[index] ?? {}));
    const others = all.filter((message) => !stored.includes(message));
    if (stored.length > 0) await this.ack(stored, options);
    if (others.length > 0) await this.release(others, {}, options);
  }

  /** @internal One request. */
  sendEncoded(
    messages: readonly Encoded[],
    options: SendCallOptions,
  ): Promise<readonly SendResult[]> {
    return sendOnce(this.#client.transport, this.name, messages, options);
  }

  async #receipts(
    operation: "ack" | "release" | "extend",
    given: Receipt | readonly Receipt[],
    request: object,
    options: CallOptions,
  ): Promise<ReceiptResult[]> {
    const receipts = [given].flat().map((one) => (typeof one === "string" ? one : one.receipt));
    const results: ReceiptResult[] = [];
    for (let at = 0; at < receipts.length; at += LIMITS.receiptsPerCall) {
      const some = receipts.slice(at, at + LIMITS.receiptsPerCall);
      const body = { ...request, receipts: some } as BodyOf<typeof operation>;
      const answer = await this.#client.call(operation, { ...options, path: this.#path, body });
      results.push(...answer.results);
    }
    return results;
  }

  get #path(): { readonly queue: string } {
    return { queue: this.name };
  }
}

/** Beside the wait: to connect, and for the answer to come. */
const ANSWER_SECONDS = 10;
