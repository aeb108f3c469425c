/**
 * The life of exchanges and bindings: make, change, read, list, delete.
 *
 * U1  Every change renews the exchange's revision after it is made, so that who has read the new
 *     revision reads the change, too.
 * U2  Deleting marks the exchange first, which then routes nothing, then clears its bindings, then
 *     removes it; whoever makes or deletes the name again finishes what a crash left.
 */
import { afterChange, LaneError } from "../core/errors.ts";
import { checkBinding, checkExchange, defaultExchange } from "../core/exchange.ts";
import type { Binding, BindingSettings, Exchange, ExchangeSettings } from "../core/exchange.ts";
import { invalid } from "../core/invalid.ts";
import { DEFAULT_EXCHANGE } from "../core/types.ts";
import type { ExchangeName } from "../core/types.ts";
import { bindingKey, bindingsKey, exchangeKey, EXCHANGES } from "../store/keys.ts";
import { absent, all, equal, exists, set } from "../store/port.ts";
import type { Item } from "../store/port.ts";
import type { Catalog } from "./catalog.ts";
import { randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import { noExchange, parseBinding, parseExchange, readExchange } from "./routing.ts";
import type { Routing } from "./routing.ts";

const ATTEMPTS = 5;

export class Exchanges {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #routing: Routing;

  constructor(deps: Deps, catalog: Catalog, routing: Routing) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#routing = routing;
  }

  /** Makes the exchange, or makes its settings these. */
  async put(
    name: ExchangeName,
    settings: ExchangeSettings,
  ): Promise<{ created: boolean; exchange: Exchange }> {
    refuseDefault(name);
    checkExchange(name, settings);
    if (settings.alternate !== null) await this.#demandExchange(settings.alternate, "alternate");
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const item = await this.#deps.store.get("catalog", exchangeKey(name), { consistent: true });
      if (item?.["deleting"] === true) {
        await this.#finishDeleting(item);
        continue;
      }
      const exchange =
        item === undefined
          ? await this.#create(name, settings)
          : await this.#update(parseExchange(item), settings);
      if (exchange !== undefined) return { created: item === undefined, exchange };
    }
    throw conflict(name);
  }

  async get(name: ExchangeName): Promise<Exchange> {
    if (name === DEFAULT_EXCHANGE) return defaultExchange();
    const exchange = await readExchange(this.#deps, name);
    if (exchange === undefined) throw noExchange(name);
    return exchange;
  }

  async list(request: {
    prefix?: string;
    limit: number;
    after?: ExchangeName;
  }): Promise<{ exchanges: readonly Exchange[]; next?: ExchangeName }> {
    const prefix = request.prefix ?? "";
    const found: Exchange[] = [];
    const { after } = request;
    let from: string | undefined = after !== undefined && after >= prefix ? `${after}\0` : prefix;
    while (from !== undefined && found.length <= request.limit) {
      const page = await this.#deps.store.query("catalog", EXCHANGES, {
        ...(from === "" ? {} : { from }),
        to: `${prefix}\uffff`,
        limit: request.limit + 1,
        consistent: true,
      });
      found.push(...page.items.filter((item) => item["deleting"] !== true).map(parseExchange));
      const last = page.items.at(-1);
      from = page.more && last !== undefined ? `${last.sk}\0` : undefined;
    }
    const exchanges = found.slice(0, request.limit);
    const next = found.length > request.limit ? exchanges.at(-1)?.name : undefined;
    return next === undefined ? { exchanges } : { exchanges, next };
  }

  async delete(name: ExchangeName): Promise<void> {
    refuseDefault(name);
    const key = exchangeKey(name);
    const { ok: isMarked } = await this.#deps.store.update(
      "catalog",
      key,
      [set(["deleting"], true)],
      all(exists("exchangeId"), absent("deleting")),
    );
    this.#routing.forget(name);
    try {
      const item = await this.#deps.store.get("catalog", key, { consistent: true });
      if (item?.["deleting"] === true) await this.#finishDeleting(item);
    } catch (error) {
      throw afterChange(error, `The exchange "${name}" may be deleted in part; delete it again.`);
    }
    if (!isMarked) throw noExchange(name);
  }

  async putBinding(
    name: ExchangeName,
    id: string,
    settings: BindingSettings,
  ): Promise<{ created: boolean; binding: Binding }> {
    refuseDefault(name);
    const exchange = await this.get(name);
    checkBinding(exchange, settings);
    if (settings.queue !== undefined) await this.#demandQueue(settings.queue);
    else await this.#demandExchange(settings.exchange, "exchange");
    const key = bindingKey(exchange.exchangeId, id);
    const before = await this.#deps.store.get("catalog", key, { consistent: true });
    await this.#deps.store.put("catalog", { ...key, binding: JSON.stringify(settings) });
    await this.#renew(exchange, `The binding "${id}" may have been made; make it again.`);
    return { created: before === undefined, binding: { ...settings, id } };
  }

  async getBinding(name: ExchangeName, id: string): Promise<Binding> {
    const exchange = await this.get(name);
    const key = bindingKey(exchange.exchangeId, id);
    const item = await this.#deps.store.get("catalog", key, { consistent: true });
    if (item === undefined) throw noBinding(name, id);
    return parseBinding(item);
  }

  async listBindings(
    name: ExchangeName,
    request: { limit: number; after?: string },
  ): Promise<{ bindings: readonly Binding[]; next?: string }> {
    const exchange = await this.get(name);
    const page = await this.#deps.store.query("catalog", bindingsKey(exchange.exchangeId), {
      ...(request.after === undefined ? {} : { from: `${request.after}\0` }),
      limit: request.limit,
      consistent: true,
    });
    const bindings = page.items.map(parseBinding);
    const last = bindings.at(-1);
    return page.more && last !== undefined ? { bindings, next: last.id } : { bindings };
  }

  async deleteBinding(name: ExchangeName, id: string): Promise<void> {
    const exchange = await this.get(name);
    const key = bindingKey(exchange.exchangeId, id);
    const { ok } = await this.#deps.store.delete("catalog", key, exists("binding"));
    // Also where there is none: the delete of an earlier call may have been made without this.
    await this.#renew(exchange, `The binding "${id}" may have been deleted; delete it again.`);
    if (!ok) throw noBinding(name, id);
  }

  async #create(name: ExchangeName, settings: ExchangeSettings): Promise<Exchange | undefined> {
    const exchange: Exchange = {
      name,
      exchangeId: randomId(this.#deps, 12),
      settings,
      createdAt: this.#deps.clock.now(),
      revision: randomId(this.#deps, 8),
    };
    const item: Item = {
      ...exchangeKey(name),
      exchangeId: exchange.exchangeId,
      settings: JSON.stringify(settings),
      createdAt: exchange.createdAt,
      revision: exchange.revision,
    };
    const { ok } = await this.#deps.store.put("catalog", item, absent("pk"));
    this.#routing.forget(name);
    return ok ? exchange : undefined;
  }

  async #update(before: Exchange, settings: ExchangeSettings): Promise<Exchange | undefined> {
    for (const field of ["type", "by"] as const) {
      if (before.settings[field] === settings[field]) continue;
      throw new LaneError(
        "exchange-conflict",
        `The ${field} of exchange "${before.name}" is "${before.settings[field]}" and cannot be changed; delete the exchange first.`,
        { errors: [{ path: field, message: `is "${before.settings[field]}" already` }] },
      );
    }
    const revision = randomId(this.#deps, 8);
    const { ok } = await this.#deps.store.update(
      "catalog",
      exchangeKey(before.name),
      [set(["settings"], JSON.stringify(settings)), set(["revision"], revision)],
      all(equal(["exchangeId"], before.exchangeId), absent("deleting")),
    );
    this.#routing.forget(before.name);
    return ok ? { ...before, settings, revision } : undefined;
  }

  /** U1. An exchange that was deleted meanwhile took the binding with it, or left it where nobody looks. */
  async #renew(exchange: Exchange, detail: string): Promise<void> {
    try {
      const { ok } = await this.#deps.store.update(
        "catalog",
        exchangeKey(exchange.name),
        [set(["revision"], randomId(this.#deps, 8))],
        all(equal(["exchangeId"], exchange.exchangeId), absent("deleting")),
      );
      if (!ok) throw noExchange(exchange.name);
    } catch (error) {
      throw afterChange(error, detail);
    } finally {
      this.#routing.forget(exchange.name);
    }
  }

  async #finishDeleting(item: Item): Promise<void> {
    const exchangeId = item["exchangeId"] as string;
    const { store } = this.#deps;
    for (let more = true; more;) {
      const page = await store.query("catalog", bindingsKey(exchangeId), { consistent: true });
      for (const { pk, sk } of page.items) await store.delete("catalog", { pk, sk });
      more = page.more;
    }
    const { pk, sk } = item;
    await store.delete("catalog", { pk, sk }, equal(["exchangeId"], exchangeId));
  }

  async #demandExchange(name: ExchangeName, path: string): Promise<void> {
    if (name === DEFAULT_EXCHANGE) {
      if (path === "alternate") return;
      throw invalid([{ path, message: "is the default exchange, which takes no bindings" }]);
    }
    if ((await readExchange(this.#deps, name)) === undefined) throw noExchange(name, path);
  }

  async #demandQueue(name: BindingSettings["queue"] & string): Promise<void> {
    if (await this.#catalog.has(name)) return;
    throw new LaneError("queue-not-found", `There is no queue "${name}" to bind.`, {
      errors: [{ path: "queue", message: "does not exist" }],
    });
  }
}

function refuseDefault(name: ExchangeName): void {
  if (name !== DEFAULT_EXCHANGE) return;
  throw new LaneError(
    "exchange-conflict",
    `The exchange "${name}" is there by itself: it routes by queue name, and cannot be changed.`,
  );
}

const noBinding = (exchange: string, id: string): LaneError =>
  new LaneError("binding-not-found", `The exchange "${exchange}" has no binding "${id}".`);

const conflict = (name: string): LaneError =>
  new LaneError(
    "exchange-conflict",
    `The exchange "${name}" is being changed by others; try again.`,
  );
