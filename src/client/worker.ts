/**
 * Works on a queue: leases messages, runs a handler on each, and says what became of them.
 *
 * W1  No more is leased than can be started at once: a message never waits here while its lease runs.
 * W2  Leases are extended for as long as their handlers run, and until what became of them is told. A
 *     handler whose lease is lost is told by its signal, and its outcome is dropped.
 * W4  Nothing that fails ends the worker, and no promise of it rejects: trouble is an event, followed
 *     by a pause that grows.
 * W5  Stopping takes no further messages, lets handlers finish for `graceSeconds`, then gives back
 *     what they hold without counting the attempt.
 */
import { LIMITS } from "../core/limits.ts";
import { LaneMQError } from "./errors.ts";
import { pauseMs, sleep } from "./effects.ts";
import type { Effects } from "./effects.ts";
import { Events } from "./events.ts";
import { Extender } from "./extender.ts";
import type { Message } from "./message.ts";
import type { Client, Taken } from "./queue.ts";
import { Settler } from "./settler.ts";
import type { Held, Settling } from "./settler.ts";
import type { CallOptions } from "./transport.ts";
import { clampDelay, delaySeconds, Discard, RetryAfter } from "./verdict.ts";
import type { ReceiptResult, ReceiveRequest } from "./wire.ts";
import type { Handler, WorkerEvents, WorkerOptions } from "./worker-options.ts";

/** What a worker calls; a queue has it. */
export interface Source<T> extends Settling {
  readonly name: string;
  take(request: ReceiveRequest, options: CallOptions): Promise<Taken<T>>;
  putAside(invalid: Taken<T>["invalid"], options: CallOptions): Promise<void>;
  extend(
    receipts: readonly string[],
    leaseSeconds: number,
    options: CallOptions,
  ): Promise<ReceiptResult[]>;
}

export interface Running<T> extends Held {
  readonly message: Message<T>;
  readonly stop: AbortController;
  leasedUntilMs: number;
  /** Its handler has an outcome, or nobody waits for it any more. */
  isOver: boolean;
}

const AGAIN = { initialMs: 200, maxMs: 30_000 };
/** While there is a backlog, slots that come free together are filled by one receive. */
const GATHER_MS = 5;

export class Worker<T = unknown> {
  /** Resolves once the worker has stopped. Never rejects. */
  readonly done: Promise<void>;
  readonly #source: Source<T>;
  readonly #client: Pick<Client, "tracing">;
  readonly #effects: Effects;
  readonly #handler: Handler<T>;
  readonly #options: WorkerOptions;
  readonly #concurrency: number;
  readonly #leaseSeconds: number;
  readonly #events = new Events<WorkerEvents<T>>();
  readonly #settler: Settler;
  readonly #extender: Extender<T>;
  readonly #held = new Set<Running<T>>();
  readonly #stopping = new AbortController();
  #running = 0;
  #onRoom: (() => void) | undefined;

  constructor(
    source: Source<T>,
    client: Pick<Client, "tracing" | "transport">,
    handler: Handler<T>,
    options: WorkerOptions,
  ) {
    this.#source = source;
    this.#client = client;
    this.#effects = client.transport.effects;
    this.#handler = handler;
    this.#options = options;
    this.#concurrency = Math.max(1, options.concurrency ?? 10);
    this.#leaseSeconds = Math.max(3, options.leaseSeconds ?? 30);
    this.#settler = new Settler(source, this.#effects);
    this.#extender = new Extender({
      held: this.#held,
      leaseSeconds: this.#leaseSeconds,
      effects: this.#effects,
      extend: (receipts, seconds) => source.extend(receipts, seconds, { retries: 1 }),
      onLost: (running) => this.#lose(running),
      onError: (error) => this.#events.emit("error", { error, while: "extend" }),
    });
    const stop = (): void => void this.stop();
    if (options.signal?.aborted === true) stop();
    options.signal?.addEventListener("abort", stop);
    this.done = this.#work().finally(() => options.signal?.removeEventListener("abort", stop));
  }

  /** What it returns takes the listener off again. */
  on<K extends keyof WorkerEvents<T> & string>(
    name: K,
    listener: (event: WorkerEvents<T>[K]) => unknown,
  ): () => void {
    return this.#events.on(name, listener);
  }

  /** Handlers that run now. */
  get running(): number {
    return this.#running;
  }

  /** W5. A receive that waits is given up; what a deployed service still leases to it comes again. */
  stop(): Promise<void> {
    this.#stopping.abort();
    this.#onRoom?.();
    return this.done;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #work(): Promise<void> {
    // Whoever made the worker is to hear its first event.
    await Promise.resolve();
    const { signal } = this.#stopping;
    let failures = 0;
    let hasBacklog = false;
    let waitSeconds = this.#longestWait;
    while (!signal.aborted) {
      await this.#room(hasBacklog);
      if (signal.aborted) break;
      const max = Math.min(
        this.#free,
        this.#options.batch ?? this.#free,
        LIMITS.messagesPerReceive,
      );
      const { group } = this.#options;
      const request = {
        max,
        waitSeconds,
        leaseSeconds: this.#leaseSeconds,
        ...(group === undefined ? {} : { group }),
      };
      const sentAt = this.#effects.now();
      try {
        const taken = await this.#source.take(request, { signal, retries: 0 });
        failures = 0;
        waitSeconds = Math.min(this.#longestWait, waitSeconds * 2 || 1);
        hasBacklog = taken.messages.length === max;
        this.#start(taken);
      } catch (error) {
        if (signal.aborted) break;
        this.#events.emit("error", { error, while: "receive" });
        // A connection that was cut in the middle of a wait may not bear such long ones.
        const waitedMs = this.#effects.now() - sentAt;
        if (waitedMs > 1_000) waitSeconds = Math.max(1, Math.floor(waitedMs / 2_000));
        const asked = error instanceof LaneMQError ? (error.retryAfterSeconds ?? 0) * 1_000 : 0;
        const pause = Math.max(asked, pauseMs(AGAIN, failures++, this.#effects.random()));
        await sleep(this.#effects, pause, signal);
      }
    }
    await this.#finish();
  }

  get #longestWait(): number {
    return Math.min(this.#options.waitSeconds ?? LIMITS.waitSecondsMax, LIMITS.waitSecondsMax);
  }

  get #free(): number {
    return this.#concurrency - this.#running;
  }

  async #room(hasBacklog: boolean): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted && this.#free === 0) {
      await new Promise<void>((resolve) => (this.#onRoom = resolve));
    }
    if (hasBacklog && this.#running > 0) await sleep(this.#effects, GATHER_MS, signal);
  }

  #start({ messages, invalid }: Taken<T>): void {
    if (invalid.length > 0) void this.#putAside(invalid);
    for (const message of messages) {
      const running: Running<T> = {
        message,
        receipt: message.receipt,
        stop: new AbortController(),
        leasedUntilMs: this.#effects.now() + this.#leaseSeconds * 1_000,
        isOver: false,
      };
      this.#held.add(running);
      this.#running += 1;
      void this.#run(running);
    }
    this.#extender.start();
  }

  async #putAside(invalid: Taken<T>["invalid"]): Promise<void> {
    try {
      await this.#source.putAside(invalid, {});
      for (const one of invalid) this.#events.emit("invalid", one);
    } catch (error) {
      this.#events.emit("error", { error, while: "settle" });
    }
  }

  async #run(running: Running<T>): Promise<void> {
    const { message, stop } = running;
    this.#events.emit("started", { message });
    let failure: { readonly error: unknown } | undefined;
    try {
      const tracing = await this.#client.tracing();
      await tracing.processing(this.#source.name, message, async () =>
        this.#handler(message, { signal: stop.signal }),
      );
    } catch (error) {
      failure = { error };
    }
    this.#running -= 1;
    this.#onRoom?.();
    if (running.isOver) return;
    running.isOver = true;
    await this.#settle(running, failure);
  }

  async #settle(
    running: Running<T>,
    failure: { readonly error: unknown } | undefined,
  ): Promise<void> {
    const { message } = running;
    const error = failure?.error;
    try {
      if (failure === undefined || error instanceof Discard) {
        const { status } = await this.#settler.ack(running);
        if (status !== "done") this.#events.emit("lost", { message });
        else if (error instanceof Discard) this.#events.emit("discarded", { message, error });
        else this.#events.emit("done", { message });
      } else {
        const seconds =
          error instanceof RetryAfter
            ? clampDelay(error.seconds)
            : delaySeconds(this.#options.retry ?? {}, message.receives, this.#effects.random());
        this.#events.emit("failed", { message, error, delaySeconds: seconds });
        await this.#settler.release(running, seconds, true);
      }
    } catch (error) {
      this.#events.emit("error", { error, while: "settle" });
    } finally {
      this.#held.delete(running);
    }
  }

  #lose(running: Running<T>): void {
    if (running.isOver) return;
    running.isOver = true;
    this.#held.delete(running);
    this.#events.emit("lost", { message: running.message });
    running.stop.abort(new LaneMQError("lease-lost", "The message's lease is over."));
  }

  /** W5 */
  async #finish(): Promise<void> {
    const graceMs = (this.#options.graceSeconds ?? 25) * 1_000;
    const isOver = new AbortController();
    const deadline = sleep(this.#effects, graceMs, isOver.signal).then(() => isOver.abort());
    while (this.#running > 0 && !isOver.signal.aborted) {
      await Promise.race([deadline, new Promise<void>((resolve) => (this.#onRoom = resolve))]);
    }
    const back = [...this.#held].filter((running) => !running.isOver);
    const given = back.map(async (running) => {
      running.isOver = true;
      running.stop.abort(new LaneMQError("lease-lost", "The worker stops."));
      try {
        await this.#settler.release(running, 0, false);
      } catch (error) {
        this.#events.emit("error", { error, while: "settle" });
      } finally {
        this.#held.delete(running);
      }
    });
    await Promise.all(given);
    await this.#settler.flush();
    this.#extender.stop();
    isOver.abort();
    this.#events.emit("stopped", undefined);
  }
}
