/** Messages that expire unread where the queue wants to know of them. */
import { describe, expect, it } from "vitest";
import { epochMs } from "../../src/core/types.ts";
import type { Service } from "../../src/service/api.ts";
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
  text,
} from "./fixture.ts";
import type { World } from "./fixture.ts";
import { tampered } from "./tampered.ts";
import type { Call, Fault } from "./tampered.ts";

const HOUR = 3_600_000;

async function queue(settings = {}) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(DEAD, { lanes: 1, retentionSeconds: 20 * 86_400 });
  await service.putQueue(Q, {
    lanes: 1,
    leaseSeconds: 10,
    deadLetter: { queue: DEAD },
    onExpired: "deadLetter",
    ...settings,
  });
  return { world, service };
}

const short = (...bodies: string[]) => bodies.map((body) => ({ ...text(body), ttlSeconds: 5 }));
const runJanitor = (world: World, service: Service = world.instance()) =>
  service.runJanitor(epochMs(world.now() + 50_000));

describe("a message that expires unread", () => {
  it("C6: comes to the dead-letter queue by the janitor, with that reason, and keeps its id", async () => {
    const { world, service } = await queue();
    const ids = idsOf(await service.send(Q, short("a", "b")));
    await world.advance(6_000);
    expect((await runJanitor(world, service)).deadLettered).toBe(2);
    const dead = await service.receive(DEAD, ALL);
    expect(dead.map(({ id }) => id)).toEqual(ids);
    for (const one of dead) {
      expect(one.deadLetter).toMatchObject({ reason: "expired", queue: Q, receives: 0 });
      expect(one.deadLetter).not.toHaveProperty("firstReceivedAt");
    }
    expect(await drain(service)).toEqual([]);
  });

  it("C6: comes there by a receive, which gives what lives behind it", async () => {
    const { world, service } = await queue();
    await service.send(Q, [...short("a"), text("b"), ...short("c"), text("d")]);
    await world.advance(6_000);
    expect(await drain(service)).toEqual(["b", "d"]);
    expect((await drain(service, DEAD)).sort()).toEqual(["a", "c"]);
  });

  it("C6: comes there after its last lease, unless that ended in an ack", async () => {
    const { world, service } = await queue();
    await service.send(Q, short("kept", "acked"));
    const given = await service.receive(Q, ALL);
    await world.advance(6_000);
    await runJanitor(world);
    expect((await service.getQueue(DEAD)).depth.ready).toBe(0);
    await service.ack(Q, receiptsOf(given.filter((one) => bodyOf(one) === "acked")));
    await world.advance(10_000);
    await runJanitor(world);
    const dead = await service.receive(DEAD, ALL);
    expect(dead.map(bodyOf)).toEqual(["kept"]);
    expect(dead[0]?.deadLetter).toMatchObject({ reason: "expired", receives: 1 });
    expect(dead[0]?.deadLetter?.firstReceivedAt).toBe(given[0]?.firstReceivedAt);
  });

  it("L4: is kept for four days more, should nothing run for so long", async () => {
    const { world, service } = await queue({ retentionSeconds: 60 });
    await service.send(Q, [text("a")]);
    const [entry] = await logOf(world);
    expect(entry?.["ttl"]).toBe(Math.ceil((world.now() + 60_000 + HOUR + 96 * HOUR) / 1000));
    await world.advance(96 * HOUR);
    await world.sweep();
    await runJanitor(world);
    expect(await drain(world.instance(), DEAD)).toEqual(["a"]);
  });

  it("L4: is kept with a large body, too", async () => {
    const { world, service } = await queue({ retentionSeconds: 60 });
    const body = "x".repeat(300_000);
    await service.send(Q, [text(body), { ...text(body), delaySeconds: 10 }]);
    await world.advance(24 * HOUR);
    await world.sweep();
    await runJanitor(world);
    expect(await drain(world.instance(), DEAD)).toEqual([body, body]);
  });

  it("C6: comes there once, whatever dies on the way", async () => {
    for (let step = 0; ; step++) {
      const { world, service } = await queue();
      await service.send(Q, short("a", "b", "c"));
      await world.advance(6_000);
      let writes = 0;
      const { store } = tampered(world.store, (call: Call): Fault | undefined =>
        call.table === "lanes" && call.op !== "get" && call.op !== "query" && writes++ === step
          ? { throws: crash, applied: true }
          : undefined,
      );
      await runJanitor(world, world.instance(store)).catch(() => undefined);
      for (let minute = 0; minute < 3; minute++) {
        await world.advance(61_000);
        await runJanitor(world);
      }
      expect([step, ...(await drain(world.instance(), DEAD)).sort()]).toEqual([
        step,
        "a",
        "b",
        "c",
      ]);
      if (writes <= step) return;
    }
  });

  it("in great number comes there in the end, and keeps no receive from what lives", async () => {
    const { world, service } = await queue();
    for (let batch = 0; batch < 3; batch++)
      await service.send(Q, short(...Array.from({ length: 1_000 }, (_, at) => `${batch}-${at}`)));
    await service.send(Q, [text("live")]);
    await world.advance(6_000);
    expect((await world.through(service.receive(Q, ALL))).map(bodyOf)).toEqual(["live"]);
    await world.through(runJanitor(world, service));
    expect(new Set(await drain(service, DEAD)).size).toBe(3_000);
  });

  it("is dropped where the queue says so, and where its dead-letter queue is gone", async () => {
    const { world, service } = await queue({ onExpired: "drop" });
    await service.send(Q, short("a"));
    await world.advance(6_000);
    await runJanitor(world);
    expect(await drain(service)).toEqual([]);
    expect(await drain(service, DEAD)).toEqual([]);
  });

  it("leaves, too, when it has had its receives before it expired", async () => {
    const { world, service } = await queue({ maxReceives: 1 });
    await service.send(Q, short("a"));
    await service.receive(Q, ALL);
    await world.advance(60_000);
    await runJanitor(world);
    expect(await drain(service, DEAD)).toEqual(["a"]);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  it("is not asked for without a queue to go to", async () => {
    const { service } = await queue();
    await expect(service.patchQueue(Q, { deadLetter: null })).rejects.toMatchObject({
      errors: [{ path: "onExpired" }],
    });
  });
});
