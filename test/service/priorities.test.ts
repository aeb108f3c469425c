/** Hunts for messages that overtake those of a higher priority, for starving ones, and for lanes read in vain. */
import { describe, expect, it } from "vitest";
import type { OutgoingMessage } from "../../src/core/message.ts";
import { priorityOf } from "../../src/core/priority.ts";
import type { Service } from "../../src/service/api.ts";
import {
  ALL,
  bodyOf,
  createWorld,
  DEAD,
  drain,
  logOf,
  Q,
  receiptsOf,
  recordOf,
  text,
} from "./fixture.ts";

const at = (priority: number, body = `${priority}`): OutgoingMessage => ({
  ...text(body),
  priority,
});

async function worldWith(settings: Parameters<Service["putQueue"]>[1]) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, settings);
  return { world, service };
}

const ascending = (a: number, b: number): number => a - b;

const one = { max: 1, group: "default" } as const;

async function bodies(service: Service, count: number): Promise<string[]> {
  const received: string[] = [];
  for (let index = 0; index < count; index++) {
    const given = await service.receive(Q, one);
    received.push(...given.map(bodyOf));
    await service.ack(Q, receiptsOf(given));
  }
  return received;
}

describe("strict priorities", () => {
  it("give what is higher first, and within a priority in the order of the lane", async () => {
    const { world, service } = await worldWith({ priorities: "strict", lanes: 1 });
    await service.send(Q, [at(0, "a0"), at(9, "a9"), at(5, "a5"), text("plain"), at(9, "b9")]);
    const other = world.instance();
    expect(await bodies(other, 3)).toEqual(["a9", "b9", "a5"]);
    await service.send(Q, [at(7, "late")]);
    await world.advance(10_000);
    expect(await bodies(other, 3)).toEqual(["late", "a0", "plain"]);
    expect(await other.receive(Q, ALL)).toEqual([]);
  });

  it("fill one receive from the top down", async () => {
    const { service } = await worldWith({ priorities: "strict", lanes: 3 });
    await service.send(
      Q,
      Array.from({ length: 60 }, (_, index) => at(index % 10)),
    );
    const given = await service.receive(Q, { max: 30, group: "default" });
    const fromTheTop = [9, 8, 7, 6, 5].flatMap((priority) =>
      Array.from({ length: 6 }, () => priority),
    );
    expect(given.map((message) => message.priority)).toEqual(fromTheTop.slice(0, given.length));
    expect(given.length).toBeGreaterThanOrEqual(12);
  });

  it("show the priority when received, browsed and looked up, also of who names none", async () => {
    const { service } = await worldWith({ priorities: "strict" });
    const [first] = await service.send(Q, [text("usual"), at(4)]);
    const { messages } = await service.browse(Q, { limit: 10 });
    expect(messages.map(({ priority }) => priority ?? -1).toSorted(ascending)).toEqual([0, 4]);
    expect((await service.receive(Q, ALL)).map(({ priority }) => priority)).toEqual([4, 0]);
    const id = first !== undefined && "id" in first ? first.id : "";
    expect((await service.lookUp(Q, id)).priority).toBe(0);
  });
});

describe("weighted priorities", () => {
  it("give each its share: none starves, and the higher come more often", async () => {
    const { service } = await worldWith({ priorities: "weighted", lanes: 1 });
    for (let batch = 0; batch < 4; batch++)
      await service.send(
        Q,
        Array.from({ length: 600 }, (_, index) => at(index % 2 === 0 ? 9 : 0)),
      );
    const received = await bodies(service, 550);
    const low = received.filter((body) => body === "0").length;
    expect(low).toBeGreaterThan(20);
    expect(low).toBeLessThan(90);
    expect((await drain(service)).length).toBe(2_400 - 550);
  });
});

describe("the lanes of priorities", () => {
  it("open when a priority is first used, and not before", async () => {
    const { world, service } = await worldWith({ priorities: "strict" });
    expect((await recordOf(world)).lanes.open).toEqual([0]);
    await service.send(Q, [at(9)]);
    await world.instance().send(Q, [at(9), at(2)]);
    const { open } = (await recordOf(world)).lanes;
    expect(open.map(priorityOf).toSorted(ascending)).toEqual([0, 2, 9]);
    for (const lane of open.slice(1))
      expect((await logOf(world, Q, lane)).length).toBeGreaterThan(0);
  });

  it("opened by many senders at once are opened once", async () => {
    const { world } = await worldWith({ priorities: "strict" });
    const senders = Array.from({ length: 5 }, () => world.instance());
    await world.through(Promise.all(senders.map((sender) => sender.send(Q, [at(3), at(6)]))));
    expect((await recordOf(world)).lanes.open.map(priorityOf).toSorted(ascending)).toEqual([
      0, 3, 6,
    ]);
    expect(await drain(world.instance())).toHaveLength(10);
  });

  it("go again once the queue is quiet, but for the usual one", async () => {
    const { world, service } = await worldWith({ priorities: "strict", retentionSeconds: 600 });
    await service.send(Q, [at(9), at(0)]);
    await drain(service);
    await world.advance(31 * 60_000);
    for (let round = 0; round < 3; round++) {
      await world.through(service.runJanitor((world.now() + 20_000) as never));
      await world.advance(60_000);
    }
    expect((await recordOf(world)).lanes.open.map(priorityOf)).toEqual([0]);
    await world.advance(10_000);
    await service.send(Q, [at(9, "again")]);
    expect(await drain(service)).toEqual(["again"]);
  });

  it("are as many at each priority as the settings say", async () => {
    const { world, service } = await worldWith({ priorities: "strict", lanes: 2 });
    await service.send(Q, [at(9)]);
    await service.patchQueue(Q, { lanes: 3 });
    const open = (await recordOf(world)).lanes.open.map(priorityOf).toSorted(ascending);
    expect(open).toEqual([0, 0, 0, 9, 9, 9]);
  });

  it("cost a receive two read units for each priority above that is in use", async () => {
    const { world, service } = await worldWith({ priorities: "strict", lanes: 1 });
    await service.send(Q, [at(0), at(9), at(5)]);
    await bodies(service, 2);
    const reads = async () => {
      world.requests.length = 0;
      await service.send(Q, [at(0)]);
      await bodies(service, 1);
      return world.requests.reduce((sum, request) => sum + request.readUnits, 0);
    };
    await reads();
    expect(await reads()).toBeLessThanOrEqual(2 * 3);
  });
});

describe("what is refused, by field", () => {
  it.each([
    [{ priorities: "strict", order: "key" }, "priorities"],
    [{ priorities: "weighted", lanes: 26 }, "lanes"],
  ] as const)("the settings %j", async (settings, path) => {
    const world = createWorld();
    const call = world.instance().putQueue(Q, settings);
    await expect(call).rejects.toMatchObject({ code: "invalid-request", errors: [{ path }] });
  });

  it("having priorities or not, once the queue is there; how they are heeded may change", async () => {
    const { service } = await worldWith({ priorities: "strict" });
    await expect(service.patchQueue(Q, { priorities: false })).rejects.toMatchObject({
      code: "queue-conflict",
      errors: [{ path: "priorities" }],
    });
    expect((await service.patchQueue(Q, { priorities: "weighted" })).settings.priorities).toBe(
      "weighted",
    );
    await service.putQueue(DEAD, {});
    await expect(service.patchQueue(DEAD, { priorities: "strict" })).rejects.toMatchObject({
      code: "queue-conflict",
    });
  });

  it("a priority on a queue without them, and a delay on a queue with them", async () => {
    const { service } = await worldWith({});
    await expect(service.send(Q, [text("fine"), at(1)])).rejects.toMatchObject({
      code: "invalid-request",
      errors: [{ path: "messages[1].priority" }],
    });
    await service.putQueue(DEAD, { priorities: "strict" });
    await expect(service.send(DEAD, [{ ...at(1), delaySeconds: 5 }])).rejects.toMatchObject({
      errors: [{ path: "messages[0].delaySeconds" }],
    });
    expect(await drain(service)).toEqual([]);
  });
});

it("a dead letter keeps its priority, and goes where the other queue has it", async () => {
  const { world, service } = await worldWith({ lanes: 1 });
  await service.putQueue(DEAD, { priorities: "strict", lanes: 1 });
  await service.send(DEAD, [at(9, "opens nine"), at(1, "one")]);
  const source = "source" as typeof Q;
  const settings = { priorities: "strict", maxReceives: 1, deadLetter: { queue: DEAD } } as const;
  await service.putQueue(source, { ...settings, leaseSeconds: 1 });
  await service.send(source, [at(9, "dead")]);
  await service.receive(source, ALL);
  await world.advance(5_000);
  await world.through(service.receive(source, ALL));
  expect(await drain(service, DEAD)).toEqual(["opens nine", "dead", "one"]);
});
