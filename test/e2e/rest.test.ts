/** The whole REST API over real HTTP, on the engine in memory and on disk. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Local } from "../../src/local/runtime.ts";
import { dataFolderUntil } from "./folders.ts";
import { caller, drain, newName, start, type Call } from "./local-service.ts";

describe.each(["memory", "disk"] as const)("in/on %s", (where) => {
  let local: Local;
  let call: Call;
  let queue: string;
  const folder = dataFolderUntil(afterAll);

  beforeAll(async () => {
    local = await start(where === "disk" ? { data: await folder() } : {});
    call = caller(local.url);
  });
  afterAll(() => local.close());
  beforeEach(async () => {
    queue = newName();
    await call("PUT", `/v1/queues/${queue}`, {});
  });

  const send = (body: unknown, headers?: Record<string, string>) =>
    call("POST", `/v1/queues/${queue}/messages`, body, headers);
  const receive = async (request: object = {}) =>
    (await call("POST", `/v1/queues/${queue}/receive`, request)).json.messages ?? [];
  const receipts = (verb: string, request: object) =>
    call("POST", `/v1/queues/${queue}/${verb}`, request);
  const depth = async () => (await call("GET", `/v1/queues/${queue}`)).json.depth;

  test("health", async () => {
    const { status, text } = await call("GET", "/healthz");
    expect([status, text]).toEqual([200, '{"status":"ok"}']);
  });

  test("the API describes itself", async () => {
    const { status, json } = await call("GET", "/openapi.json");
    expect(status).toBe(200);
    expect(json.openapi).toMatch(/^3\.1\./);
    expect(Object.keys(json.paths ?? {})).toContain("/v1/queues/{queue}/messages");
  });

  test("a queue is created once, updated, patched, read, listed and deleted", async () => {
    const name = newName("orders");
    const path = `/v1/queues/${name}`;
    expect((await call("PUT", path, { leaseSeconds: 7, tags: { a: "b" } })).status).toBe(201);
    const again = await call("PUT", path, { waitSeconds: 1 });
    expect(again.status).toBe(200);
    expect(again.json.settings).toMatchObject({ leaseSeconds: 30, waitSeconds: 1, tags: {} });
    const patched = await call("PATCH", path, { leaseSeconds: 9 });
    expect(patched.json.settings).toMatchObject({ leaseSeconds: 9, waitSeconds: 1 });
    const read = await call("GET", path);
    expect(read.json).toMatchObject({
      name,
      settings: { leaseSeconds: 9, retentionSeconds: 345_600, maxReceives: null },
      depth: { ready: 0, leased: 0, delayed: 0 },
      oldestReadyAgeSeconds: 0,
    });
    const listed = await call("GET", `/v1/queues?prefix=${name}`);
    expect(listed.json.queues).toMatchObject([{ name }]);
    expect((await call("DELETE", path)).status).toBe(204);
    expect((await call("GET", path)).json.code).toBe("queue-not-found");
    expect((await call("GET", `/v1/queues?prefix=${name}`)).json.queues).toEqual([]);
  });

  test("a listing goes on from its cursor, and shows every queue once", async () => {
    const prefix = newName("page");
    const names = Array.from({ length: 5 }, (_, i) => `${prefix}-${i}`);
    for (const name of names) await call("PUT", `/v1/queues/${name}`, {});
    const seen: unknown[] = [];
    let cursor = "";
    do {
      const page = await call("GET", `/v1/queues?prefix=${prefix}&limit=2${cursor}`);
      seen.push(...(page.json.queues as { name: string }[]).map(({ name }) => name));
      const next = page.json.cursor;
      cursor = typeof next === "string" ? `&cursor=${encodeURIComponent(next)}` : "";
    } while (cursor !== "");
    expect(seen).toEqual(names);
  });

  test("a message is sent, received and acked; a repeated ack is harmless", async () => {
    const sent = await send({ body: "hello", headers: { a: "1" }, contentType: "text/x-mine" });
    expect(sent.status).toBe(201);
    const [message] = await receive();
    expect(message).toMatchObject({
      id: sent.json.messages?.[0]?.id,
      body: "hello",
      contentType: "text/x-mine",
      headers: { a: "1" },
      receives: 1,
    });
    expect(await receive()).toEqual([]);
    const request = { receipts: [message?.receipt] };
    expect((await receipts("ack", request)).json.results).toEqual([{ status: "done" }]);
    expect((await receipts("ack", request)).json.results).toEqual([{ status: "gone" }]);
    expect(await depth()).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  test("the same receipt twice in one call is answered twice", async () => {
    await send({ body: 1 });
    const [message] = await receive();
    const { json } = await receipts("ack", { receipts: [message?.receipt, message?.receipt] });
    expect(json.results).toEqual([{ status: "done" }, { status: "done" }]);
  });

  test("a thousand messages are sent, received and acked in one call each", async () => {
    const bodies = Array.from({ length: 1_000 }, (_, i) => ({ i, text: `message ${i}` }));
    const sent = await send({ messages: bodies.map((body) => ({ body })) });
    expect(sent.status).toBe(201);
    expect(new Set(sent.json.messages?.map(({ id }) => id)).size).toBe(1_000);
    const got = await receive({ max: 1_000 });
    expect(got.map(({ body }) => body)).toEqual(bodies);
    const acked = await receipts("ack", { receipts: got.map(({ receipt }) => receipt) });
    expect(acked.json.results?.every(({ status }) => status === "done")).toBe(true);
    expect(await receive({ max: 1_000 })).toEqual([]);
  });

  test("NDJSON is a message a line", async () => {
    const lines = '{"body":1}\n{"body":"two"}\n{"body":{"three":3}}\n';
    expect((await send(lines, { "content-type": "application/x-ndjson" })).status).toBe(201);
    expect(await drain(call, queue)).toEqual([1, "two", { three: 3 }]);
  });

  test("bytes come back the same, however they were sent", async () => {
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, i) => i % 256));
    await send(bytes, {
      "content-type": "application/octet-stream",
      "x-lane-header-Trace": "abc",
    });
    await send({ body: bytes.toString("base64"), encoding: "base64" });
    const got = await receive({ max: 2 });
    expect(got).toMatchObject([
      { encoding: "base64", headers: { trace: "abc" } },
      { encoding: "base64", headers: {} },
    ]);
    for (const { body } of got) expect(Buffer.from(String(body), "base64")).toEqual(bytes);
  });

  test("numbers, key order and __proto__ of a JSON body survive", async () => {
    const body = '{"z":1.0,"a":123456789012345678901234567890,"__proto__":{"x":1e400}}';
    await send(`{"body":${body}}`);
    const { text } = await call("POST", `/v1/queues/${queue}/receive`, {});
    expect(text).toContain(`"body":${body}`);
  });

  test("gzip is taken", async () => {
    await send(gzipSync('{"body":"packed"}'), { "content-encoding": "gzip" });
    expect(await drain(call, queue)).toEqual(["packed"]);
  });

  test("a mebibyte of any text can be sent and received", async () => {
    for (const unit of ["x", `"`, "\n", "é", "😀"]) {
      const body = unit.repeat(Math.floor((1024 * 1024) / Buffer.byteLength(unit)));
      expect((await send(body, { "content-type": "text/plain" })).status).toBe(201);
      const [message] = await receive({ max: 10 });
      const text = String(message?.body);
      const back = message?.encoding === "base64" ? Buffer.from(text, "base64").toString() : text;
      expect(back === body).toBe(true);
      await receipts("ack", { receipts: [message?.receipt] });
    }
  });

  test("released messages come back, now or after a delay, and count or not", async () => {
    await send({ body: 1 });
    const [first] = await receive();
    await receipts("release", { receipts: [first?.receipt] });
    const [second] = await receive();
    expect(second?.receives).toBe(2);
    await receipts("release", { receipts: [second?.receipt], countAttempt: false });
    const [third] = await receive();
    expect(third?.receives).toBe(2);
    await receipts("release", { receipts: [third?.receipt], delaySeconds: 3_600 });
    expect(await receive()).toEqual([]);
    expect(await depth()).toEqual({ ready: 0, leased: 0, delayed: 1 });
  });

  test("an extended lease holds, by the receipt that is given back", async () => {
    await send({ messages: [{ body: 1 }, { body: 2 }] });
    const got = await receive({ max: 2, leaseSeconds: 30 });
    const extended = await receipts("extend", {
      receipts: [got[0]?.receipt],
      leaseSeconds: 3_600,
    });
    const [result] = extended.json.results ?? [];
    expect(result?.status).toBe("done");
    const acked = await receipts("ack", { receipts: [result?.receipt ?? got[0]?.receipt] });
    expect(acked.json.results).toEqual([{ status: "done" }]);
  });

  test("a lease of 0 seconds leaves the message ready", async () => {
    await send({ body: 1 });
    expect(await receive({ leaseSeconds: 0 })).toHaveLength(1);
    const [again] = await receive({ leaseSeconds: 0 });
    expect(again?.receives).toBe(2);
  });

  test("a long wait ends as soon as something is sent", async () => {
    const waiting = receive({ waitSeconds: 20 });
    await send({ body: "now" });
    expect((await waiting).map(({ body }) => body)).toEqual(["now"]);
  });

  test("messages are browsed in pages and looked up, without a lease", async () => {
    const sent = await send({ messages: Array.from({ length: 5 }, (_, i) => ({ body: i })) });
    const seen: unknown[] = [];
    let from = "";
    do {
      const page = await call("GET", `/v1/queues/${queue}/messages?limit=2${from}`);
      seen.push(...(page.json.messages ?? []).map(({ body }) => body));
      const { cursor } = page.json;
      from = typeof cursor === "string" ? `&from=${encodeURIComponent(cursor)}` : "";
    } while (from !== "");
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    const id = String(sent.json.messages?.[3]?.id);
    const found = await call("GET", `/v1/queues/${queue}/messages/${encodeURIComponent(id)}`);
    expect(found.json).toMatchObject({ id, body: 3, groups: { default: { state: "ready" } } });
    expect(await receive({ max: 10 })).toHaveLength(5);
    const leased = await call("GET", `/v1/queues/${queue}/messages/${encodeURIComponent(id)}`);
    expect(leased.json.groups).toMatchObject({ default: { state: "leased", receives: 1 } });
  });

  test("a purge drops what is there, and not what comes after", async () => {
    await send({ messages: [{ body: 1 }, { body: 2 }] });
    await receive();
    expect((await call("POST", `/v1/queues/${queue}/purge`)).status).toBe(204);
    await send({ body: 3 });
    expect(await drain(call, queue)).toEqual([3]);
  });

  test("after its last receive a message is dead-lettered, says why, and is redriven", async () => {
    const dead = newName("dead");
    await call("PUT", `/v1/queues/${dead}`, {});
    await call("PATCH", `/v1/queues/${queue}`, { maxReceives: 2, deadLetter: { queue: dead } });
    const source = newName("source");
    await call("PUT", `/v1/queues/${source}`, { maxReceives: 2, deadLetter: { queue: dead } });
    await call("POST", `/v1/queues/${source}/messages`, { body: "poison", headers: { a: "b" } });
    for (let i = 0; i < 2; i++) {
      const got = await call("POST", `/v1/queues/${source}/receive`, {});
      const list = got.json.messages?.map(({ receipt }) => receipt);
      await call("POST", `/v1/queues/${source}/release`, { receipts: list });
    }
    expect((await call("POST", `/v1/queues/${source}/receive`, {})).json.messages).toEqual([]);
    const buried = await call("POST", `/v1/queues/${dead}/receive`, {});
    expect(buried.json.messages).toMatchObject([
      {
        body: "poison",
        headers: { a: "b" },
        deadLetter: { reason: "maxReceives", queue: source, receives: 2 },
      },
    ]);
    await call("POST", `/v1/queues/${dead}/release`, {
      receipts: buried.json.messages?.map(({ receipt }) => receipt),
    });
    const moved = await call("POST", `/v1/queues/${dead}/redrive`, {});
    expect(moved.json).toEqual({ moved: 1, remaining: 0 });
    expect(await drain(call, source)).toEqual(["poison"]);
    expect(await drain(call, dead)).toEqual([]);
  });

  test("a queue-wide delay holds messages back", async () => {
    const slow = newName("slow");
    await call("PUT", `/v1/queues/${slow}`, { delaySeconds: 600 });
    await call("POST", `/v1/queues/${slow}/messages`, { body: 1 });
    expect((await call("POST", `/v1/queues/${slow}/receive`, {})).json.messages).toEqual([]);
    const { json } = await call("GET", `/v1/queues/${slow}`);
    expect(json.depth).toEqual({ ready: 0, leased: 0, delayed: 1 });
  });

  test("every answer has a request id of its own", async () => {
    const ids = [
      await call("GET", "/healthz"),
      await call("GET", "/v1/queues/missing"),
      await send("{"),
    ].map(({ headers }) => headers.get("x-request-id"));
    for (const id of ids) expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(new Set(ids).size).toBe(3);
  });

  test("many callers at once get every message exactly once", async () => {
    const total = 400;
    await Promise.all(Array.from({ length: total }, (_, i) => send({ body: i })));
    const bodies = (
      await Promise.all(Array.from({ length: 8 }, () => drain(call, queue, 20)))
    ).flat();
    expect(bodies.map(Number).sort((a, b) => a - b)).toEqual([...Array(total).keys()]);
  });
});
