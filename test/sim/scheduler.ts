/**
 * Virtual time and the one event queue that everything in a simulation happens through.
 *
 * S1  Events run in order of time, equal times in order of scheduling.
 * S2  Between two events the microtask queue is drained, so what an event sets off has happened before
 *     the next one starts. Nothing else may make code run: whoever awaits a promise that no event
 *     will settle is stuck, and `run` says so.
 * S3  Ambient clocks and randomness are out of reach while a simulation runs: reading them throws.
 */
export class Scheduler {
  #now: number;
  #order = 0;
  #events = 0;
  readonly #heap: Event[] = [];

  constructor(startMs: number) {
    this.#now = startMs;
  }

  get now(): number {
    return this.#now;
  }

  /** Events run so far. */
  get events(): number {
    return this.#events;
  }

  at(time: number, run: () => void): void {
    const heap = this.#heap;
    const event: Event = { time: Math.max(time, this.#now), order: (this.#order += 1), run };
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Event;
      if (!before(event, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = event;
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.#now + delayMs, run);
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /** Runs events until `main` settles. */
  async run<T>(main: () => Promise<T>, maxEvents: number): Promise<T> {
    const restore = forbidAmbient();
    try {
      const state = { settled: false };
      const done = main().finally(() => (state.settled = true));
      done.catch(() => undefined);
      await Promise.resolve();
      await drained();
      while (!state.settled) {
        const event = this.#pop();
        if (event === undefined)
          throw new Stuck("nothing is left to happen, and a caller still waits");
        if ((this.#events += 1) > maxEvents) throw new Stuck(`not done after ${maxEvents} events`);
        this.#now = event.time;
        event.run();
        await drained();
      }
      return await done;
    } finally {
      restore();
    }
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event))
        child += 1;
      if (!before(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

/** A simulation that does not come to its end. */
export class Stuck extends Error {
  override readonly name = "Stuck";
}

interface Event {
  readonly time: number;
  readonly order: number;
  readonly run: () => void;
}

const before = (a: Event, b: Event): boolean =>
  a.time < b.time || (a.time === b.time && a.order < b.order);

/** Asked for by a microtask, a tick comes only when no other is left; it costs no turn of the event loop. */
const drained = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

/** In a worker's bundle all of it, for paths are gone there. */
const UNDER_SIMULATION = /[\\/]src[\\/](core|store|service)[\\/]|\.mjs:\d/;

/** Only the code under simulation is refused: the test runner around it has its own timers. */
function forbidAmbient(): () => void {
  const { random } = Math;
  const { now } = Date;
  const refuse = (what: string): void => {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 20;
    const { stack = "" } = new Error(what);
    Error.stackTraceLimit = stackTraceLimit;
    // The error's own line, this function, and the one that was called.
    const callers = stack.split("\n").slice(3).join("\n");
    if (UNDER_SIMULATION.test(callers)) throw new Stuck(`S3: code under simulation read ${what}`);
  };
  Math.random = () => {
    refuse("Math.random");
    return random();
  };
  Date.now = () => {
    refuse("Date.now");
    return now();
  };
  return () => {
    Math.random = random;
    Date.now = now;
  };
}
