/** Hunts for raw bodies that change, and for request headers or parameters that are ignored silently. */
import { expect, test } from "vitest";
import { fixture, utf8 } from "./face-fixture.ts";

test.each([
  ["text/plain", "text"],
  ["text/csv; charset=UTF-8", "text"],
  ['text/csv; header=present; charset="utf-8"', "text"],
  ["application/xml", "text"],
  ["image/svg+xml", "text"],
  ["application/cloudevents+json", "text"],
  ["application/x-www-form-urlencoded", "text"],
  ["text/plain; charset=iso-8859-1", "bytes"],
  ["application/octet-stream", "bytes"],
  ["application/jsonx", "bytes"],
])("a body of %s is %s, with its content type as it came", async (contentType, kind) => {
  const { call, sent } = fixture();
  const headers = { "content-type": contentType };
  const reply = await call("send", { headers, body: "a=b&c=ü\r\n" });
  await call("send", { headers, body: Buffer.from("a=b&c=ü\r\n") });
  expect([reply.status, reply.json()]).toEqual([201, { messages: [{ id: "id-0" }] }]);
  expect(sent()).toMatchObject([
    { kind, contentType, headers: {} },
    { kind, contentType },
  ]);
  expect(sent().map(({ body }) => utf8(body))).toEqual(["a=b&c=ü\r\n", "a=b&c=ü\r\n"]);
});

test("text that is no UTF-8 is kept as bytes", async () => {
  const { call, sent } = fixture();
  const body = Buffer.from([0xff, 0x61]);
  await call("send", { headers: { "content-type": "text/plain" }, body });
  expect(sent()[0]?.kind).toBe("bytes");
  expect(Buffer.from(sent()[0]?.body ?? [])).toEqual(body);
});

test("a byte order mark is part of a raw text", async () => {
  const { call, sent } = fixture();
  const body = Buffer.from("\ufeffx");
  await call("send", { headers: { "content-type": "text/plain" }, body });
  expect(Buffer.from(sent()[0]?.body ?? [])).toEqual(body);
});

test("without a content type it is an octet stream; an empty body is a message, too", async () => {
  const { call, sent } = fixture();
  expect((await call("send", {})).status).toBe(201);
  expect(sent()).toMatchObject([{ kind: "bytes", contentType: "application/octet-stream" }]);
  expect(sent()[0]?.body).toHaveLength(0);
});

test("headers come from x-lane-header-NAME, others stay out", async () => {
  const { call, sent } = fixture();
  await call("send", {
    headers: { "x-lane-header-trace": "a,b", "x-lane-header-constructor": "c", "x-other": "d" },
    body: "x",
  });
  expect(sent()[0]?.headers).toEqual({ trace: "a,b", constructor: "c" });
});

test.each([
  [
    "a header named __proto__",
    { headers: { "x-lane-header-__proto__": "x" } },
    "headers.__proto__",
  ],
  ["a header without a name", { headers: { "x-lane-header-": "x" } }, 'headers[""]'],
  ["a long header", { headers: { "x-lane-header-a": "x".repeat(16_384) } }, "headers"],
  ["a content type of no ASCII", { headers: { "content-type": "té/xt" } }, "headers.content-type"],
  ["an unknown parameter", { query: { colour: "red" } }, "query.colour"],
  ["a parameter of Object.prototype", { query: { toString: "x" } }, "query.toString"],
])("%s is refused", async (_, request, path) => {
  const { call, calls } = fixture();
  const reply = await call("send", { body: "x", ...request });
  expect(reply.fault()).toEqual([400, "invalid-request", path]);
  expect(calls).toEqual([]);
});

test.each(["application/json", "application/x-ndjson"])(
  "%s takes no parameters and no message headers beside its messages",
  async (type) => {
    const { call, calls } = fixture();
    const body = '{"body":1}';
    const at = { "content-type": type };
    const query = await call("send", { body, headers: at, query: { max: "1" } });
    expect(query.fault()).toEqual([400, "invalid-request", "query.max"]);
    const header = await call("send", { body, headers: { ...at, "x-lane-header-a": "b" } });
    expect(header.fault()).toEqual([400, "invalid-request", "headers.x-lane-header-a"]);
    expect(calls).toEqual([]);
  },
);
