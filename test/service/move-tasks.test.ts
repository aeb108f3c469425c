/**
 * Move tasks: what starts one and what does not, its rate, its progress and its ends; and that every
 * message ends in one place, whoever dies or meets at which write.
 */
import { describe, expect, it } from "vitest";
import { epochMs, queueName } from "../../src/core/types.ts";
import type { QueueName } from "../../src/core/types.ts";
import type { MoveTask, Service } from "../../src/service/api.ts";
import { MOVE_TASKS, queueKey } from "../../src/store/keys.ts";
import { absent } from "../../src/store/port.ts";
import {
  ALL,
  bodyOf,
  crash,
  createWorld,
  DEAD,
  drain,
  idsOf,
  Q,
  receiptsOf,
  text,
  texts,
  throttled,
  unknown,
} from "./fixture.ts";
import type { World } from "./fixture.ts";
import { first, isLogPut, tampered } from "./tampered.ts";
import type { Call, Fault } from "./tampered.ts";

const OTHER = queueName("other");
const MINUTE = 60_000;

/** A dead-letter queue with so many messages of `orders`, and another queue. */
async function dead(count: number) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(DEAD, { lanes: 1 });
  await service.putQueue(OTHER, { lanes: 1 });
  const settings = { lanes: 1, leaseSeconds: 10, maxReceives: 1, deadLetter: { queue: DEAD } };
  await service.putQueue(Q, settings);
  const ids = count === 0 ? [] : idsOf(await service.send(Q, texts(count)));
  for (let got = 0; got < count;) got += (await service.receive(Q, ALL)).length;
  await world.advance(10_000);
  for (let round = 0; round < 4; round++) await service.receive(Q, ALL);
  return { world, service, ids };
}

type Request = Parameters<Service["startMove"]>[1];

async function started(service: Service, request: Request = {}): Promise<MoveTask> {
  const result = await service.startMove(DEAD, request);
  if ("refused" in result) throw new Error(result.refused);
  return result.task;
}

/** What the janitor's function does with tasks in one of its minutes. */
const minute = (world: World, service: Service = world.instance(), ms = 50_000) =>
  world.through(service.runMoves(epochMs(world.now() + ms)));

const latest = async (world: World): Promise<MoveTask> => {
  const [task] = await world.instance().listMoves(DEAD, 1);
  if (task === undefined) throw new Error("no task is listed");
  return task;
};

const bodiesIn = async (world: World, name: QueueName): Promise<string[]> =>
  (await world.instance().browse(name, { limit: 1_000 })).messages.map(bodyOf).sort();

const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `m${index}`).sort();

const activeItems = (world: World) =>
  world.store.items("catalog").filter(({ pk }) => pk === MOVE_TASKS);

describe("a move task", () => {
  it("gives messages back to where they came from, with their ids; a small one is done at its start", async () => {
    const { world, service, ids } = await dead(3);
    const task = await started(service);
    expect(task).toMatchObject({ status: "completed", moved: 3, total: 3 });
    const back = await service.receive(Q, ALL);
    expect(back.map(({ id, receives, deadLetter }) => [id, receives, deadLetter])).toEqual(
      ids.map((id) => [id, 1, undefined]),
    );
    expect(await service.listMoves(DEAD, 10)).toEqual([task]);
    expect(activeItems(world)).toEqual([]);
  });

  it("moves to a queue of one's choice", async () => {
    const { world, service } = await dead(3);
    expect(await started(service, { to: OTHER })).toMatchObject({ to: OTHER, moved: 3 });
    expect(await bodiesIn(world, OTHER)).toEqual(numbered(3));
  });

  it("of an empty queue is completed at once", async () => {
    const { service } = await dead(0);
    expect(await started(service)).toMatchObject({ status: "completed", moved: 0, total: 0 });
  });

  it("is refused with a reason", async () => {
    const { world, service } = await dead(5);
    const fifo = queueName("fifo");
    await service.putQueue(fifo, { order: "key" });
    const start = (name: QueueName, request: Request = {}) => service.startMove(name, request);
    expect(await start(Q)).toEqual({ refused: "not-a-dead-letter-queue" });
    expect(await start(DEAD, { to: queueName("none") })).toEqual({
      refused: "no-such-destination",
    });
    expect(await start(DEAD, { to: DEAD })).toEqual({ refused: "same-queue" });
    expect(await start(DEAD, { to: fifo })).toEqual({ refused: "other-order" });
    await expect(start(queueName("none"))).rejects.toMatchObject({ code: "queue-not-found" });
    await started(service, { ratePerSecond: 1 });
    expect(await start(DEAD)).toEqual({ refused: "already-active" });
    // What no longer dead-letters there makes it none, though it is still named among its sources.
    await service.cancelMove(DEAD, (await latest(world)).taskId);
    await minute(world);
    await service.patchQueue(Q, { maxReceives: null, deadLetter: null });
    expect(await start(DEAD)).toEqual({ refused: "not-a-dead-letter-queue" });
  });

  it("moves no more than was there when it started, though consumers fail again at once", async () => {
    const { world, service } = await dead(4);
    await started(service, { ratePerSecond: 1 });
    const late = await service.send(Q, [text("late")]);
    expect(late).toHaveLength(1);
    for (let round = 0; round < 3; round++) {
      await minute(world, service, 5_000);
      await service.receive(Q, ALL);
      await world.advance(10_000);
      await service.receive(Q, ALL);
    }
    await minute(world);
    expect(await latest(world)).toMatchObject({ status: "completed", moved: 4, total: 4 });
  });

  it("leaves alone what somebody holds", async () => {
    const { service } = await dead(4);
    const held = await service.receive(DEAD, { max: 1, group: "default", leaseSeconds: 600 });
    expect(await started(service)).toMatchObject({ status: "completed", moved: 3, total: 3 });
    expect(await service.ack(DEAD, receiptsOf(held))).toEqual([{ status: "done" }]);
  });

  it("keeps the order of each key", async () => {
    const { world, service } = await dead(0);
    const [from, to, back] = ["from", "dead", "back"].map((name) => queueName(`${name}.fifo`)) as [
      QueueName,
      QueueName,
      QueueName,
    ];
    await service.putQueue(to, { order: "key", lanes: 3 });
    await service.putQueue(back, { order: "key", lanes: 2 });
    const deadLetter = { queue: to };
    await service.putQueue(from, {
      order: "key",
      lanes: 2,
      maxReceives: 1,
      leaseSeconds: 10,
      deadLetter,
    });
    const sent = texts(30).map((one, index) => ({ ...one, key: `k${index % 5}` }));
    await service.send(from, sent);
    for (let round = 0; round < 40; round++) {
      await service.receive(from, ALL);
      await world.advance(10_000);
    }
    expect((await service.getQueue(to)).depth.ready).toBe(30);
    const result = await service.startMove(to, { to: back });
    expect(result).toMatchObject({ task: { status: "completed", moved: 30 } });
    const byKey = new Map<string, string[]>();
    for (;;) {
      const batch = await service.receive(back, ALL);
      if (batch.length === 0) break;
      for (const one of batch)
        byKey.set(one.key ?? "", [...(byKey.get(one.key ?? "") ?? []), bodyOf(one)]);
      await service.ack(back, receiptsOf(batch));
    }
    for (let key = 0; key < 5; key++)
      expect(byKey.get(`k${key}`)).toEqual(
        sent.filter((one) => one.key === `k${key}`).map((one) => bodyOf(one)),
      );
  });
});

describe("N1: a task with a rate", () => {
  it("moves so many a second, and says how far it is", async () => {
    const { world, service } = await dead(10);
    const task = await started(service, { ratePerSecond: 2 });
    expect(task).toMatchObject({ status: "running", moved: 0, total: 10, ratePerSecond: 2 });
    const run = service.runMoves(epochMs(world.now() + MINUTE));
    for (const seconds of [1, 2, 3, 4]) {
      await world.advance(1_000);
      expect(await latest(world)).toMatchObject({ status: "running", moved: 2 * seconds });
    }
    await world.through(run);
    expect(await latest(world)).toMatchObject({ status: "completed", moved: 10 });
    expect(world.now() - task.startedAt).toBeGreaterThanOrEqual(4_500);
  });

  it("keeps it on the average though the janitor is away for some seconds of each minute", async () => {
    const { world, service } = await dead(200);
    const { startedAt } = await started(service, { ratePerSecond: 1 });
    for (let round = 1; round <= 3; round++) {
      await minute(world);
      await world.advance(Math.max(0, startedAt + round * MINUTE - world.now()));
    }
    await minute(world);
    const { moved, updatedAt } = await latest(world);
    const due = (updatedAt - startedAt) / 1000;
    expect(moved).toBeLessThanOrEqual(due);
    expect(moved).toBeGreaterThan(due * 0.95);
  });

  it("waits for its seconds without asking the engine for anything else", async () => {
    const { world, service } = await dead(20);
    await started(service, { ratePerSecond: 1 });
    world.requests.length = 0;
    await minute(world, service, 10_000);
    const { moved } = await latest(world);
    expect(moved).toBeGreaterThan(7);
    const units = world.requests.reduce((sum, one) => sum + one.readUnits + one.writeUnits, 0);
    expect(units / moved).toBeLessThan(30);
  });
});

describe("cancelling", () => {
  it("ends a task between its slices at once; what was moved stays moved", async () => {
    const { world, service } = await dead(10);
    const { taskId } = await started(service, { ratePerSecond: 1 });
    await minute(world, service, 4_500);
    await world.advance(2_000);
    const result = await service.cancelMove(DEAD, taskId);
    const { moved } = await latest(world);
    expect(result).toMatchObject({ task: { status: "cancelled", moved } });
    expect(moved).toBeGreaterThan(2);
    await minute(world);
    expect(await bodiesIn(world, Q)).toHaveLength(10 + moved);
    expect((await service.getQueue(DEAD)).depth.ready).toBe(10 - moved);
    expect(await service.cancelMove(DEAD, taskId)).toEqual({ refused: "not-running" });
    expect(await service.cancelMove(DEAD, "none")).toEqual({ refused: "no-such-task" });
    expect(await started(service)).toMatchObject({ status: "completed", moved: 10 - moved });
  });

  it("N4: in the midst of a slice ends the task when that is over, with all that it moved counted", async () => {
    const { world, service } = await dead(250);
    const rival = world.instance();
    let status = "";
    const fault = first(1, isLogPut, {
      before: async () => {
        const { taskId } = await latest(world);
        const result = await rival.cancelMove(DEAD, taskId);
        status = "task" in result ? result.task.status : result.refused;
        await world.advance(5_000);
      },
    });
    const mover = world.instance(tampered(world.store, fault).store);
    const result = await world.through(mover.startMove(DEAD, { to: OTHER }));
    expect(status).toBe("cancelling");
    expect(result).toMatchObject({ task: { status: "cancelled", moved: 100, total: 250 } });
    expect(await latest(world)).toMatchObject({ status: "cancelled", moved: 100 });
    expect((await service.getQueue(OTHER)).depth.ready).toBe(100);
  });
});

describe("a task fails", () => {
  it("when the queue that it moves to is deleted", async () => {
    const { world, service } = await dead(5);
    await started(service, { to: OTHER, ratePerSecond: 1 });
    await minute(world, service, 2_500);
    await service.deleteQueue(OTHER);
    await minute(world);
    const { status, failure, moved } = await latest(world);
    expect([status, failure]).toEqual(["failed", "queue-missing"]);
    expect((await service.getQueue(DEAD)).depth.ready).toBe(5 - moved);
  });

  it("when a message's own queue is gone, after it has moved the others", async () => {
    const { world, service } = await dead(3);
    const again = queueName("again");
    const deadLetter = { queue: DEAD };
    await service.putQueue(again, { lanes: 1, maxReceives: 1, leaseSeconds: 10, deadLetter });
    await service.send(again, [text("lost")]);
    await service.receive(again, ALL);
    await world.advance(10_000);
    await service.receive(again, ALL);
    await service.deleteQueue(again);
    expect(await started(service)).toMatchObject({
      status: "failed",
      failure: "queue-missing",
      moved: 3,
      total: 4,
    });
    expect(await drain(service, DEAD)).toEqual(["lost"]);
  });

  it("when a message was not dead-lettered and no queue is named", async () => {
    const { service } = await dead(2);
    await service.send(DEAD, [text("sent here")]);
    expect(await started(service)).toMatchObject({
      status: "failed",
      failure: "origin-unknown",
      moved: 2,
    });
    expect(await started(service, { to: OTHER })).toMatchObject({
      status: "completed",
      moved: 1,
    });
  });

  it("when its source is deleted, and leaves nothing", async () => {
    const { world, service } = await dead(3);
    await started(service, { to: OTHER, ratePerSecond: 1 });
    await service.patchQueue(Q, { maxReceives: null, deadLetter: null });
    await service.deleteQueue(DEAD);
    await minute(world);
    expect(activeItems(world)).toEqual([]);
  });
});

describe("N4, N5: whoever dies or meets", () => {
  /** Each message in one queue, once: consumers that come later see all of them, and none twice. */
  async function everythingOnce(world: World, step: unknown): Promise<void> {
    const service = world.instance();
    const seen = [...(await drain(service, DEAD)), ...(await drain(service, OTHER))];
    expect([step, seen.sort()]).toEqual([step, numbered(3)]);
  }

  it("is gone on with, whatever write its runner ends at: each message stands once, and the task ends", async () => {
    for (const fault of [
      { throws: crash, applied: true },
      { throws: crash },
      { throws: unknown, applied: true },
      { throws: throttled },
    ]) {
      for (let step = 0; ; step++) {
        const { world, service } = await dead(3);
        await started(service, { to: OTHER, ratePerSecond: 500 });
        await world.advance(1_000);
        let writes = 0;
        const { store } = tampered(world.store, (call: Call): Fault | undefined =>
          call.op !== "get" && call.op !== "query" && writes++ === step ? fault : undefined,
        );
        const runner = world.instance(store);
        await world.through(runner.runMoves(epochMs(world.now() + 2_000))).catch(() => undefined);
        const isOver = writes <= step;
        for (let round = 0; round < 4; round++) {
          await minute(world);
          await world.through(world.instance().runJanitor(epochMs(world.now() + 50_000)));
          await world.advance(10_000);
        }
        expect([step, activeItems(world)]).toEqual([step, []]);
        expect([step, await latest(world)]).toMatchObject([step, { status: "completed" }]);
        await everythingOnce(world, step);
        if (isOver) {
          expect(step).toBeGreaterThan(8);
          break;
        }
      }
    }
  });

  it("N5: is not completed while messages of a runner that died are under way", async () => {
    const { world, service } = await dead(5);
    await started(service, { to: OTHER, ratePerSecond: 500 });
    await world.advance(1_000);
    const dies = first(1, isLogPut, { throws: crash });
    const runner = world.instance(tampered(world.store, dies).store);
    await world.through(runner.runMoves(epochMs(world.now() + 2_000))).catch(() => undefined);
    await world.advance(31_000);
    await minute(world, world.instance(), 10_000);
    expect(await latest(world)).toMatchObject({ status: "running" });
    await minute(world);
    await minute(world);
    expect(await latest(world)).toMatchObject({ status: "completed" });
    expect(await bodiesIn(world, OTHER)).toEqual(numbered(5));
  });

  it("N2: of two starts at once one is refused", async () => {
    const { world } = await dead(5);
    const results = await world.through(
      Promise.all(
        [1, 2, 3].map(() => world.instance().startMove(DEAD, { to: OTHER, ratePerSecond: 1 })),
      ),
    );
    expect(results.filter((one) => "task" in one)).toHaveLength(1);
    expect(
      results.filter((one) => "refused" in one && one.refused === "already-active"),
    ).toHaveLength(2);
  });

  it("two runners at one task move everything once, and count all of it", async () => {
    const { world, service } = await dead(300);
    const slow = first(1, isLogPut, { before: () => world.advance(40_000) });
    const one = world.instance(tampered(world.store, slow).store);
    await started(service, { to: OTHER, ratePerSecond: 500 });
    await world.advance(1_000);
    await world.through(Promise.all([minute(world, one), minute(world), minute(world)]));
    expect(await latest(world)).toMatchObject({ status: "completed", moved: 300 });
    expect((await service.getQueue(OTHER)).depth.ready).toBe(300);
  });

  it("N3: one that ended, but was not put away, is listed once, and keeps no other from starting", async () => {
    const { world } = await dead(5);
    const dies = first(1, (call) => call.op === "delete", { throws: crash });
    const runner = world.instance(tampered(world.store, dies).store);
    await runner.startMove(DEAD, { to: OTHER }).catch(() => undefined);
    expect(activeItems(world)).toHaveLength(1);
    const service = world.instance();
    const listed = await service.listMoves(DEAD, 10);
    expect(listed.map(({ status, moved }) => [status, moved])).toEqual([["completed", 5]]);
    expect(await started(service)).toMatchObject({ status: "completed", total: 0 });
    expect(await service.listMoves(DEAD, 10)).toHaveLength(2);
  });

  describe("N3: one that ended, and that a late copy of its creation makes anew,", () => {
    /** Five messages have been moved, and more have died since. */
    async function revived() {
      const { world } = await dead(5);
      const isCreation = ({ op, pk, item }: Call) =>
        op === "put" && pk === MOVE_TASKS && item?.["version"] === 1;
      const { store, calls } = tampered(world.store, () => undefined);
      const task = await started(world.instance(store), { to: OTHER });
      expect(task).toMatchObject({ status: "completed", moved: 5 });
      const service = world.instance();
      await service.send(DEAD, texts(3, "later"));
      const copy = calls.find(isCreation)?.item;
      if (copy === undefined) throw new Error("it was made");
      expect(await world.store.put("catalog", copy, absent("pk"))).toEqual({ ok: true });
      return { world, service, task };
    }

    it("moves nothing more, and goes", async () => {
      const { world, service, task } = await revived();
      await minute(world);
      expect(activeItems(world)).toEqual([]);
      expect(await service.listMoves(DEAD, 10)).toEqual([task]);
      expect((await service.getQueue(DEAD)).depth.ready).toBe(3);
    });

    it("is listed as it ended", async () => {
      const { service, task } = await revived();
      expect(await service.listMoves(DEAD, 10)).toEqual([task]);
    });

    it("cannot be cancelled", async () => {
      const { service, task } = await revived();
      expect(await service.cancelMove(DEAD, task.taskId)).toEqual({ refused: "not-running" });
      expect(await service.listMoves(DEAD, 10)).toEqual([task]);
    });

    it("cannot be cancelled by one who has looked at it before it ended", async () => {
      const { world } = await dead(5);
      const { store, calls } = tampered(world.store, () => undefined);
      const starter = world.instance(store);
      const task = await started(starter, { to: OTHER, ratePerSecond: 500 });
      const copy = calls.find(({ item }) => item?.["version"] === 1)?.item;
      if (copy === undefined) throw new Error("it was made");
      const between = async () => {
        await minute(world, world.instance(), 5_000);
        await world.store.put("catalog", copy, absent("pk"));
      };
      const isCancelling = ({ op, pk }: Call) => op === "put" && pk === MOVE_TASKS;
      const late = tampered(world.store, first(1, isCancelling, { before: between }));
      const cancelled = world.instance(late.store).cancelMove(DEAD, task.taskId);
      expect(await world.through(cancelled)).toEqual({ refused: "not-running" });
      expect(await latest(world)).toMatchObject({ status: "completed", moved: 5 });
      expect(activeItems(world)).toEqual([]);
    });

    it("keeps no other from starting", async () => {
      const { service } = await revived();
      expect(await started(service, { to: OTHER })).toMatchObject({ moved: 3, total: 3 });
    });
  });

  it("N6: many tasks take turns; none waits for another to end", async () => {
    const world = createWorld();
    const service = world.instance();
    const names = Array.from({ length: 9 }, (_, index) => queueName(`dead-${index}`));
    await service.putQueue(OTHER, { lanes: 1 });
    for (const [index, name] of names.entries()) {
      await service.putQueue(name, { lanes: 1 });
      const deadLetter = { queue: name };
      await service.putQueue(queueName(`source-${index}`), { maxReceives: 1, deadLetter });
      await service.send(name, texts(20, name));
      await service.startMove(name, { to: OTHER, ratePerSecond: 2 });
    }
    await minute(world, service, 5_000);
    for (const name of names) {
      const [task] = await service.listMoves(name, 1);
      expect([name, task?.status]).toEqual([name, "running"]);
      expect(task?.moved).toBeGreaterThanOrEqual(6);
    }
    await minute(world, service);
    expect((await service.getQueue(OTHER)).depth.ready).toBe(180);
  });
});

describe("runMoves", () => {
  it("asks the engine for half a unit while there is nothing, and not again for half a minute", async () => {
    const { world } = await dead(0);
    const service = world.instance();
    world.requests.length = 0;
    for (let second = 0; second < 30; second++) {
      expect(await minute(world, service)).toBe(0);
      await world.advance(1_000);
    }
    expect(world.requests.map(({ action, readUnits }) => [action, readUnits])).toEqual([
      ["Query", 0.5],
    ]);
  });

  it("sees at once what its own instance starts", async () => {
    const { world, service } = await dead(3);
    await minute(world, service);
    await started(service, { ratePerSecond: 10 });
    expect(await minute(world, service)).toBeGreaterThan(0);
  });

  it("sees at once what its own instance starts while it looks", async () => {
    const { world } = await dead(3);
    const late = first(1, ({ op, pk }) => op === "query" && pk === MOVE_TASKS, {
      before: () => started(service, { ratePerSecond: 10 }),
      show: () => ({ items: [], more: false }),
    });
    const service = world.instance(tampered(world.store, late).store);
    await minute(world, service);
    expect(await latest(world)).toMatchObject({ status: "running" });
    await minute(world, service);
    expect(await latest(world)).toMatchObject({ status: "completed" });
  });

  it("ends when its signal fires", async () => {
    const { world, service } = await dead(50);
    await started(service, { ratePerSecond: 1 });
    const stop = new AbortController();
    const run = service.runMoves(epochMs(world.now() + MINUTE), stop.signal);
    await world.advance(5_000);
    stop.abort();
    await run;
    expect((await latest(world)).moved).toBeLessThanOrEqual(5);
  });

  it("goes on with a task though the engine fails for a while, and says so", async () => {
    const { world, service } = await dead(3);
    await started(service, { to: OTHER, ratePerSecond: 100 });
    await world.advance(1_000);
    const failing = first(20, isLogPut, { throws: throttled });
    await minute(world, world.instance(tampered(world.store, failing).store), 20_000);
    expect(world.events).toContainEqual(
      expect.objectContaining({ type: "moveFailed", queue: DEAD }),
    );
    await world.advance(MINUTE);
    await minute(world);
    await minute(world);
    expect(await bodiesIn(world, OTHER)).toEqual(numbered(3));
  });

  it("lists what has ended for 30 days, at most as many as asked for, the latest first", async () => {
    const { world, service } = await dead(1);
    for (let index = 0; index < 4; index++) {
      await started(service, index % 2 === 0 ? {} : { to: OTHER });
      await world.advance(1_000);
    }
    const all = await service.listMoves(DEAD, 10);
    expect(all.map(({ to }) => to)).toEqual([OTHER, undefined, OTHER, undefined]);
    expect(await service.listMoves(DEAD, 2)).toEqual(all.slice(0, 2));
    await world.advance(30 * 24 * 60 * MINUTE + 1_000);
    expect(await service.listMoves(DEAD, 10)).toEqual([]);
    await expect(service.listMoves(queueName("none"), 1)).rejects.toMatchObject({
      code: "queue-not-found",
    });
    expect(await world.store.get("catalog", queueKey(DEAD), { consistent: true })).toBeDefined();
  });
});
