import { describe, expect, it } from "vitest";
import { ALL, createWorld, drain, logOf, Q, receiptsOf, text, texts } from "./fixture.ts";

const HOUR = 3_600_000;

async function queue(settings = {}, options = {}) {
  const world = createWorld(options);
  const service = world.instance();
  await service.putQueue(Q, { lanes: 1, ...settings });
  const view = async () => {
    const { depth, oldestReadyAgeSeconds } = await service.getQueue(Q);
    return [depth.ready, depth.leased, depth.delayed, oldestReadyAgeSeconds];
  };
  return { world, service, view };
}

describe("depth", () => {
  it("is nothing of a new queue", async () => {
    expect(await (await queue()).view()).toEqual([0, 0, 0, 0]);
  });

  it("counts what is unclaimed as ready, and tells the age of the oldest", async () => {
    const { world, service, view } = await queue();
    await service.send(Q, texts(300));
    await world.advance(7_900);
    await service.send(Q, texts(2));
    expect(await view()).toEqual([302, 0, 0, 7]);
  });

  it("counts leased messages until acked, and as ready again when their lease ran out", async () => {
    const { world, service, view } = await queue({ leaseSeconds: 30 });
    await service.send(Q, texts(10));
    const got = await service.receive(Q, { max: 6, group: "default" });
    await service.ack(Q, receiptsOf(got).slice(0, 2));
    expect(await view()).toEqual([4, 4, 0, 0]);
    await world.advance(30_000);
    expect(await view()).toEqual([8, 0, 0, 30]);
  });

  it("takes the age of a message given back from when it was sent", async () => {
    const { world, service, view } = await queue();
    await service.send(Q, [text("old")]);
    await world.advance(50_000);
    await service.send(Q, [text("young")]);
    const got = await service.receive(Q, ALL);
    await service.release(Q, receiptsOf(got).slice(0, 1), { delaySeconds: 0, countAttempt: true });
    expect(await view()).toEqual([1, 1, 0, 50]);
  });

  it("counts a queue-wide delay's messages as delayed until they are visible, exactly", async () => {
    const { world, service, view } = await queue({ delaySeconds: 100 });
    await service.send(Q, texts(5));
    await world.advance(60_000);
    await service.send(Q, texts(300));
    expect(await view()).toEqual([0, 0, 305, 0]);
    await world.advance(40_000);
    expect((await view()).slice(0, 3)).toEqual([5, 0, 300]);
    await world.advance(60_000);
    expect((await view()).slice(0, 3)).toEqual([305, 0, 0]);
  });

  it("counts nothing that has expired, unclaimed or leased, before and after TTL took it", async () => {
    const { world, service, view } = await queue({ retentionSeconds: 600, leaseSeconds: 10_000 });
    await service.send(Q, texts(5));
    await service.receive(Q, { max: 2, group: "default" });
    await world.advance(599_000);
    await service.send(Q, texts(3));
    expect((await view()).slice(0, 3)).toEqual([6, 2, 0]);
    await world.advance(1_000);
    expect(await view()).toEqual([3, 0, 0, 1]);
    await world.advance(HOUR);
    await world.sweep();
    expect(await view()).toEqual([0, 0, 0, 0]);
  });

  it("C8: counts within a run, however far offsets leap between runs", async () => {
    const { world, service, view } = await queue({ retentionSeconds: 60 });
    await service.send(Q, texts(5));
    await world.advance(2 * HOUR);
    await service.send(Q, texts(3));
    expect(await logOf(world)).toHaveLength(2);
    expect((await view()).slice(0, 3)).toEqual([3, 0, 0]);
    await world.advance(2 * HOUR);
    await world.sweep();
    await service.send(Q, texts(4));
    expect((await view()).slice(0, 3)).toEqual([4, 0, 0]);
    expect(await drain(service)).toHaveLength(4);
    expect(await view()).toEqual([0, 0, 0, 0]);
  });

  it("counts over all lanes and segments", async () => {
    const { world, service, view } = await queue({ lanes: 4, leaseSeconds: 600 });
    for (let index = 0; index < 40; index++)
      await world.through(world.instance().send(Q, texts(5)));
    for (let index = 0; index < 60; index++) await service.receive(Q, { max: 1, group: "default" });
    expect((await view()).slice(0, 3)).toEqual([140, 60, 0]);
  });

  it("of a queue whose leases ran out counts as everybody's clocks have it, margin or none", async () => {
    const { world, service, view } = await queue({ leaseSeconds: 10 }, { skewMarginMs: 5_000 });
    await service.send(Q, texts(1));
    await service.receive(Q, ALL);
    await world.advance(10_000);
    expect((await view())[0]).toBe(1);
    expect(await service.receive(Q, ALL)).toEqual([]);
    await world.advance(5_000);
    expect(await service.receive(Q, ALL)).toHaveLength(1);
  });

  it("Z1: finds what lives behind what has expired, however their lives mix", async () => {
    const { world, service, view } = await queue({ retentionSeconds: 7_200 });
    const short = (body: string) => ({ ...text(body), ttlSeconds: 10 });
    await service.send(Q, [short("a"), short("b")]);
    await service.send(Q, texts(500));
    await service.send(Q, [short("c")]);
    await world.advance(11_000);
    expect((await view())[0]).toBe(501);
    await world.advance(2 * HOUR);
    expect((await view())[0]).toBe(0);
  });

  it("Z1: counts what has expired behind what lives on, until a claim has passed it", async () => {
    const { world, service, view } = await queue();
    await service.send(Q, [text("a"), { ...text("b"), ttlSeconds: 1 }]);
    await world.advance(2_000);
    expect((await view())[0]).toBe(2);
    await service.ack(Q, receiptsOf(await service.receive(Q, ALL)));
    expect((await view())[0]).toBe(0);
  });

  it("counts from when a message was there to be received, not from when it was sent", async () => {
    const { world, service, view } = await queue();
    await service.send(Q, [{ ...text("a"), delaySeconds: 600 }]);
    await world.advance(605_000);
    await service.release(Q, receiptsOf(await service.receive(Q, ALL)), {
      delaySeconds: 0,
      countAttempt: true,
    });
    expect(await view()).toEqual([1, 0, 0, 5]);
  });
});
