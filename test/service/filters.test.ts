import { describe, expect, it } from "vitest";
import type { OutgoingMessage } from "../../src/core/message.ts";
import { epochMs, groupName } from "../../src/core/types.ts";
import type { GroupName } from "../../src/core/types.ts";
import type { Service } from "../../src/service/api.ts";
import {
  ALL,
  bodyOf,
  createWorld,
  DEAD,
  drain,
  idsOf,
  Q,
  receiptsOf,
  text,
  texts,
} from "./fixture.ts";
import type { World } from "./fixture.ts";

const EU = groupName("eu");
const MINUTE = 60_000;

const json = (value: object, headers: Readonly<Record<string, string>> = {}): OutgoingMessage => ({
  kind: "json",
  body: Buffer.from(JSON.stringify(value)),
  contentType: "application/json",
  headers,
});

const orders = (count: number, every = 10): OutgoingMessage[] =>
  Array.from({ length: count }, (_, n) => json({ n, region: n % every === 0 ? "eu" : "us" }));

const filter = { body: { region: ["eu"] } };

async function start(settings = {}, groupSettings: object = { filter }) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, { lanes: 1, leaseSeconds: 60, ...settings });
  await service.putGroup(Q, EU, { from: "earliest", settings: groupSettings });
  return { world, service };
}

async function drainGroup(service: Service, max = 1_000, group: GroupName = EU) {
  const numbers: number[] = [];
  for (;;) {
    const batch = await service.receive(Q, { max, group });
    if (batch.length === 0) return numbers;
    numbers.push(...batch.map((one) => (JSON.parse(bodyOf(one)) as { n: number }).n));
    await service.ack(Q, receiptsOf(batch));
  }
}

const writes = (world: World): number =>
  world.requests.filter(({ writeUnits, table }) => writeUnits > 0 && table === "lanes").length;

describe("a group with a filter", () => {
  it.each([1, 7, 1_000])("gets what matches, %i at a time, and nothing else", async (max) => {
    const { world, service } = await start();
    for (let batch = 0; batch < 5; batch++) await service.send(Q, orders(100));
    expect(await drainGroup(service, max)).toEqual(
      [0, 1, 2, 3, 4].flatMap(() => [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
    );
    expect(await drain(service)).toHaveLength(500);
    await service.runJanitor(epochMs(world.now() + MINUTE));
    expect((await service.getGroup(Q, EU)).depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  it("by headers, as RocketMQ's tags", async () => {
    const { service } = await start({}, { filter: { headers: { tag: ["TagA", "TagC"] } } });
    const tags = ["TagA", "TagB", "TagC", "TagD"];
    await service.send(
      Q,
      tags.map((tag, n) => json({ n }, { tag })),
    );
    expect(await drainGroup(service)).toEqual([0, 2]);
  });

  it("passes over what does not match without leases", async () => {
    const { service } = await start();
    await service.send(Q, orders(50));
    const got = await service.receive(Q, { max: 100, group: EU });
    expect(got).toHaveLength(5);
    expect((await service.getGroup(Q, EU)).depth).toEqual({ ready: 0, leased: 5, delayed: 0 });
  });

  it("C9: at the end of a lane it passes over a few by reads alone, each once", async () => {
    const { world, service } = await start();
    const none = () => orders(40, 1_000).slice(1);
    await service.send(Q, none());
    world.requests.length = 0;
    expect(await service.receive(Q, { max: 10, group: EU })).toEqual([]);
    expect(writes(world)).toBe(0);
    const read = () => {
      const units = world.requests.reduce((sum, { readUnits }) => sum + readUnits, 0);
      world.requests.length = 0;
      return units;
    };
    read();
    expect(await service.receive(Q, { max: 10, group: EU })).toEqual([]);
    const again = read();
    await service.send(Q, orders(1));
    const got = await service.receive(Q, { max: 10, group: EU });
    expect(got).toHaveLength(1);
    expect(again).toBeLessThanOrEqual(4);
    await service.ack(Q, receiptsOf(got));
    const { depth } = await world.instance().getGroup(Q, EU);
    expect(depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  it("C9: through a backlog that does not match it writes once in a long stride", async () => {
    const { world, service } = await start();
    for (let batch = 0; batch < 100; batch++) await service.send(Q, orders(256, 1_000).slice(1));
    world.requests.length = 0;
    expect(await service.receive(Q, { max: 10, group: EU })).toEqual([]);
    expect(writes(world)).toBeLessThanOrEqual(8);
    const heads = (await service.getGroup(Q, EU)).depth.ready;
    expect(heads).toBeLessThan(1_000);
  });

  it("takes what it was given back whatever the filter says by then", async () => {
    const { world, service } = await start();
    await service.send(Q, orders(20));
    expect(await service.receive(Q, { max: 10, group: EU })).toHaveLength(2);
    const changed = { filter: { body: { region: ["us"] } } };
    await service.putGroup(Q, EU, { from: "earliest", settings: changed });
    await service.send(Q, orders(3));
    await world.advance(2 * MINUTE);
    expect(await drainGroup(service)).toEqual([0, 10, 1, 2]);
  });

  it("sees messages that stand in parts, a few megabytes at a time", async () => {
    const { service } = await start();
    const pad = "x".repeat(700_000);
    for (let n = 0; n < 14; n++)
      await service.send(Q, [json({ n, pad, region: n % 6 === 0 ? "eu" : "us" })]);
    expect(await drainGroup(service, 1)).toEqual([0, 6, 12]);
  });

  it("of headers does not fetch a body in parts", async () => {
    const { world, service } = await start({}, { filter: { headers: { tag: ["b"] } } });
    await service.send(Q, [json({ n: 1, pad: "x".repeat(700_000) }, { tag: "a" })]);
    world.requests.length = 0;
    expect(await drainGroup(service)).toEqual([]);
    expect(world.requests.reduce((sum, { readUnits }) => sum + readUnits, 0)).toBeLessThan(20);
  });

  it("where order is kept gets a key's matching messages in order", async () => {
    const { service } = await start({ order: "key" });
    const sent = orders(120, 2).map((one, n) => ({ ...one, key: `k${n % 3}` }));
    await service.send(Q, sent);
    const [first] = await service.receive(Q, { max: 1, group: EU });
    const others = await service.receive(Q, { max: 1_000, group: EU });
    const number = (one: { body: Uint8Array }) => (JSON.parse(bodyOf(one)) as { n: number }).n;
    expect(first === undefined ? -1 : number(first)).toBe(0);
    expect(others.map(number).every((n) => n % 2 === 0 && n % 3 !== 0)).toBe(true);
    await service.ack(Q, receiptsOf([...(first === undefined ? [] : [first]), ...others]));
    expect(await drainGroup(service)).toEqual(
      Array.from({ length: 19 }, (_, index) => 6 * (index + 1)),
    );
  });

  it("moves on to lanes that open when old ones have ended without a match", async () => {
    const { world, service } = await start({ order: "key", lanes: 2 });
    const keyed = (batch: readonly OutgoingMessage[]) =>
      batch.map((one, n) => ({ ...one, key: `k${n}` }));
    await world.through(service.send(Q, keyed(orders(20, 100).slice(1))));
    await world.through(service.patchQueue(Q, { lanes: 3 }));
    await world.through(service.send(Q, keyed(orders(20, 5))));
    expect((await world.through(drainGroup(service))).toSorted((a, b) => a - b)).toEqual([
      0, 5, 10, 15,
    ]);
  });

  it("is refused where it does not parse, with the place", async () => {
    const { service } = await start();
    const broken = { body: { n: [{ numeric: [">", "a"] }] } };
    const put = service.putGroup(Q, EU, { from: "earliest", settings: { filter: broken } });
    await expect(put).rejects.toMatchObject({
      code: "invalid-request",
      errors: [{ path: "filter.body.n[0].numeric[1]" }],
    });
    expect((await service.getGroup(Q, EU)).settings).toEqual({ filter });
  });

  it("keeps its filter for other instances", async () => {
    const { world, service } = await start();
    await service.send(Q, orders(20));
    expect(await drainGroup(world.instance())).toEqual([0, 10]);
  });
});

describe("a dead letter of a group that is redriven", () => {
  it("comes back to that group alone", async () => {
    const { world, service } = await start({ leaseSeconds: 1 });
    await service.putQueue(DEAD, {});
    const settings = { maxReceives: 1, deadLetter: { queue: DEAD } };
    await service.putGroup(Q, EU, { from: "earliest", settings });
    await service.send(Q, [text("m")]);
    expect(await drain(service)).toEqual(["m"]);
    expect(await service.receive(Q, { max: 1, group: EU })).toHaveLength(1);
    await world.advance(5_000);
    await service.receive(Q, { max: 1, group: EU });
    expect(await service.redrive(DEAD, {})).toEqual({ moved: 1, remaining: 0 });
    expect(await drain(service)).toEqual([]);
    expect((await service.receive(Q, { max: 1, group: EU })).map(bodyOf)).toEqual(["m"]);
  });

  it("stays where it is once the group is gone, and goes to all of a queue that is named", async () => {
    const { world, service } = await start({ leaseSeconds: 1 });
    await service.putQueue(DEAD, {});
    const settings = { maxReceives: 1, deadLetter: { queue: DEAD } };
    await service.putGroup(Q, EU, { from: "earliest", settings });
    await service.send(Q, [text("m")]);
    await service.receive(Q, { max: 1, group: EU });
    await world.advance(5_000);
    await service.receive(Q, { max: 1, group: EU });
    await service.deleteGroup(Q, EU);
    await expect(service.redrive(DEAD, {})).rejects.toMatchObject({ code: "queue-not-found" });
    expect(await service.redrive(DEAD, { to: Q })).toEqual({ moved: 1, remaining: 0 });
    expect(await service.receive(Q, ALL)).toHaveLength(2);
  });

  it("of the default group is not for the others either", async () => {
    const { world, service } = await start({ leaseSeconds: 1 }, {});
    await service.putQueue(DEAD, {});
    await service.patchQueue(Q, { maxReceives: 1, deadLetter: { queue: DEAD } });
    await service.putGroup(Q, EU, { from: "earliest", settings: { maxReceives: null } });
    const [id] = idsOf(await service.send(Q, texts(1)));
    await service.receive(Q, ALL);
    await service.ack(Q, receiptsOf(await service.receive(Q, { max: 1, group: EU })));
    await world.advance(5_000);
    await service.receive(Q, ALL);
    await service.redrive(DEAD, {});
    expect(await service.receive(Q, { max: 1, group: EU })).toEqual([]);
    expect((await service.receive(Q, ALL)).map((one) => one.id)).toEqual([id]);
  });
});
