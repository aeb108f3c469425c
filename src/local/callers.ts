/**
 * Who calls now, and how long it pays to wait for them to come together: what some do as one costs little
 * more than what one does alone.
 *
 * A caller who has been answered comes back as soon as it can, and all of them at the pace at which they
 * are answered. So a wait that ends once half of them are here keeps nobody from its next call: they are
 * answered while the others make theirs.
 */

/** A connection counts as a caller for this long after a request, and at most twice as long. */
const WINDOW_MS = 50;
/** Fewer are answered at once. */
const FEW = 4;
const CALLERS_PER_MS = 4;
const WAIT_MS_MAX = 4;
/** Where fewer are to be expected meanwhile, there is no waiting. */
const WORTH_WAITING_FOR = 2;

export interface CallersOptions {
  readonly now: () => number;
  /** Runs `run` after `ms`; what it returns cancels that. */
  readonly after: (ms: number, run: () => void) => () => void;
}

export class Callers {
  readonly #options: CallersOptions;
  #windowAt = 0;
  /** Connections and requests of this window, and how many there were in the one before. */
  readonly #seen = new Set<object>();
  #requests = 0;
  #before = { connections: 0, requests: 0 };
  /** Those who have been answered and are on the way, by the window in which they were. */
  #away = new Set<object>();
  #awayBefore = new Set<object>();
  #waiting = new Set<() => void>();

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  /** A request came on this connection; to be called back when it is answered. */
  came(connection: object): () => void {
    this.#roll();
    this.#seen.add(connection);
    this.#requests += 1;
    this.#away.delete(connection);
    this.#awayBefore.delete(connection);
    if (this.#areEnoughHere) for (const goOn of this.#waiting) goOn();
    return () => {
      this.#roll();
      this.#away.add(connection);
    };
  }

  /** Resolves when half of those who call are here, or a moment later; `undefined`: it does not pay to wait. */
  gather(): Promise<void> | undefined {
    this.#roll();
    const ms = this.#waitMs;
    if (ms === 0 || this.#areEnoughHere) return undefined;
    return new Promise((resolve) => {
      const goOn = (): void => {
        cancel();
        this.#waiting.delete(goOn);
        resolve();
      };
      const cancel = this.#options.after(ms, goOn);
      this.#waiting.add(goOn);
    });
  }

  get #areEnoughHere(): boolean {
    return this.#away.size + this.#awayBefore.size <= this.#callers / 2;
  }

  get #callers(): number {
    return Math.max(this.#before.connections, this.#seen.size);
  }

  get #waitMs(): number {
    const callers = this.#callers;
    if (callers < FEW) return 0;
    const ms = Math.min(WAIT_MS_MAX, callers / CALLERS_PER_MS);
    const expected = (Math.max(this.#before.requests, this.#requests) / WINDOW_MS) * ms;
    return expected < WORTH_WAITING_FOR ? 0 : ms;
  }

  #roll(): void {
    const windows = Math.abs(this.#options.now() - this.#windowAt) / WINDOW_MS;
    if (windows < 1) return;
    this.#before =
      windows < 2
        ? { connections: this.#seen.size, requests: this.#requests }
        : { connections: 0, requests: 0 };
    this.#awayBefore = windows < 2 ? this.#away : new Set();
    this.#away = new Set();
    this.#seen.clear();
    this.#requests = 0;
    this.#windowAt = this.#options.now();
  }
}
