/** Hunts for bodies that change on their way in, and for bad messages that get through or are lost silently. */
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { fixture, JSON_TYPE, utf8 } from "./face-fixture.ts";

const NDJSON = { "content-type": "application/x-ndjson" };

describe("what is sent arrives as it was written", () => {
  test("a string is text, with a default content type", async () => {
    const { call, sent } = fixture();
    const reply = await call("send", { body: { body: "häl\u0000lo 😀" } });
    expect([reply.status, reply.json()]).toEqual([201, { messages: [{ id: "id-0" }] }]);
    expect(sent()).toMatchObject([
      { kind: "text", contentType: "text/plain; charset=utf-8", headers: {} },
    ]);
    expect(utf8(sent()[0]?.body)).toBe("häl\u0000lo 😀");
  });

  test("a base64 string is bytes", async () => {
    const { call, sent } = fixture();
    await call("send", { body: { body: "AP8=", encoding: "base64", contentType: "image/x" } });
    expect(sent()[0]).toMatchObject({ kind: "bytes", contentType: "image/x" });
    expect([...(sent()[0]?.body ?? [])]).toEqual([0, 255]);
  });

  test.each([
    ["an object", '{"b":1,"a":[ 1 , 2.50 ],"n":12345678901234567890.10}'],
    [
      "a number that a double cannot hold",
      "0.1000000000000000055511151231257827021181583404541015625",
    ],
    ["a number beyond every double", "1e400"],
    ["null", "null"],
    ["false", "false"],
    ["an empty array", "[]"],
    ["a __proto__ key", '{"__proto__":{"x":1},"constructor":2}'],
    ["duplicate keys", '{"a":1,"a":2}'],
    ["escapes", '{"a\\u0062":"\\/\\ud83d\\ude00 }]\\""}'],
  ])("JSON is kept as its own text: %s", async (_, value) => {
    const { call, sent } = fixture();
    const one = `{"headers":{"x":"{\\"body\\":1}"}, "body" : ${value} }`;
    await call("send", { headers: JSON_TYPE, body: one });
    await call("send", { headers: JSON_TYPE, body: `{"messages":[{"body":"t"}, ${one}]}` });
    await call("send", { headers: NDJSON, body: `{"body":"t"}\r\n${one}\n` });
    expect(sent().map(({ kind, body }) => [kind, utf8(body)])).toEqual([
      ["json", value],
      ["text", "t"],
      ["json", value],
      ["text", "t"],
      ["json", value],
    ]);
    expect(sent()[0]?.contentType).toBe("application/json");
  });

  test("of a repeated body the last one counts, however its key is spelt", async () => {
    const { call, sent } = fixture();
    await call("send", { headers: JSON_TYPE, body: '{"body":{"a":1},"bo\\u0064y":{"b":2}}' });
    expect(utf8(sent()[0]?.body)).toBe('{"b":2}');
  });

  test("headers keep their names, also those of Object.prototype", async () => {
    const headers = { toString: "a", constructor: "b", Ünï: "\u0001" };
    const { call, sent } = fixture();
    await call("send", { body: { body: 1, headers } });
    expect(sent()[0]?.headers).toEqual({ toString: "a", constructor: "b", Ünï: "\u0001" });
  });

  test("gzip is unpacked, for JSON and for a raw body", async () => {
    const { call, sent } = fixture();
    const gzip = { "content-encoding": "gzip" };
    const body = gzipSync('{"body":"packed"}');
    await call("send", { headers: { ...JSON_TYPE, ...gzip }, body });
    await call("send", { headers: { "content-type": "text/plain", ...gzip }, body });
    expect(sent().map((message) => utf8(message.body))).toEqual(["packed", '{"body":"packed"}']);
  });

  test("a byte order mark before JSON is no error", async () => {
    const { call, sent } = fixture();
    await call("send", { headers: JSON_TYPE, body: Buffer.from('\ufeff{"body":[1]}') });
    expect(utf8(sent()[0]?.body)).toBe("[1]");
  });

  test.each(["[", '{"a":'])("nesting of any depth is kept: %s", async (open) => {
    const depth = 100_000;
    const value = `${open.repeat(depth)}1${(open === "[" ? "]" : "}").repeat(depth)}`;
    const { call, sent } = fixture();
    await call("send", { headers: JSON_TYPE, body: `{"body":${value}}` });
    expect(utf8(sent()[0]?.body)).toBe(value);
  });

  test("a thousand messages are taken", async () => {
    const { call, sent } = fixture();
    const messages = Array.from({ length: 1000 }, (_, body) => ({ body }));
    expect((await call("send", { body: { messages } })).status).toBe(201);
    expect(utf8(sent()[999]?.body)).toBe("999");
  });
});

describe("a message that is not valid is refused by its path, and nothing is sent", () => {
  const wide = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`h${i}`, ""]));
  test.each<[string, unknown, string]>([
    ["no body", {}, "body"],
    ["an unknown field", { body: 1, bodi: 2 }, "bodi"],
    ["a field of Object.prototype", { body: 1, constructor: 2 }, "constructor"],
    ["a content type that is no string", { body: 1, contentType: 5 }, "contentType"],
    ["an empty content type", { body: 1, contentType: "" }, "contentType"],
    ["a content type with a line break", { body: 1, contentType: "a\r\nb: c" }, "contentType"],
    ["a long content type", { body: 1, contentType: "x".repeat(257) }, "contentType"],
    ["an unknown encoding", { body: "x", encoding: "hex" }, "encoding"],
    ["base64 of no string", { body: 1, encoding: "base64" }, "body"],
    ["base64 with white space", { body: "AP8=\n", encoding: "base64" }, "body"],
    ["base64 without padding", { body: "AP8", encoding: "base64" }, "body"],
    ["base64 with stray bits", { body: "AP9=", encoding: "base64" }, "body"],
    ["base64 in the alphabet of URLs", { body: "_-__", encoding: "base64" }, "body"],
    ["headers that are an array", { body: 1, headers: ["a"] }, "headers"],
    ["headers that are null", { body: 1, headers: null }, "headers"],
    ["a header that is a number", { body: 1, headers: { ok: "x", n: 1 } }, "headers.n"],
    ["a header without a name", { body: 1, headers: { "": "x" } }, 'headers[""]'],
    [
      "a long header name",
      { body: 1, headers: { ["é".repeat(129)]: "" } },
      `headers["${"é".repeat(60)}…"]`,
    ],
    ["too many headers", { body: 1, headers: wide }, "headers"],
    ["headers of too many bytes", { body: 1, headers: { a: "é".repeat(8192) } }, "headers"],
    ["half a surrogate pair in text", { body: "a\ud800" }, "body"],
    ["half a surrogate pair in JSON", { body: { a: ["\udc00"] } }, "body.a[0]"],
    ["half a surrogate pair in a key", { body: { "\ud800": 1 } }, 'body["�"]'],
    ["half a surrogate pair in a header", { body: 1, headers: { a: "\ud800x" } }, "headers.a"],
    ["two high halves", { body: "\ud83d\ud83d\ude00" }, "body"],
    ["a message that is null", null, ""],
    ["a message that is an array", [], ""],
    ["a message that is a number", 5, ""],
    ["a message that is a string", "x", ""],
  ])("%s", async (_, message, path) => {
    const { call, calls } = fixture();
    const alone = await call("send", { headers: JSON_TYPE, body: JSON.stringify(message) });
    const batch = await call("send", { body: { messages: [{ body: "fine" }, message] } });
    const inBatch = path === "" ? "messages[1]" : `messages[1].${path}`;
    expect(alone.fault()).toEqual([400, "invalid-request", path]);
    expect(batch.fault()).toEqual([400, "invalid-request", inBatch]);
    expect(calls).toEqual([]);
  });

  test.each([
    ["a __proto__ field", '{"body":1,"__proto__":{"contentType":"x"}}', "__proto__"],
    ["a __proto__ header", '{"body":1,"headers":{"__proto__":"x"}}', "headers.__proto__"],
    ["a lone half in what a later key hides", '{"body":{"a":"\\ud800","a":1}}', ""],
    ["a lone half after an escaped backslash", '{"body":"\\\\\\ud800"}', "body"],
    ["NaN", '{"body":NaN}', ""],
    ["Infinity", '{"body":-Infinity}', ""],
    ["JSON that ends early", '{"body":', ""],
    ["nothing", "", ""],
    ["a trailing comma", '{"body":1,}', ""],
  ])("%s", async (_, body, path) => {
    const { call, calls } = fixture();
    const reply = await call("send", { headers: JSON_TYPE, body });
    expect(reply.fault()).toEqual([400, "invalid-request", path]);
    expect(calls).toEqual([]);
  });

  test("an escaped backslash before ud800 is no surrogate", async () => {
    const { call, sent } = fixture();
    await call("send", { headers: JSON_TYPE, body: '{"body":{"a":"\\\\ud800"}}' });
    expect(utf8(sent()[0]?.body)).toBe('{"a":"\\\\ud800"}');
  });

  test.each([
    ["messages that are no array", { messages: {} }, "messages"],
    ["an empty batch", { messages: [] }, "messages"],
    [
      "too many messages",
      { messages: Array.from({ length: 1001 }, () => ({ body: 1 })) },
      "messages",
    ],
    ["a field beside messages", { messages: [{ body: 1 }], body: 2 }, "body"],
  ])("%s", async (_, body, path) => {
    const { call, calls } = fixture();
    expect((await call("send", { body })).fault()).toEqual([400, "invalid-request", path]);
    expect(calls).toEqual([]);
  });

  test("every finding of a batch is reported", async () => {
    const { call } = fixture();
    const reply = await call("send", { body: { messages: [{ body: 1, x: 1 }, { body: 2 }, {}] } });
    expect(reply.json()["errors"]).toEqual([
      { path: "messages[0].x", message: "is not a known field" },
      { path: "messages[2].body", message: "is required" },
    ]);
  });

  test.each([
    ["an empty NDJSON", "", "messages"],
    ["a broken line", '{"body":1}\n{"body":\n', "messages[1]"],
    ["a blank line between", '{"body":1}\n\n{"body":2}', "messages[1]"],
    ["a lone half", '{"body":1}\n{"body":["\\udc00"]}', "messages[1].body[0]"],
    ["a batch in a line", '{"messages":[{"body":1}]}', "messages[0].messages"],
  ])("%s", async (_, body, path) => {
    const { call, calls } = fixture();
    const reply = await call("send", { headers: NDJSON, body });
    expect(reply.fault()).toEqual([400, "invalid-request", path]);
    expect(calls).toEqual([]);
  });
});

describe("the fields beside the content", () => {
  test.each([
    ["key", "käy", "käy"],
    ["dedupId", "d".repeat(128), "d".repeat(128)],
    ["priority", 9, "9"],
    ["tenant", "äcme", "äcme"],
  ])("%s, in JSON and as a parameter of a raw body", async (field, value, text) => {
    const { call, sent } = fixture();
    await call("send", { body: { messages: [{ body: 1, [field]: value }, { body: 2 }] } });
    await call("send", { body: "raw", query: { [field]: text } });
    expect(sent().map((message) => message[field as "key"])).toEqual([value, undefined, value]);
  });

  test.each([
    ["key", ""],
    ["key", "k".repeat(129)],
    ["key", 5],
    ["key", "\ud800"],
    ["priority", -1],
    ["priority", 10],
    ["priority", 1.5],
    ["priority", "high"],
    ["tenant", ""],
    ["tenant", "t".repeat(129)],
    ["tenant", 5],
    ["dedupId", ""],
    ["dedupId", "d".repeat(129)],
    ["dedupId", 5],
  ])("%s must not be %j", async (field, value) => {
    const { call, calls } = fixture();
    const json = await call("send", { body: { messages: [{ body: 1, [field]: value }] } });
    expect(json.fault()).toEqual([400, "invalid-request", `messages[0].${field}`]);
    expect(calls).toEqual([]);
  });
});

describe("Idempotency-Key", () => {
  test("is passed on with the messages, raw or not", async () => {
    const { call, calls } = fixture();
    const headers = { "idempotency-key": "order 7" };
    for (const body of [{ body: 1 }, "raw"]) await call("send", { headers, body });
    expect(calls.map(({ args }) => args[2])).toEqual([
      { idempotencyKey: "order 7" },
      { idempotencyKey: "order 7" },
    ]);
  });

  test.each([[""], ["k".repeat(129)], ["käy"], ["a\tb"]])("must not be %j", async (key) => {
    const { call, calls } = fixture();
    const reply = await call("send", { headers: { "idempotency-key": key }, body: { body: 1 } });
    expect(reply.fault()).toEqual([400, "invalid-request", "headers.idempotency-key"]);
    expect(calls).toEqual([]);
  });
});

describe("what became of the messages", () => {
  const error = { code: "throttled" as const, detail: "slow down", retryable: true };

  test("some stored: 201, each with its own result", async () => {
    const { call } = fixture({
      send: async () => [{ id: "a" }, { error }, { id: "b", duplicate: true }],
    });
    const reply = await call("send", {
      body: { messages: [{ body: 1 }, { body: 2 }, { body: 3 }] },
    });
    expect(reply.status).toBe(201);
    expect(reply.json()).toEqual({
      messages: [{ id: "a" }, { error }, { id: "b", duplicate: true }],
    });
  });

  test("none stored: the error itself, with Retry-After", async () => {
    const { call } = fixture({ send: async () => [{ error }] });
    const reply = await call("send", { body: { body: 1 } });
    expect([reply.status, reply.headers["retry-after"]]).toEqual([503, "1"]);
    expect(reply.json()).toMatchObject({ code: "throttled", retryable: true, detail: "slow down" });
  });

  test("none surely stored, one perhaps: outcome-unknown, never 'nothing was changed'", async () => {
    const unknown = { code: "outcome-unknown" as const, detail: "no reply", retryable: false };
    const { call } = fixture({ send: async () => [{ error }, { error: unknown }] });
    const reply = await call("send", { body: { messages: [{ body: 1 }, { body: 2 }] } });
    expect(reply.json()).toMatchObject({
      code: "outcome-unknown",
      retryable: false,
      messages: [{ error }, { error: unknown }],
    });
  });
});
