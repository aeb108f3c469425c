import { describe, expect, it } from "vitest";
import { epochMs, queueName } from "../../src/core/types.ts";
import type { QueueName } from "../../src/core/types.ts";
import { queueKey } from "../../src/store/keys.ts";
import {
  ALL,
  bodyOf,
  crash,
  createWorld,
  DEAD,
  drain,
  idsOf,
  logOf,
  Q,
  receiptsOf,
  statusesOf,
  text,
  texts,
  throttled,
  unknown,
} from "./fixture.ts";
import type { World } from "./fixture.ts";
import { first, isLogPut, isSegmentUpdate, tampered } from "./tampered.ts";
import type { Call, Fault } from "./tampered.ts";

const OTHER = queueName("other");
const LEASE_MS = 10_000;

async function poisoned(count = 1, settings: { maxReceives?: number; lanes?: number } = {}) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(DEAD, { lanes: 1 });
  await service.putQueue(OTHER, { lanes: 1 });
  await service.putQueue(Q, {
    lanes: 1,
    leaseSeconds: 10,
    maxReceives: 1,
    deadLetter: { queue: DEAD },
    ...settings,
  });
  const ids = count === 0 ? [] : idsOf(await service.send(Q, texts(count)));
  return { world, service, ids };
}

const bodiesIn = async (world: World, name: QueueName): Promise<string[]> =>
  (await world.instance().browse(name, { limit: 1_000 })).messages.map(bodyOf);

/** Kills a janitor at each of its writes in turn, until one gets through. */
async function atEveryWrite(
  prepare: () => Promise<World>,
  act: (service: ReturnType<World["instance"]>, world: World) => Promise<unknown>,
  check: (world: World, step: number) => Promise<void>,
): Promise<void> {
  for (let step = 0; ; step++) {
    const world = await prepare();
    let writes = 0;
    const { store } = tampered(world.store, (call: Call): Fault | undefined =>
      call.table === "lanes" && call.op !== "get" && call.op !== "query" && writes++ === step
        ? { throws: crash, applied: true }
        : undefined,
    );
    await act(world.instance(store), world).catch(() => undefined);
    const isOver = writes <= step;
    await world.advance(10 * 60_000);
    await check(world, step);
    if (isOver) {
      expect(step).toBeGreaterThan(2);
      return;
    }
  }
}

const janitor = (world: World) => world.instance().runJanitor(epochMs(world.now() + 60_000));

describe("C6: dead-lettering", () => {
  it("keeps id, body, type, headers and sent time; says why, from where, how often; begins a new life", async () => {
    const { world, service } = await poisoned(0);
    const message = {
      kind: "json" as const,
      body: Buffer.from("[1e400]"),
      contentType: "a/b",
      headers: { h: "é" },
    };
    const [id] = idsOf(await service.send(Q, [message]));
    const sentAt = world.now();
    await service.receive(Q, ALL);
    await world.advance(LEASE_MS);
    await service.receive(Q, ALL);
    const [dead] = await service.receive(DEAD, ALL);
    expect(dead).toMatchObject({
      id,
      kind: "json",
      contentType: "a/b",
      headers: { h: "é" },
      sentAt,
      receives: 1,
    });
    expect(dead && bodyOf(dead)).toBe("[1e400]");
    expect(dead?.place).not.toBe(id);
    expect(dead?.expiresAt).toBe(world.now() + 345_600_000);
    expect(dead?.deadLetter).toMatchObject({
      reason: "maxReceives",
      queue: Q,
      group: "default",
      lane: 0,
      receives: 1,
      firstReceivedAt: sentAt,
      deadLetteredAt: world.now(),
    });
    const found = await service.lookUp(DEAD, dead?.place ?? "");
    expect([found.id, bodyOf(found)]).toEqual([id, "[1e400]"]);
  });

  it("is left to others by who slept until they may go on with it", async () => {
    const { world, service } = await poisoned(2);
    await service.receive(Q, ALL);
    await world.advance(LEASE_MS);
    const sleeps = first(1, isSegmentUpdate, { after: () => world.advance(60_000) });
    await world.instance(tampered(world.store, sleeps).store).receive(Q, ALL);
    expect(await bodiesIn(world, DEAD)).toEqual([]);
    await service.receive(Q, ALL);
    expect(await bodiesIn(world, DEAD)).toEqual(["m0", "m1"]);
  });

  it("takes nothing that was acked, in time or late", async () => {
    const { world, service } = await poisoned(3);
    const receipts = receiptsOf(await service.receive(Q, ALL));
    await service.ack(Q, receipts.slice(0, 1));
    await world.advance(LEASE_MS);
    await service.ack(Q, receipts.slice(1, 2));
    await service.receive(Q, ALL);
    expect(await bodiesIn(world, DEAD)).toEqual(["m2"]);
  });

  it("a message on its way can be acked, extended or received by nobody", async () => {
    const { world, service } = await poisoned(1);
    const receipts = receiptsOf(await service.receive(Q, ALL));
    await world.advance(LEASE_MS);
    const failing = world.instance(
      tampered(world.store, (call) => (isLogPut(call) ? { throws: throttled } : undefined)).store,
    );
    await world.through(failing.receive(Q, ALL));
    expect(world.events.map(({ type }) => type)).toContain("deadLetterFailed");
    expect(statusesOf(await service.ack(Q, receipts))).toEqual(["gone"]);
    expect(statusesOf(await service.extend(Q, receipts, { leaseSeconds: 60 }))).toEqual(["gone"]);
    expect(await service.receive(Q, ALL)).toEqual([]);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 0, leased: 1, delayed: 0 });
  });

  it("whatever write it ends at, is resumed: each message stands in the dead-letter queue once", async () => {
    await atEveryWrite(
      async () => {
        const { world, service } = await poisoned(5);
        await service.receive(Q, ALL);
        await world.advance(LEASE_MS);
        return world;
      },
      (service) => service.receive(Q, ALL),
      async (world, step) => {
        await janitor(world);
        await world.advance(10 * 60_000);
        await janitor(world);
        expect([step, (await bodiesIn(world, DEAD)).sort()]).toEqual([
          step,
          ["m0", "m1", "m2", "m3", "m4"],
        ]);
        expect((await world.instance().getQueue(Q)).depth).toEqual({
          ready: 0,
          leased: 0,
          delayed: 0,
        });
      },
    );
  });

  it("whose append's outcome is unknown is not made twice", async () => {
    for (const applied of [true, false]) {
      const { world, service } = await poisoned(2);
      await service.receive(Q, ALL);
      await world.advance(LEASE_MS);
      const fault = first(1, isLogPut, { throws: unknown, applied });
      const mover = world.instance(tampered(world.store, fault).store);
      await world.through(mover.receive(Q, ALL));
      await world.advance(10 * 60_000);
      await janitor(world);
      expect((await bodiesIn(world, DEAD)).sort()).toEqual(["m0", "m1"]);
    }
  });

  it("by two who resume the same at once stands once", async () => {
    const { world, service } = await poisoned(3);
    await service.receive(Q, ALL);
    await world.advance(LEASE_MS);
    const rival = world.instance();
    const slow = first(1, (call) => isLogPut(call), {
      before: async () => {
        await world.advance(2 * 60_000);
        await rival.receive(Q, ALL);
      },
    });
    await world.through(world.instance(tampered(world.store, slow).store).receive(Q, ALL));
    await world.advance(10 * 60_000);
    await janitor(world);
    expect((await bodiesIn(world, DEAD)).sort()).toEqual(["m0", "m1", "m2"]);
  });

  it("goes on to where it was going, though the settings name another queue by then, or none", async () => {
    for (const change of [
      { deadLetter: { queue: OTHER } },
      { maxReceives: null, deadLetter: null },
    ]) {
      const { world, service } = await poisoned(2);
      await service.receive(Q, ALL);
      await world.advance(LEASE_MS);
      // Ends between the append and the removal.
      const isRemoval = first(
        1,
        (call) => isSegmentUpdate(call) && call.sets?.["version"] === undefined,
        {
          throws: crash,
        },
      );
      await world.through(world.instance(tampered(world.store, isRemoval).store).receive(Q, ALL));
      await service.patchQueue(Q, change);
      await world.advance(2 * 60_000);
      expect(await service.receive(Q, ALL)).toEqual([]);
      expect(await bodiesIn(world, DEAD)).toEqual(["m0", "m1"]);
      expect(await bodiesIn(world, OTHER)).toEqual([]);
      expect((await service.getQueue(Q)).depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
    }
  });

  it("does not happen where the dead-letter queue is missing: messages go on being delivered", async () => {
    const { world, service } = await poisoned(1);
    await world.store.delete("catalog", queueKey(DEAD));
    const fresh = world.instance();
    for (let receives = 1; receives <= 4; receives++) {
      expect((await fresh.receive(Q, ALL)).map((one) => one.receives)).toEqual([receives]);
      await world.advance(LEASE_MS);
    }
    await service.putQueue(DEAD, { lanes: 1 });
    await world.advance(11_000);
    expect(await service.receive(Q, ALL)).toEqual([]);
    expect(await bodiesIn(world, DEAD)).toEqual(["m0"]);
  });

  it("copies the parts of a large message", async () => {
    const { world, service } = await poisoned(0);
    const body = Buffer.alloc(1_000_000, "large");
    await service.send(Q, [{ ...text(""), body }]);
    await service.receive(Q, ALL);
    await world.advance(LEASE_MS);
    await service.receive(Q, ALL);
    for (const item of world.store
      .items("lanes")
      .filter(({ pk }) => pk.startsWith("part#"))
      .slice(0, 3))
      await world.store.delete("lanes", { pk: item.pk, sk: item.sk });
    const [dead] = await world.instance().receive(DEAD, ALL);
    expect(dead && Buffer.compare(dead.body, body)).toBe(0);
  });

  it("of more messages than one entry holds takes all of them", async () => {
    const { world, service } = await poisoned(700);
    for (let got = 0; got < 700;) got += (await service.receive(Q, ALL)).length;
    await world.advance(LEASE_MS);
    for (let round = 0; round < 4; round++) await janitor(world);
    const moved = (await service.getQueue(DEAD)).depth.ready;
    expect(moved).toBe(700);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  it("L4: its entry lives as long as the records that name it", async () => {
    const { world, service } = await poisoned(1);
    await service.patchQueue(DEAD, { retentionSeconds: 60 });
    await service.receive(Q, ALL);
    await world.advance(LEASE_MS);
    await service.receive(Q, ALL);
    const record = world.store.items("lanes").find(({ pk }) => pk.startsWith("dedup#"));
    const [entry] = await logOf(world, DEAD);
    expect(entry?.["ttl"]).toBeGreaterThanOrEqual(record?.["ttl"] as number);
  });
});

describe("redrive", () => {
  async function dead(count: number) {
    const { world, service } = await poisoned(count);
    for (let got = 0; got < count;) got += (await service.receive(Q, ALL)).length;
    await world.advance(LEASE_MS);
    for (let round = 0; round < 3; round++) await janitor(world);
    await world.advance(20_000);
    return { world, service };
  }

  it("gives messages back to the queue they came from, with no trace of the dead letter", async () => {
    const { world, service } = await dead(3);
    expect(await service.redrive(DEAD, {})).toEqual({ moved: 3, remaining: 0 });
    const back = await service.receive(Q, ALL);
    expect(back.map((one) => [bodyOf(one), one.receives, one.deadLetter])).toEqual([
      ["m0", 1, undefined],
      ["m1", 1, undefined],
      ["m2", 1, undefined],
    ]);
    expect(await drain(world.instance(), DEAD)).toEqual([]);
  });

  it("moves at most max, to a queue of one's choice, and says what remains", async () => {
    const { world, service } = await dead(5);
    expect(await service.redrive(DEAD, { to: OTHER, max: 2 })).toEqual({ moved: 2, remaining: 3 });
    expect(await bodiesIn(world, OTHER)).toHaveLength(2);
    expect(await service.redrive(DEAD, { to: OTHER })).toEqual({ moved: 3, remaining: 0 });
    expect((await bodiesIn(world, OTHER)).sort()).toEqual(["m0", "m1", "m2", "m3", "m4"]);
    expect((await service.getQueue(Q)).depth.ready).toBe(0);
  });

  it("of many takes all, in batches", async () => {
    const { service } = await dead(350);
    expect(await service.redrive(DEAD, { to: OTHER })).toEqual({ moved: 350, remaining: 0 });
    expect((await service.getQueue(OTHER)).depth.ready).toBe(350);
  });

  it("leaves alone what somebody holds", async () => {
    const { service } = await dead(4);
    const held = await service.receive(DEAD, { max: 1, group: "default", leaseSeconds: 600 });
    expect(await service.redrive(DEAD, {})).toEqual({ moved: 3, remaining: 1 });
    expect(statusesOf(await service.ack(DEAD, receiptsOf(held)))).toEqual(["done"]);
  });

  it("is refused to the queue itself, to a missing queue, and where every source is gone", async () => {
    const { world, service } = await dead(2);
    await expect(service.redrive(DEAD, { to: DEAD })).rejects.toMatchObject({
      code: "invalid-request",
    });
    await expect(service.redrive(DEAD, { to: queueName("nowhere") })).rejects.toMatchObject({
      code: "queue-not-found",
    });
    await service.deleteQueue(Q);
    await world.advance(11_000);
    await expect(service.redrive(DEAD, {})).rejects.toMatchObject({ code: "queue-not-found" });
    expect((await service.getQueue(DEAD)).depth).toEqual({ ready: 2, leased: 0, delayed: 0 });
    expect(await service.redrive(DEAD, { to: OTHER })).toEqual({ moved: 2, remaining: 0 });
  });

  it("takes what has a source and leaves the rest, deliverable", async () => {
    const { world, service } = await dead(2);
    await service.send(DEAD, [text("sent here")]);
    expect(await service.redrive(DEAD, {})).toEqual({ moved: 2, remaining: 1 });
    expect(await drain(world.instance(), DEAD)).toEqual(["sent here"]);
  });

  it("a second life and death after a redrive leads to the dead-letter queue again", async () => {
    const { world, service } = await dead(1);
    await service.redrive(DEAD, {});
    await service.receive(Q, ALL);
    await world.advance(LEASE_MS);
    await service.receive(Q, ALL);
    const again = await service.receive(DEAD, ALL);
    expect(again.map(bodyOf)).toEqual(["m0"]);
    expect(await service.redrive(DEAD, { to: OTHER })).toMatchObject({ moved: 0 });
  });

  it("whatever write it ends at, is resumed: each message stands once, and is not delivered meanwhile", async () => {
    await atEveryWrite(
      async () => (await dead(3)).world,
      (service) => service.redrive(DEAD, { to: OTHER }),
      async (world, step) => {
        const service = world.instance();
        const fromDead = await drain(service, DEAD);
        await world.advance(2 * 60_000);
        fromDead.push(...(await drain(service, DEAD)));
        const moved = await bodiesIn(world, OTHER);
        expect([step, [...fromDead, ...moved].sort()]).toEqual([step, ["m0", "m1", "m2"]]);
      },
    );
  });

  it("whose append failed delivers nothing from the dead-letter queue until it is resumed, and then moves", async () => {
    const { world, service } = await dead(2);
    const failing = first(99, isLogPut, { throws: throttled });
    await expect(
      world.through(
        world.instance(tampered(world.store, failing).store).redrive(DEAD, { to: OTHER }),
      ),
    ).rejects.toMatchObject({ code: "outcome-unknown" });
    expect(await service.receive(DEAD, ALL)).toEqual([]);
    expect((await service.getQueue(DEAD)).depth).toEqual({ ready: 0, leased: 2, delayed: 0 });
    await world.advance(2 * 60_000);
    expect(await service.receive(DEAD, ALL)).toEqual([]);
    expect((await bodiesIn(world, OTHER)).sort()).toEqual(["m0", "m1"]);
  });

  it("counts no receive of what it had to leave", async () => {
    const { world, service } = await dead(1);
    await service.deleteQueue(Q);
    await world.advance(11_000);
    await expect(service.redrive(DEAD, {})).rejects.toThrow();
    expect((await service.receive(DEAD, ALL)).map((one) => one.receives)).toEqual([1]);
  });
});
