/**
 * The storage engine of a simulation: the in-memory store, and what only the simulation may know of it.
 *
 * Owns: the history that stale reads look back into, deletion by TTL, and the log of every entry that
 * was ever put, by which appends are judged.
 *
 * E1  Each operation is applied at one instant, inside one event.
 * E2  A deletion by TTL happens at or after an item's `ttl`, on the `ttl` as it stands then.
 */
import { createMemoryStore } from "../../src/store/memory.ts";
import type { MemoryStore } from "../../src/store/memory.ts";
import type {
  Attributes,
  Item,
  Key,
  QueryPage,
  QueryRange,
  Store,
  TableName,
  WriteResult,
} from "../../src/store/port.ts";
import type { World } from "./instance.ts";

export interface Write {
  readonly table: TableName;
  readonly key: Key;
  run(store: Store): Promise<WriteResult>;
}

/** An item that changed: what it was before. */
interface Past {
  readonly at: number;
  readonly key: Key;
  readonly before: Item | undefined;
}

const STALE_FOR_MS = 2_000;

export class Engine {
  readonly store: MemoryStore = createMemoryStore();
  /** Called after each write that changed an item, before anything else happens. */
  onWrite:
    | ((change: {
        readonly table: TableName;
        readonly key: Key;
        readonly before: Item | undefined;
        readonly after: Item | undefined;
        readonly byTtl: boolean;
      }) => void)
    | undefined;
  steps = 0;
  /** Lane to the time at which its anchor was last written. */
  readonly anchoredAt = new Map<string, number>();
  readonly #world: World;
  readonly #past = new Map<string, Past[]>();
  /** `ttl` of items, as last seen. */
  readonly ttls = new Map<string, { readonly key: Key; readonly ttl: number }>();

  constructor(world: World) {
    this.#world = world;
  }

  async write(write: Write, byTtl = false): Promise<WriteResult> {
    this.steps += 1;
    const before = this.store.peek(write.table, write.key);
    const result = await write.run(this.store);
    if (result.ok) {
      const after = this.store.peek(write.table, write.key);
      this.#remember(write.table, write.key, before);
      this.#watchTtl(write.table, write.key, after);
      if (write.key.pk.startsWith("anchor#"))
        this.anchoredAt.set(write.key.pk, this.#world.scheduler.now);
      this.onWrite?.({
        table: write.table,
        key: { pk: write.key.pk, sk: write.key.sk },
        before,
        after,
        byTtl,
      });
    }
    return result;
  }

  /** Applied, but for nobody: `write.run` may throw what the caller would have been told. */
  async writeUnheard(write: Write): Promise<void> {
    await this.write(write).catch(() => undefined);
  }

  get(table: TableName, key: Key): Item | undefined {
    this.steps += 1;
    return this.store.peek(table, key);
  }

  query(table: TableName, pk: string, range: QueryRange): Promise<QueryPage> {
    this.steps += 1;
    return this.store.query(table, pk, { ...range, consistent: true });
  }

  /** When the last of all entries is to go, or went. */
  lastEntryGoesAt(): number {
    const entries = [...this.ttls.values()].filter(({ key }) => key.pk.startsWith("log#"));
    return Math.max(0, ...entries.map(({ ttl }) => ttl * 1_000));
  }

  /** What the item was some time ago. */
  staleGet(table: TableName, key: Key): Item | undefined {
    this.steps += 1;
    const asOf = this.#world.scheduler.now - this.#world.random.between(0, STALE_FOR_MS);
    const newer = this.#newer(table, key.pk, asOf).find((past) => past.key.sk === key.sk);
    return newer === undefined ? this.store.peek(table, key) : newer.before;
  }

  async staleQuery(table: TableName, pk: string, range: QueryRange): Promise<QueryPage> {
    const asOf = this.#world.scheduler.now - this.#world.random.between(0, STALE_FOR_MS);
    const page = await this.query(table, pk, range);
    const newer = this.#newer(table, pk, asOf);
    if (newer.length === 0 || page.more) return page;
    const items = new Map(page.items.map((item) => [item.sk, item]));
    const seen = new Set<string>();
    for (const { key, before } of newer) {
      if (seen.has(key.sk) || !isInRange(key.sk, range)) continue;
      seen.add(key.sk);
      if (before === undefined) items.delete(key.sk);
      else items.set(key.sk, before);
    }
    return cut(sorted([...items.values()], range), range, false);
  }

  /** Oldest first. */
  #newer(table: TableName, pk: string, asOf: number): Past[] {
    return (this.#past.get(`${table}/${pk}`) ?? []).filter((past) => past.at > asOf);
  }

  #remember(table: TableName, key: Key, before: Item | undefined): void {
    const name = `${table}/${key.pk}`;
    const { now } = this.#world.scheduler;
    let list = this.#past.get(name);
    if (list === undefined) this.#past.set(name, (list = []));
    if (list.length >= 64)
      list.splice(0, list.length, ...list.filter((past) => past.at > now - STALE_FOR_MS));
    list.push({ at: now, key, before });
  }

  #watchTtl(table: TableName, key: Key, after: Attributes | undefined): void {
    if (table !== "lanes") return;
    const name = `${key.pk}/${key.sk}`;
    const ttl = after?.["ttl"];
    if (typeof ttl !== "number") {
      this.ttls.delete(name);
      return;
    }
    if (this.ttls.get(name)?.ttl === ttl) return;
    this.ttls.set(name, { key, ttl });
    const delayMs = this.#ttlDelayMs();
    if (delayMs !== undefined)
      this.#world.scheduler.at(ttl * 1_000 + delayMs, () => void this.#expire(key));
  }

  #ttlDelayMs(): number | undefined {
    const { random, faults } = this.#world;
    if (faults.ttl === "atOnce") return random.between(0, 1_500);
    if (faults.ttl === "late") return random.skewed(60_000, 48 * 3_600_000);
    if (faults.ttl === "never" || random.chance(0.1)) return undefined;
    return random.skewed(1, 4 * 3_600_000);
  }

  async #expire(key: Key): Promise<void> {
    const ttl = this.store.peek("lanes", key)?.["ttl"];
    if (typeof ttl !== "number" || ttl * 1_000 > this.#world.scheduler.now) return;
    this.#world.counts.add("ttl");
    this.#world.trace?.(`ttl deletes ${key.pk} ${key.sk}`);
    await this.write({ table: "lanes", key, run: (store) => store.delete("lanes", key) }, true);
  }
}

const isInRange = (sk: string, range: QueryRange): boolean =>
  (range.from === undefined || sk >= range.from) && (range.to === undefined || sk <= range.to);

export function sorted(items: Item[], range: QueryRange): Item[] {
  items.sort((a, b) => (a.sk < b.sk ? -1 : 1));
  return range.reverse === true ? items.reverse() : items;
}

/** A page of at most `limit` items; as DynamoDB, one that ends at its limit says that more may follow. */
export function cut(items: readonly Item[], range: QueryRange, more: boolean): QueryPage {
  if (range.limit === undefined || items.length < range.limit) return { items, more };
  return { items: items.slice(0, range.limit), more: true };
}
