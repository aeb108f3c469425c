/** Hunts messages that a promoter which dies, freezes or meets another loses or delivers twice. */
import { describe, expect, it } from "vitest";
import { epochMs } from "../../src/core/types.ts";
import type { Service } from "../../src/service/api.ts";
import { promotedKey, promoterKey, timersKey } from "../../src/store/keys.ts";
import type { Item } from "../../src/store/port.ts";
import {
  ALL,
  bodyOf,
  crash,
  createWorld,
  drain,
  idsOf,
  isDense,
  logOf,
  Q,
  receiptsOf,
  recordOf,
  text,
  texts,
  throttled,
  unknown,
} from "./fixture.ts";
import type { World } from "./fixture.ts";
import { first, gate, isLogPut, tampered } from "./tampered.ts";
import type { Call, Fault } from "./tampered.ts";

const LEASE_MS = 5_000;

async function scheduled(count: number, settings = {}) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, { lanes: 1, ...settings });
  const messages = texts(count).map((message) => ({ ...message, delaySeconds: 30 }));
  const ids = idsOf(await service.send(Q, messages));
  return { world, service, ids };
}

const bodies = (count: number) => texts(count).map(bodyOf).sort();

const itemsOf = async (world: World, key: typeof timersKey): Promise<readonly Item[]> => {
  const pk = key((await recordOf(world)).queueId, 0);
  return world.store.items("lanes").filter((item) => item.pk === pk && item.sk !== "-");
};

/** All that comes out within a minute, each as often as it came. */
async function allOf(world: World, service: Service): Promise<string[]> {
  const seen: string[] = [];
  for (let step = 0; step < 12; step++) {
    seen.push(...(await drain(service)));
    await world.advance(LEASE_MS);
  }
  return seen.sort();
}

/** Does to each write of a promotion in turn what `fault` says, until one promotion has fewer writes. */
async function atEveryWrite(
  fault: Fault,
  count: number,
  check: (world: World, step: number) => Promise<void>,
): Promise<void> {
  for (let step = 0; ; step++) {
    const { world } = await scheduled(count);
    await world.advance(30_000);
    let writes = 0;
    const { store } = tampered(world.store, (call: Call): Fault | undefined =>
      call.table === "lanes" && call.op !== "get" && call.op !== "query" && writes++ === step
        ? fault
        : undefined,
    );
    await world.through(world.instance(store).receive(Q, { ...ALL, max: 1 })).catch(() => []);
    if (writes <= step) {
      expect(step).toBeGreaterThan(5);
      return;
    }
    await world.advance(31_000);
    await check(world, step);
  }
}

describe("a promotion", () => {
  it.each([
    ["has done a write", { throws: crash, applied: true }],
    ["was about to write", { throws: crash }],
    ["was told nothing of a write that was made", { throws: unknown, applied: true }],
    ["was told nothing of a write that was not made", { throws: unknown }],
    ["was throttled", { throws: throttled }],
  ])("T1, T2: by one that dies or fails when it %s is made once", async (_, fault) => {
    await atEveryWrite(fault, 5, async (world, step) => {
      const all = await allOf(world, world.instance());
      expect([step, ...all]).toEqual([step, ...bodies(5)]);
      expect(isDense(await logOf(world))).toBe(true);
      expect(await itemsOf(world, timersKey)).toEqual([]);
    });
  });

  it("T1: goes on at the place that a dead one named, and settles what stands there", async () => {
    const { world } = await scheduled(3);
    await world.advance(30_000);
    const { store } = tampered(world.store, first(1, isLogPut, { throws: crash, applied: true }));
    await expect(world.instance(store).receive(Q, ALL)).rejects.toThrow("the process has ended");
    expect(await itemsOf(world, timersKey)).toHaveLength(3);
    await world.advance(LEASE_MS);
    expect((await drain(world.instance())).sort()).toEqual(bodies(3));
    expect(await logOf(world)).toHaveLength(1);
    expect(await itemsOf(world, promotedKey)).toHaveLength(1);
  });

  it("T1: whose put arrives after another has taken over is refused, or is the only one", async () => {
    const { world } = await scheduled(4);
    await world.advance(30_000);
    const late = gate();
    const { store } = tampered(world.store, first(1, isLogPut, { before: () => late.closed }));
    const frozen = world.instance(store).receive(Q, ALL);
    await world.advance(LEASE_MS + 1);
    const others = drain(world.instance());
    await world.advance(0);
    late.open();
    const seen = [...(await others), ...(await world.through(frozen)).map(bodyOf)];
    expect([...seen, ...(await allOf(world, world.instance()))].sort()).toEqual(bodies(4));
  });

  it("T1: of two at once is one, for the item changed since the slower read it", async () => {
    const { world } = await scheduled(4);
    await world.advance(30_000);
    const slow = gate();
    const isTake = (call: Call) => call.op === "update" && call.sk === "-";
    const { store } = tampered(world.store, first(1, isTake, { before: () => slow.closed }));
    const slower = world.instance(store).receive(Q, { ...ALL, waitSeconds: 1 });
    await world.advance(0);
    const seen = await drain(world.instance());
    slow.open();
    await world.advance(5_000);
    seen.push(...(await slower).map(bodyOf));
    expect([...seen, ...(await allOf(world, world.instance()))].sort()).toEqual(bodies(4));
  });

  it("T2: is not made again of a timer that a late copy of its put brought back", async () => {
    const { world, service } = await scheduled(3);
    const timers = await itemsOf(world, timersKey);
    await world.advance(30_000);
    expect(await drain(service)).toHaveLength(3);
    for (const timer of timers.slice(0, 2)) await world.store.put("lanes", timer);
    await service.send(Q, [{ ...text("new"), delaySeconds: 1 }]);
    await world.advance(10_000);
    expect(await allOf(world, world.instance())).toEqual(["new"]);
    expect(await itemsOf(world, timersKey)).toEqual([]);
  });

  it("T2: nor where the queue has erased what was acked", async () => {
    const { world, service } = await scheduled(3, { eraseOnAck: true });
    const timers = await itemsOf(world, timersKey);
    await world.advance(30_000);
    expect(await drain(service)).toHaveLength(3);
    expect((await logOf(world))[0]).toMatchObject({ erased: true });
    for (const timer of timers) await world.store.put("lanes", timer);
    await world.advance(2_000);
    expect(await allOf(world, world.instance())).toEqual([]);
    expect(await itemsOf(world, timersKey)).toEqual([]);
  });

  it("settles a dead one's entry also where that was erased meanwhile", async () => {
    const { world } = await scheduled(2, { eraseOnAck: true });
    await world.advance(30_000);
    const isDelete = (call: Call) => call.op === "delete" && call.pk.startsWith("timer#");
    const { store } = tampered(world.store, first(2, isDelete, { throws: crash }));
    await expect(world.instance(store).receive(Q, ALL)).rejects.toThrow("the process has ended");
    const other = world.instance();
    const given = await other.receive(Q, ALL);
    await other.ack(Q, receiptsOf(given));
    expect(given.map(bodyOf).sort()).toEqual(bodies(2));
    expect((await logOf(world))[0]).toMatchObject({ erased: true });
    await world.advance(LEASE_MS);
    expect(await allOf(world, world.instance())).toEqual([]);
    expect(await itemsOf(world, timersKey)).toEqual([]);
  });

  it("goes elsewhere when the lane of the named place has been retired", async () => {
    const { world, service } = await scheduled(3, { lanes: 2 });
    await world.advance(30_000);
    const { store } = tampered(world.store, first(1, isLogPut, { throws: crash }));
    await expect(world.instance(store).receive(Q, ALL)).rejects.toThrow("the process has ended");
    await service.patchQueue(Q, { lanes: 1 });
    for (let minute = 0; minute < 3; minute++) {
      await world.advance(60_000);
      await world.instance().runJanitor(epochMs(world.now() + 50_000));
    }
    expect(await allOf(world, world.instance())).toEqual(bodies(3));
  });

  it("of 1,000 costs their timers two writes each, and the rest next to nothing", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { lanes: 1 });
    const units = () => world.requests.reduce((sum, one) => sum + one.writeUnits, 0);
    const life = async (delaySeconds?: number) => {
      const before = units();
      const extra = delaySeconds === undefined ? {} : { delaySeconds };
      for (let batch = 0; batch < 10; batch++)
        await service.send(
          Q,
          texts(100).map((message) => ({ ...message, ...extra })),
        );
      await world.advance(60_000);
      expect(await drain(service)).toHaveLength(1_000);
      return units() - before;
    };
    await life(10);
    const plain = await life();
    expect((await life(10)) - plain).toBeLessThan(2.2 * 1_000);
  });

  it("shows by whom it is being made, until it is done", async () => {
    const { world, service } = await scheduled(1);
    await world.advance(30_000);
    const key = promoterKey((await recordOf(world)).queueId, 0);
    const at = () => world.store.get("lanes", key, { consistent: true });
    let during: Item | undefined;
    const { store } = tampered(
      world.store,
      first(1, isLogPut, { before: async () => (during = await at()) }),
    );
    await world.instance(store).receive(Q, ALL);
    expect(during).toMatchObject({
      lane: 0,
      offset: expect.any(Number),
      until: world.now() + LEASE_MS,
    });
    expect(await at()).toEqual({ ...key, version: 2 });
    expect(await drain(service)).toEqual([]);
  });
});
