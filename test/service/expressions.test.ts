/** Bug hunted: a claim, ack or move that is right in memory, and refused by DynamoDB for its length. */
import { expect, it } from "vitest";
import { createWorld, Q, texts } from "./fixture.ts";
import { limited } from "./expressions.ts";

const group = "default";

async function start(messages: number) {
  const world = createWorld();
  const service = world.instance(limited(world.store));
  await service.putQueue(Q, { lanes: 1, leaseSeconds: 10_000 });
  for (let sent = 0; sent < messages; sent += 256) {
    await service.send(Q, texts(Math.min(256, messages - sent)));
  }
  return { world, service };
}

it("a run-out lease of 256 messages goes to 250 waiting receives of one each", async () => {
  const { world, service } = await start(256);
  expect(await service.receive(Q, { max: 256, group, leaseSeconds: 1 })).toHaveLength(256);
  await world.advance(2_000);
  const waiting = Array.from({ length: 250 }, () =>
    service.receive(Q, { max: 1, group, waitSeconds: 20 }),
  );
  const given = await world.through(Promise.all(waiting));
  expect(new Set(given.flat().map((message) => message.id)).size).toBe(250);
});

it("256 messages released one by one come back in one receive", async () => {
  const { world, service } = await start(256);
  const messages = await service.receive(Q, { max: 256, group });
  for (const { receipt } of messages) {
    await service.release(Q, [receipt], { delaySeconds: 0, countAttempt: true });
  }
  expect(await world.through(service.receive(Q, { max: 256, group }))).toHaveLength(256);
});

it("500 receives of one each beside instances that cut ahead give 500 messages", async () => {
  const { world, service } = await start(2_048);
  const rivals = Array.from({ length: 6 }, () => world.instance(limited(world.store)));
  const crowd = rivals.map((rival) => rival.receive(Q, { max: 100, group, waitSeconds: 20 }));
  const singles = Array.from({ length: 500 }, () =>
    service.receive(Q, { max: 1, group, waitSeconds: 20 }),
  );
  const given = (await world.through(Promise.all([...crowd, ...singles]))).flat();
  expect(new Set(given.map((message) => message.id)).size).toBe(given.length);
  expect(given.length).toBeGreaterThanOrEqual(506);
});

it("300 receipts of one lease each are extended, released and acked in one call", async () => {
  const { world, service } = await start(300);
  const receipts: string[] = [];
  for (let index = 0; index < 300; index++) {
    const [message] = await service.receive(Q, { max: 1, group });
    receipts.push(message?.receipt ?? "");
  }
  const extended = await world.through(service.extend(Q, receipts, { leaseSeconds: 600 }));
  expect(extended.every((result) => result.status === "done")).toBe(true);
  const half = receipts.slice(0, 150);
  const released = await world.through(
    service.release(Q, half, { delaySeconds: 60, countAttempt: true }),
  );
  expect(released.every((result) => result.status === "done")).toBe(true);
  const acked = await service.ack(Q, receipts.slice(150));
  expect(acked.every((result) => result.status === "done")).toBe(true);
});
