/**
 * What was deleted from the embedded engine since it was last compacted, so that only what stands around
 * deletions has to be written anew (E5 of the engine's worker).
 */
interface Range {
  low: string;
  high: string;
  count: number;
}

/** Fewer deletions side by side are not worth a compaction of their own. */
const WORTH_COMPACTING = 32;
const RANGES_MAX = 4_096;
/** From before the first key of any table to behind the last. */
const EVERYTHING = ["!", "~~"] as const;

export class Deletions {
  readonly #ranges = new Map<string, Range>();

  add(key: string): void {
    // dynalite's keys: table and hash, then the partition's key, then the item's.
    const partition = key.slice(0, key.indexOf("/", key.indexOf("/") + 1) + 1);
    const range = this.#ranges.get(partition);
    if (range === undefined) {
      this.#ranges.set(partition, { low: key, high: key, count: 1 });
      return;
    }
    range.count += 1;
    if (key < range.low) range.low = key;
    if (key > range.high) range.high = key;
  }

  /** What is to be compacted now. Small ranges wait until they have grown, or become too many. */
  take(): readonly (readonly [from: string, to: string])[] {
    if (this.#ranges.size > RANGES_MAX) {
      this.#ranges.clear();
      return [EVERYTHING];
    }
    const taken: (readonly [string, string])[] = [];
    for (const [partition, { low, high, count }] of this.#ranges) {
      if (count < WORTH_COMPACTING) continue;
      taken.push([low, high]);
      this.#ranges.delete(partition);
    }
    return taken;
  }
}
