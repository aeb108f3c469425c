/**
 * What the embedded engine has lately written, kept beside LevelDB, whose every read takes a turn of
 * its thread pool: dynalite reads a table's description and the item before each write.
 *
 * E8  A value is remembered once its write was confirmed, and forgotten before the next write of its key
 *     begins. dynalite writes an item under a lock of its own, one after the other.
 * E9  What a read shows is remembered only where no write of its key was under way meanwhile.
 */
import { LRUCache } from "lru-cache";

const BYTES = 8 * 1024 * 1024;
const OVERHEAD_BYTES = 200;
const VALUE_BYTES = 32 * 1024;

export class ValueCache {
  /** As JSON: dynalite changes what it is given. */
  readonly #values = new LRUCache<string, string>({
    maxSize: BYTES,
    maxEntrySize: VALUE_BYTES,
    sizeCalculation: (json, key) => OVERHEAD_BYTES + 2 * (json.length + key.length),
  });
  readonly #writing = new Map<string, number>();
  readonly #reads = new Map<string, Set<{ isClean: boolean }>>();

  async get(key: string, read: () => Promise<unknown>): Promise<unknown> {
    const json = this.#values.get(key);
    if (json !== undefined) return JSON.parse(json);
    const own = { isClean: !this.#writing.has(key) };
    const reads = this.#reads.get(key) ?? new Set();
    this.#reads.set(key, reads.add(own));
    try {
      const value = await read();
      if (value !== undefined && own.isClean) this.#values.set(key, JSON.stringify(value));
      return value;
    } finally {
      reads.delete(own);
      if (reads.size === 0) this.#reads.delete(key);
    }
  }

  async put(key: string, value: unknown, write: (json: string) => Promise<void>): Promise<void> {
    const json = JSON.stringify(value);
    await this.#write(key, () => write(json));
    if (!this.#writing.has(key)) this.#values.set(key, json);
  }

  async delete(key: string, write: () => Promise<void>): Promise<void> {
    await this.#write(key, write);
  }

  async #write(key: string, write: () => Promise<void>): Promise<void> {
    this.#values.delete(key);
    for (const read of this.#reads.get(key) ?? []) read.isClean = false;
    this.#writing.set(key, (this.#writing.get(key) ?? 0) + 1);
    try {
      await write();
    } finally {
      const left = (this.#writing.get(key) ?? 0) - 1;
      if (left > 0) this.#writing.set(key, left);
      else this.#writing.delete(key);
    }
  }
}
