/** Runs of messages that one entry takes each. */
import { LIMITS } from "./limits.ts";

interface Load {
  /** Messages. */
  readonly count: number;
  /** Of the packed messages. */
  readonly bytes: number;
}

/** In order; an item that is too large by itself is a run by itself. */
export function runsOf<T>(items: readonly T[], loadOf: (item: T) => Load): T[][] {
  const runs: T[][] = [];
  let run: T[] = [];
  let count = 0;
  let bytes = 0;
  for (const item of items) {
    const more = loadOf(item);
    const isFull =
      count + more.count > LIMITS.entryMessages || bytes + more.bytes > LIMITS.entryRawBytes;
    if (run.length > 0 && isFull) {
      runs.push(run);
      run = [];
      count = bytes = 0;
    }
    run.push(item);
    count += more.count;
    bytes += more.bytes;
  }
  if (run.length > 0) runs.push(run);
  return runs;
}
