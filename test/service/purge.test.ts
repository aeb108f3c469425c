import { describe, expect, it } from "vitest";
import { epochMs } from "../../src/core/types.ts";
import {
  ALL,
  bodyOf,
  crash,
  createWorld,
  drain,
  Q,
  receiptsOf,
  statusesOf,
  text,
  texts,
  throttled,
} from "./fixture.ts";
import { first, isSegmentUpdate, tampered } from "./tampered.ts";
import type { Call } from "./tampered.ts";

const isWrite = (call: Call) =>
  call.table === "lanes" && (call.op === "update" || call.op === "put");
const EMPTY = { ready: 0, leased: 0, delayed: 0 };

async function filled(count: number, settings = {}) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, { lanes: 1, leaseSeconds: 60, ...settings });
  if (count > 0) await service.send(Q, texts(count));
  return { world, service };
}

describe("C8: a purge", () => {
  it("passes over everything sent before it, and nothing sent after", async () => {
    const { service } = await filled(300);
    await service.purgeQueue(Q);
    expect((await service.getQueue(Q)).depth).toEqual(EMPTY);
    await service.send(Q, texts(2, "after"));
    expect(await drain(service)).toEqual(["after0", "after1"]);
  });

  it("of what nobody has received yet needs no cursor to be there before", async () => {
    const { world, service } = await filled(3);
    expect(world.store.partitions("lanes").some((pk) => pk.startsWith("cursor#"))).toBe(false);
    await service.purgeQueue(Q);
    expect(await drain(world.instance())).toEqual([]);
  });

  it("takes leased messages from their holders: acks and extensions say gone, none comes back", async () => {
    const { world, service } = await filled(10);
    const receipts = receiptsOf(await service.receive(Q, { max: 4, group: "default" }));
    await service.purgeQueue(Q);
    expect((await service.getQueue(Q)).depth).toEqual(EMPTY);
    expect(statusesOf(await service.ack(Q, receipts.slice(0, 2)))).toEqual(["gone", "gone"]);
    expect(statusesOf(await service.extend(Q, receipts, { leaseSeconds: 60 }))).toEqual(
      receipts.map(() => "gone"),
    );
    await world.advance(120_000);
    expect(await drain(service)).toEqual([]);
  });

  it("closes first: an ack, release or extension that it overtakes says gone", async () => {
    type One = ReturnType<ReturnType<typeof createWorld>["instance"]>;
    const calls: readonly ((one: One, receipts: readonly string[]) => ReturnType<One["ack"]>)[] = [
      (one, receipts) => one.ack(Q, receipts),
      (one, receipts) => one.release(Q, receipts, { delaySeconds: 0, countAttempt: true }),
      (one, receipts) => one.extend(Q, receipts, { leaseSeconds: 60 }),
      (one, receipts) => one.extend(Q, receipts.slice(1), { leaseSeconds: 60 }),
    ];
    for (const call of calls) {
      const { world, service } = await filled(4);
      const receipts = receiptsOf(await service.receive(Q, ALL));
      const between = first(1, isSegmentUpdate, { before: () => service.purgeQueue(Q) });
      const slow = world.instance(tampered(world.store, between).store);
      const statuses = statusesOf(await world.through(call(slow, receipts)));
      expect(new Set(statuses)).toEqual(new Set(["gone"]));
      expect(await drain(service)).toEqual([]);
    }
  });

  it("covers all lanes, also of messages that are delayed", async () => {
    const { world, service } = await filled(0, { lanes: 4, delaySeconds: 600 });
    for (let index = 0; index < 20; index++)
      await world.through(world.instance().send(Q, [text("x")]));
    expect((await service.getQueue(Q)).depth.delayed).toBe(20);
    await service.purgeQueue(Q);
    await world.advance(600_000);
    expect(await drain(service)).toEqual([]);
  });

  it("is seen at once by instances that know the cursor from before", async () => {
    const { world, service } = await filled(5);
    const other = world.instance();
    await other.receive(Q, { max: 1, group: "default" });
    await service.purgeQueue(Q);
    expect(await other.receive(Q, ALL)).toEqual([]);
    await service.send(Q, [text("after")]);
    expect((await other.receive(Q, ALL)).map(bodyOf)).toEqual(["after"]);
  });

  it("can be repeated, and can follow another that is not done", async () => {
    const { world, service } = await filled(5);
    await service.purgeQueue(Q);
    await service.send(Q, [text("between")]);
    await service.purgeQueue(Q);
    await service.send(Q, [text("after")]);
    expect(await drain(world.instance())).toEqual(["after"]);
  });

  it("that began keeps what is sent from then on, wherever it is cut off, however late it is finished", async () => {
    for (let step = 0; ; step++) {
      const { world, service } = await filled(40);
      const leased = receiptsOf(
        await service.receive(Q, { max: 10, group: "default", leaseSeconds: 7_000 }),
      );
      let writes = 0;
      const { store, calls } = tampered(world.store, (call) =>
        isWrite(call) && writes++ === step ? { throws: crash, applied: true } : undefined,
      );
      const outcome = await world
        .instance(store)
        .purgeQueue(Q)
        .then(
          () => "done",
          () => "cut off",
        );
      await service.send(Q, texts(3, "after"));
      await service.receive(Q, { max: 2, group: "default", leaseSeconds: 60 });
      await world.advance(3_600_000);
      const other = world.instance();
      await other.send(Q, [text("late")]);
      const rest = (await drain(other)).sort();
      expect([step, rest]).toEqual([step, ["after0", "after1", "after2", "late"]]);
      expect(new Set(statusesOf(await other.ack(Q, leased)))).toEqual(new Set(["gone"]));
      if (outcome === "done") {
        expect(calls.filter(isWrite).length).toBeGreaterThan(2);
        expect(step).toBeGreaterThan(2);
        break;
      }
    }
  });

  it("cut off after it was announced is finished by whoever comes, and passes over all sent before", async () => {
    const { world } = await filled(40);
    const isNext = first(1, (call) => call.sets?.["next"] !== undefined, {
      throws: crash,
      applied: true,
    });
    await expect(
      world.instance(tampered(world.store, isNext).store).purgeQueue(Q),
    ).rejects.toThrow();
    expect(await drain(world.instance())).toEqual([]);
  });

  it("does not say that nothing changed when it failed in the middle", async () => {
    const { world } = await filled(5);
    const isClosing = first(1, (call) => call.sets?.["closed"] === true, { throws: throttled });
    await expect(
      world.instance(tampered(world.store, isClosing).store).purgeQueue(Q),
    ).rejects.toMatchObject({ code: "outcome-unknown" });
  });

  it("of an empty queue, and of one whose log TTL has taken, is nothing to worry about", async () => {
    const { world, service } = await filled(0, { retentionSeconds: 60 });
    await service.purgeQueue(Q);
    await service.send(Q, [text("a")]);
    await world.advance(3 * 3_600_000);
    await world.sweep();
    await service.purgeQueue(Q);
    await service.send(Q, [text("b")]);
    expect(await drain(service)).toEqual(["b"]);
  });

  it("leaves depth and the janitor with nothing to count", async () => {
    const { world, service } = await filled(500);
    for (let index = 0; index < 40; index++) await service.receive(Q, { max: 1, group: "default" });
    await service.purgeQueue(Q);
    const { queues } = await service.runJanitor(epochMs(world.now() + 60_000));
    expect(queues.map(({ depth }) => depth)).toEqual([EMPTY]);
  });
});
