/** Hunts for copies that are lost or doubled, and for answers that do not say where a message went. */
import { describe, expect, it } from "vitest";
import type { BindingSettings, ExchangeSettings } from "../../src/core/exchange.ts";
import type { OutgoingMessage } from "../../src/core/message.ts";
import { exchangeName, queueName } from "../../src/core/types.ts";
import type { QueueName } from "../../src/core/types.ts";
import type { Service } from "../../src/service/api.ts";
import type { Store } from "../../src/store/port.ts";
import { ALL, bodyOf, createWorld, drain, logOf, recordOf, text, throttled } from "./fixture.ts";
import type { World } from "./fixture.ts";

const X = exchangeName("events");
const [A, B, C] = ["a", "b", "c"].map((name) => queueName(name)) as [
  QueueName,
  QueueName,
  QueueName,
];
const settings: ExchangeSettings = { type: "fanout", alternate: null, mandatory: false };
const keyed = (body: string, routingKey: string): OutgoingMessage => ({
  ...text(body),
  routingKey,
});

async function bound(
  service: Service,
  given: Partial<ExchangeSettings>,
  bindings: readonly BindingSettings[],
): Promise<void> {
  for (const queue of [A, B, C]) await service.putQueue(queue, {});
  await service.putExchange(X, { ...settings, ...given });
  for (const [index, binding] of bindings.entries()) {
    await service.putBinding(X, `b${index}`, binding);
  }
}

/** Nothing can be appended to one queue. */
const losing = (world: World, queueId: string): Store => ({
  ...world.store,
  put: async (table, item, ...rest) => {
    if (item.pk.startsWith(`log#${queueId}`)) throw throttled();
    return world.store.put(table, item, ...rest);
  },
});

describe("a publish with dedup ids, repeated after it failed half-way", () => {
  const messages = ["1", "2"].map((body) => ({ ...text(body), dedupId: `id-${body}` }));

  it("ends with each queue having each message once, under the same id", async () => {
    const world = createWorld();
    const service = world.instance();
    await bound(service, {}, [{ queue: A }, { queue: B }]);
    const { queueId } = await recordOf(world, B);
    const first = await world.instance(losing(world, queueId)).publish(X, messages);
    expect(first).toMatchObject([
      { error: { code: "publish-incomplete", retryable: true }, queues: [A] },
      { error: { code: "publish-incomplete", retryable: true }, queues: [A] },
    ]);
    const second = await world.through(service.publish(X, messages));
    expect(second).toMatchObject([{ queues: [A, B] }, { queues: [A, B] }]);
    const third = await world.through(service.publish(X, messages));
    expect(third).toMatchObject([{ duplicate: true }, { duplicate: true }]);
    for (const [index, result] of third.entries()) {
      expect(result).toMatchObject({ id: (first[index] as { id: string }).id });
      expect(second[index]).not.toHaveProperty("duplicate");
    }
    for (const queue of [A, B]) {
      const found = await service.receive(queue, ALL);
      expect(found.map(bodyOf).sort()).toEqual(["1", "2"]);
      expect(found.map(({ id }) => id).sort()).toEqual(
        third.map((one) => (one as { id: string }).id).sort(),
      );
    }
  });

  it.each(["roundRobin", "random", "weight"] as const)(
    "goes where it went first, by %s, whatever bindings there are by then",
    async (by) => {
      const world = createWorld();
      const service = world.instance();
      await bound(service, { type: "balance", by }, [{ queue: A }, { queue: B }]);
      const many = Array.from({ length: 20 }, (_, index) => ({
        ...text(`${index}`),
        dedupId: `d${index}`,
      }));
      const first = await service.publish(X, many);
      const moved = Array.from({ length: 5 }, (_, index) => `c${index}`);
      for (const id of moved) await service.putBinding(X, id, { queue: C });
      await service.deleteBinding(X, "b0");
      const second = await world.through(world.instance().publish(X, many));
      expect(second.map((one) => (one as { queues: unknown }).queues)).toEqual(
        first.map((one) => (one as { queues: unknown }).queues),
      );
      expect(second.every((one) => "duplicate" in one)).toBe(true);
      const all = [...(await drain(service, A)), ...(await drain(service, B))];
      expect(all.sort()).toEqual(many.map(bodyOf).sort());
      expect(await drain(service, C)).toEqual([]);
    },
  );
});

describe("a publish under an idempotency key", () => {
  it("is made good by a repeat, and refused for another request", async () => {
    const world = createWorld();
    const service = world.instance();
    await bound(service, {}, [{ queue: A }, { queue: B }]);
    const { queueId } = await recordOf(world, B);
    const request = { idempotencyKey: "k" };
    const messages = [text("same"), text("same")];
    const half = world.instance(losing(world, queueId));
    const first = await half.publish(X, messages, request);
    expect(first).toMatchObject([
      { error: { retryable: true }, queues: [A] },
      { error: { retryable: true }, queues: [A] },
    ]);
    await world.through(service.publish(X, messages, request));
    const third = await world.through(service.publish(X, messages, request));
    expect(third).toMatchObject([
      { duplicate: true, queues: [A, B] },
      { duplicate: true, queues: [A, B] },
    ]);
    await expect(service.publish(X, [text("other")], request)).rejects.toMatchObject({
      code: "idempotency-key-reused",
    });
    for (const queue of [A, B]) expect(await drain(service, queue)).toEqual(["same", "same"]);
    await world.advance(10 * 60_000);
    const later = await service.publish(X, [text("other")], request);
    expect(later).toMatchObject([{ queues: [A, B] }]);
    expect(later[0]).not.toHaveProperty("duplicate");
  });
});

describe("publish", () => {
  it("gives every queue its copy, and one id to all", async () => {
    const service = createWorld().instance();
    await bound(service, {}, [{ queue: A }, { queue: B }, { queue: A }]);
    const [result] = await service.publish(X, [text("m")]);
    expect(result).toMatchObject({ queues: [A, B] });
    const { id, places } = result as { id: string; places: Record<string, string> };
    for (const queue of [A, B]) {
      const [message, ...others] = await service.receive(queue, ALL);
      expect(others).toEqual([]);
      expect(message).toMatchObject({ id, place: places[queue], exchange: X, routingKey: "" });
      expect((await service.lookUp(queue, places[queue] ?? "")).id).toBe(id);
    }
  });

  it("to one queue: the id is its place", async () => {
    const service = createWorld().instance();
    await bound(service, { type: "direct" }, [{ queue: A, routingKey: "x" }]);
    const [result] = await service.publish(X, [keyed("m", "x")]);
    const { id } = result as { id: string };
    expect(result).toEqual({ id, queues: [A] });
    expect(await service.lookUp(A, id)).toMatchObject({ id, exchange: X, routingKey: "x" });
  });

  it("puts what goes to one lane into one entry", async () => {
    const world = createWorld();
    const service = world.instance();
    await bound(service, { type: "topic" }, [
      { queue: A, routingKey: "#" },
      { queue: B, routingKey: "*.b" },
      { queue: C, routingKey: "c.#" },
    ]);
    const keys = ["a.b", "c", "c.b", "x", "c.d"];
    await service.publish(
      X,
      keys.map((key) => keyed(key, key)),
    );
    expect((await logOf(world, A)).map((entry) => entry["count"])).toEqual([5]);
    expect((await logOf(world, B)).map((entry) => entry["count"])).toEqual([2]);
    expect((await logOf(world, C)).map((entry) => entry["count"])).toEqual([3]);
    expect(await drain(service, A)).toEqual(keys);
    expect(await drain(service, B)).toEqual(["a.b", "c.b"]);
    expect(await drain(service, C)).toEqual(["c", "c.b", "c.d"]);
  });

  it("says what reached no queue, and counts it", async () => {
    const world = createWorld();
    const service = world.instance();
    await bound(service, { type: "direct" }, [{ queue: A, routingKey: "x" }]);
    const messages = [keyed("1", "x"), keyed("2", "y"), keyed("3", "z")];
    expect(await service.publish(X, messages)).toMatchObject([
      { queues: [A] },
      { queues: [] },
      { queues: [] },
    ]);
    expect(world.events).toContainEqual({ type: "unroutable", exchange: X, messages: 2 });
    await service.putExchange(X, { ...settings, type: "direct", mandatory: true });
    expect((await service.publish(X, messages)).slice(1)).toEqual([
      { unroutable: true },
      { unroutable: true },
    ]);
  });

  it("passes over queues that are gone, and finds them when they are made again", async () => {
    const world = createWorld({ relaxed: true });
    const service = world.instance();
    await bound(service, {}, [{ queue: A }, { queue: B }]);
    await service.deleteQueue(B);
    expect(await service.publish(X, [text("1")])).toMatchObject([{ queues: [A] }]);
    await service.putQueue(B, {});
    expect(await service.publish(X, [text("2")])).toMatchObject([{ queues: [A, B] }]);
  });

  it("takes the default exchange's routing key for a queue's name", async () => {
    const service = createWorld().instance();
    await service.putQueue(A, {});
    const messages = [keyed("1", "a"), keyed("2", "none"), keyed("3", "no name")];
    const results = await service.publish(exchangeName("default"), messages);
    expect(results).toMatchObject([{ queues: [A] }, { queues: [] }, { queues: [] }]);
    expect(await drain(service, A)).toEqual(["1"]);
  });

  it("does to a copy what its binding says, and to no other", async () => {
    const service = createWorld().instance();
    await bound(service, {}, [
      { queue: A, transform: { setHeaders: { to: "a" }, body: "/n" } },
      { queue: B },
    ]);
    const json = { ...text('{"n":1.50}'), kind: "json" as const, contentType: "application/json" };
    await service.publish(X, [{ ...json, headers: { from: "x" } }]);
    const [a] = await service.receive(A, ALL);
    const [b] = await service.receive(B, ALL);
    expect([a && bodyOf(a), a?.headers]).toEqual(["1.50", { from: "x", to: "a" }]);
    expect([b && bodyOf(b), b?.headers]).toEqual(['{"n":1.50}', { from: "x" }]);
  });

  it("refuses what one of its queues would, before any gets it", async () => {
    const service = createWorld().instance();
    await bound(service, {}, [{ queue: A }, { queue: B }]);
    await service.putQueue(B, { maxMessageBytes: 3 });
    const results = await service.publish(X, [text("long"), text("ok")]);
    expect(results).toMatchObject([
      { error: { code: "message-too-large", retryable: false } },
      { queues: [A, B] },
    ]);
    expect(await drain(service, A)).toEqual(["ok"]);
  });

  it("says which queues have a message that others could not take", async () => {
    const world = createWorld();
    const service = world.instance();
    await bound(service, {}, [{ queue: A }, { queue: B }]);
    const { queueId } = await recordOf(world, B);
    const half = world.instance(losing(world, queueId));
    expect(await half.publish(X, [text("m")])).toMatchObject([
      { error: { code: "publish-incomplete", retryable: false }, queues: [A] },
    ]);
    await service.deleteBinding(X, "b0");
    await world.advance(10_000);
    expect(await half.publish(X, [text("n")])).toMatchObject([
      { error: { code: "throttled", retryable: true } },
    ]);
    expect(await drain(service, A)).toEqual(["m"]);
    expect(await drain(service, B)).toEqual([]);
  });

  it("balances by turns", async () => {
    const service = createWorld().instance();
    await bound(service, { type: "balance", by: "roundRobin" }, [
      { queue: A },
      { queue: B },
      { queue: C },
    ]);
    await service.publish(
      X,
      Array.from({ length: 9 }, (_, index) => text(`${index}`)),
    );
    for (const queue of [A, B, C]) expect(await drain(service, queue)).toHaveLength(3);
  });

  it("balances by a hash of the routing key", async () => {
    const service = createWorld().instance();
    await bound(service, { type: "balance", by: "hash" }, [{ queue: A }, { queue: B }]);
    const keys = Array.from({ length: 40 }, (_, index) => `user-${index % 10}`);
    const results = await service.publish(
      X,
      keys.map((key) => keyed(key, key)),
    );
    const taken = new Map<string, Set<string>>();
    for (const [index, result] of results.entries()) {
      const [queue = ""] = (result as { queues: readonly string[] }).queues;
      const key = keys[index] ?? "";
      taken.set(key, (taken.get(key) ?? new Set()).add(queue));
    }
    expect([...taken.values()].every(({ size }) => size === 1)).toBe(true);
    expect(new Set([...taken.values()].flatMap((one) => [...one]))).toEqual(new Set([A, B]));
  });

  it("knows no exchange that is not there", async () => {
    const service = createWorld().instance();
    await expect(service.publish(X, [text("m")])).rejects.toMatchObject({
      code: "exchange-not-found",
    });
  });
});
