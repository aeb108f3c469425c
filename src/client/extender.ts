/**
 * Extends the leases of all that a worker holds, in batches, when a third of their time is over: two
 * more attempts fit in before they run out (W2).
 */
import { sleep } from "./effects.ts";
import type { Effects } from "./effects.ts";
import type { Running } from "./worker.ts";
import type { ReceiptResult } from "./wire.ts";

export interface ExtenderOptions<T> {
  readonly held: ReadonlySet<Running<T>>;
  readonly leaseSeconds: number;
  readonly effects: Effects;
  readonly extend: (receipts: readonly string[], seconds: number) => Promise<ReceiptResult[]>;
  readonly onLost: (running: Running<T>) => void;
  readonly onError: (error: unknown) => void;
}

export class Extender<T> {
  readonly #options: ExtenderOptions<T>;
  #stopping: AbortController | undefined;

  constructor(options: ExtenderOptions<T>) {
    this.#options = options;
  }

  /** Goes on until nothing is held any more. */
  start(): void {
    if (this.#stopping !== undefined || this.#options.held.size === 0) return;
    const stopping = new AbortController();
    this.#stopping = stopping;
    void this.#run(stopping);
  }

  stop(): void {
    this.#stopping?.abort();
    this.#stopping = undefined;
  }

  async #run(stopping: AbortController): Promise<void> {
    const { held, leaseSeconds, effects } = this.#options;
    const { signal } = stopping;
    while (!signal.aborted && held.size > 0) {
      await sleep(effects, (leaseSeconds * 1_000) / 6, signal);
      if (!signal.aborted) await this.#round();
    }
    if (this.#stopping === stopping) this.#stopping = undefined;
  }

  async #round(): Promise<void> {
    const { held, leaseSeconds, effects, extend, onLost, onError } = this.#options;
    const askedAt = effects.now();
    const dueMs = askedAt + (leaseSeconds * 2_000) / 3;
    const due = [...held].filter(({ leasedUntilMs }) => leasedUntilMs <= dueMs);
    if (due.length === 0) return;
    try {
      const results = await extend(
        due.map(({ receipt }) => receipt),
        leaseSeconds,
      );
      due.forEach((running, index) => {
        const result = results[index];
        if (result?.status === "done") {
          running.leasedUntilMs = askedAt + leaseSeconds * 1_000;
          running.receipt = result.receipt ?? running.receipt;
        } else onLost(running);
      });
    } catch (error) {
      onError(error);
    }
  }
}
