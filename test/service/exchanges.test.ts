/** Hunts for bindings that outlive their exchange, and for changes that nobody sees. */
import { describe, expect, it } from "vitest";
import type { ExchangeSettings } from "../../src/core/exchange.ts";
import { exchangeName, queueName } from "../../src/core/types.ts";
import { bindingsKey } from "../../src/store/keys.ts";
import type { Store } from "../../src/store/port.ts";
import { createWorld, Q, text, unknown } from "./fixture.ts";

const X = exchangeName("events");
const direct: ExchangeSettings = { type: "direct", alternate: null, mandatory: false };

describe("exchanges", () => {
  it("are made, changed, read, listed and deleted", async () => {
    const service = createWorld().instance();
    expect(await service.putExchange(X, direct)).toMatchObject({ created: true });
    const changed = await service.putExchange(X, { ...direct, mandatory: true });
    expect(changed).toMatchObject({ created: false, exchange: { settings: { mandatory: true } } });
    expect(await service.getExchange(X)).toEqual(changed.exchange);
    for (const name of ["a", "b", "events-2"])
      await service.putExchange(exchangeName(name), direct);
    const first = await service.listExchanges({ limit: 2 });
    expect(first.exchanges.map(({ name }) => name)).toEqual(["a", "b"]);
    const rest = await service.listExchanges({ limit: 2, after: first.next ?? X });
    expect(rest.exchanges.map(({ name }) => name)).toEqual(["events", "events-2"]);
    expect(rest.next).toBeUndefined();
    const some = await service.listExchanges({ limit: 9, prefix: "ev" });
    expect(some.exchanges).toHaveLength(2);
    await service.deleteExchange(X);
    await expect(service.getExchange(X)).rejects.toThrow('There is no exchange "events"');
    await expect(service.deleteExchange(X)).rejects.toMatchObject({ code: "exchange-not-found" });
    expect(await service.putExchange(X, { ...direct, type: "topic" })).toMatchObject({
      created: true,
    });
  });

  it("keep their type, and how they balance", async () => {
    const service = createWorld().instance();
    await service.putExchange(X, direct);
    await expect(service.putExchange(X, { ...direct, type: "topic" })).rejects.toMatchObject({
      code: "exchange-conflict",
      status: 409,
      errors: [{ path: "type", message: 'is "direct" already' }],
    });
    const b = exchangeName("b");
    await service.putExchange(b, { ...direct, type: "balance", by: "hash" });
    await expect(
      service.putExchange(b, { ...direct, type: "balance", by: "random" }),
    ).rejects.toMatchObject({ code: "exchange-conflict", errors: [{ path: "by" }] });
  });

  it("name an alternate that exists", async () => {
    const service = createWorld().instance();
    const settings = { ...direct, alternate: exchangeName("rest") };
    await expect(service.putExchange(X, settings)).rejects.toMatchObject({
      code: "exchange-not-found",
      errors: [{ path: "alternate", message: "does not exist" }],
    });
    await service.putExchange(X, { ...direct, alternate: exchangeName("default") });
  });

  it("leave the default one alone", async () => {
    const service = createWorld().instance();
    await service.putQueue(Q, {});
    const name = exchangeName("default");
    expect((await service.getExchange(name)).settings.type).toBe("direct");
    const refused = { code: "exchange-conflict" };
    await expect(service.putExchange(name, direct)).rejects.toMatchObject(refused);
    await expect(service.deleteExchange(name)).rejects.toMatchObject(refused);
    await expect(service.putBinding(name, "a", { queue: Q })).rejects.toMatchObject(refused);
    await service.putExchange(X, direct);
    await expect(service.putBinding(X, "a", { exchange: name })).rejects.toMatchObject({
      code: "invalid-request",
    });
  });
});

describe("bindings", () => {
  it("are made, replaced, read, listed and deleted", async () => {
    const service = createWorld().instance();
    await service.putExchange(X, direct);
    await service.putQueue(Q, {});
    const made = await service.putBinding(X, "a", { queue: Q, routingKey: "x" });
    expect(made).toEqual({ created: true, binding: { id: "a", queue: Q, routingKey: "x" } });
    expect(await service.putBinding(X, "a", { queue: Q })).toMatchObject({ created: false });
    expect(await service.getBinding(X, "a")).toEqual({ id: "a", queue: Q });
    for (const id of ["b", "c"]) await service.putBinding(X, id, { queue: Q, routingKey: id });
    const page = await service.listBindings(X, { limit: 2 });
    expect(page).toMatchObject({ bindings: [{ id: "a" }, { id: "b" }], next: "b" });
    expect(await service.listBindings(X, { limit: 2, after: "b" })).toEqual({
      bindings: [{ id: "c", queue: Q, routingKey: "c" }],
    });
    await service.deleteBinding(X, "a");
    const none = { code: "binding-not-found" };
    await expect(service.deleteBinding(X, "a")).rejects.toMatchObject(none);
    await expect(service.getBinding(X, "a")).rejects.toMatchObject(none);
  });

  it("lead to what exists, from what exists", async () => {
    const service = createWorld().instance();
    await expect(service.putBinding(X, "a", { queue: Q })).rejects.toMatchObject({
      code: "exchange-not-found",
    });
    await service.putExchange(X, direct);
    await expect(service.putBinding(X, "a", { queue: Q })).rejects.toMatchObject({
      code: "queue-not-found",
      errors: [{ path: "queue", message: "does not exist" }],
    });
    await expect(
      service.putBinding(X, "a", { exchange: exchangeName("none") }),
    ).rejects.toMatchObject({
      code: "exchange-not-found",
      errors: [{ path: "exchange", message: "does not exist" }],
    });
  });

  it("go with their exchange, also when its deletion was cut short", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, {});
    await service.putExchange(X, direct);
    const { exchangeId } = await service.getExchange(X);
    for (const id of ["a", "b", "c"]) await service.putBinding(X, id, { queue: Q });
    let deletes = 0;
    const failing: Store = {
      ...world.store,
      delete: async (...given) => {
        if (++deletes === 2) throw unknown();
        return world.store.delete(...given);
      },
    };
    await expect(world.instance(failing).deleteExchange(X)).rejects.toMatchObject({
      code: "outcome-unknown",
    });
    // It routes nothing more, though its item is still there.
    await expect(world.instance().publish(X, [text("m")])).rejects.toMatchObject({
      code: "exchange-not-found",
    });
    expect(await service.putExchange(X, direct)).toMatchObject({ created: true });
    expect(await service.listBindings(X, { limit: 9 })).toEqual({ bindings: [] });
    const left = world.store.items("catalog").filter(({ pk }) => pk === bindingsKey(exchangeId));
    expect(left).toEqual([]);
  });
});

describe("changes", () => {
  it("are seen by this instance at once, by others within 10 s", async () => {
    const world = createWorld();
    const [mine, other] = [world.instance(), world.instance()];
    await mine.putQueue(Q, {});
    await mine.putQueue(queueName("more"), {});
    await mine.putExchange(X, { ...direct, type: "fanout" });
    await mine.putBinding(X, "a", { queue: Q });
    const queuesOf = async (service: typeof mine) =>
      (await world.through(service.publish(X, [text("m")])))[0];
    expect(await queuesOf(other)).toMatchObject({ queues: [Q] });
    await mine.putBinding(X, "b", { queue: queueName("more") });
    expect(await queuesOf(mine)).toMatchObject({ queues: [Q, "more"] });
    expect(await queuesOf(other)).toMatchObject({ queues: [Q] });
    await world.advance(10_000);
    expect(await queuesOf(other)).toMatchObject({ queues: [Q, "more"] });
    await mine.deleteBinding(X, "a");
    expect(await queuesOf(mine)).toMatchObject({ queues: ["more"] });
    await world.advance(10_000);
    expect(await queuesOf(other)).toMatchObject({ queues: ["more"] });
  });

  it("bindings are read again only when something has changed, or after a minute", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, {});
    await service.putExchange(X, { ...direct, type: "fanout" });
    await service.putBinding(X, "a", { queue: Q });
    const queries = async (): Promise<number> => {
      world.requests.length = 0;
      await service.publish(X, [text("m")]);
      return world.requests.filter((one) => one.table === "catalog" && one.action === "Query")
        .length;
    };
    expect(await queries()).toBe(1);
    await world.advance(10_000);
    expect(await queries()).toBe(0);
    await world.advance(60_000);
    expect(await queries()).toBe(1);
    // A change that was made, but not announced, is found by then.
    const { exchangeId } = await service.getExchange(X);
    for (const item of world.store.items("catalog")) {
      if (item.pk === bindingsKey(exchangeId)) await world.store.delete("catalog", item);
    }
    await world.advance(60_000);
    expect((await service.publish(X, [text("m")]))[0]).toEqual({ queues: [] });
  });
});
