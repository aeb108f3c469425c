/** Bounded caches of an instance: least recently used first out. */
import { LRUCache } from "lru-cache";

/** Holds `entries` at most; allocates nothing ahead, for instances are many and mostly small. */
export const boundedCache = <T extends {}>(entries: number): LRUCache<string, T> =>
  new LRUCache<string, T>({ maxSize: entries, sizeCalculation: () => 1 });
