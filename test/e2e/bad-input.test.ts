/**
 * Each kind of bad input, end to end: a clear error with its stable code, and nothing lost: after every
 * test, what was in the queue before is still in it, and nothing else.
 */
import { createGzip, gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Local } from "../../src/local/runtime.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { caller, drain, newName, start, type Call, type Reply } from "./local-service.ts";

let local: Local;
let call: Call;
let queue: string;

beforeAll(async () => {
  local = await start({ relaxed: false });
  call = caller(local.url);
});
afterAll(() => local.close());
beforeEach(async () => {
  queue = newName();
  await call("PUT", `/v1/queues/${queue}`, {});
  await call("POST", `/v1/queues/${queue}/messages`, { body: "kept" });
});
afterEach(async () => {
  expect(await drain(call, queue)).toEqual(["kept"]);
});

const send = (body: unknown, headers?: Record<string, string>): Promise<Reply> =>
  call("POST", `/v1/queues/${queue}/messages`, body, headers);

function expectProblem(reply: Reply, status: number, code: string, path?: string): void {
  expect({ status: reply.status, code: reply.json.code }).toEqual({ status, code });
  expect(reply.headers.get("content-type")).toBe("application/problem+json");
  expect(reply.json).toMatchObject({
    status,
    type: expect.stringContaining(code),
    title: expect.any(String),
    detail: expect.any(String),
    retryable: expect.any(Boolean),
  });
  if (path !== undefined) expect(reply.json.errors?.map((error) => error.path)).toContain(path);
}

describe("a send", () => {
  test.each([
    ["malformed JSON", "{", ""],
    ["no JSON object", "[]", ""],
    ["NaN", '{"body":NaN}', ""],
    ["Infinity", '{"body":Infinity}', ""],
    ["an empty batch", { messages: [] }, "messages"],
    ["a batch that is no array", { messages: {} }, "messages"],
    [
      "too many messages",
      { messages: Array.from({ length: 1_001 }, () => ({ body: 1 })) },
      "messages",
    ],
    ["an unknown field", { body: 1, bodi: 2 }, "bodi"],
    [
      "an unknown field in a batch",
      { messages: [{ body: 1 }, { body: 1, x: 1 }] },
      "messages[1].x",
    ],
    ["a priority out of range", { body: 1, priority: 10 }, "priority"],
    ["a priority on a queue without", { body: 1, priority: 1 }, "messages[0].priority"],
    ["a tenant that is too long", { body: 1, tenant: "t".repeat(129) }, "tenant"],
    ["a delay of more than a year", { body: 1, delaySeconds: 31_536_001 }, "delaySeconds"],
    ["a time without a zone", { body: 1, deliverAt: "2030-01-31T12:00:00" }, "deliverAt"],
    ["an empty dedup id", { body: 1, dedupId: "" }, "dedupId"],
    [
      "a dedup id that is too long",
      { messages: [{ body: 1 }, { body: 1, dedupId: "d".repeat(129) }] },
      "messages[1].dedupId",
    ],
    ["no body", { headers: {} }, "body"],
    ["a header that is no string", { body: 1, headers: { a: 1 } }, "headers.a"],
    ["a header named __proto__", '{"body":1,"headers":{"__proto__":"x"}}', "headers.__proto__"],
    ["a field named __proto__", '{"body":1,"__proto__":{}}', "__proto__"],
    ["a lone surrogate in a text", '{"body":"\\ud800"}', "body"],
    ["a lone surrogate in a JSON body", '{"body":{"a":["\\udc00x"]}}', "body.a[0]"],
    ["a lone surrogate in a header", '{"body":1,"headers":{"a":"\\ud800"}}', "headers.a"],
    ["bad base64", { body: "a", encoding: "base64" }, "body"],
    ["an unknown encoding", { body: "a", encoding: "hex" }, "encoding"],
  ])("with %s is refused", async (_what, body, path) => {
    const reply = await send(body);
    expectProblem(reply, 400, "invalid-request");
    if (path !== "") expectProblem(reply, 400, "invalid-request", path);
  });

  test("whose UTF-8 is broken is refused", async () => {
    const broken = Buffer.from('{"body":"x"}');
    broken[9] = 0xff;
    expectProblem(await send(broken), 400, "invalid-request");
  });

  test("of one bad message among good ones stores none of them", async () => {
    const messages = [{ body: 1 }, { body: 2, headers: { a: 5 } }, { body: 3 }];
    expectProblem(await send({ messages }), 400, "invalid-request", "messages[1].headers.a");
  });

  test("of a message above a mebibyte is 413", async () => {
    const body = "x".repeat(LIMITS.messageBytes + 1);
    expectProblem(await send({ body }), 413, "message-too-large");
  });

  test("above the queue's own limit is 413", async () => {
    await call("PATCH", `/v1/queues/${queue}`, { maxMessageBytes: 10 });
    expectProblem(await send({ body: "x".repeat(11) }), 413, "message-too-large");
  });

  test("above 4 MiB is 413 before it is parsed, above 10 MB by the gateway", async () => {
    const reply = await send("{".repeat(LIMITS.requestBytes + 1));
    expectProblem(reply, 413, "request-too-large");
    const larger = await send(Buffer.alloc(LIMITS.gatewayBytes + 1));
    expect([larger.status, larger.text]).toEqual([413, '{"message":"Request Entity Too Large"}']);
  });

  test("that unpacks to more than 4 MiB is 413", async () => {
    const bomb = await new Promise<Buffer>((resolve, reject) => {
      const gzip = createGzip();
      const chunks: Buffer[] = [];
      gzip.on("data", (chunk: Buffer) => chunks.push(chunk));
      gzip.on("end", () => resolve(Buffer.concat(chunks)));
      gzip.on("error", reject);
      for (let i = 0; i < 64; i++) gzip.write(Buffer.alloc(4 * 1024 * 1024));
      gzip.end();
    });
    expect(bomb.length).toBeLessThan(1_000_000);
    const reply = await send(bomb, { "content-encoding": "gzip" });
    expectProblem(reply, 413, "request-too-large");
  });

  test("with an unknown content encoding is 415, with broken gzip refused", async () => {
    expectProblem(await send("x", { "content-encoding": "br" }), 415, "unsupported-media-type");
    const packed = gzipSync('{"body":1}').subarray(0, 15);
    expectProblem(await send(packed, { "content-encoding": "gzip" }), 400, "invalid-request");
  });

  test("with an Idempotency-Key of another request is 422", async () => {
    const other = newName();
    await call("PUT", `/v1/queues/${other}`, {});
    const to = `/v1/queues/${other}/messages`;
    const headers = { "idempotency-key": "k" };
    expect((await call("POST", to, { body: 1 }, headers)).status).toBe(201);
    const reply = await call("POST", to, { body: 2 }, headers);
    expectProblem(reply, 422, "idempotency-key-reused", "headers.idempotency-key");
    expect(await drain(call, other)).toEqual([1]);
  });

  test("with an Idempotency-Key that is too long is refused", async () => {
    const reply = await send({ body: 1 }, { "idempotency-key": "k".repeat(129) });
    expectProblem(reply, 400, "invalid-request", "headers.idempotency-key");
  });
});

describe("a receive", () => {
  test.each([
    [{ max: 0 }, "max"],
    [{ max: 1_001 }, "max"],
    [{ max: 1.5 }, "max"],
    [{ max: "1" }, "max"],
    [{ max: null }, "max"],
    [{ waitSeconds: 21 }, "waitSeconds"],
    [{ waitSeconds: -1 }, "waitSeconds"],
    [{ leaseSeconds: 43_201 }, "leaseSeconds"],
    [{ lease: 1 }, "lease"],
  ])("of %j is refused", async (request, path) => {
    const reply = await call("POST", `/v1/queues/${queue}/receive`, request);
    expectProblem(reply, 400, "invalid-request", path);
  });

  test("for another group is 404", async () => {
    const reply = await call("POST", `/v1/queues/${queue}/receive`, { group: "other" });
    expectProblem(reply, 404, "group-not-found");
  });
});

describe("receipts", () => {
  const leased = async (name: string): Promise<string> => {
    const { json } = await call("POST", `/v1/queues/${name}/receive`, { leaseSeconds: 0 });
    return json.messages?.[0]?.receipt ?? "";
  };

  test.each(["ack", "release", "extend"])("that are forged, cut or foreign: %s", async (verb) => {
    const receipt = await leased(queue);
    const other = newName("other");
    await call("PUT", `/v1/queues/${other}`, {});
    await call("POST", `/v1/queues/${other}/messages`, { body: "other" });
    const foreign = await leased(other);
    const last = receipt.at(-1) === "A" ? "B" : "A";
    const middle = Math.floor(receipt.length / 2);
    const flipped = receipt[middle] === "A" ? "B" : "A";
    const bad = [
      "",
      "nonsense",
      receipt.slice(0, -1),
      `${receipt}A`,
      receipt.slice(0, middle) + flipped + receipt.slice(middle + 1),
      `${receipt.slice(0, -2)}${last}${last}`,
      foreign,
      "x".repeat(100_000),
    ];
    const more = verb === "extend" ? { leaseSeconds: 5 } : {};
    for (const receipts of [bad, ...bad.map((one) => [one])]) {
      const reply = await call("POST", `/v1/queues/${queue}/${verb}`, { receipts, ...more });
      expectProblem(reply, 400, "receipt-invalid");
    }
    const mixed = await call("POST", `/v1/queues/${queue}/${verb}`, {
      receipts: ["nonsense", foreign, receipt],
      ...more,
    });
    expect(mixed.status).toBe(200);
    expect(mixed.json.results?.slice(0, 2)).toEqual([{ status: "invalid" }, { status: "invalid" }]);
    expect(mixed.json.results?.[2]?.status).not.toBe("invalid");
    // What was acked, or kept for 5 s, goes back for the check after each test.
    await call("POST", `/v1/queues/${queue}/purge`);
    await send({ body: "kept" });
    expect(await drain(call, other)).toEqual(["other"]);
  });

  test.each([
    [{}, "receipts"],
    [{ receipts: [] }, "receipts"],
    [{ receipts: [1] }, "receipts[0]"],
    [{ receipts: Array(1_001).fill("x") }, "receipts"],
    [{ receipts: ["x"], force: true }, "force"],
  ])("as in %j are refused", async (request, path) => {
    const reply = await call("POST", `/v1/queues/${queue}/ack`, request);
    expectProblem(reply, 400, "invalid-request", path);
  });

  test("of a deleted queue find no queue", async () => {
    const gone = newName("gone");
    await call("PUT", `/v1/queues/${gone}`, {});
    await call("POST", `/v1/queues/${gone}/messages`, { body: 1 });
    const receipt = await leased(gone);
    await call("DELETE", `/v1/queues/${gone}`);
    const reply = await call("POST", `/v1/queues/${gone}/ack`, { receipts: [receipt] });
    expect([reply.status, reply.json.code]).toEqual([404, "queue-not-found"]);
  });
});

describe("a queue", () => {
  test.each(["a b", "a/b", "ä", "a".repeat(81), "a%00b", "__proto__!"])(
    "of the name %j is refused",
    async (name) => {
      const path = `/v1/queues/${encodeURIComponent(name)}`;
      expectProblem(await call("PUT", path, {}), 400, "invalid-request", "queue");
      expectProblem(await call("GET", path), 400, "invalid-request", "queue");
    },
  );

  test("that is missing is 404 for every call", async () => {
    const path = "/v1/queues/missing";
    const receipts = ["x"];
    for (const [method, at, body] of [
      ["GET", "", undefined],
      ["PATCH", "", {}],
      ["DELETE", "", undefined],
      ["POST", "/messages", { body: 1 }],
      ["POST", "/receive", {}],
      ["POST", "/ack", { receipts }],
      ["POST", "/release", { receipts }],
      ["POST", "/extend", { receipts, leaseSeconds: 1 }],
      ["POST", "/purge", undefined],
      ["POST", "/redrive", {}],
      ["GET", "/messages", undefined],
      ["GET", "/messages/x", undefined],
    ] as const)
      expectProblem(await call(method, `${path}${at}`, body), 404, "queue-not-found");
  });

  test("deleted a moment ago cannot be made again yet", async () => {
    const name = newName("recent");
    await call("PUT", `/v1/queues/${name}`, {});
    await call("DELETE", `/v1/queues/${name}`);
    const reply = await call("PUT", `/v1/queues/${name}`, {});
    expectProblem(reply, 409, "queue-recently-deleted");
    expect(reply.json.retryable).toBe(true);
  });

  test.each([
    [{ leaseSeconds: -1 }, "leaseSeconds"],
    [{ leaseSeconds: 43_201 }, "leaseSeconds"],
    [{ retentionSeconds: 59 }, "retentionSeconds"],
    [{ retentionSeconds: 365 * 86_400 + 1 }, "retentionSeconds"],
    [{ maxReceives: 0 }, "maxReceives"],
    [{ maxReceives: true }, "maxReceives"],
    [{ lanes: 257 }, "lanes"],
    [{ lanes: "many" }, "lanes"],
    [{ dedup: { windowSeconds: 604_801 } }, "dedup.windowSeconds"],
    [{ dedup: { scope: "all" } }, "dedup.scope"],
    [{ priorities: "most" }, "priorities"],
    [{ tags: { a: 1 } }, "tags.a"],
    [{ tags: [] }, "tags"],
    [{ eraseOnAck: "yes" }, "eraseOnAck"],
    [{ deadLetter: {} }, "deadLetter"],
    [{ deadLetter: { queue: "a b" } }, "deadLetter.queue"],
    [{ deadLetter: { exchange: "e f" } }, "deadLetter.exchange"],
    [{ leesSeconds: 5 }, "leesSeconds"],
  ])("with the settings %j is refused", async (settings, path) => {
    const reply = await call("PUT", `/v1/queues/${newName()}`, settings);
    expectProblem(reply, 400, "invalid-request", path);
    expectProblem(
      await call("PATCH", `/v1/queues/${queue}`, settings),
      400,
      "invalid-request",
      path,
    );
  });

  test("cannot dead-letter to a missing queue, to itself, or round in a circle", async () => {
    const [a, b, c] = [newName("a"), newName("b"), newName("c")];
    const to = (name: string) => ({ maxReceives: 1, deadLetter: { queue: name } });
    expectProblem(await call("PUT", `/v1/queues/${a}`, to("missing")), 404, "queue-not-found");
    expectProblem(await call("PUT", `/v1/queues/${a}`, to(a)), 400, "invalid-request");
    await call("PUT", `/v1/queues/${c}`, {});
    await call("PUT", `/v1/queues/${b}`, to(c));
    await call("PUT", `/v1/queues/${a}`, to(b));
    expectProblem(await call("PATCH", `/v1/queues/${c}`, to(a)), 409, "queue-conflict");
  });

  test("that others dead-letter to cannot be deleted", async () => {
    const [dead, source] = [newName("dead"), newName("source")];
    await call("PUT", `/v1/queues/${dead}`, {});
    await call("PUT", `/v1/queues/${source}`, { maxReceives: 1, deadLetter: { queue: dead } });
    expectProblem(await call("DELETE", `/v1/queues/${dead}`), 409, "queue-conflict");
    await call("PATCH", `/v1/queues/${source}`, { maxReceives: null, deadLetter: null });
    expect((await call("DELETE", `/v1/queues/${dead}`)).status).toBe(204);
  });
});

describe("what names a place", () => {
  test("a page cursor that was changed, or is of elsewhere, is refused", async () => {
    await send({ messages: [{ body: 1 }, { body: 2 }] });
    const page = await call("GET", `/v1/queues/${queue}/messages?limit=1`);
    const cursor = String(page.json.cursor);
    const at = Math.floor(cursor.length / 2);
    const changed = cursor.slice(0, at) + (cursor[at] === "A" ? "B" : "A") + cursor.slice(at + 1);
    for (const from of [changed, "x", cursor.slice(0, -1)])
      expectProblem(
        await call("GET", `/v1/queues/${queue}/messages?from=${encodeURIComponent(from)}`),
        400,
        "invalid-request",
      );
    const other = newName("other");
    await call("PUT", `/v1/queues/${other}`, {});
    expectProblem(
      await call("GET", `/v1/queues/${other}/messages?from=${encodeURIComponent(cursor)}`),
      400,
      "invalid-request",
    );
    expectProblem(await call("GET", "/v1/queues?cursor=x"), 400, "invalid-request");
    await call("POST", `/v1/queues/${queue}/purge`);
    await send({ body: "kept" });
  });

  test.each(["x", "a%2Fb", "..%2F..", "%00", "é"])("message id %s is 404", async (id) => {
    const reply = await call("GET", `/v1/queues/${queue}/messages/${id}`);
    expectProblem(reply, 404, "message-not-found");
  });

  test.each(["limit=0", "limit=1001", "limit=x", "limit=1.5", "lane=-1", "pages=2"])(
    "the query %s is refused",
    async (query) => {
      expectProblem(
        await call("GET", `/v1/queues/${queue}/messages?${query}`),
        400,
        "invalid-request",
      );
    },
  );
});
