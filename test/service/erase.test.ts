import { describe, expect, it } from "vitest";
import type { OutgoingMessage } from "../../src/core/message.ts";
import {
  ALL,
  bodyOf,
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
} from "./fixture.ts";
import { first, tampered } from "./tampered.ts";

async function erasing(count: number) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, { lanes: 1, eraseOnAck: true });
  const ids = count === 0 ? [] : idsOf(await service.send(Q, texts(count)));
  const bodies = async () => (await logOf(world)).map((entry) => entry["body"] !== undefined);
  return { world, service, ids, bodies };
}

describe("eraseOnAck", () => {
  it("X1: erases an entry once all of it was acked; what the log rests on stays", async () => {
    const { world, service, ids, bodies } = await erasing(3);
    const [before] = await logOf(world);
    const receipts = receiptsOf(await service.receive(Q, ALL));
    await service.ack(Q, receipts.slice(0, 2));
    expect(await bodies()).toEqual([true]);
    await service.ack(Q, receipts.slice(2));
    const [after] = await logOf(world);
    expect(after).toEqual({ ...before, body: undefined, erased: true });
    await expect(service.lookUp(Q, ids[0] ?? "")).rejects.toMatchObject({
      code: "message-not-found",
    });
    expect((await service.browse(Q, { limit: 10 })).messages).toEqual([]);
  });

  it("X1: not while a message of the entry is unclaimed, or leased again", async () => {
    const { world, service, bodies } = await erasing(3);
    const [a] = await service.receive(Q, { max: 1, group: "default" });
    await service.ack(Q, [a?.receipt ?? ""]);
    expect(await bodies()).toEqual([true]);
    const rest = await service.receive(Q, ALL);
    await service.release(Q, receiptsOf(rest).slice(0, 1), { delaySeconds: 0, countAttempt: true });
    await service.ack(Q, receiptsOf(rest).slice(1));
    expect(await bodies()).toEqual([true]);
    await world.advance(1);
    expect(await drain(service)).toEqual(["m1"]);
    expect(await bodies()).toEqual([false]);
  });

  it("X1: of an entry over several segments, only when the last of them is done with", async () => {
    const { world, service, bodies } = await erasing(100);
    const receipts: string[] = [];
    for (let index = 0; index < 100; index++)
      receipts.push(
        ...receiptsOf(await service.receive(Q, { max: 1, group: "default", leaseSeconds: 600 })),
      );
    expect(world.events.some(({ type }) => type === "segmentCut")).toBe(true);
    for (const receipt of receipts.toReversed().slice(0, 99)) {
      await service.ack(Q, [receipt]);
      expect(await bodies()).toEqual([true]);
    }
    await service.ack(Q, receipts.slice(0, 1));
    expect(await bodies()).toEqual([false]);
  });

  it("is seen by instances that had read the entry before: nobody delivers it again", async () => {
    const { world, service } = await erasing(3);
    const other = world.instance();
    expect((await other.browse(Q, { limit: 10 })).messages).toHaveLength(3);
    await drain(service);
    expect(await drain(other)).toEqual([]);
    await service.send(Q, [text("next")]);
    expect(await drain(other)).toEqual(["next"]);
  });

  it("removes the parts of a large message", async () => {
    const { world, service } = await erasing(0);
    const large: OutgoingMessage = {
      ...text("x"),
      kind: "text",
      body: Buffer.alloc(1_000_000, "x"),
    };
    await service.send(Q, [large]);
    const parts = () => world.store.partitions("lanes").filter((pk) => pk.startsWith("part#"));
    expect(parts()).toHaveLength(1);
    await drain(service);
    expect(parts()).toEqual([]);
  });

  it("of many entries takes a few times as long as of one, and reads the segments once", async () => {
    const world = createWorld();
    const { store, calls } = tampered(world.store, () => ({
      before: () => world.deps().sleep(40),
    }));
    const service = world.instance(store);
    await world.through(service.putQueue(Q, { lanes: 1, eraseOnAck: true }));
    for (let entry = 0; entry < 100; entry++) await world.instance().send(Q, [text(`m${entry}`)]);
    const receipts = receiptsOf(await world.through(service.receive(Q, ALL)));
    const calledAt = world.now();
    calls.length = 0;
    const results = await world.through(service.ack(Q, receipts));
    expect(new Set(statusesOf(results))).toEqual(new Set(["done"]));
    expect(world.now() - calledAt).toBeLessThan(1_000);
    expect((await logOf(world)).filter((entry) => entry["body"] !== undefined)).toEqual([]);
    expect(calls.filter(({ op, pk }) => op === "get" && pk.startsWith("cursor#"))).toHaveLength(2);
  });

  it("looks for an entry once, however much of it is acked", async () => {
    const { world, service } = await erasing(100);
    const receipts = receiptsOf(await service.receive(Q, ALL));
    const queries = () => world.requests.filter(({ action }) => action === "Query").length;
    const before = queries();
    await service.ack(Q, receipts.slice(0, 60));
    expect(queries() - before).toBe(1);
    await service.ack(Q, receipts.slice(60));
    expect(queries() - before).toBe(2);
  });

  it("that fails leaves the ack done", async () => {
    const world = createWorld();
    const isErasure = first(9, (call) => call.sets?.["erased"] === true, { throws: throttled });
    const service = world.instance(tampered(world.store, isErasure).store);
    await service.putQueue(Q, { lanes: 1, eraseOnAck: true });
    await service.send(Q, texts(1));
    const receipts = receiptsOf(await service.receive(Q, ALL));
    expect(statusesOf(await service.ack(Q, receipts))).toEqual(["done"]);
    expect(world.events.map(({ type }) => type)).toContain("eraseFailed");
    expect(await service.receive(Q, ALL)).toEqual([]);
  });

  it("off erases nothing: an acked message stays readable", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, {});
    const [id = ""] = idsOf(await service.send(Q, texts(1)));
    await drain(service);
    const found = await service.lookUp(Q, id);
    expect([bodyOf(found), found.groups["default"]]).toEqual(["m0", { state: "acked" }]);
  });

  it("keeps the ids of exactly-once appends, so that what was moved once stays moved once", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(DEAD, { lanes: 1, eraseOnAck: true });
    await service.putQueue(Q, { leaseSeconds: 1, maxReceives: 1, deadLetter: { queue: DEAD } });
    await service.send(Q, [text("poison")]);
    await service.receive(Q, ALL);
    await world.advance(1_000);
    await service.receive(Q, ALL);
    expect(await drain(service, DEAD)).toEqual(["poison"]);
    const [entry] = await logOf(world, DEAD);
    expect(entry?.["body"]).toBeUndefined();
    expect(entry?.["ids"]).toHaveLength(1);
  });
});
