/** The client against the embedded service. Hunts: calls that the two understand differently. */
import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import { LaneMQ, worker } from "../../src/client/index.ts";
import type { AnswerOf, BodyOf, Message } from "../../src/client/index.ts";
import type { Local } from "../../src/local/runtime.ts";
import { dataFolderUntil } from "./folders.ts";
import { newName, start } from "./local-service.ts";

const PATIENT = { timeout: 30_000 };

let local: Local;
let lanemq: LaneMQ;
const folder = dataFolderUntil(afterAll);
beforeAll(async () => {
  local = await start({ apiKey: "admin" });
  lanemq = new LaneMQ({ endpoint: local.url, apiKey: "admin" });
});
afterAll(() => local.close());

test("a queue's life: created, changed, listed, purged, deleted", async () => {
  const queue = lanemq.queue(newName("life"));
  const created = await queue.create({ leaseSeconds: 7, tags: { team: "a" } });
  expect(created).toMatchObject({ name: queue.name, settings: { leaseSeconds: 7 } });
  expect((await queue.update({ waitSeconds: 1 })).settings).toMatchObject({
    leaseSeconds: 7,
    waitSeconds: 1,
  });
  await queue.sendBatch([{ body: 1 }, { body: 2 }]);
  expect((await queue.info()).depth.ready).toBe(2);
  await queue.purge();
  expect((await queue.info()).depth.ready).toBe(0);
  const listed: string[] = [];
  for await (const { name } of lanemq.queues({ limit: 1, prefix: "life" })) listed.push(name);
  expect(listed).toEqual([queue.name]);
  await queue.delete();
  await expect(queue.info()).rejects.toMatchObject({ code: "queue-not-found", status: 404 });
});

test("a message's life: sent, received, extended, released, acked, found", async () => {
  const queue = lanemq.queue(newName());
  await queue.create();
  const { id } = await queue.send({ n: 1 }, { headers: { a: "b" } });
  const [message] = await queue.receive({ waitSeconds: 1 });
  expect(message).toMatchObject({ id, body: { n: 1 }, headers: { a: "b" }, receives: 1 });
  if (message === undefined) return;
  expect(await queue.extend(message, 60)).toMatchObject([{ status: "done" }]);
  expect(await queue.release([message.receipt])).toEqual([{ status: "done" }]);
  const [again] = await queue.receive();
  expect(again?.receives).toBe(2);
  expect(await queue.ack(again ?? [])).toEqual([{ status: "done" }]);
  expect(await queue.ack(message)).toEqual([{ status: "gone" }]);
  expect((await queue.find(id)).groups["default"]?.state).toBe("acked");
});

test("bodies come back as they were: text, bytes, JSON, and their types", async () => {
  const queue = lanemq.queue(newName());
  await queue.create();
  const bodies = ["", "ä\u0000", Uint8Array.of(0, 255), null, 0, [1], { a: { b: "c" } }, true];
  const results = await queue.sendBatch(bodies.map((body) => ({ body })));
  expect(results.every((result) => "id" in result)).toBe(true);
  const messages = await queue.receive({ max: 100 });
  expect(messages.map(({ body }) => body)).toEqual(bodies);
  const browsed: unknown[] = [];
  for await (const { body } of queue.browse({ limit: 3 })) browsed.push(body);
  expect(browsed).toEqual(bodies);
});

test("more than one request takes is sent in several, and acked in several", async () => {
  const queue = lanemq.queue(newName());
  await queue.create();
  const large = "x".repeat(700_000);
  const sent = await queue.sendBatch([
    ...Array.from({ length: 1_500 }, (_, n) => ({ body: n })),
    ...Array.from({ length: 8 }, () => ({ body: large })),
  ]);
  expect(new Set(sent.map((result) => ("id" in result ? result.id : ""))).size).toBe(1_508);
  const receipts: string[] = [];
  while (receipts.length < 1_508) {
    receipts.push(...(await queue.receive({ max: 1_000 })).map(({ receipt }) => receipt));
  }
  const results = await queue.ack(receipts);
  expect(results.filter(({ status }) => status === "done").length).toBe(1_508);
});

test("redrive brings dead letters back", async () => {
  const dead = lanemq.queue(newName("dead"));
  await dead.create();
  const queue = lanemq.queue(newName());
  await queue.create({ maxReceives: 1, deadLetter: { queue: dead.name } });
  await queue.send("a");
  await queue.release(await queue.receive());
  expect(await queue.receive()).toEqual([]);
  expect((await dead.receive({ leaseSeconds: 0 }))[0]?.deadLetter?.queue).toBe(queue.name);
  expect(await dead.redrive()).toEqual({ moved: 1, remaining: 0 });
  expect((await queue.receive())[0]?.body).toBe("a");
});

test("a send whose answer is lost is stored once all the same", async () => {
  const queue = lanemq.queue(newName());
  await queue.create();
  let lost = 0;
  const losing = new LaneMQ({
    endpoint: local.url,
    apiKey: "admin",
    fetch: async (...request) => {
      const response = await fetch(...request);
      if (lost++ % 2 === 1) return response;
      await response.text();
      throw new TypeError("fetch failed");
    },
  });
  const results = await losing.queue(queue.name).sendBatch([{ body: 1 }, { body: 2 }]);
  expect(results).toMatchObject([{ duplicate: true }, { duplicate: true }]);
  await using producer = losing.queue(queue.name).producer();
  await Promise.all([3, 4, 5].map((body) => producer.send(body)));
  await losing
    .queue(queue.name)
    .send("later", { delaySeconds: 1 })
    .catch(() => {});
  const bodies = (await queue.receive({ max: 100 })).map(({ body }) => body);
  expect(bodies.toSorted((a, b) => Number(a) - Number(b))).toEqual([1, 2, 3, 4, 5]);
});

test("an exchange's life: made, bound, published to, taken apart", async () => {
  const queue = lanemq.queue(newName());
  await queue.create();
  const exchange = lanemq.exchange<{ n: number }>(newName("exchange"));
  await exchange.create({ type: "topic" });
  await exchange.bind("b", { queue: queue.name, routingKey: "a.*" });
  const { queues } = { queues: [], ...(await exchange.publish({ n: 1 }, { routingKey: "a.b" })) };
  expect(queues).toEqual([queue.name]);
  expect(await exchange.publishBatch([{ body: { n: 2 }, routingKey: "c" }])).toEqual([
    { queues: [] },
  ]);
  const [message] = await queue.receive();
  expect(message).toMatchObject({ body: { n: 1 }, exchange: exchange.name, routingKey: "a.b" });
  const bound: string[] = [];
  for await (const { id } of exchange.bindings()) bound.push(id);
  expect(bound).toEqual(["b"]);
  await exchange.unbind("b");
  const names: string[] = [];
  for await (const { name } of lanemq.exchanges({ prefix: exchange.name })) names.push(name);
  expect(names).toEqual([exchange.name]);
  await exchange.delete();
  await expect(exchange.info()).rejects.toMatchObject({ code: "exchange-not-found" });
});

test("scheduled messages are listed and cancelled", async () => {
  const queue = lanemq.queue(newName());
  await queue.create();
  const { id } = await queue.send("later", { delaySeconds: 3_600 });
  const found: unknown[] = [];
  for await (const message of queue.scheduled()) found.push([message.id, message.body]);
  expect(found).toEqual([[id, "later"]]);
  await queue.cancel(id);
  await expect(queue.cancel(id)).rejects.toThrow();
});

test("a worker of a group has messages of its own", async () => {
  const queue = lanemq.queue(newName());
  await queue.create();
  const path = { queue: queue.name, group: "audit" };
  await lanemq.call("putGroup", { path, body: { from: "earliest" } });
  await queue.send("a");
  const seen: unknown[] = [];
  const working = queue.worker(({ body }) => void seen.push(body), { group: "audit" });
  await expect.poll(() => seen, PATIENT).toEqual(["a"]);
  await working.stop();
  expect((await queue.receive()).map(({ body }) => body)).toEqual(["a"]);
});

test("what does not fit goes to another queue once, however often it comes", async () => {
  const bad = lanemq.queue(newName("bad"));
  const name = newName();
  await bad.create();
  const schema = z.object({ n: z.number() });
  const queue = lanemq.queue(name, { schema, onInvalid: { queue: bad.name } });
  await queue.create();
  await lanemq.queue(name).sendBatch([{ body: "no" }, { body: { n: 1 } }]);
  const invalid = await lanemq.queue(name).receive({ leaseSeconds: 0 });
  expect(invalid.map(({ body }) => body)).toEqual(["no"]);
  // As if the ack had been lost the first time.
  await bad.send("no", { dedupId: `invalid:${invalid[0]?.id}` });
  expect((await queue.receive({ max: 10 })).map(({ body }) => body)).toEqual([{ n: 1 }]);
  expect((await bad.info()).depth.ready).toBe(1);
  expect((await queue.info()).depth).toEqual({ ready: 0, leased: 1, delayed: 0 });
});

test("keys are made, listed and revoked; what a key may not do is `forbidden`", async () => {
  const queue = lanemq.queue(newName("keys"));
  await queue.create();
  const scopes = [{ actions: ["send" as const], queues: "keys-*" }];
  const { id, secret } = await lanemq.call("createKey", { path: {}, body: { name: "n", scopes } });
  const theirs = new LaneMQ({ endpoint: local.url, apiKey: secret }).queue(queue.name);
  await theirs.send("a");
  await expect(theirs.receive()).rejects.toMatchObject({ code: "forbidden", status: 403 });
  const { keys } = await lanemq.call("listKeys", { path: {} });
  expect(keys.map((key) => key.id)).toEqual([id]);
  expect(await lanemq.call("deleteKey", { path: { id } })).toBeUndefined();
});

test("types are those of the schemas, through and through", () => {
  expectTypeOf<BodyOf<"extend">>().toEqualTypeOf<{ receipts: string[]; leaseSeconds: number }>();
  expectTypeOf<AnswerOf<"redrive">>().toEqualTypeOf<{ moved: number; remaining: number }>();
  expectTypeOf<AnswerOf<"purgeQueue">>().toEqualTypeOf<undefined>();
  expectTypeOf<Message<number>["body"]>().toEqualTypeOf<number>();
  expectTypeOf<Message["receives"]>().toEqualTypeOf<number>();
  // @ts-expect-error -- a setting of the wrong type
  void (() => lanemq.queue("q").create({ leaseSeconds: "5" }));
  // @ts-expect-error -- no such setting
  void (() => lanemq.queue("q").create({ leaseSecond: 5 }));
  // @ts-expect-error -- the path's queue is missing
  void (() => lanemq.call("send", { path: {}, body: { body: 1 } }));
});

test("a message larger than its queue allows fails alone in a producer", async () => {
  const queue = lanemq.queue(newName());
  await queue.create({ maxMessageBytes: 100 });
  const producer = queue.producer();
  const outcomes = await Promise.allSettled(
    ["a", "x".repeat(101), "b"].map((body) => producer.send(body)),
  );
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(outcomes[1]).toMatchObject({ reason: { code: "message-too-large" } });
});

test("connections are kept and used again", async () => {
  let connections = 0;
  const server = createServer((request, response) => {
    const isKnown = request.url !== "/v1/queues/none";
    response.writeHead(isKnown ? 200 : 404, { "content-type": "application/json" }).end("{}");
  });
  server.on("connection", () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const client = new LaneMQ({ endpoint: `http://127.0.0.1:${port}`, retries: { retries: 0 } });
  const queue = client.queue(newName());
  for (let time = 0; time < 20; time++) await queue.info();
  await expect(client.queue("none").info()).rejects.toThrow();
  await queue.info();
  // The second one at most because the first was not quite free yet.
  expect(connections).toBeLessThanOrEqual(2);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe("a worker", () => {
  test("works on everything that is sent while it runs, each once", async () => {
    const queue = lanemq.queue<number>(newName());
    await queue.create();
    const seen: number[] = [];
    const working = worker(queue, ({ body }) => void seen.push(body), { concurrency: 20 });
    const producer = queue.producer();
    await Promise.all(Array.from({ length: 2_000 }, (_, n) => producer.send(n)));
    await expect.poll(() => seen.length, PATIENT).toBe(2_000);
    await working.stop();
    expect(new Set(seen).size).toBe(2_000);
    expect((await queue.info()).depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  test("leaves nothing leased when it stops", async () => {
    const queue = lanemq.queue(newName());
    await queue.create();
    await queue.sendBatch(Array.from({ length: 50 }, (_, body) => ({ body })));
    const working = queue.worker(() => new Promise(() => {}), {
      concurrency: 30,
      graceSeconds: 0,
    });
    await expect.poll(() => working.running, PATIENT).toBe(30);
    await working.stop();
    expect((await queue.info()).depth).toEqual({ ready: 50, leased: 0, delayed: 0 });
    expect((await queue.receive())[0]?.receives).toBe(1);
  });

  test("goes on after the service was started again, and loses nothing", async () => {
    const data = await folder();
    let service = await start({ data });
    const port = Number(new URL(service.url).port);
    const client = new LaneMQ({ endpoint: service.url });
    const queue = client.queue<number>("restarts");
    await queue.create();
    const done = new Set<number>();
    const errors: unknown[] = [];
    const working = queue.worker(
      async ({ body }) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        done.add(body);
      },
      { concurrency: 5, leaseSeconds: 3 },
    );
    working.on("error", ({ error }) => errors.push(error));
    for (let restart = 0; restart < 2; restart++) {
      const from = restart * 300;
      await queue.sendBatch(Array.from({ length: 300 }, (_, n) => ({ body: from + n })));
      await expect.poll(() => done.size, PATIENT).toBeGreaterThan(from + 20);
      await service.close();
      await expect.poll(() => errors.length, PATIENT).toBeGreaterThan(restart);
      service = await start({ data, port });
    }
    await expect.poll(() => done.size, PATIENT).toBe(600);
    await working.stop();
    expect((await queue.info()).depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
    await service.close();
  });
});
