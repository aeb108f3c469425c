/** Back-off between attempts, as receivers see it. */
import { describe, expect, it } from "vitest";
import { ALL, createWorld, DEAD, drain, Q, receiptsOf, texts } from "./fixture.ts";

const BACKOFF = { initialSeconds: 10, factor: 3, maxSeconds: 60, jitter: 0 };

async function queue(settings = {}) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(DEAD, {});
  await service.putQueue(Q, { lanes: 1, leaseSeconds: 5, backoff: BACKOFF, ...settings });
  await service.send(Q, texts(1));
  const received = async () => (await service.receive(Q, ALL)).length;
  return { world, service, received };
}

describe("back-off", () => {
  it("keeps a message back after each lease that ran out, longer each time", async () => {
    const { world, received } = await queue();
    for (const seconds of [10, 30, 60, 60]) {
      expect(await received()).toBe(1);
      await world.advance(5_000 + seconds * 1_000 - 1);
      expect(await received()).toBe(0);
      await world.advance(1);
    }
    expect(await received()).toBe(1);
  });

  it("holds for a release that says nothing of a delay, and not for one that does", async () => {
    const { world, service, received } = await queue();
    const release = async (delaySeconds?: number) => {
      const given = await service.receive(Q, ALL);
      await service.release(Q, receiptsOf(given), {
        ...(delaySeconds === undefined ? {} : { delaySeconds }),
        countAttempt: true,
      });
    };
    await release();
    await world.advance(9_999);
    expect(await received()).toBe(0);
    await world.advance(1);
    await release(0);
    await release(2);
    await world.advance(2_000);
    expect(await received()).toBe(1);
  });

  it("lets a wait end as soon as it is over", async () => {
    const { world, service } = await queue();
    await service.receive(Q, ALL);
    let receivedAt = 0;
    const started = world.now();
    const waiting = service.receive(Q, { ...ALL, waitSeconds: 20 });
    void waiting.then(() => (receivedAt = world.now() - started));
    await world.advance(20_000);
    expect(await waiting).toHaveLength(1);
    expect(receivedAt).toBeGreaterThanOrEqual(15_000);
    expect(receivedAt).toBeLessThan(15_100);
  });

  it("shows as delayed, in depth and for the message, until it is over", async () => {
    const { world, service } = await queue();
    const [message] = await service.receive(Q, ALL);
    await world.advance(6_000);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 0, leased: 0, delayed: 1 });
    expect((await service.lookUp(Q, message?.id ?? "")).groups["default"]).toEqual({
      state: "delayed",
      visibleAt: world.now() + 9_000,
    });
    await world.advance(9_000);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 1, leased: 0, delayed: 0 });
    expect((await service.lookUp(Q, message?.id ?? "")).groups["default"]).toEqual({
      state: "ready",
    });
  });

  it("R5: does not keep a dead letter waiting", async () => {
    const { world, service } = await queue({ maxReceives: 1, deadLetter: { queue: DEAD } });
    await service.receive(Q, ALL);
    await world.advance(5_000);
    await service.receive(Q, ALL);
    expect(await drain(service, DEAD)).toEqual(["m0"]);
  });

  it("still takes an ack of the lease that ran out", async () => {
    const { world, service, received } = await queue();
    const given = await service.receive(Q, ALL);
    await world.advance(8_000);
    expect(await service.ack(Q, receiptsOf(given))).toEqual([{ status: "done" }]);
    await world.advance(60_000);
    expect(await received()).toBe(0);
  });

  it("holds back a key with all that comes behind it, where order is kept", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { order: "key", leaseSeconds: 5, backoff: BACKOFF });
    const [a, b, c] = texts(3);
    if (a === undefined || b === undefined || c === undefined) throw new Error("three messages");
    await service.send(Q, [
      { ...a, key: "k" },
      { ...b, key: "k" },
      { ...c, key: "other" },
    ]);
    await service.receive(Q, { max: 1, group: "default" });
    await world.advance(6_000);
    expect(await service.receive(Q, ALL)).toHaveLength(1);
    await world.advance(9_000);
    expect(await service.receive(Q, { max: 2, group: "default" })).toHaveLength(2);
  });

  it("is at most as long as it is at first only where that is so", async () => {
    const { service } = await queue();
    await expect(
      service.patchQueue(Q, { backoff: { ...BACKOFF, initialSeconds: 61 } }),
    ).rejects.toMatchObject({ errors: [{ path: "backoff.maxSeconds" }] });
  });
});
