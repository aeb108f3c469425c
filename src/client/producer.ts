/**
 * Single sends, collected for some milliseconds into one request.
 *
 * P1  Each caller gets the result of their own message: one that the service refuses does not fail
 *     those that happened to travel with it, which are sent again without it.
 * P2  Memory is bounded: beyond `maxBuffered` or `maxBufferedBytes` a send is refused at once.
 *     `ready()` is the back-pressure for those who produce faster than that.
 */
import { LIMITS } from "../core/limits.ts";
import type { Code } from "../core/errors.ts";
import { Batcher } from "./batcher.ts";
import type { Outcome } from "./batcher.ts";
import { sleep } from "./effects.ts";
import { LaneMQError } from "./errors.ts";
import { encodeBody, encodeMessage } from "./message.ts";
import type { SendOptions } from "./message.ts";
import type { Client } from "./queue.ts";
import { demandFit } from "./schema.ts";
import type { Schema } from "./schema.ts";
import { isScheduled, REQUEST_BYTES, sizeOf } from "./send.ts";
import type { Encoded, SendCallOptions } from "./send.ts";
import type { SendResult } from "./wire.ts";

export interface ProducerOptions {
  /** How long the first message of a batch waits for others; 5. */
  readonly lingerMs?: number;
  /** Messages of a request, at most 1,000; 500. */
  readonly maxBatch?: number;
  /** Messages whose result is open; 10,000. */
  readonly maxBuffered?: number;
  /** Their bytes, as JSON; 16 MiB. */
  readonly maxBufferedBytes?: number;
  /** Requests at once; 4. */
  readonly concurrency?: number;
}

export interface Sent {
  readonly id: string;
  readonly duplicate?: true;
}

/** What a producer calls; a queue has it. */
export interface Target {
  readonly name: string;
  sendEncoded(
    messages: readonly Encoded[],
    options: SendCallOptions,
  ): Promise<readonly SendResult[]>;
}

const MIB = 1024 * 1024;

export class Producer<In = unknown> {
  readonly #queue: Target;
  readonly #client: Client;
  readonly #schema: Schema<In> | undefined;
  readonly #batcher: Batcher<Encoded, Sent>;
  readonly #maxBuffered: number;
  readonly #maxBufferedBytes: number;
  /** Handed over, and not in the batcher yet. */
  #entering = 0;
  #isClosed = false;

  constructor(
    queue: Target,
    client: Client,
    schema: Schema<In> | undefined,
    options: ProducerOptions,
  ) {
    this.#queue = queue;
    this.#client = client;
    this.#schema = schema;
    this.#maxBuffered = options.maxBuffered ?? 10_000;
    this.#maxBufferedBytes = options.maxBufferedBytes ?? 16 * MIB;
    this.#batcher = new Batcher({
      lingerMs: options.lingerMs ?? 5,
      maxItems: Math.min(options.maxBatch ?? 500, LIMITS.messagesPerSend),
      maxBytes: REQUEST_BYTES,
      inFlight: options.concurrency ?? 4,
      after: client.transport.effects.after,
      run: (messages) => this.#send(messages),
    });
  }

  /** Messages whose result is open. */
  get buffered(): number {
    return this.#entering + this.#batcher.items;
  }

  /**
   * Resolves once the message is stored.
   * @throws LaneMQError `producer-full` at once when too much is under way (P2), else what the service says
   */
  async send(body: In | Uint8Array, message: SendOptions = {}): Promise<Sent> {
    if (this.#isClosed) throw new LaneMQError("producer-closed", "The producer is closed.");
    if (!this.#hasRoom) {
      throw new LaneMQError("producer-full", `${this.buffered} messages are under way already.`);
    }
    this.#entering += 1;
    let isIn = false;
    const enter = (): void => {
      if (!isIn) this.#entering -= 1;
      isIn = true;
    };
    try {
      const encoded = encodeBody(body);
      const options = { ...message };
      if (this.#schema !== undefined) await demandFit(this.#schema, body);
      const tracing = await this.#client.tracing();
      return await tracing.sending(this.#queue.name, 1, (headers) => {
        const text = encodeMessage(encoded, options, headers);
        enter();
        return this.#batcher.add({ text, isScheduled: isScheduled(options) }, sizeOf(text));
      });
    } finally {
      enter();
    }
  }

  /** Resolves as soon as there is room for another message. */
  async ready(): Promise<void> {
    // One that is just entering settles nothing, but will be in the batcher in a moment.
    while (!this.#hasRoom) await (this.#batcher.items > 0 ? this.#batcher.settled() : this.#turn());
  }

  /** Sends what waits now, and resolves once nothing is under way. The results go to those who sent. */
  async flush(): Promise<void> {
    while (this.#entering > 0) await this.#turn();
    await this.#batcher.flush();
  }

  /** Takes no more messages, and flushes. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.flush();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #turn(): Promise<void> {
    return sleep(this.#client.transport.effects, 0);
  }

  get #hasRoom(): boolean {
    return this.buffered < this.#maxBuffered && this.#batcher.bytes < this.#maxBufferedBytes;
  }

  /** P1 */
  async #send(messages: readonly Encoded[]): Promise<Outcome<Sent>[]> {
    const outcomes = new Map<Encoded, Outcome<Sent>>();
    let open = messages;
    while (open.length > 0) {
      const results = await this.#attempt(open);
      open.forEach((message, index) => {
        const outcome = results[index];
        if (outcome !== undefined && outcome !== "again") outcomes.set(message, outcome);
      });
      const next = open.filter((message) => !outcomes.has(message));
      if (next.length === open.length) break;
      open = next;
    }
    return messages.map(
      (message) => outcomes.get(message) ?? { error: new TypeError("a message got no answer") },
    );
  }

  /** "again": it only travelled with one that was refused. */
  async #attempt(messages: readonly Encoded[]): Promise<(Outcome<Sent> | "again")[]> {
    try {
      return (await this.#queue.sendEncoded(messages, {})).map(outcomeOf);
    } catch (error) {
      const all = messages.map(() => ({ error }));
      if (!(error instanceof LaneMQError) || messages.length === 1) return all;
      if (error.results !== undefined) return error.results.map(outcomeOf);
      const refused = refusedOf(error);
      return refused === undefined
        ? all
        : messages.map((_, index) => (refused.has(index) ? { error } : "again"));
    }
  }
}

function outcomeOf(
  result: Sent | { readonly error: { code: Code; detail: string; retryable: boolean } },
): Outcome<Sent> {
  if (!("error" in result)) return { value: result };
  const { code, detail, retryable } = result.error;
  return { error: new LaneMQError(code, detail, { retryable }) };
}

/** The messages that a refusal names, as in `messages[3].headers`; all others were refused for nothing. */
function refusedOf({ errors }: LaneMQError): ReadonlySet<number> | undefined {
  const named = errors.flatMap(({ path }) => {
    const index = /^messages\[(\d+)\]/.exec(path)?.[1];
    return index === undefined ? [] : [Number(index)];
  });
  return named.length === 0 ? undefined : new Set(named);
}
