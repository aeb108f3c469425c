/** What the client needs of the world; tests bring their own. Nothing here is Node's. */

export interface Effects {
  readonly fetch: typeof fetch;
  /** Milliseconds, from any beginning. */
  readonly now: () => number;
  /** 0 to 1, without 1. */
  readonly random: () => number;
  /** A new id that nobody else has. */
  readonly newId: () => string;
  /** Runs `run` after `ms`; what it returns cancels that. */
  readonly after: (ms: number, run: () => void) => () => void;
}

export const REAL: Effects = {
  fetch: (...request) => fetch(...request),
  now: () => performance.now(),
  random: Math.random,
  newId: () => crypto.randomUUID(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `ms`, or as soon as the signal fires. Never rejects. */
export function sleep(effects: Effects, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const end = (): void => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = effects.after(ms, end);
    signal?.addEventListener("abort", end);
    return undefined;
  });
}

export interface Backoff {
  /** Of the first pause, in ms. */
  readonly initialMs: number;
  readonly maxMs: number;
}

/** Doubles with each failure; somewhere in its upper half, so that many callers do not meet again. */
export function pauseMs({ initialMs, maxMs }: Backoff, failures: number, random: number): number {
  const whole = Math.min(maxMs, initialMs * 2 ** Math.min(failures, 30));
  return whole * (0.5 + random / 2);
}
