/** Hunts for messages of a key that overtake each other, and for keys that keep others waiting. */
import { beforeEach, describe, expect, test } from "vitest";
import type { OutgoingMessage } from "../../src/core/message.ts";
import { epochMs } from "../../src/core/types.ts";
import type { ReceivedMessage, Service } from "../../src/service/api.ts";
import {
  ALL,
  bodyOf,
  createWorld,
  DEAD,
  drain,
  Q,
  receiptsOf,
  recordOf,
  statusesOf,
  text,
} from "./fixture.ts";
import type { World } from "./fixture.ts";
import { first, isSegmentUpdate, tampered } from "./tampered.ts";

let world: World;
let service: Service;

beforeEach(async () => {
  world = createWorld();
  service = world.instance();
  await service.putQueue(Q, { order: "key", lanes: 1 });
});

/** `a1`: the first message of key a. */
const keyed = (name: string): OutgoingMessage => ({ ...text(name), key: name.slice(0, 1) });
const send = (...names: string[]) => service.send(Q, names.map(keyed));
const receive = (max = 1_000, options: { leaseSeconds?: number } = {}) =>
  service.receive(Q, { ...ALL, max, ...options });
const bodies = (messages: readonly ReceivedMessage[]) => messages.map(bodyOf);
const ack = (messages: readonly ReceivedMessage[]) => service.ack(Q, receiptsOf(messages));
const release = (messages: readonly ReceivedMessage[], delaySeconds = 0, countAttempt = true) =>
  service.release(Q, receiptsOf(messages), { delaySeconds, countAttempt });

const pick = (messages: readonly ReceivedMessage[], ...names: string[]) =>
  messages.filter((message) => names.includes(bodyOf(message)));

describe("a key's messages", () => {
  test("come in the order of their sends, and to one holder at a time", async () => {
    await send("a1", "b1", "a2", "c1", "b2");
    const held = await receive(2);
    expect(bodies(held)).toEqual(["a1", "b1"]);
    expect(bodies(await receive())).toEqual(["c1"]);
    await ack(pick(held, "a1"));
    expect(bodies(await receive())).toEqual(["a2"]);
    await ack(pick(held, "b1"));
    expect(bodies(await receive())).toEqual(["b2"]);
    expect(await receive()).toEqual([]);
  });

  test("stay behind one that is acked out of turn", async () => {
    await send("a1", "a2", "a3");
    const held = await receive(2);
    await ack(pick(held, "a2"));
    expect(await receive()).toEqual([]);
    await ack(pick(held, "a1"));
    expect(bodies(await receive())).toEqual(["a3"]);
  });

  test("of many sends, acked one by one, keep their order to the end", async () => {
    for (let number = 1; number <= 9; number++) await send(`a${number}`, `b${number}`);
    const seen: string[] = [];
    for (;;) {
      const some = await receive(1);
      if (some.length === 0) break;
      seen.push(...bodies(some));
      await ack(some);
    }
    expect(seen).toHaveLength(18);
    for (const key of ["a", "b"])
      expect(seen.filter((name) => name.startsWith(key))).toEqual(
        Array.from({ length: 9 }, (_, number) => `${key}${number + 1}`),
      );
  });
});

describe("what comes back", () => {
  test("released: before any later one of its key, which go back with it, uncounted", async () => {
    await send("a1", "a2", "a3", "b1");
    const held = await receive(3);
    expect(statusesOf(await release(pick(held, "a1")))).toEqual(["done"]);
    expect(statusesOf(await ack(pick(held, "a2")))).toEqual(["gone"]);
    const again = await receive();
    expect(again.map((message) => [bodyOf(message), message.receives])).toEqual([
      ["a1", 2],
      ["a2", 1],
      ["a3", 1],
      ["b1", 1],
    ]);
  });

  test("released from the middle: what is before it stays with its holder", async () => {
    await send("a1", "a2", "a3");
    const held = await receive();
    await release(pick(held, "a2"));
    expect(await receive()).toEqual([]);
    expect(statusesOf(await ack(pick(held, "a1")))).toEqual(["done"]);
    expect(bodies(await receive())).toEqual(["a2", "a3"]);
  });

  test("several released in one call, across leases", async () => {
    await send("a1", "a2", "b1");
    await receive(1, { leaseSeconds: 1 });
    await world.advance(1_001);
    const held = await receive();
    expect(held.map(({ receives }) => receives)).toEqual([2, 1, 1]);
    expect(statusesOf(await release(held))).toEqual(["done", "done", "done"]);
    const again = await receive();
    expect(again.map((message) => [bodyOf(message), message.receives])).toEqual([
      ["a1", 3],
      ["a2", 2],
      ["b1", 2],
    ]);
  });

  test("with a delay: its key waits, others do not", async () => {
    await send("a1", "b1", "a2");
    await release(await receive(1), 10);
    expect(bodies(await receive())).toEqual(["b1"]);
    await world.advance(10_001);
    expect(bodies(await receive())).toEqual(["a1", "a2"]);
  });

  test("run out: before later ones, also when only a part had been acked", async () => {
    await send("a1", "a2", "a3");
    const held = await receive(2, { leaseSeconds: 5 });
    await ack(pick(held, "a1"));
    await world.advance(5_001);
    expect(bodies(await receive())).toEqual(["a2", "a3"]);
  });

  test("run out, while one of its key behind it was extended: waits for that one", async () => {
    await send("a1", "a2");
    const held = await receive(2, { leaseSeconds: 5 });
    await service.extend(Q, receiptsOf(pick(held, "a2")), { leaseSeconds: 60 });
    await world.advance(5_001);
    expect(await receive()).toEqual([]);
    await world.advance(60_000);
    expect(bodies(await receive())).toEqual(["a1", "a2"]);
  });

  test("run out and partly taken back: its holder extends nothing of the key behind that", async () => {
    await send("a1", "a2", "a3", "b1");
    const late = await receive(4, { leaseSeconds: 10 });
    await world.advance(10_000);
    expect(bodies(await receive(1))).toEqual(["a1"]);
    const extended = await service.extend(Q, receiptsOf(late), { leaseSeconds: 60 });
    expect(statusesOf(extended)).toEqual(["gone", "gone", "gone", "done"]);
  });

  test("expired before the head passed by are taken off the depth no more often than counted", async () => {
    await send("a1");
    const first = await receive();
    await send("a2");
    expect(await receive()).toEqual([]);
    await service.send(Q, [{ ...keyed("a3"), ttlSeconds: 5 }]);
    await world.advance(6_000);
    await send("a4", "a5", "a6");
    expect(await receive()).toEqual([]);
    await ack(first);
    for (const [name, left] of [
      ["a2", 3],
      ["a4", 2],
      ["a5", 1],
    ] as const) {
      const next = await receive(1);
      expect(bodies(next)).toEqual([name]);
      await ack(next);
      expect((await service.getQueue(Q)).depth.ready).toBe(left);
    }
  });

  test("run out and extended by its holder all the same: nobody else gets any of the key", async () => {
    await send("a1", "a2", "a3");
    const late = await receive(3, { leaseSeconds: 10 });
    await world.advance(10_000);
    const own = receiptsOf(late);
    expect(statusesOf(await service.extend(Q, own, { leaseSeconds: 60 }))).toEqual([
      "done",
      "done",
      "done",
    ]);
    expect(await receive()).toEqual([]);
  });

  test("run out and taken back while its holder extends what is behind it: that is gone", async () => {
    await send("a1", "a2");
    const late = await receive(2, { leaseSeconds: 10 });
    await world.advance(10_000);
    const meets = first(1, isSegmentUpdate, { before: () => receive(1) });
    const slow = world.instance(tampered(world.store, meets).store);
    const extended = slow.extend(Q, receiptsOf(pick(late, "a2")), { leaseSeconds: 60 });
    expect(statusesOf(await world.through(extended))).toEqual(["gone"]);
  });

  test("run out, and one before it is released: that it ran out counts as an attempt", async () => {
    await send("a1", "a2");
    await receive(2, { leaseSeconds: 1 });
    await world.advance(1_001);
    await release(await receive(1), 1, false);
    await world.advance(1_001);
    const again = await receive();
    expect(again.map((message) => [bodyOf(message), message.receives])).toEqual([
      ["a1", 2],
      ["a2", 2],
    ]);
  });

  test("two receives at once never share a key", async () => {
    await send("a1", "a2", "b1", "b2");
    const [one, other] = await Promise.all([receive(2), receive(2)]);
    const keys = (messages: readonly ReceivedMessage[]) => new Set(messages.map(({ key }) => key));
    for (const key of keys(one)) expect(keys(other)).not.toContain(key);
    expect([...bodies(one), ...bodies(other)].sort()).toEqual(["a1", "a2", "b1", "b2"]);
  });
});

describe("a key that nobody works off", () => {
  test("keeps no other waiting, however long its backlog, and costs one place in the state", async () => {
    await send("s0");
    const slow = await receive();
    for (let batch = 0; batch < 40; batch++)
      await send(...Array.from({ length: 250 }, (_, number) => `s${batch * 250 + number + 1}`));
    await send("b1");
    expect(bodies(await receive(10))).toEqual(["b1"]);
    await send("c1");
    world.requests.length = 0;
    expect(bodies(await receive(10))).toEqual(["c1"]);
    const units = world.requests.reduce((sum, one) => sum + one.writeUnits, 0);
    expect(units).toBe(1);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 10_000, leased: 3, delayed: 0 });
    await ack(slow);
    expect(bodies(await receive(3))).toEqual(["s1", "s2", "s3"]);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 9_997, leased: 5, delayed: 0 });
  });

  test("is worked off whole once it is free, in order", async () => {
    await send("s0");
    const slow = await receive();
    await send("s1", "b1", "s2", "b2", "s3");
    await ack(await receive());
    await send("s4");
    await ack(slow);
    expect(await drain(service)).toEqual(["s1", "s2", "s3", "s4"]);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  test("whose messages have expired leaves nothing behind", async () => {
    await service.patchQueue(Q, { retentionSeconds: 60 });
    await send("s0");
    await receive(1, { leaseSeconds: 600 });
    await send("s1", "s2", "b1");
    expect(bodies(await receive())).toEqual(["b1"]);
    await world.advance(601_000);
    await send("s3");
    expect(bodies(await receive())).toEqual(["s3"]);
  });
});

describe("poison", () => {
  test("goes to the dead letters, and the key goes on", async () => {
    await service.putQueue(DEAD, {});
    await service.patchQueue(Q, { maxReceives: 2, deadLetter: { queue: DEAD } });
    await send("a1", "a2", "b1");
    for (let attempt = 0; attempt < 2; attempt++) await release(pick(await receive(1), "a1"));
    const next = await receive();
    expect(bodies(next)).toEqual(["b1", "a2"]);
    const dead = await service.receive(DEAD, ALL);
    expect(
      dead.map((message) => [bodyOf(message), message.key, message.deadLetter?.receives]),
    ).toEqual([["a1", "a", 2]]);
    await service.release(DEAD, receiptsOf(dead), { delaySeconds: 0, countAttempt: false });
    expect(await service.redrive(DEAD, {})).toEqual({ moved: 1, remaining: 0 });
    expect(await receive()).toEqual([]);
    await ack(next);
    expect(bodies(await receive())).toEqual(["a1"]);
  });

  test("blocks its key where the queue says so, until the settings allow it again", async () => {
    await service.patchQueue(Q, { maxReceives: 1, onPoison: "block" });
    await send("a1", "a2", "b1");
    await release(pick(await receive(1), "a1"));
    expect(bodies(await receive())).toEqual(["b1"]);
    await world.advance(3_600_000);
    expect(bodies(await receive())).toEqual([]);
    await service.patchQueue(Q, { maxReceives: 3 });
    await world.advance(10_001);
    expect(bodies(await receive())).toEqual(["a1", "b1", "a2"]);
  });
});

describe("what expires unread, where the queue keeps that", () => {
  beforeEach(async () => {
    await service.putQueue(DEAD, {});
    await service.patchQueue(Q, { onExpired: "deadLetter", deadLetter: { queue: DEAD } });
  });

  const brief = (name: string): OutgoingMessage => ({ ...keyed(name), ttlSeconds: 60 });
  const dead = async () =>
    (await service.receive(DEAD, ALL)).map((one) => [bodyOf(one), one.key, one.deadLetter?.reason]);

  test("at the head, held, and given back: each leaves once, in its key's order, and nothing else waits", async () => {
    await send("a1");
    const held = await receive();
    await service.send(Q, [brief("a2"), brief("b1"), keyed("a3"), keyed("c1")]);
    const other = await receive();
    expect(bodies(other)).toEqual(["b1", "c1"]);
    await release(pick(other, "b1"));
    await service.send(Q, [brief("d1"), keyed("d2")]);
    await world.advance(61_000);
    await ack(held);
    expect(bodies(await receive()).sort()).toEqual(["a3", "c1", "d2"]);
    const left = await dead();
    expect(new Set(left.map((one) => one.join(" ")))).toEqual(
      new Set(["a2 a expired", "b1 b expired", "d1 d expired"]),
    );
    expect(left).toHaveLength(3);
  });

  test("the janitor finds it, too", async () => {
    await service.send(Q, [brief("a1"), brief("b1")]);
    await world.advance(61_000);
    await service.runJanitor(epochMs(world.now() + 30_000));
    expect((await dead()).map(([name]) => name)).toEqual(["a1", "b1"]);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });
});

describe("the number of lanes", () => {
  const open = async () => (await recordOf(world)).lanes.open;

  test("changes without breaking any key's order", async () => {
    await send("a1", "b1", "c1", "d1");
    const held = await receive(2);
    expect((await service.patchQueue(Q, { lanes: 4 })).lanes).toBe(4);
    await send("a2", "b2", "c2", "d2");
    expect(await open()).toEqual([1, 2, 3, 4]);
    const others = await receive();
    expect(bodies(others)).toEqual(["c1", "d1"]);
    await ack(others);
    expect(await receive()).toEqual([]);
    await ack(held);
    expect(bodies(await receive()).sort()).toEqual(["a2", "b2", "c2", "d2"]);
  });

  test("a sender that was not told appends to no lane that has ended", async () => {
    const other = world.instance();
    await other.send(Q, [keyed("a1")]);
    await service.patchQueue(Q, { lanes: 2 });
    await send("a2");
    await world.through(other.send(Q, [keyed("a3")]));
    expect(await drain(service)).toEqual(["a1", "a2", "a3"]);
  });

  test("a change that was cut off is gone on with by a sender", async () => {
    const record = await recordOf(world);
    const cut = {
      ...record.lanes,
      open: [],
      ended: [{ lane: 0, until: 0, set: 0 }],
      set: 1,
      opening: 3,
    };
    await world.store.update("catalog", { pk: "queue", sk: Q }, [
      { do: "set", path: ["lanes"], to: cut },
      { do: "set", path: ["version"], to: record.version + 1 },
    ]);
    const other = world.instance();
    const [result] = await world.through(other.send(Q, [keyed("a1")]));
    expect(result).toHaveProperty("id");
    expect(await open()).toEqual([1, 2, 3]);
    expect(bodies(await other.receive(Q, ALL))).toEqual(["a1"]);
  });
});

describe("order by lane", () => {
  beforeEach(() => service.putQueue(DEAD, { order: "lane", lanes: 1 }));

  test("the whole lane is one key", async () => {
    await service.send(DEAD, [text("1"), { ...text("2"), key: "k" }, text("3")]);
    const first = await service.receive(DEAD, { ...ALL, max: 1 });
    expect(await service.receive(DEAD, ALL)).toEqual([]);
    await service.ack(DEAD, receiptsOf(first));
    const rest = await service.receive(DEAD, ALL);
    expect(bodies(rest)).toEqual(["2", "3"]);
    await service.release(DEAD, receiptsOf(rest).slice(0, 1), {
      delaySeconds: 0,
      countAttempt: true,
    });
    expect(bodies(await service.receive(DEAD, ALL))).toEqual(["2", "3"]);
  });
});

describe("what is refused", () => {
  test.each<[string, () => Promise<unknown>, string]>([
    ["a message without a key", () => service.send(Q, [keyed("a1"), text("x")]), "messages[1].key"],
    [
      "a message with a delay of its own",
      () => service.send(Q, [{ ...keyed("a1"), delaySeconds: 5 }]),
      "messages[0].delaySeconds",
    ],
    ["another order later", () => service.patchQueue(Q, { order: "none" }), "order"],
    ["blocking without order", () => service.putQueue(DEAD, { onPoison: "block" }), "onPoison"],
    ["a limit that leads nowhere", () => service.patchQueue(Q, { maxReceives: 1 }), "maxReceives"],
  ])("%s", async (_, call, path) => {
    await expect(call()).rejects.toMatchObject({ errors: [{ path }] });
  });
});

describe("beside order", () => {
  test("a purge passes over what is held", async () => {
    await send("a1");
    const held = await receive();
    await send("a2", "b1");
    await receive();
    await service.purgeQueue(Q);
    expect(statusesOf(await ack(held))).toEqual(["gone"]);
    await send("a3");
    expect(bodies(await receive())).toEqual(["a3"]);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 0, leased: 1, delayed: 0 });
  });

  test("look-up says what is held, and erasure leaves it", async () => {
    await service.patchQueue(Q, { eraseOnAck: true });
    await send("a1");
    const held = await receive();
    const sent = await send("a2", "b1");
    const other = await receive();
    expect(bodies(other)).toEqual(["b1"]);
    await ack(other);
    const id = sent[0] !== undefined && "id" in sent[0] ? sent[0].id : "";
    expect((await service.lookUp(Q, id)).groups).toEqual({ default: { state: "ready" } });
    await ack(held);
    expect(bodies(await receive())).toEqual(["a2"]);
  });

  test("a message too large for the rest of an answer does not keep others from coming", async () => {
    const large = (name: string) => ({ ...keyed(name), body: Buffer.alloc(1_000_000, name) });
    await service.send(Q, [
      large("a1"),
      large("b1"),
      large("c1"),
      large("d1"),
      large("e1"),
      keyed("f1"),
    ]);
    const first = await receive();
    expect(first.length).toBeGreaterThan(3);
    const rest = await receive();
    expect(new Set([...first, ...rest].map(({ key }) => key))).toEqual(
      new Set(["a", "b", "c", "d", "e", "f"]),
    );
  });
});
