/** The sleep of a thread that hears nobody meanwhile. */

export interface Rest {
  /** Sleeps so many ms, unless there is something to stay awake for; whether it did. */
  sleep(ms: number): boolean;
  /** For how long this thread has had nothing to do until now, asleep or not, in ms. */
  idleMs(): number;
}

const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** @param isAwaited whether this thread has to hear of something that it has asked for */
export function createRest(isAwaited: () => boolean): Rest {
  let sleptMs = 0;
  return {
    sleep(ms) {
      if (isAwaited()) return false;
      const from = performance.now();
      Atomics.wait(NEVER, 0, 0, ms);
      sleptMs += performance.now() - from;
      return true;
    },
    idleMs: () => performance.eventLoopUtilization().idle + sleptMs,
  };
}
