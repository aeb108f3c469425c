/**
 * Who calls now, and how long it pays to wait for them to come together: what some do as one costs little
 * more than what one does alone.
 *
 * A caller who has been answered comes back as soon as it can, and all of them at the pace at which they
 * are answered. So a wait that ends once half of them are here keeps nobody from its next call: they are
 * answered while the others make theirs.
 *
 * Nor has anybody to be heard before that. Where this thread is the service's own it sleeps meanwhile, as
 * network cards coalesce interrupts: to wake it for each request costs more than to take in what has come,
 * and where the callers are on the same machine, they pay for it.
 */
import type { Rest } from "./rest.ts";

/** A connection counts as a caller for this long after a request, and at most twice as long. */
const WINDOW_MS = 50;
/** Fewer are answered at once. */
const FEW = 4;
const CALLERS_PER_MS = 4;
const WAIT_MS_MAX = 4;
/** Where fewer are to be expected meanwhile, there is no waiting. */
const WORTH_WAITING_FOR = 2;
const REST_MS_MAX = 2;
/** Less is not worth going to sleep. */
const REST_MS_MIN = 0.5;

export interface CallersOptions {
  readonly now: () => number;
  /** Runs `run` after `ms`; what it returns cancels that. */
  readonly after: (ms: number, run: () => void) => () => void;
  /** Runs something when all who are here have been heard. */
  readonly soon: (run: () => void) => void;
  /** Absent: this thread has to stay awake. */
  readonly rest?: Rest;
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
  /** Of the window before, how long this thread had nothing to do. */
  #idleMs = 0;
  #idleMsAtStart = 0;
  /** How many have been answered and are on the way, by the window in which they were. */
  #away = 0;
  #awayBefore = 0;
  #waiting: (() => void)[] = [];
  #restsSoon = false;

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
    this.#restSoon();
    return new Promise((resolve) => {
      const goOn = (): void => {
        cancel();
        resolve();
      };
      const cancel = this.#options.after(ms, () => {
        this.#waiting = this.#waiting.filter((other) => other !== goOn);
        this.#options.soon(goOn);
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

  /** Sleeps until enough of them may be here, and again if they are not. */
  #restSoon(): void {
    const { rest, soon } = this.#options;
    if (rest === undefined || this.#restsSoon) return;
    this.#restsSoon = true;
    soon(() => {
      this.#restsSoon = false;
      const ms = Math.min(REST_MS_MAX, this.#msToCome);
      if (this.#waiting.length > 0 && ms >= REST_MS_MIN && rest.sleep(ms)) this.#restSoon();
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
    return this.#missing <= 0;
  }

  /** How many have still to come until half of them are here. */
  get #missing(): number {
    return this.#away + this.#awayBefore - this.#connections / 2;
  }

  /** How long that takes at the pace at which they come while this thread has nothing to do. */
  get #msToCome(): number {
    const { requests } = this.#before;
    return requests === 0 ? 0 : (this.#missing * this.#idleMs) / requests;
  }

  get #requestsPerMs(): number {
    return Math.max(this.#before.requests, this.#current.requests) / WINDOW_MS;
  }

  get #connections(): number {
    return Math.max(this.#before.connections, this.#current.connections);
  }

  get #waitMs(): number {
    const callers = this.#connections;
    if (callers < FEW) return 0;
    const ms = Math.min(WAIT_MS_MAX, callers / CALLERS_PER_MS);
    return this.#requestsPerMs * ms < WORTH_WAITING_FOR ? 0 : ms;
  }

  #roll(): void {
    const windows = Math.abs(this.#options.now() - this.#windowAt) / WINDOW_MS;
    if (windows < 1) return;
    const isNext = windows < 2;
    const idleMs = this.#options.rest?.idleMs() ?? 0;
    this.#idleMs = isNext ? idleMs - this.#idleMsAtStart : 0;
    this.#idleMsAtStart = idleMs;
    this.#before = isNext ? this.#current : { connections: 0, requests: 0 };
    this.#awayBefore = isNext ? this.#away : 0;
    this.#current = { connections: 0, requests: 0 };
    this.#away = 0;
    this.#window += isNext ? 1 : 2;
    this.#windowAt = this.#options.now();
  }
}
