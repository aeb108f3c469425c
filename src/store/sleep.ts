/** Waiting by the real clock, for those that take it from outside. */
import type { Signal } from "../core/signal.ts";

/** Resolves after `ms`, or as soon as the signal fires. Never rejects. */
export function sleep(ms: number, signal?: Signal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
    return undefined;
  });
}
