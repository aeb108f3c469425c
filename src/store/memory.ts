/**
 * The port in memory, as DynamoDB would answer it: for tests and the simulation.
 *
 * Owns: copies in (what is handed out is what is kept, which never changes: P5), the 400 KB and 1 MB
 * limits, and units by DynamoDB's rules. Each call is decided in one synchronous step, so calls never
 * interleave within one.
 */
import { invariant } from "../core/errors.ts";
import { edited, holds, refuseOverlaps } from "./memory-rules.ts";
import { Partition } from "./memory-table.ts";
import type { Row } from "./memory-table.ts";
import type {
  Condition,
  Item,
  Key,
  QueryPage,
  QueryRange,
  Store,
  StoreRequest,
  TableName,
  WriteResult,
} from "./port.ts";
import { checkedItemBytes, storedItem } from "./values.ts";

const PAGE_BYTES = 1024 * 1024;

export interface MemoryStore extends Store {
  /** A `get` that counts for nothing. */
  peek(table: TableName, key: Key): Item | undefined;
  /** Every item of a table, by partition in order of creation, sorted within one. */
  items(table: TableName): readonly Item[];
  partitions(table: TableName): readonly string[];
  count(table: TableName): number;
}

type Table = Map<string, Partition>;

export function createMemoryStore(
  options: {
    onRequest?: (request: StoreRequest) => void;
    /** Shown what is kept from now on, and handed out: a test may make sure that nobody changes it (P5). */
    onKeep?: (item: Item) => void;
  } = {},
): MemoryStore {
  const tables: Record<TableName, Table> = { catalog: new Map(), lanes: new Map() };
  const { onRequest, onKeep } = options;

  const rowAt = (table: TableName, key: Key): Row | undefined =>
    tables[table].get(key.pk)?.get(key.sk);

  const keep = (table: TableName, item: Item, bytes: number): void => {
    let partition = tables[table].get(item.pk);
    if (partition === undefined) tables[table].set(item.pk, (partition = new Partition()));
    onKeep?.(item);
    partition.set(item.sk, { item, bytes });
  };

  const drop = (table: TableName, key: Key): void => {
    const partition = tables[table].get(key.pk);
    partition?.delete(key.sk);
    if (partition?.size === 0) tables[table].delete(key.pk);
  };

  const wrote = (action: string, table: TableName, before: number, after: number): void =>
    onRequest?.({ action, table, readUnits: 0, writeUnits: writeUnits(before, after), items: 1 });

  const refusal = (row: Row | undefined): WriteResult => ({ ok: false, found: row?.item });

  return {
    async get(table, key, { consistent }) {
      checkKey(key);
      const row = rowAt(table, key);
      onRequest?.({
        action: "GetItem",
        table,
        readUnits: readUnits(row?.bytes ?? 0, consistent),
        writeUnits: 0,
        items: row === undefined ? 0 : 1,
      });
      return row?.item;
    },

    async query(table, pk, range) {
      const { page, bytes } = cut(tables[table].get(pk), range);
      onRequest?.({
        action: "Query",
        table,
        readUnits: readUnits(bytes, range.consistent),
        writeUnits: 0,
        items: page.items.length,
      });
      return page;
    },

    async put(table, item, condition) {
      checkKey(item);
      const row = rowAt(table, item);
      const next = storedItem(item);
      const bytes = checkedItemBytes(next);
      const allowed = isAllowed(condition, row);
      if (allowed) keep(table, next, bytes);
      wrote("PutItem", table, row?.bytes ?? 0, bytes);
      return allowed ? { ok: true, old: undefined } : refusal(row);
    },

    async update(table, key, edits, condition, { wantOld = false } = {}) {
      checkKey(key);
      refuseOverlaps(edits);
      const row = rowAt(table, key);
      if (!isAllowed(condition, row)) {
        wrote("UpdateItem", table, row?.bytes ?? 0, 0);
        return refusal(row);
      }
      const next = edited(row?.item ?? { pk: key.pk, sk: key.sk }, edits);
      const bytes = checkedItemBytes(next);
      keep(table, next, bytes);
      wrote("UpdateItem", table, row?.bytes ?? 0, bytes);
      return { ok: true, old: wantOld ? row?.item : undefined };
    },

    async delete(table, key, condition) {
      checkKey(key);
      const row = rowAt(table, key);
      const allowed = isAllowed(condition, row);
      if (allowed) drop(table, key);
      wrote("DeleteItem", table, row?.bytes ?? 0, 0);
      return allowed ? { ok: true, old: undefined } : refusal(row);
    },

    peek: (table, key) => rowAt(table, key)?.item,
    items: (table) =>
      [...tables[table].values()].flatMap((partition) => partition.rows().map((row) => row.item)),
    partitions: (table) => [...tables[table].keys()],
    count: (table) => [...tables[table].values()].reduce((sum, { size }) => sum + size, 0),
  };
}

/** One page: it ends with the item that reaches the limit or 1 MB. */
function cut(
  partition: Partition | undefined,
  range: QueryRange,
): { page: QueryPage; bytes: number } {
  const { from, to, reverse = false, limit = Number.POSITIVE_INFINITY } = range;
  invariant(limit >= 1, "a query asks for at least one item");
  const items: Item[] = [];
  let bytes = 0;
  if (partition === undefined) return { page: { items, more: false }, bytes };
  const start = from === undefined ? 0 : partition.firstFrom(from);
  const end = to === undefined ? partition.size : partition.firstAfter(to);
  for (let step = 0; step < end - start; step++) {
    const row = partition.row(reverse ? end - 1 - step : start + step);
    if (row === undefined) break;
    items.push(row.item);
    bytes += row.bytes;
    if (items.length >= limit || bytes >= PAGE_BYTES) return { page: { items, more: true }, bytes };
  }
  return { page: { items, more: false }, bytes };
}

const isAllowed = (condition: Condition | undefined, row: Row | undefined): boolean =>
  condition === undefined || holds(condition, row?.item);

/** A refused condition is billed as well. */
const writeUnits = (before: number, after: number): number =>
  Math.max(1, Math.ceil(Math.max(before, after) / 1024));

const readUnits = (bytes: number, consistent: boolean): number =>
  Math.max(1, Math.ceil(bytes / 4096)) * (consistent ? 1 : 0.5);

function checkKey({ pk, sk }: Key): void {
  invariant(pk.length > 0 && pk.length <= 2048, "pk is 1 to 2,048 bytes");
  invariant(sk.length > 0 && sk.length <= 1024, "sk is 1 to 1,024 bytes");
}
