import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { offset } from "../../src/core/types.ts";
import { decodeStarts, encodeStarts, parseCursor } from "../../src/service/cursor.ts";
import type { Item } from "../../src/store/port.ts";
import {
  ALL,
  bodyOf,
  crash,
  createWorld,
  drain,
  Q,
  receiptsOf,
  recordOf,
  statusesOf,
  texts,
} from "./fixture.ts";
import { first, tampered } from "./tampered.ts";
import type { Call } from "./tampered.ts";

const ONE = { max: 1, group: "default" };
const isCursorUpdate = (call: Call) =>
  call.op === "update" && call.pk.startsWith("cursor#") && call.sk === "default";

async function queue(count: number) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, { lanes: 1, leaseSeconds: 600 });
  await service.send(Q, texts(count));
  const pk = `cursor#${(await recordOf(world)).queueId}#0`;
  const cursor = async () =>
    parseCursor(await world.store.get("lanes", { pk, sk: "default" }, { consistent: true }));
  const segments = (): readonly Item[] =>
    world.store.items("lanes").filter((item) => item.pk === pk && item.sk.includes("#"));
  return { world, service, cursor, segments };
}

/** Leases one by one, by one instance or by turns. */
async function leaseSingly(
  services: readonly {
    receive: ReturnType<ReturnType<typeof createWorld>["instance"]>["receive"];
  }[],
  count: number,
) {
  const receipts: string[] = [];
  for (let index = 0; index < count; index++) {
    const got = await services[index % services.length]?.receive(Q, ONE);
    receipts.push(...receiptsOf(got ?? []));
  }
  return receipts;
}

describe("a list of starts", () => {
  it("comes back as it was, across runs", () => {
    const gaps = fc.array(fc.oneof(fc.nat(2_000), fc.nat(4_000_000_000_000)), {
      minLength: 1,
      maxLength: 50,
    });
    fc.assert(
      fc.property(gaps, (distances) => {
        let at = 0;
        const starts = distances.map((distance) => offset((at += distance)));
        expect(decodeStarts(encodeStarts(starts))).toEqual(starts);
      }),
    );
  });

  it("C8: of an absent cursor is one segment at the beginning", () => {
    expect(parseCursor(undefined)).toEqual({
      absent: true,
      generation: 0,
      segments: [0],
      version: 0,
      sought: 0,
      next: undefined,
    });
  });

  it("stays short when very many segments are listed", () => {
    const starts = Array.from({ length: 1_000 }, (_, index) =>
      offset(1_800_000_000_000 * 1024 + index * 20),
    );
    expect(encodeStarts(starts).length).toBeLessThan(4_000);
  });
});

describe("C7: segments", () => {
  it("follow each other without gap or overlap, each begun where the one before was cut", async () => {
    const { world, service, cursor, segments } = await queue(200);
    await leaseSingly([service, world.instance(), world.instance()], 150);
    const { segments: starts } = await cursor();
    expect(starts.length).toBeGreaterThan(4);
    const ends = segments().map((item) => [Number(item.sk.split("#")[2]), item["end"]]);
    for (const [index, start] of starts.slice(0, -1).entries())
      expect(ends).toContainEqual([start, starts[index + 1]]);
  });

  it("keep every claim and every ack at two write units, with many leases outstanding", async () => {
    const { world, service } = await queue(300);
    world.requests.length = 0;
    const receipts = await leaseSingly([service], 300);
    await service.ack(Q, receipts.slice(0, 1));
    const dearest = Math.max(...world.requests.map(({ writeUnits }) => writeUnits));
    expect(dearest).toBeLessThanOrEqual(2);
    expect(receipts).toHaveLength(300);
  });

  it("that were cut by one who ended before listing the successor get it from whoever comes", async () => {
    const { world, cursor } = await queue(200);
    const ending = world.instance(
      tampered(world.store, first(1, isCursorUpdate, { throws: crash })).store,
    );
    const before: string[] = [];
    for (;;) {
      const got = await ending.receive(Q, ONE).catch(() => undefined);
      if (got === undefined || (await cursor()).segments.length > 1 || before.length > 60) break;
      before.push(...got.map(bodyOf));
      if (world.events.some(({ type }) => type === "segmentCut")) break;
    }
    expect(world.events.map(({ type }) => type)).toContain("segmentCut");
    const others = await drain(world.instance());
    expect(new Set([...before, ...others]).size).toBeGreaterThanOrEqual(199);
    await world.advance(600_000);
    const late = await drain(world.instance());
    expect(new Set([...before, ...others, ...late]).size).toBe(200);
  });

  it("that are done with are closed, leave the list, and only then get a ttl", async () => {
    const { world, service, cursor, segments } = await queue(100);
    const { store, calls } = tampered(world.store, () => undefined);
    const reader = world.instance(store);
    await service.ack(Q, await leaseSingly([reader], 100));
    calls.length = 0;
    for (let round = 0; round < 40; round++) await reader.receive(Q, ALL);
    expect((await cursor()).segments).toHaveLength(1);
    for (const item of segments().slice(0, -1)) {
      expect(item["closed"]).toBe(true);
      expect((item["ttl"] as number) * 1000).toBeGreaterThan(world.now() + 3_500_000);
      const writes = calls.filter(
        (call) => call.op === "update" && (call.sk === item.sk || isCursorUpdate(call)),
      );
      const steps = writes.map((call) =>
        isCursorUpdate(call) ? "list" : call.sets?.["ttl"] !== undefined ? "ttl" : "close",
      );
      expect(steps.indexOf("close")).toBeLessThan(steps.indexOf("list"));
      expect(steps.indexOf("ttl")).toBeGreaterThan(steps.indexOf("list"));
    }
    expect(await service.receive(Q, ALL)).toEqual([]);
  });

  it("that closed are no trap for an instance whose list is old, nor for receipts of them", async () => {
    const { world, service } = await queue(100);
    const old = world.instance();
    const held = await leaseSingly([old], 1);
    const receipts = await leaseSingly([service], 99);
    await service.ack(Q, [...held, ...receipts]);
    for (let round = 0; round < 40; round++) await service.receive(Q, ALL);
    await world.advance(599_000);
    await service.send(Q, texts(3, "new"));
    expect((await old.receive(Q, ALL)).map(bodyOf)).toEqual(["new0", "new1", "new2"]);
    expect(new Set(statusesOf(await old.ack(Q, receipts)))).toEqual(new Set(["gone"]));
  });

  it("that closed and went by TTL are not taken for new ones by an instance that slept for an hour", async () => {
    const { world, service } = await queue(60);
    const old = world.instance();
    const receipts = [...(await leaseSingly([old], 1)), ...(await leaseSingly([service], 59))];
    await service.ack(Q, receipts);
    for (let round = 0; round < 40; round++) await service.receive(Q, ALL);
    await world.advance(3_700_000);
    await world.sweep();
    expect(await old.receive(Q, ALL)).toEqual([]);
    expect(await drain(world.instance())).toEqual([]);
  });

  it("C8: that a visit meets while a purge passes over the lane are not looked for behind that", async () => {
    const { world, service, cursor } = await queue(1_000);
    await leaseSingly([service], 60);
    const before = await cursor();
    expect(before.segments.length).toBeGreaterThan(1);
    const purges: Promise<void>[] = [];
    const isListing = (call: Call) => isCursorUpdate(call) && call.sets?.["segments"] !== undefined;
    const purge = async () => {
      purges.push(world.instance().purgeQueue(Q));
      await purges[0];
      await service.send(Q, texts(2, "new"));
    };
    const slow = world.instance(
      tampered(world.store, first(1, isListing, { before: purge })).store,
    );
    const given = (await slow.receive(Q, ALL)).map(bodyOf);
    expect(purges).toHaveLength(1);
    expect((await cursor()).generation).toBe(before.generation + 1);
    expect(given.slice(-2)).toEqual(["new0", "new1"]);
    // What was claimed before the purge, and nothing that others have held before that.
    const old = given.slice(0, -2);
    expect(old.length).toBeGreaterThan(0);
    expect(old).toEqual(old.map((_, index) => `m${60 + index}`));
    expect(await drain(world.instance())).toEqual([]);
    await world.advance(600_000);
    expect(await drain(world.instance())).toEqual(["new0", "new1"]);
  });

  it("that are cut within an entry lose none of its messages, and give none twice", async () => {
    const { world, service } = await queue(256);
    const receipts = await leaseSingly([service, world.instance()], 256);
    expect(world.events.filter(({ type }) => type === "segmentCut").length).toBeGreaterThan(5);
    expect(receipts).toHaveLength(256);
    expect(new Set(statusesOf(await service.ack(Q, receipts)))).toEqual(new Set(["done"]));
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  it("give what ran out in an old one again, though the head is far ahead", async () => {
    const { world, service } = await queue(200);
    await service.receive(Q, { ...ONE, leaseSeconds: 5 });
    await leaseSingly([service], 150);
    await world.advance(5_000);
    const seen: string[] = [];
    for (let index = 0; index < 60; index++)
      seen.push(...(await service.receive(Q, ONE)).map(bodyOf));
    expect(seen).toContain("m0");
  });
});
