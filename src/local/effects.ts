/** The real clock and randomness, for those that take theirs from outside. */
import { randomBytes } from "node:crypto";

const POOL_BYTES = 4_096;

/** As node's `randomBytes`; small ones are cut from a larger one, for each call of the system costs as much. */
export function createRandomBytes(): (length: number) => Uint8Array {
  let pool = randomBytes(0);
  let at = 0;
  return (length) => {
    if (length > POOL_BYTES / 16) return randomBytes(length);
    if (at + length > pool.length) {
      pool = randomBytes(POOL_BYTES);
      at = 0;
    }
    return pool.subarray(at, (at += length));
  };
}

/** Runs `run` after `ms`; what it returns cancels that. Does not keep the process alive. */
export function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  timer.unref();
  return () => clearTimeout(timer);
}
