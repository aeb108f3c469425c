/**
 * Collects single items into batches, and gives each its own outcome.
 *
 * A1  An item is in exactly one batch at a time, and gets exactly one outcome.
 * A2  A batch leaves when it is full, or `lingerMs` after its first item, but only while fewer than
 *     `inFlight` are under way; so under load batches grow by themselves.
 */
import type { Effects } from "./effects.ts";

export type Outcome<R> = { readonly value: R } | { readonly error: unknown };

export interface BatcherOptions<I, R> {
  readonly lingerMs: number;
  readonly maxItems: number;
  readonly maxBytes: number;
  readonly inFlight: number;
  readonly after: Effects["after"];
  /** One outcome an item, in order. A rejection is the outcome of all. */
  readonly run: (items: readonly I[]) => Promise<readonly Outcome<R>[]>;
}

interface Waiting<I, R> {
  readonly item: I;
  readonly bytes: number;
  readonly resolve: (value: R) => void;
  readonly reject: (error: unknown) => void;
}

export class Batcher<I, R> {
  readonly #options: BatcherOptions<I, R>;
  /** `#next` is the first that waits: shifting a long array costs. */
  #waiting: Waiting<I, R>[] = [];
  #next = 0;
  #waitingBytes = 0;
  #underWay = 0;
  #isDue = false;
  #cancel: (() => void) | undefined;
  /** Waiting or under way. */
  #items = 0;
  #bytes = 0;
  #onSettled: (() => void)[] = [];

  constructor(options: BatcherOptions<I, R>) {
    this.#options = options;
  }

  /** Items whose outcome is open. */
  get items(): number {
    return this.#items;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(item: I, bytes: number): Promise<R> {
    this.#items += 1;
    this.#bytes += bytes;
    this.#waitingBytes += bytes;
    return new Promise<R>((resolve, reject) => {
      this.#waiting.push({ item, bytes, resolve, reject });
      this.#go();
    });
  }

  /** Resolves once all that was added before has its outcome. */
  async flush(): Promise<void> {
    this.#isDue = true;
    this.#go();
    while (this.#items > 0) {
      await this.settled();
      this.#isDue = true;
      this.#go();
    }
  }

  /** Resolves when some item, or several, have got their outcome. */
  settled(): Promise<void> {
    return new Promise((resolve) => this.#onSettled.push(resolve));
  }

  #go(): void {
    const { lingerMs, maxItems, maxBytes, inFlight, after } = this.#options;
    while (this.#count > 0 && this.#underWay < inFlight) {
      const isFull = this.#count >= maxItems || this.#waitingBytes >= maxBytes;
      if (!isFull && !this.#isDue) break;
      void this.#run(this.#take());
    }
    if (this.#count === 0) {
      this.#cancel?.();
      this.#cancel = undefined;
      this.#isDue = false;
    } else if (!this.#isDue && this.#cancel === undefined) {
      this.#cancel = after(lingerMs, () => {
        this.#cancel = undefined;
        this.#isDue = true;
        this.#go();
      });
    }
  }

  get #count(): number {
    return this.#waiting.length - this.#next;
  }

  #take(): Waiting<I, R>[] {
    const { maxItems, maxBytes } = this.#options;
    const batch: Waiting<I, R>[] = [];
    let bytes = 0;
    for (; batch.length < maxItems; this.#next++) {
      const one = this.#waiting[this.#next];
      if (one === undefined || (batch.length > 0 && bytes + one.bytes > maxBytes)) break;
      batch.push(one);
      bytes += one.bytes;
    }
    this.#waitingBytes -= bytes;
    if (this.#next > this.#waiting.length / 2) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
    return batch;
  }

  async #run(batch: readonly Waiting<I, R>[]): Promise<void> {
    this.#underWay += 1;
    let outcomes: readonly Outcome<R>[];
    try {
      outcomes = await this.#options.run(batch.map(({ item }) => item));
    } catch (error) {
      outcomes = batch.map(() => ({ error }));
    }
    this.#underWay -= 1;
    batch.forEach(({ bytes, resolve, reject }, index) => {
      const outcome = outcomes[index] ?? { error: new TypeError("a batch lacks an outcome") };
      this.#items -= 1;
      this.#bytes -= bytes;
      if ("value" in outcome) resolve(outcome.value);
      else reject(outcome.error);
    });
    const told = this.#onSettled;
    this.#onSettled = [];
    for (const tell of told) tell();
    this.#go();
  }
}
