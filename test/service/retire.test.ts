import { describe, expect, it } from "vitest";
import { epochMs, laneId } from "../../src/core/types.ts";
import { Tails } from "../../src/service/tail.ts";
import {
  ALL,
  anchorOf,
  createWorld,
  drain,
  logOf,
  Q,
  receiptsOf,
  recordOf,
  statusesOf,
  text,
  throttled,
} from "./fixture.ts";
import { first, isLogPut, tampered } from "./tampered.ts";

const HOUR = 3_600_000;

/** A queue whose four lanes have a message of each of many senders, three of them to be retired. */
async function retiring() {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, { lanes: 4, retentionSeconds: 3_600 });
  // Each knows a tail, and that all lanes are open.
  const senders = Array.from({ length: SENDERS }, () => world.instance());
  for (const [index, sender] of senders.entries())
    await world.through(sender.send(Q, [text(`m${index}`)]));
  for (const lane of RETIRED) expect((await logOf(world, Q, lane)).length).toBeGreaterThan(0);
  await service.patchQueue(Q, { lanes: 1 });
  const round = (janitor = service) => janitor.runJanitor(epochMs(world.now() + 60_000));
  const sendAll = async () => {
    for (const sender of senders) await world.through(sender.send(Q, [text("late")]));
  };
  return { world, service, sendAll, janitor: round };
}

const SENDERS = 24;
const RETIRED = [1, 2, 3];

describe("L9: retiring lanes", () => {
  it("ends each with an end entry, and remembers it in the anchor", async () => {
    const { world, janitor } = await retiring();
    expect((await janitor()).lanesRetired).toBe(3);
    for (const lane of RETIRED) {
      const log = await logOf(world, Q, lane);
      expect(log.at(-1)).toMatchObject({ end: true, count: 0 });
      expect((await anchorOf(world, Q, lane))?.["ended"]).toBe(true);
      const ttls = log.map((entry) => entry["ttl"] as number);
      expect(ttls).toEqual([...ttls].sort((a, b) => a - b));
    }
    expect((await anchorOf(world, Q, 0))?.["ended"]).toBeUndefined();
  });

  it("does it once: a second janitor finds nothing to do", async () => {
    const { world, janitor } = await retiring();
    await janitor();
    const before = await logOf(world, Q, 1);
    expect((await janitor()).lanesRetired).toBe(0);
    expect(await logOf(world, Q, 1)).toEqual(before);
  });

  it("sends a sender that meets an end entry elsewhere, and loses nothing", async () => {
    const { world, service, sendAll, janitor } = await retiring();
    await janitor();
    await sendAll();
    for (const lane of RETIRED) expect((await logOf(world, Q, lane)).at(-1)?.["end"]).toBe(true);
    expect(await drain(service)).toHaveLength(2 * SENDERS);
  });

  it("puts the end entry behind what senders store who do not know yet that the lane is retired", async () => {
    const { world, service, sendAll, janitor } = await retiring();
    const isEnd = first(1, (call) => call.item?.["end"] === true, { before: sendAll });
    await world.through(janitor(world.instance(tampered(world.store, isEnd).store)));
    await janitor();
    for (const lane of RETIRED) {
      const log = await logOf(world, Q, lane);
      expect(log.findIndex((entry) => entry["end"] === true)).toBe(log.length - 1);
    }
    expect(await drain(service)).toHaveLength(2 * SENDERS);
  });

  it("lets readers drain an ended lane, also ones that had begun before", async () => {
    const { world, service, janitor } = await retiring();
    const reader = world.instance();
    const some = await reader.receive(Q, { max: 9, group: "default" });
    expect(some).toHaveLength(9);
    await janitor();
    expect(await drain(reader)).toHaveLength(SENDERS - 9);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 0, leased: 9, delayed: 0 });
  });

  it("lets acks and releases of messages of an ended lane be", async () => {
    const { service, janitor } = await retiring();
    const all = await service.receive(Q, { ...ALL, leaseSeconds: 600 });
    await janitor();
    const receipts = receiptsOf(all);
    await service.release(Q, receipts.slice(0, 10), { delaySeconds: 0, countAttempt: true });
    expect(new Set(statusesOf(await service.ack(Q, receipts.slice(10))))).toEqual(
      new Set(["done"]),
    );
    expect(await drain(service)).toHaveLength(10);
  });

  it("forgets a lane when its last message has expired, and clears what belongs to it", async () => {
    const { world, janitor } = await retiring();
    await janitor();
    await world.advance(HOUR - 60_000);
    await janitor();
    expect((await recordOf(world)).lanes.ended.map(({ lane }) => lane)).toEqual(RETIRED);
    await world.advance(2 * HOUR);
    await world.sweep();
    await janitor();
    expect((await recordOf(world)).lanes).toMatchObject({ open: [0], ended: [], next: 4 });
    const left = world.store.partitions("lanes").filter((pk) => !pk.endsWith("#0"));
    expect(left).toEqual([]);
  });

  it("keeps a lane ended for every sender while TTL has taken its end entry", async () => {
    const { world, janitor } = await retiring();
    await janitor();
    await world.advance(3 * HOUR);
    await world.sweep();
    const { queueId } = await recordOf(world);
    for (const lane of RETIRED)
      expect(await new Tails(world.deps()).appendable(queueId, laneId(lane))).toBe("ended");
  });

  it("goes on with the next round where it failed in the middle", async () => {
    const { world, janitor } = await retiring();
    const failing = world.instance(
      tampered(world.store, first(1, isLogPut, { throws: throttled })).store,
    );
    const report = await failing.runJanitor(epochMs(world.now() + 60_000));
    expect(report.lanesRetired).toBe(0);
    await janitor();
    expect((await recordOf(world)).lanes.ended.every(({ until }) => until > 0)).toBe(true);
  });

  it("goes on where it ended between the end entry and the anchor's mark", async () => {
    const { world, janitor } = await retiring();
    const isMark = first(1, (call) => call.sets?.["ended"] === true, { throws: throttled });
    await world
      .instance(tampered(world.store, isMark).store)
      .runJanitor(epochMs(world.now() + 60_000));
    await janitor();
    for (const lane of RETIRED) {
      const log = await logOf(world, Q, lane);
      expect(log.filter((entry) => entry["end"] === true)).toHaveLength(1);
      expect((await anchorOf(world, Q, lane))?.["ended"]).toBe(true);
    }
  });
});

describe("a quiet queue", () => {
  it("loses half of its automatic lanes a round, down to one", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { lanes: 5 });
    await service.patchQueue(Q, { lanes: "auto" });
    const openAfter = async (ms: number) => {
      await world.advance(ms);
      await service.runJanitor(epochMs(world.now() + 60_000));
      return (await recordOf(world)).lanes.open.length;
    };
    expect(await openAfter(29 * 60_000)).toBe(5);
    expect(await openAfter(2 * 60_000)).toBe(3);
    expect(await openAfter(31 * 60_000)).toBe(2);
    expect(await openAfter(31 * 60_000)).toBe(1);
    expect(await openAfter(31 * 60_000)).toBe(1);
  });

  it("keeps its lanes while it holds a message, or when the settings fix them", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { lanes: 4 });
    await world.advance(HOUR);
    await service.runJanitor(epochMs(world.now() + 60_000));
    expect((await recordOf(world)).lanes.open).toHaveLength(4);
    await service.patchQueue(Q, { lanes: "auto" });
    await service.send(Q, [text("held")]);
    await world.advance(HOUR);
    await service.runJanitor(epochMs(world.now() + 60_000));
    expect((await recordOf(world)).lanes.open).toHaveLength(4);
  });
});
