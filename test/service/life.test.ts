import { describe, expect, it } from "vitest";
import { bodyOf, createWorld, DEAD, Q, text, texts } from "./fixture.ts";

describe("the life of a message", () => {
  it("goes from send to receive to ack, and is then gone for good", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, {});
    const [sent] = await service.send(Q, [text("hello")]);
    const [received] = await service.receive(Q, { max: 10, group: "default" });
    expect(received && bodyOf(received)).toBe("hello");
    expect(received?.id).toBe(sent && "id" in sent && sent.id);
    expect(received?.receives).toBe(1);
    expect(await service.receive(Q, { max: 10, group: "default" })).toEqual([]);
    expect(await service.ack(Q, [received?.receipt ?? ""])).toEqual([{ status: "done" }]);
    expect(await service.ack(Q, [received?.receipt ?? ""])).toEqual([{ status: "gone" }]);
    await world.advance(3_600_000);
    expect(await service.receive(Q, { max: 10, group: "default" })).toEqual([]);
  });

  it("comes back with one more receive when its lease runs out, and the old receipt is then worthless", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { leaseSeconds: 30 });
    await service.send(Q, [text("hello")]);
    const [first] = await service.receive(Q, { max: 1, group: "default" });
    await world.advance(29_999);
    expect(await service.receive(Q, { max: 1, group: "default" })).toEqual([]);
    await world.advance(1);
    const [second] = await service.receive(Q, { max: 1, group: "default" });
    expect(second?.receives).toBe(2);
    expect(second?.firstReceivedAt).toBe(first?.firstReceivedAt);
    expect(await service.ack(Q, [first?.receipt ?? ""])).toEqual([{ status: "gone" }]);
    expect(await service.ack(Q, [second?.receipt ?? ""])).toEqual([{ status: "done" }]);
  });

  it("drains a thousand messages in batches, each delivered once", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, {});
    await service.send(Q, texts(1000));
    const seen = new Set<string>();
    for (;;) {
      const batch = await service.receive(Q, { max: 100, group: "default" });
      if (batch.length === 0) break;
      for (const message of batch) {
        expect(seen.has(bodyOf(message))).toBe(false);
        seen.add(bodyOf(message));
      }
      const results = await service.ack(
        Q,
        batch.map((message) => message.receipt),
      );
      expect(results.every((result) => result.status === "done")).toBe(true);
    }
    expect(seen.size).toBe(1000);
    const queue = await service.getQueue(Q);
    expect(queue.depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  it("leases a thousand messages one by one, over many segments, and takes every ack", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { leaseSeconds: 600 });
    await service.send(Q, texts(1000));
    const receipts: string[] = [];
    for (let index = 0; index < 1000; index++) {
      const [message] = await service.receive(Q, { max: 1, group: "default" });
      receipts.push(message?.receipt ?? "");
    }
    expect(await service.receive(Q, { max: 1, group: "default" })).toEqual([]);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 0, leased: 1000, delayed: 0 });
    const results = await service.ack(Q, receipts);
    expect(results.filter((result) => result.status === "done")).toHaveLength(1000);
    expect(await service.receive(Q, { max: 1, group: "default" })).toEqual([]);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  it("is dead-lettered after exactly maxReceives, with its id, body and reason, and redriven", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(DEAD, {});
    await service.putQueue(Q, { leaseSeconds: 10, maxReceives: 3, deadLetter: { queue: DEAD } });
    const [sent] = await service.send(Q, [text("poison")]);
    for (let attempt = 1; attempt <= 3; attempt++) {
      const [message] = await service.receive(Q, { max: 1, group: "default" });
      expect(message?.receives).toBe(attempt);
      await world.advance(10_000);
    }
    expect(await service.receive(Q, { max: 1, group: "default" })).toEqual([]);
    const [dead] = await service.receive(DEAD, { max: 10, group: "default", leaseSeconds: 5 });
    expect(dead && bodyOf(dead)).toBe("poison");
    expect(dead?.id).toBe(sent && "id" in sent && sent.id);
    expect(dead?.deadLetter).toMatchObject({ reason: "maxReceives", queue: Q, receives: 3 });
    await world.advance(5_000);
    expect(await service.redrive(DEAD, {})).toEqual({ moved: 1, remaining: 0 });
    const [back] = await service.receive(Q, { max: 1, group: "default" });
    expect(back && bodyOf(back)).toBe("poison");
    expect(back?.id).toBe(dead?.id);
    expect(back?.receives).toBe(1);
  });

  it("wakes a waiting receive when it is sent in the same process", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, {});
    const waiting = service.receive(Q, { max: 1, group: "default", waitSeconds: 20 });
    await world.advance(5_000);
    await service.send(Q, [text("now")]);
    await world.advance(0);
    expect((await waiting).map(bodyOf)).toEqual(["now"]);
  });
});
