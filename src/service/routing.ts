/**
 * The routing tables of an instance: exchanges with their bindings, compiled, read when needed.
 *
 * Y1  An instance routes by tables at most 10 s old; a change made by this instance is seen at once.
 * Y2  Bindings are read again only when the exchange's revision has changed, which every change renews
 *     after it is made; and once a minute, for one that failed in between.
 */
import { LaneError } from "../core/errors.ts";
import { defaultExchange } from "../core/exchange.ts";
import type { Binding, Exchange, ExchangeSettings } from "../core/exchange.ts";
import { LIMITS } from "../core/limits.ts";
import { route } from "../core/route.ts";
import type { RouteInput, Routed } from "../core/route.ts";
import { leavingThrough } from "../core/queue.ts";
import { RoutingTable } from "../core/routing-table.ts";
import { DEFAULT_EXCHANGE, epochMs, isQueueName } from "../core/types.ts";
import type { EpochMs, ExchangeName, QueueName } from "../core/types.ts";
import { bindingsKey, exchangeKey } from "../store/keys.ts";
import type { Item } from "../store/port.ts";
import type { Catalog } from "./catalog.ts";
import type { Deps } from "./deps.ts";
import { boundedCache } from "./cache.ts";

interface Known {
  readonly table: RoutingTable | undefined;
  readonly readAt: EpochMs;
  /** When its bindings were read. */
  readonly loadedAt: EpochMs;
}

export class Routing {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #known = boundedCache<Known>(1_000);
  readonly #loading = new Map<ExchangeName, Promise<Known>>();

  constructor(deps: Deps, catalog: Catalog) {
    this.#deps = deps;
    this.#catalog = catalog;
  }

  /** Whether the target of dead letters exists. */
  async isThere(to: string): Promise<boolean> {
    const exchange = leavingThrough(to);
    if (exchange === undefined) return isQueueName(to) && this.#catalog.has(to);
    return exchange === DEFAULT_EXCHANGE || (await this.#table(exchange)) !== undefined;
  }

  /** The exchange as routing knows it. @throws LaneError `exchange-not-found` */
  async exchange(name: ExchangeName): Promise<Exchange> {
    if (name === DEFAULT_EXCHANGE) return defaultExchange();
    const table = await this.#table(name);
    if (table === undefined) throw noExchange(name);
    return table.exchange;
  }

  /** Where each message goes; queues that do not exist are left out. */
  async route(inputs: readonly RouteInput[]): Promise<readonly Routed[]> {
    const tables = await this.#reachable(new Set(inputs.map(({ exchange }) => exchange)));
    const known = new Map<QueueName, boolean>();
    const world = {
      table: (name: ExchangeName) => tables.get(name),
      isQueue: (name: QueueName) => known.get(name) !== false,
    };
    const results: (Routed | undefined)[] = inputs.map(() => undefined);
    for (let open = [...inputs.keys()]; open.length > 0;) {
      for (const index of open) {
        const input = inputs[index];
        if (input !== undefined) results[index] = route(input, world);
      }
      const unknown = new Set(open.flatMap((index) => [...(results[index]?.queues.keys() ?? [])]));
      await Promise.all(
        [...unknown]
          .filter((name) => !known.has(name))
          .map(async (name) => known.set(name, await this.#catalog.has(name))),
      );
      open = open.filter((index) =>
        [...(results[index]?.queues.keys() ?? [])].some((name) => known.get(name) === false),
      );
    }
    return results.flatMap((one) => one ?? []);
  }

  /** Y1: for what this instance has changed. */
  forget(name: ExchangeName): void {
    this.#known.delete(name);
    this.#loading.delete(name);
  }

  /** The tables of these exchanges and of all that they lead to. */
  async #reachable(
    names: ReadonlySet<ExchangeName>,
  ): Promise<ReadonlyMap<ExchangeName, RoutingTable>> {
    const tables = new Map<ExchangeName, RoutingTable>();
    const seen = new Set(names);
    for (let open = [...names]; open.length > 0;) {
      const found = await Promise.all(open.map((name) => this.#table(name)));
      open = [];
      for (const table of found) {
        if (table === undefined) continue;
        tables.set(table.exchange.name, table);
        for (const next of table.leadsTo) {
          if (seen.has(next)) continue;
          seen.add(next);
          open.push(next);
        }
      }
    }
    return tables;
  }

  async #table(name: ExchangeName): Promise<RoutingTable | undefined> {
    if (name === DEFAULT_EXCHANGE) return undefined;
    const now = this.#deps.clock.now();
    const known = this.#known.get(name);
    if (known !== undefined && isWithin(now, known.readAt, LIMITS.settingsCachedMs))
      return known.table;
    const loading = this.#loading.get(name) ?? this.#load(name, known);
    this.#loading.set(name, loading);
    try {
      const fresh = await loading;
      // What was changed by this instance meanwhile is not remembered as it was before.
      if (this.#loading.get(name) === loading) this.#known.set(name, fresh);
      return fresh.table;
    } finally {
      if (this.#loading.get(name) === loading) this.#loading.delete(name);
    }
  }

  async #load(name: ExchangeName, known: Known | undefined): Promise<Known> {
    const readAt = this.#deps.clock.now();
    const exchange = await readExchange(this.#deps, name);
    if (exchange === undefined) return { table: undefined, readAt, loadedAt: readAt };
    const isSame =
      known?.table?.exchange.exchangeId === exchange.exchangeId &&
      known.table.exchange.revision === exchange.revision;
    if (isSame && isWithin(readAt, known.loadedAt, LIMITS.bindingsReadAgainMs)) {
      return { ...known, readAt };
    }
    const bindings: Binding[] = [];
    for (let from: string | undefined = ""; from !== undefined;) {
      const page = await this.#deps.store.query("catalog", bindingsKey(exchange.exchangeId), {
        ...(from === "" ? {} : { from }),
        consistent: true,
      });
      bindings.push(...page.items.map(parseBinding));
      const last = page.items.at(-1);
      from = page.more && last !== undefined ? `${last.sk}\0` : undefined;
    }
    return { table: new RoutingTable(exchange, bindings), readAt, loadedAt: readAt };
  }
}

/** Strongly read. `undefined`: there is none, or it is being deleted. */
export async function readExchange(
  deps: Pick<Deps, "store">,
  name: ExchangeName,
): Promise<Exchange | undefined> {
  const item = await deps.store.get("catalog", exchangeKey(name), { consistent: true });
  return item === undefined || item["deleting"] === true ? undefined : parseExchange(item);
}

export const parseExchange = (item: Item): Exchange => ({
  name: item.sk as ExchangeName,
  exchangeId: item["exchangeId"] as string,
  settings: JSON.parse(item["settings"] as string) as ExchangeSettings,
  createdAt: epochMs(item["createdAt"] as number),
  revision: item["revision"] as string,
});

export const parseBinding = (item: Item): Binding => ({
  ...(JSON.parse(item["binding"] as string) as Binding),
  id: item.sk,
});

export const noExchange = (name: string, path?: string): LaneError =>
  new LaneError("exchange-not-found", `There is no exchange "${name}".`, {
    errors: path === undefined ? [] : [{ path, message: "does not exist" }],
  });

const isWithin = (now: EpochMs, since: EpochMs, ms: number): boolean =>
  now >= since && now - since < ms;
