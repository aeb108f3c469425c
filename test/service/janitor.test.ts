import { describe, expect, it } from "vitest";
import { epochMs, queueName } from "../../src/core/types.ts";
import { ALL, bodyOf, createWorld, DEAD, Q, recordOf, text, texts, throttled } from "./fixture.ts";
import type { World } from "./fixture.ts";
import { tampered } from "./tampered.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const run = (world: World, service = world.instance(), ms = MINUTE) =>
  service.runJanitor(epochMs(world.now() + ms));

describe("the janitor", () => {
  it("dead-letters for a queue that nobody polls any more", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(DEAD, {});
    await service.putQueue(Q, {
      lanes: 1,
      leaseSeconds: 10,
      maxReceives: 1,
      deadLetter: { queue: DEAD },
    });
    await service.send(Q, texts(3));
    await service.receive(Q, ALL);
    expect((await run(world)).deadLettered).toBe(0);
    await world.advance(10_000);
    expect((await run(world)).deadLettered).toBe(3);
    expect((await service.browse(DEAD, { limit: 9 })).messages.map(bodyOf)).toEqual([
      "m0",
      "m1",
      "m2",
    ]);
    expect((await run(world)).deadLettered).toBe(0);
  });

  it("leases nothing: what is ready stays ready, and no receive is counted", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { leaseSeconds: 10 });
    await service.send(Q, texts(3));
    await service.receive(Q, { max: 1, group: "default" });
    await world.advance(10_000);
    await run(world);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 3, leased: 0, delayed: 0 });
    expect(
      (await service.receive(Q, ALL))
        .map((one) => one.receives)
        .join("")
        .replace("2", ""),
    ).toBe("11");
  });

  it("reports each queue's depth and oldest age, and that it is complete", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, {});
    await service.putQueue(DEAD, {});
    await service.send(Q, texts(4));
    await world.advance(5_000);
    const report = await run(world);
    expect(report.complete).toBe(true);
    expect(
      report.queues.map(({ name, depth, oldestReadyAgeSeconds }) => [
        name,
        depth.ready,
        oldestReadyAgeSeconds,
      ]),
    ).toEqual([
      [Q, 4, 5],
      [DEAD, 0, 0],
    ]);
  });

  it("passes over what has expired, and closes segments that are done with", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { lanes: 1, leaseSeconds: 600 });
    await service.send(Q, texts(200));
    const receipts: string[] = [];
    for (let index = 0; index < 100; index++)
      receipts.push((await service.receive(Q, { max: 1, group: "default" }))[0]?.receipt ?? "");
    await service.ack(Q, receipts);
    const { queueId } = await recordOf(world);
    const segments = () =>
      world.store
        .items("lanes")
        .filter(({ pk, sk }) => pk === `cursor#${queueId}#0` && sk.includes("#"));
    expect(segments().length).toBeGreaterThan(2);
    for (let round = 0; round < 3; round++) await run(world);
    await world.advance(HOUR + MINUTE);
    await world.sweep(({ pk }) => pk.startsWith("cursor#"));
    expect(segments().length).toBeLessThanOrEqual(2);
    expect((await service.getQueue(Q)).depth.ready).toBe(100);
    expect(await service.receive(Q, ALL)).toHaveLength(100);
  });

  it("D4: buries a deleted queue after 60 s, and clears its grave after an hour", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { lanes: 3 });
    for (let index = 0; index < 9; index++) await world.through(world.instance().send(Q, texts(1)));
    await service.receive(Q, ALL);
    const { queueId } = await recordOf(world);
    await service.deleteQueue(Q);
    await run(world);
    expect(world.store.items("catalog").some(({ pk, sk }) => pk === "queue" && sk === Q)).toBe(
      true,
    );
    await world.advance(MINUTE);
    await run(world);
    expect(world.store.items("catalog").some(({ pk, sk }) => pk === "queue" && sk === Q)).toBe(
      false,
    );
    const kept = () =>
      world.store
        .partitions("lanes")
        .filter((pk) => /^(anchor|cursor)#/.test(pk) && pk.includes(queueId));
    await world.advance(HOUR - 2 * MINUTE);
    expect((await run(world)).deletedQueuesCleared).toBe(0);
    expect(kept().length).toBeGreaterThan(0);
    await world.advance(2 * MINUTE);
    expect((await run(world)).deletedQueuesCleared).toBe(1);
    expect(kept()).toEqual([]);
    expect(world.store.items("catalog").some(({ pk }) => pk === "grave")).toBe(false);
    expect((await run(world)).deletedQueuesCleared).toBe(0);
  });

  it("J1: clears nothing of a queue that was made anew under the name", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, {});
    await service.deleteQueue(Q);
    await world.advance(MINUTE);
    await service.putQueue(Q, {});
    await service.send(Q, [text("new")]);
    await world.advance(2 * HOUR);
    expect((await run(world)).deletedQueuesCleared).toBe(1);
    expect((await service.receive(Q, ALL)).map(bodyOf)).toEqual(["new"]);
  });

  it("ends at its deadline, and the next round goes on from there until all was seen", async () => {
    const world = createWorld();
    const setUp = world.instance();
    const names = Array.from({ length: 130 }, (_, index) => `q${String(index).padStart(3, "0")}`);
    for (const name of names) await setUp.putQueue(queueName(name), { lanes: 1 });
    // Each queue takes it some time: a clock that moves with every read of a cursor.
    const slow = world.instance(
      tampered(world.store, (call) =>
        call.op === "get" && call.pk.startsWith("anchor#")
          ? { before: () => world.advance(100) }
          : undefined,
      ).store,
    );
    const seen: string[] = [];
    const rounds: boolean[] = [];
    do {
      const report = await run(world, slow, 3_000);
      expect(report.queues.length).toBeLessThan(60);
      seen.push(...report.queues.map(({ name }) => name));
      rounds.push(report.complete);
    } while (rounds.at(-1) === false && rounds.length < 20);
    expect(seen).toEqual(names);
    expect(rounds.length).toBeGreaterThan(3);
    expect((await run(world)).queues).toHaveLength(130);
  });

  it("with no time at all does nothing, and loses no place", async () => {
    const world = createWorld();
    await world.instance().putQueue(Q, {});
    const report = await run(world, world.instance(), 0);
    expect(report).toMatchObject({ queues: [], complete: false });
    expect((await run(world)).queues).toHaveLength(1);
  });

  it("goes on with the others where one queue is in trouble, and says which", async () => {
    const world = createWorld();
    const service = world.instance();
    for (const name of ["a", "b", "c"]) await service.putQueue(queueName(name), {});
    const { queueId } = await recordOf(world, queueName("b"));
    const failing = tampered(world.store, (call) =>
      call.pk.includes(queueId) ? { throws: throttled } : undefined,
    );
    const report = await run(world, world.instance(failing.store));
    expect(report.queues.map(({ name }) => name)).toEqual(["a", "c"]);
    expect(world.events).toContainEqual(
      expect.objectContaining({ type: "tendFailed", queue: "b" }),
    );
  });

  it("many at once do what one does", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(DEAD, { lanes: 1 });
    await service.putQueue(Q, {
      lanes: 1,
      leaseSeconds: 10,
      maxReceives: 1,
      deadLetter: { queue: DEAD },
    });
    await service.send(Q, texts(50));
    await service.receive(Q, ALL);
    await world.advance(10_000);
    await world.through(Promise.all([1, 2, 3, 4].map(() => run(world))));
    expect((await service.getQueue(DEAD)).depth.ready).toBe(50);
    expect((await service.browse(DEAD, { limit: 100 })).messages).toHaveLength(50);
  });
});
