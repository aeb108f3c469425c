/** Hunts: messages lost or sent twice by batching, callers who get another's result, memory without bound. */
import { describe, expect, test } from "vitest";
import { LaneMQError } from "../../src/client/index.ts";
import { broken, problem, world } from "./fake.ts";
import type { Asked, Reply } from "./fake.ts";

const bodiesOf = ({ body }: Asked): unknown[] =>
  (body["messages"] as { body: unknown }[]).map((message) => message.body);

const keyOf = ({ headers }: Asked): string | null => headers.get("idempotency-key");

/** Stores everything; the id of a message is its body. */
const store = (asked: Asked): Reply => ({
  status: 201,
  json: { messages: bodiesOf(asked).map((body) => ({ id: String(body) })) },
});

const settled = (sends: readonly Promise<unknown>[]): Promise<unknown[]> =>
  Promise.all(
    sends.map((send) =>
      send.then(
        (result) => (result as { id: string }).id,
        (error: unknown) => (error instanceof LaneMQError ? error.code : error),
      ),
    ),
  );

test("sends of some milliseconds travel together, and each gets its own id", async () => {
  const { client, asked, pass } = world(store);
  const producer = client.queue("q").producer({ lingerMs: 5 });
  const sends = [producer.send("a"), producer.send("b", { headers: { h: "1" } })];
  await pass(4);
  sends.push(producer.send("c"));
  expect(asked.length).toBe(0);
  await pass(1);
  expect(await settled(sends)).toEqual(["a", "b", "c"]);
  expect(asked.map(bodiesOf)).toEqual([["a", "b", "c"]]);
  expect(asked[0]?.body["messages"]).toMatchObject([{}, { headers: { h: "1" } }, {}]);
});

test("a full batch leaves at once, and not more requests than allowed are under way", async () => {
  let open = 0;
  let most = 0;
  const { client, asked, pass } = world(async (request) => {
    most = Math.max(most, ++open);
    await new Promise((resolve) => setImmediate(resolve));
    open -= 1;
    return store(request);
  });
  const producer = client.queue("q").producer({ maxBatch: 10, concurrency: 2 });
  const sends = Array.from({ length: 95 }, (_, n) => producer.send(n));
  await pass(100);
  expect(await settled(sends)).toEqual(Array.from({ length: 95 }, (_, n) => String(n)));
  expect(asked.map((one) => bodiesOf(one).length)).toEqual([...Array<number>(9).fill(10), 5]);
  expect(most).toBe(2);
});

test("what was handed over is what is sent, whatever the caller does to it afterwards", async () => {
  const { client, asked, pass } = world(store);
  const producer = client.queue("q").producer();
  const body = { n: 1 };
  const sent = producer.send(body);
  body.n = 2;
  await pass(10);
  await sent;
  expect(asked.map(bodiesOf)).toEqual([[{ n: 1 }]]);
});

describe("a message that is refused", () => {
  test("fails its own caller only: the others are sent without it", async () => {
    const refuse = (asked: Asked): Reply => {
      const bodies = bodiesOf(asked);
      const errors = bodies.flatMap((body, index) =>
        body === "bad" ? [{ path: `messages[${index}].headers`, message: "no" }] : [],
      );
      return errors.length > 0 ? problem(400, "invalid-request", { errors }) : store(asked);
    };
    const { client, asked, pass } = world(refuse);
    const producer = client.queue("q").producer();
    const sends = settled(["a", "bad", "b", "bad", "c"].map((body) => producer.send(body)));
    await pass(10);
    expect(await sends).toEqual(["a", "invalid-request", "b", "invalid-request", "c"]);
    expect(asked.map(bodiesOf)).toEqual([
      ["a", "bad", "b", "bad", "c"],
      ["a", "b", "c"],
    ]);
  });

  const throttled = { error: { code: "throttled", detail: "d", retryable: true } };
  const once = (asked: Asked, isFirst: boolean): Reply =>
    isFirst ? { status: 201, json: { messages: [{ id: "a" }, throttled] } } : store(asked);

  test("because of throttling is sent again, under the key of its request", async () => {
    const { client, asked, pass } = world((request) => once(request, asked.length === 1));
    const producer = client.queue("q").producer();
    const sends = ["a", "b"].map((body) => producer.send(body));
    await pass(1_000);
    expect(await settled(sends)).toEqual(["a", "b"]);
    expect(asked.map(bodiesOf)).toEqual([
      ["a", "b"],
      ["a", "b"],
    ]);
    expect(asked.map(keyOf)).toEqual(["id-1", "id-1"]);
  });

  test("without a key is sent again without those that are stored", async () => {
    const { client, asked, pass } = world((request) => once(request, asked.length === 1), {
      sendsOnce: false,
    });
    const producer = client.queue("q").producer();
    const sends = ["a", "b"].map((body) => producer.send(body));
    await pass(1_000);
    expect(await settled(sends)).toEqual(["a", "b"]);
    expect(asked.map(bodiesOf)).toEqual([["a", "b"], ["b"]]);
    expect(asked.map(keyOf)).toEqual([null, null]);
  });

  test("for good by throttling says so in the end, and the others keep their results", async () => {
    const { client, asked, pass } = world((request) => ({
      status: 201,
      json: { messages: bodiesOf(request).map((body) => (body === "a" ? throttled : { id: "b" })) },
    }));
    const producer = client.queue("q").producer();
    const sends = settled([producer.send("a"), producer.send("b")]);
    await pass(60_000);
    expect(await sends).toEqual(["throttled", "b"]);
    expect(asked.length).toBe(5);
  });
});

test("beyond its bounds a send is refused at once, and `ready` waits for room", async () => {
  const { client, pass } = world(store);
  const producer = client.queue("q").producer({ maxBuffered: 3 });
  const sends = settled([1, 2, 3, 4].map((n) => producer.send(n)));
  expect(producer.buffered).toBe(3);
  let isReady = false;
  const ready = producer.ready().then(() => (isReady = true));
  await pass(4);
  expect(isReady).toBe(false);
  await pass(10);
  await ready;
  expect(await sends).toEqual(["1", "2", "3", "producer-full"]);
  expect(producer.buffered).toBe(0);

  const large = client.queue("q").producer({ maxBufferedBytes: 10 });
  const first = large.send("0123456789");
  await pass(0);
  await expect(large.send("a")).rejects.toMatchObject({ code: "producer-full", retryable: true });
  await pass(10);
  await first;
});

test("one who waits for `ready` before each send is never refused", async () => {
  const { client, pass } = world(store);
  const producer = client.queue("q").producer({ maxBuffered: 7, maxBatch: 3 });
  const sends: Promise<unknown>[] = [];
  const producing = (async () => {
    for (let n = 0; n < 50; n++) {
      await producer.ready();
      sends.push(producer.send(n));
    }
  })();
  await pass(1_000);
  await producing;
  expect(await settled(sends)).toEqual(Array.from({ length: 50 }, (_, n) => String(n)));
});

test("`await using` sends what is left, and takes no more", async () => {
  const { client, asked, pass } = world(store);
  const producer = client.queue("q").producer({ lingerMs: 1_000 });
  const sent = producer.send("last");
  await pass(0);
  await producer[Symbol.asyncDispose]();
  expect(await sent).toEqual({ id: "last" });
  expect(asked.length).toBe(1);
  await expect(producer.send("late")).rejects.toMatchObject({ code: "producer-closed" });
});

describe("a lost answer", () => {
  test("is asked for again under the same key, and another batch has another one", async () => {
    const { client, asked, pass } = world((request) =>
      asked.length === 1 ? broken() : store(request),
    );
    const producer = client.queue("q").producer({ maxBatch: 2 });
    const sends = ["a", "b", "c"].map((body) => producer.send(body));
    await pass(1_000);
    expect(await settled(sends)).toEqual(["a", "b", "c"]);
    expect(asked.map((one) => [keyOf(one), bodiesOf(one)])).toEqual([
      ["id-1", ["a", "b"]],
      ["id-2", ["c"]],
      ["id-1", ["a", "b"]],
    ]);
  });

  test.each([
    ["where keys are switched off", { sendsOnce: false }, {}],
    ["of messages for later, for which the service has no keys", {}, { delaySeconds: 60 }],
  ])("fails those that travelled together, %s", async (_when, options, message) => {
    const { client, asked, pass } = world(() => broken(), options);
    const producer = client.queue("q").producer();
    const sends = settled([producer.send("a", message), producer.send("b")]);
    await pass(60_000);
    expect(await sends).toEqual(["unreachable", "unreachable"]);
    expect(asked.map(keyOf)).toEqual([null]);
  });
});
