/**
 * Where partitions end: behind its last item a partition has none, which need not be asked of the engine.
 * So an entry that goes to the end of a log is known to be new.
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
  readonly #ends = new LRUCache<string, End>({ max: PARTITIONS });
  /** How many writes the engine has not answered yet, by partition. */
  readonly #tried = new Map<string, number>();

  /** Whether the key is surely behind the last item. */
  isBehind(table: TableName, { pk, sk }: Key): boolean {
    const end = this.#ends.get(`${table}/${pk}`);
    return end?.isKnown === true && compareKeys(sk, end.sk) > 0;
  }

  /** Something is put there. */
  move(table: TableName, { pk, sk }: Key): void {
    const end = this.#ends.get(`${table}/${pk}`);
    if (end !== undefined && compareKeys(sk, end.sk) > 0) end.sk = sk;
  }

  /** As `move`, until the engine has answered: then call what it returns. */
  trying(table: TableName, key: Key): () => void {
    this.move(table, key);
    const name = `${table}/${key.pk}`;
    this.#tried.set(name, (this.#tried.get(name) ?? 0) + 1);
    return () => {
      const left = (this.#tried.get(name) ?? 0) - 1;
      if (left > 0) this.#tried.set(name, left);
      else this.#tried.delete(name);
    };
  }

  /** Before a query; what it returns is to be told what that has shown. */
  look(table: TableName, pk: string, range: QueryRange): (page: QueryPage) => void {
    const name = `${table}/${pk}`;
    if (range.to !== undefined || this.#tried.has(name)) return () => {};
    const end = this.#ends.get(name) ?? { isKnown: false, sk: "" };
    this.#ends.set(name, end);
    return (page) => {
      if (end.isKnown || (page.more && range.reverse !== true)) return;
      const last = range.reverse === true ? page.items[0] : page.items.at(-1);
      const sk = last?.sk ?? range.from ?? "";
      if (compareKeys(sk, end.sk) > 0) end.sk = sk;
      end.isKnown = true;
    };
  }
}
