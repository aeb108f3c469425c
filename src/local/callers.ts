/**
 * How many callers there are at once, and how long it pays to wait for them to come together.
 *
 * Callers who wait for their answers come at the pace at which those are given: the more there are, the
 * longer each may wait before any of them is kept from its next call.
 */

/** A connection counts as a caller for this long after a request, and at most twice as long. */
const WINDOW_MS = 50;
/** Fewer are answered at once. */
const FEW = 4;
const CALLERS_PER_MS = 8;
const GATHER_MS_MAX = 2;

export class Callers {
  readonly #now: () => number;
  #windowAt = 0;
  #lastWindow = 0;
  readonly #seen = new Set<object>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A request came on this connection. */
  came(connection: object): void {
    this.#roll();
    this.#seen.add(connection);
  }

  /** 0: there are too few to wait for. */
  gatherMs(): number {
    this.#roll();
    const callers = Math.max(this.#lastWindow, this.#seen.size);
    return callers < FEW ? 0 : Math.min(GATHER_MS_MAX, callers / CALLERS_PER_MS);
  }

  #roll(): void {
    const windows = Math.abs(this.#now() - this.#windowAt) / WINDOW_MS;
    if (windows < 1) return;
    this.#lastWindow = windows < 2 ? this.#seen.size : 0;
    this.#seen.clear();
    this.#windowAt = this.#now();
  }
}
