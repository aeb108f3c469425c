/**
 * Where partitions end: behind its last item a partition has none, which need not be asked of the engine.
 * So an entry that goes to the end of a log is known to be new. The segments of a group, which follow each
 * other among those of others, have an end of their own: so the one behind the last of them is new, too.
 *
 * K1  An end moves with what is put behind it, be it only tried: it may be too far, never too near.
 * K2  It is learnt from a query that has shown it, unless something was being put there already when that
 *     began, which the query need not have seen.
 */
import { LRUCache } from "lru-cache";
import { segmentsPrefix } from "../store/keys.ts";
import type { Key, QueryPage, QueryRange, TableName } from "../store/port.ts";
import { compareKeys } from "../store/values.ts";

interface End {
  isKnown: boolean;
  /** Nothing stands behind this; what was put while it was looked for counts already. */
  sk: string;
}

const ENDS = 8_000;

export class PartitionEnds {
  /** Of partitions, and of the segments of groups. */
  readonly #ends = new LRUCache<string, End>({ max: ENDS });
  /** How many writes the engine has not answered yet, in the same way. */
  readonly #tried = new Map<string, number>();

  /** Whether the key is surely behind the last item. */
  isBehind(table: TableName, key: Key): boolean {
    return namesOf(table, key).some((name) => this.#isBehind(name, key.sk));
  }

  /** Whether a range surely begins behind the last item that it could show. */
  isPast(table: TableName, pk: string, { from, to, reverse }: QueryRange): boolean {
    if (from === undefined || reverse === true) return false;
    if (this.#isBehind(partitionOf(table, pk), from)) return true;
    const prefix = segmentsPrefix({ pk, sk: from });
    const staysThere = prefix !== undefined && to?.startsWith(prefix) === true;
    return staysThere && this.#isBehind(`${partitionOf(table, pk)}/${prefix}`, from);
  }

  /** What shows the end of the segments that this one is among; `undefined`: it is none, or that is known. */
  toAsk(table: TableName, key: Key): QueryRange | undefined {
    const prefix = segmentsPrefix(key);
    const name = `${partitionOf(table, key.pk)}/${prefix}`;
    if (prefix === undefined || this.#ends.get(name)?.isKnown === true) return undefined;
    return { from: prefix, to: `${prefix}${LAST}`, reverse: true, limit: 1, consistent: true };
  }

  /** Something is put there. */
  move(table: TableName, key: Key): void {
    for (const name of namesOf(table, key)) {
      const end = this.#ends.get(name);
      if (end !== undefined && compareKeys(key.sk, end.sk) > 0) end.sk = key.sk;
    }
  }

  /** As `move`, until the engine has answered: then call what it returns. */
  trying(table: TableName, key: Key): () => void {
    this.move(table, key);
    const names = namesOf(table, key);
    for (const name of names) this.#tried.set(name, (this.#tried.get(name) ?? 0) + 1);
    return () => {
      for (const name of names) {
        const left = (this.#tried.get(name) ?? 0) - 1;
        if (left > 0) this.#tried.set(name, left);
        else this.#tried.delete(name);
      }
    };
  }

  /** Before a query; what it returns is to be told what that has shown. */
  look(table: TableName, pk: string, range: QueryRange): (page: QueryPage) => void {
    const { from = "", to } = range;
    const prefix = segmentsPrefix({ pk, sk: from });
    const partition = partitionOf(table, pk);
    const name =
      to === undefined
        ? partition
        : prefix !== undefined && to === `${prefix}${LAST}`
          ? `${partition}/${prefix}`
          : undefined;
    if (name === undefined || this.#tried.has(name)) return () => {};
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

  #isBehind(name: string, sk: string): boolean {
    const end = this.#ends.get(name);
    return end?.isKnown === true && compareKeys(sk, end.sk) > 0;
  }
}

/** Behind whatever the key of a segment goes on with. */
const LAST = "\u{10ffff}";

const partitionOf = (table: TableName, pk: string): string => `${table}/${pk}`;

/** What the key is among. */
function namesOf(table: TableName, key: Key): readonly string[] {
  const partition = partitionOf(table, key.pk);
  const prefix = segmentsPrefix(key);
  return prefix === undefined ? [partition] : [partition, `${partition}/${prefix}`];
}
