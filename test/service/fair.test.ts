/** Hunts for tenants who wait behind somebody else's backlog, and for costs of a queue that has none. */
import { describe, expect, it } from "vitest";
import type { OutgoingMessage } from "../../src/core/message.ts";
import type { Service } from "../../src/service/api.ts";
import { bodyOf, createWorld, drain, Q, receiptsOf, recordOf, text, texts } from "./fixture.ts";
import type { World } from "./fixture.ts";

const of = (tenant: string, count: number): OutgoingMessage[] =>
  texts(count, `${tenant}-`).map((message) => ({ ...message, tenant }));

const SMALL = Array.from({ length: 9 }, (_, index) => `small${index}`);

async function flooded(world: World, service: Service, tenant: string, count: number) {
  for (let sent = 0; sent < count; sent += 1_000)
    await world.through(service.send(Q, of(tenant, Math.min(1_000, count - sent))));
}

/** After how many receives each message of the small ones came. */
async function turnsOf(service: Service, max: number): Promise<number[]> {
  const turns: number[] = [];
  for (let turn = 1; turns.length < 90 && turn < 2_000; turn++) {
    const given = await service.receive(Q, { max, group: "default" });
    for (const message of given) if (bodyOf(message).startsWith("small")) turns.push(turn);
    await service.ack(Q, receiptsOf(given));
  }
  return turns.toSorted((a, b) => a - b);
}

const p95 = (values: readonly number[]): number => values[Math.floor(values.length * 0.95)] ?? 0;

async function run(noisy: number, seedTenant: string, max: number): Promise<number[]> {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, {});
  await flooded(world, service, seedTenant, noisy);
  await world.advance(11_000);
  const sender = world.instance();
  for (const tenant of SMALL) await world.through(sender.send(Q, of(tenant, 10)));
  return turnsOf(world.instance(), max);
}

describe("nine tenants with ten messages each beside one with a large backlog", () => {
  it.each(["noisy", "other", "third", "fourth"])(
    "wait at most twice as long as alone, whoever the noisy one (%s) is",
    async (tenant) => {
      const alone = p95(await run(0, tenant, 10));
      const beside = p95(await run(10_000, tenant, 10));
      expect(beside).toBeLessThanOrEqual(2 * alone);
    },
  );

  it("do so, too, when messages are received one by one", async () => {
    const alone = p95(await run(0, "noisy", 1));
    const beside = p95(await run(3_000, "noisy", 1));
    expect(beside).toBeLessThanOrEqual(2 * alone);
  });
});

describe("where a tenant's messages go", () => {
  it("a backlog stays on the lanes of who made it", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, {});
    await flooded(world, service, "noisy", 5_000);
    await world.advance(11_000);
    await flooded(world, world.instance(), "noisy", 5_000);
    const { queueId, lanes } = await recordOf(world);
    const withEntries = lanes.open.filter((lane) =>
      world.store.items("lanes").some(({ pk }) => pk === `log#${queueId}#${lane}`),
    );
    expect(lanes.open).toHaveLength(8);
    expect(withEntries).toHaveLength(1);
  });

  it("shows with the message", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, {});
    await service.send(Q, of("acme", 1));
    expect((await service.browse(Q, { limit: 1 })).messages[0]?.tenant).toBe("acme");
    expect((await service.receive(Q, { max: 1, group: "default" }))[0]?.tenant).toBe("acme");
  });

  it("a number of lanes that the settings fix stays", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { lanes: 2 });
    await service.send(Q, of("acme", 1));
    expect((await recordOf(world)).lanes.open).toHaveLength(2);
  });

  it("on a queue that keeps order is refused, by field", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { order: "key" });
    const call = service.send(Q, [{ ...text("a"), key: "k", tenant: "t" }]);
    await expect(call).rejects.toMatchObject({ errors: [{ path: "messages[0].tenant" }] });
  });

  it("with priorities, each priority has lanes of its own for tenants", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { priorities: "strict" });
    const high = of("noisy", 300).map((message) => ({ ...message, priority: 9 }));
    await world.through(service.send(Q, [...high, ...of("acme", 1)]));
    const given = await service.receive(Q, { max: 10, group: "default" });
    expect(new Set(given.map(({ priority }) => priority))).toEqual(new Set([9]));
    expect(await drain(service)).toHaveLength(291);
  });
});

describe("what it costs", () => {
  it("nothing on a queue to which no tenant has sent", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { lanes: 4 });
    await service.send(Q, [text("warm")]);
    await drain(service);
    world.requests.length = 0;
    await service.send(Q, [text("plain")]);
    expect(world.requests).toHaveLength(1);
  });

  it("a few reads a lane each two seconds for a sender", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, {});
    await service.send(Q, of("acme", 1));
    await service.send(Q, of("acme", 1));
    world.requests.length = 0;
    for (let index = 0; index < 20; index++) await service.send(Q, of("acme", 1));
    expect(world.requests).toHaveLength(20);
    await world.advance(2_001);
    world.requests.length = 0;
    await service.send(Q, of("acme", 1));
    const reads = world.requests.reduce((sum, request) => sum + request.readUnits, 0);
    expect(reads).toBeLessThanOrEqual(3);
  });
});
