/** Hunts for dead letters that get lost in an exchange, come twice, or go round for ever. */
import { describe, expect, it } from "vitest";
import type { ExchangeSettings } from "../../src/core/exchange.ts";
import type { OutgoingMessage } from "../../src/core/message.ts";
import { epochMs, exchangeName, queueName } from "../../src/core/types.ts";
import type { QueueName } from "../../src/core/types.ts";
import type { Death } from "../../src/core/x-death.ts";
import type { ReceivedMessage, Service } from "../../src/service/api.ts";
import { ALL, bodyOf, crash, createWorld, idsOf, Q, text, texts } from "./fixture.ts";
import type { World } from "./fixture.ts";
import { tampered } from "./tampered.ts";
import type { Call, Fault } from "./tampered.ts";

const X = exchangeName("dlx");
const [A, B] = ["a", "b"].map((name) => queueName(name)) as [QueueName, QueueName];
const LEASE_MS = 10_000;
const settings: ExchangeSettings = { type: "fanout", alternate: null, mandatory: false };

async function prepared(
  given: { exchange?: Partial<ExchangeSettings>; routingKey?: string } = {},
): Promise<{ world: World; service: Service }> {
  const world = createWorld();
  const service = world.instance();
  for (const queue of [A, B]) await service.putQueue(queue, { lanes: 1 });
  await service.putExchange(X, { ...settings, ...given.exchange });
  await service.putQueue(Q, dying(given.routingKey));
  return { world, service };
}

const dying = (routingKey?: string) => ({
  lanes: 1,
  leaseSeconds: LEASE_MS / 1000,
  maxReceives: 1,
  deadLetter: { exchange: X, ...(routingKey === undefined ? {} : { routingKey }) },
});

/** What is received once and let go, and then looked at again. */
async function die(
  world: World,
  service: Service,
  queue: QueueName = Q,
): Promise<ReceivedMessage[]> {
  await service.receive(queue, ALL);
  await world.advance(LEASE_MS);
  return [...(await service.receive(queue, ALL))];
}

const deathsIn = (message: ReceivedMessage | undefined): Death[] =>
  JSON.parse(message?.headers["x-death"] ?? "[]") as Death[];

describe("a dead-letter exchange", () => {
  it("gives each queue that it routes to one copy, with x-death and under one id", async () => {
    const { world, service } = await prepared();
    await service.putBinding(X, "a", { queue: A });
    await service.putBinding(X, "b", { queue: B });
    const [id] = idsOf(await service.send(Q, [{ ...text("m"), headers: { h: "1" } }]));
    expect(await die(world, service)).toEqual([]);
    const time = new Date(world.now()).toISOString();
    for (const queue of [A, B]) {
      const [message, ...others] = await service.receive(queue, ALL);
      expect(others).toEqual([]);
      expect(message).toMatchObject({ id, exchange: X, routingKey: Q });
      expect(message?.deadLetter).toMatchObject({ reason: "maxReceives", queue: Q, receives: 1 });
      expect(message?.headers).toMatchObject({
        h: "1",
        "x-first-death-queue": Q,
        "x-first-death-reason": "delivery_limit",
        "x-first-death-exchange": "",
      });
      expect(deathsIn(message)).toEqual([
        { count: 1, reason: "delivery_limit", queue: Q, time, exchange: "", "routing-keys": [Q] },
      ]);
    }
  });

  it("routes by the key of the settings, or else by the message's own", async () => {
    const { world, service } = await prepared({ exchange: { type: "direct" } });
    const inbox = exchangeName("inbox");
    await service.putExchange(inbox, settings);
    await service.putBinding(inbox, "q", { queue: Q });
    await service.putBinding(X, "a", { queue: A, routingKey: "dead" });
    await service.putBinding(X, "b", { queue: B, routingKey: "own" });
    const published: OutgoingMessage = { ...text("m"), routingKey: "own" };
    await service.publish(inbox, [published]);
    await die(world, service);
    const [own] = await service.receive(B, ALL);
    expect(own).toMatchObject({ routingKey: "own", exchange: X });
    expect(deathsIn(own)).toMatchObject([{ exchange: "inbox", "routing-keys": ["own"] }]);
    await service.putQueue(Q, dying("dead"));
    await service.publish(inbox, [published]);
    await die(world, service);
    expect((await service.receive(A, ALL))[0]).toMatchObject({ routingKey: "dead" });
  });

  it("counts deaths by queue and reason, the latest first", async () => {
    const { world, service } = await prepared();
    await service.putBinding(X, "a", { queue: A });
    await service.putQueue(A, { ...dying(), deadLetter: { queue: B } });
    await service.send(Q, [text("m")]);
    await die(world, service);
    await die(world, service, A);
    // On to a queue directly: that is no exchange's affair.
    const [first] = await service.receive(B, ALL);
    expect(deathsIn(first)).toHaveLength(1);
    await service.putQueue(A, dying());
    await service.putBinding(X, "b", { queue: B });
    await service.send(A, [{ ...text("n"), headers: first?.headers ?? {} }]);
    await die(world, service, A);
    const second = (await service.receive(B, ALL)).find((one) => bodyOf(one) === "n");
    expect(deathsIn(second).map(({ queue, count }) => [queue, count])).toEqual([
      [A, 1],
      [Q, 1],
    ]);
    expect(second?.headers["x-first-death-queue"]).toBe(Q);
  });

  it("leaves a message where it is while the exchange is missing or routes it nowhere", async () => {
    const { world, service } = await prepared();
    await service.send(Q, [text("m")]);
    await service.receive(Q, ALL);
    for (let round = 0; round < 3; round++) {
      await world.advance(LEASE_MS);
      // Nowhere: every attempt gives it one more delivery.
      const again = await service.receive(Q, ALL);
      expect(again.length === 1 ? again : await service.receive(Q, ALL)).toHaveLength(1);
    }
    await service.deleteExchange(X);
    await world.advance(LEASE_MS);
    expect(await service.receive(Q, ALL)).toHaveLength(1);
    await service.putExchange(X, settings);
    await service.putBinding(X, "a", { queue: A });
    await world.advance(LEASE_MS);
    expect(await service.receive(Q, ALL)).toEqual([]);
    expect(await service.receive(A, ALL)).toHaveLength(1);
  });

  it("ends circles: no message goes back into a queue in which it has died", async () => {
    const { world, service } = await prepared();
    await service.putQueue(A, dying());
    await service.putBinding(X, "a", { queue: A });
    await service.putBinding(X, "q", { queue: Q });
    await service.send(Q, [text("m")]);
    expect(await die(world, service)).toEqual([]);
    await service.receive(A, ALL);
    for (let round = 0; round < 3; round++) {
      await world.advance(LEASE_MS);
      const again = await service.receive(A, ALL);
      expect(again.length === 1 ? again : await service.receive(A, ALL)).toHaveLength(1);
    }
    expect(await service.receive(Q, ALL)).toEqual([]);
  });

  it("moves each of many to where it belongs, and those that belong nowhere stay", async () => {
    const { world, service } = await prepared({ exchange: { type: "headers" } });
    await service.putBinding(X, "a", { queue: A, headers: { to: "a" } });
    await service.putBinding(X, "b", { queue: B, headers: { to: "b" } });
    const to = (name: string, body: string) => ({ ...text(body), headers: { to: name } });
    await service.send(Q, [to("a", "1"), to("b", "2"), to("c", "3"), to("a", "4")]);
    await service.receive(Q, ALL);
    await world.advance(LEASE_MS);
    const left = [...(await service.receive(Q, ALL)), ...(await service.receive(Q, ALL))];
    expect(left.map(bodyOf)).toEqual(["3"]);
    expect((await service.receive(A, ALL)).map(bodyOf)).toEqual(["1", "4"]);
    expect((await service.receive(B, ALL)).map(bodyOf)).toEqual(["2"]);
  });

  it("is named by settings only where there is one", async () => {
    const { service } = await prepared();
    const none = { maxReceives: 1, deadLetter: { exchange: exchangeName("none") } };
    await expect(service.putQueue(Q, none)).rejects.toMatchObject({
      code: "exchange-not-found",
      errors: [{ path: "deadLetter.exchange" }],
    });
    await service.deleteExchange(X);
    // What was named before does not stand in the way of other changes.
    expect(await service.patchQueue(Q, { leaseSeconds: 5 })).toMatchObject({
      settings: { leaseSeconds: 5 },
    });
  });

  it("goes back by redrive", async () => {
    const { world, service } = await prepared();
    await service.putBinding(X, "a", { queue: A });
    const [id] = idsOf(await service.send(Q, [text("m")]));
    await die(world, service);
    expect(await service.redrive(A, {})).toEqual({ moved: 1, remaining: 0 });
    expect(await service.receive(Q, ALL)).toMatchObject([{ id, receives: 1 }]);
  });

  it("gives each queue a message once, wherever a crash comes between", async () => {
    for (let step = 0; ; step++) {
      const { world, service } = await prepared({
        exchange: { type: "balance", by: "random" },
      });
      const copies = exchangeName("copies");
      await service.putExchange(copies, settings);
      await service.putBinding(X, "a", { exchange: copies });
      await service.putBinding(X, "b", { exchange: copies });
      for (const queue of [A, B]) await service.putBinding(copies, queue, { queue });
      await service.send(Q, texts(5));
      await service.receive(Q, ALL);
      await world.advance(LEASE_MS);
      let writes = 0;
      const { store } = tampered(world.store, (call: Call): Fault | undefined =>
        call.table === "lanes" && call.op !== "get" && call.op !== "query" && writes++ === step
          ? { throws: crash, applied: true }
          : undefined,
      );
      await world
        .through(world.instance(store).runJanitor(epochMs(world.now() + 60_000)))
        .catch(() => undefined);
      const isOver = writes <= step;
      await world.advance(10 * 60_000);
      await world.through(world.instance().runJanitor(epochMs(world.now() + 60_000)));
      for (const queue of [A, B]) {
        const { messages } = await world.instance().browse(queue, { limit: 100 });
        expect(messages.map(bodyOf).sort()).toEqual(["m0", "m1", "m2", "m3", "m4"]);
      }
      expect(await world.instance().receive(Q, ALL)).toEqual([]);
      if (isOver) {
        expect(step).toBeGreaterThan(4);
        return;
      }
    }
  });
});
