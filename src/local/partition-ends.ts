/**
 * Where partitions end: behind its last item a partition has none, which need not be asked of the engine.
 * So an entry that goes to the end of a log is known to be new, and so is the segment that follows a
 * group's last one: keys that share all up to their last `#` have an end of their own.
 *
 * K1  An end moves with what is put behind it, be it only tried: it may be too far, never too near.
 * K2  It is learnt from a query that has shown it, unless something was being put there already when that
 *     began, which the query need not have seen.
 */
import { LRUCache } from "lru-cache";
import type { Key, QueryPage, QueryRange, TableName } from "../store/port.ts";
import { compareKeys } from "../store/values.ts";

interface End {
  isKnown: boolean;
  /** Nothing stands behind this; what was put while it was looked for counts already. */
  sk: string;
}

const PARTITIONS = 4_000;

export class PartitionEnds {
  /** By the keys that share one. */
  readonly #ends = new LRUCache<string, End>({ max: PARTITIONS });
  /** How many writes the engine has not answered yet, in the same way. */
  readonly #tried = new Map<string, number>();

  /** Whether the key is surely behind the last item. */
  isBehind(table: TableName, key: Key): boolean {
    const end = this.#ends.get(nameOf(table, key));
    return end?.isKnown === true && compareKeys(key.sk, end.sk) > 0;
  }

  /** What shows the end of the keys that this one is among; `undefined`: it is known, or not worth asking for. */
  toAsk(table: TableName, key: Key): QueryRange | undefined {
    const shared = sharedBy(key.sk);
    if (shared === "" || this.#ends.get(nameOf(table, key))?.isKnown === true) return undefined;
    return { from: shared, to: `${shared}${LAST}`, reverse: true, limit: 1, consistent: true };
  }

  /** Something is put there. */
  move(table: TableName, key: Key): void {
    const end = this.#ends.get(nameOf(table, key));
    if (end !== undefined && compareKeys(key.sk, end.sk) > 0) end.sk = key.sk;
  }

  /** As `move`, until the engine has answered: then call what it returns. */
  trying(table: TableName, key: Key): () => void {
    this.move(table, key);
    const name = nameOf(table, key);
    this.#tried.set(name, (this.#tried.get(name) ?? 0) + 1);
    return () => {
      const left = (this.#tried.get(name) ?? 0) - 1;
      if (left > 0) this.#tried.set(name, left);
      else this.#tried.delete(name);
    };
  }

  /** Before a query; what it returns is to be told what that has shown. */
  look(table: TableName, pk: string, range: QueryRange): (page: QueryPage) => void {
    const { from = "", to } = range;
    const name = nameOf(table, { pk, sk: from });
    const reachesEnd = to === undefined || to === `${sharedBy(from)}${LAST}`;
    if (!reachesEnd || this.#tried.has(name)) return () => {};
    const end = this.#ends.get(name) ?? { isKnown: false, sk: "" };
    this.#ends.set(name, end);
    return (page) => {
      if (end.isKnown || (page.more && range.reverse !== true)) return;
      const last = range.reverse === true ? page.items[0] : page.items.at(-1);
      const sk = last?.sk ?? from;
      if (compareKeys(sk, end.sk) > 0) end.sk = sk;
      end.isKnown = true;
    };
  }
}

/** Behind whatever a key goes on with after its last `#`. */
const LAST = "\u{10ffff}";

const sharedBy = (sk: string): string => sk.slice(0, sk.lastIndexOf("#") + 1);

const nameOf = (table: TableName, { pk, sk }: Key): string => `${table}/${pk}/${sharedBy(sk)}`;
