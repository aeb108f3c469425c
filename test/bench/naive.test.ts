/** The naive queue has to be a queue: one that drops or repeats messages would be no measure. */
import { expect, test } from "vitest";
import { createNaiveQueue } from "../../bench/naive.ts";
import { messages, payloads } from "../../bench/payloads.ts";
import { queueName } from "../../src/core/types.ts";
import { createMemoryStore } from "../../src/store/memory.ts";

const QUEUE = queueName("naive");
const GROUP = { group: "default" };

function setUp() {
  let now = 1_000_000;
  let id = 0;
  const service = createNaiveQueue({
    store: createMemoryStore(),
    clock: { now: () => now },
    randomBytes: (length) => Uint8Array.from({ length }, () => (id = (id * 31 + 7) % 251)),
  });
  return { service, advance: (ms: number) => void (now += ms) };
}

test("a leased message is not given to another until its lease has run out", async () => {
  const { service, advance } = setUp();
  await service.send(QUEUE, messages(payloads(200), 0, 1));
  const [first] = await service.receive(QUEUE, { max: 10, leaseSeconds: 5, ...GROUP });
  expect(await service.receive(QUEUE, { max: 10, ...GROUP })).toEqual([]);
  advance(5_001);
  const [second] = await service.receive(QUEUE, { max: 10, ...GROUP });
  expect(second).toMatchObject({ id: first?.id, receives: 2 });
  expect(await service.ack(QUEUE, [first?.receipt ?? ""])).toEqual([{ status: "gone" }]);
  expect(await service.ack(QUEUE, [second?.receipt ?? ""])).toEqual([{ status: "done" }]);
  advance(60_000);
  expect(await service.receive(QUEUE, { max: 10, ...GROUP })).toEqual([]);
});

test("receivers at the same time share the messages among them", async () => {
  const { service } = setUp();
  for (let n = 0; n < 30; n++) await service.send(QUEUE, messages(payloads(200), n, 1));
  const given = await Promise.all(
    Array.from({ length: 3 }, () => service.receive(QUEUE, { max: 10, ...GROUP })),
  );
  const ids = given.flat().map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const rest = await service.receive(QUEUE, { max: 30, ...GROUP });
  expect(new Set([...ids, ...rest.map(({ id }) => id)]).size).toBe(30);
});
