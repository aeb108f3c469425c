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
  /** Runs something when all who are here have been heard. */
  readonly soon: (run: () => void) => void;
}

/** A connection: the window of its last request, and while it is on the way that of its answer; else -1. */
interface Caller {
  seenIn: number;
  awayIn: number;
}

export class Callers {
  readonly #options: CallersOptions;
  readonly #callers = new WeakMap<object, Caller>();
  #window = 0;
  #windowAt = 0;
  /** Connections and requests of this window, and how many there were in the one before. */
  #current = { connections: 0, requests: 0 };
  #before = { connections: 0, requests: 0 };
  /** How many have been answered and are on the way, by the window in which they were. */
  #away = 0;
  #awayBefore = 0;
  #waiting: (() => void)[] = [];

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  /** A request came on this connection; to be called back when it is answered. */
  came(connection: object): () => void {
    this.#roll();
    const caller = this.#callerOf(connection);
    if (caller.seenIn !== this.#window) this.#current.connections += 1;
    caller.seenIn = this.#window;
    this.#current.requests += 1;
    this.#isHere(caller);
    if (this.#waiting.length > 0 && this.#areEnoughHere) this.#letGo();
    return () => {
      this.#roll();
      this.#isHere(caller);
      caller.awayIn = this.#window;
      this.#away += 1;
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
        resolve();
      };
      const cancel = this.#options.after(ms, () => {
        this.#waiting = this.#waiting.filter((other) => other !== goOn);
        goOn();
      });
      this.#waiting.push(goOn);
    });
  }

  /** Once the request that made them enough, and all that came with it, has been heard. */
  #letGo(): void {
    const waiting = this.#waiting.splice(0);
    this.#options.soon(() => {
      for (const goOn of waiting) goOn();
    });
  }

  #callerOf(connection: object): Caller {
    const known = this.#callers.get(connection);
    if (known !== undefined) return known;
    const caller = { seenIn: -1, awayIn: -1 };
    this.#callers.set(connection, caller);
    return caller;
  }

  /** It is not on the way any more. */
  #isHere(caller: Caller): void {
    if (caller.awayIn === this.#window) this.#away -= 1;
    else if (caller.awayIn >= 0 && caller.awayIn === this.#window - 1) this.#awayBefore -= 1;
    caller.awayIn = -1;
  }

  get #areEnoughHere(): boolean {
    return this.#away + this.#awayBefore <= this.#connections / 2;
  }

  get #connections(): number {
    return Math.max(this.#before.connections, this.#current.connections);
  }

  get #waitMs(): number {
    const callers = this.#connections;
    if (callers < FEW) return 0;
    const ms = Math.min(WAIT_MS_MAX, callers / CALLERS_PER_MS);
    const expected = (Math.max(this.#before.requests, this.#current.requests) / WINDOW_MS) * ms;
    return expected < WORTH_WAITING_FOR ? 0 : ms;
  }

  #roll(): void {
    const windows = Math.abs(this.#options.now() - this.#windowAt) / WINDOW_MS;
    if (windows < 1) return;
    const isNext = windows < 2;
    this.#before = isNext ? this.#current : { connections: 0, requests: 0 };
    this.#awayBefore = isNext ? this.#away : 0;
    this.#current = { connections: 0, requests: 0 };
    this.#away = 0;
    this.#window += isNext ? 1 : 2;
    this.#windowAt = this.#options.now();
  }
}
