/** Hunts for bodies that cost more than their caps allow, or are decoded to something else than was sent. */
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { fixture, JSON_TYPE } from "./face-fixture.ts";

describe("sizes are checked before anything is parsed", () => {
  test.each<[string, Record<string, string>, string | Buffer]>([
    ["text", JSON_TYPE, "x".repeat(LIMITS.requestBytes + 1)],
    ["text of fewer characters than bytes", JSON_TYPE, "é".repeat(LIMITS.requestBytes / 2 + 1)],
    ["bytes", {}, Buffer.alloc(LIMITS.requestBytes + 1)],
    [
      "what gzip unpacks to",
      { ...JSON_TYPE, "content-encoding": "gzip" },
      gzipSync(Buffer.alloc(LIMITS.requestBytes + 1)),
    ],
    [
      "a compression bomb",
      { "content-encoding": "gzip" },
      gzipSync(Buffer.alloc(64 * 1024 * 1024)),
    ],
  ])("%s over the cap is 413", async (_, headers, body) => {
    const { call, calls } = fixture();
    expect((await call("send", { headers, body })).fault()[1]).toBe("request-too-large");
    expect((await call("send", { headers, body })).status).toBe(413);
    expect(calls).toEqual([]);
  });

  test("a body of exactly the cap is parsed", async () => {
    const { call, sent } = fixture();
    const frame = '{"messages":[]}';
    const message = `{"body":"${"x".repeat(1_000_000)}"}`;
    const messages = [message, message, message, message].join(",");
    const pad = " ".repeat(LIMITS.requestBytes - frame.length - messages.length);
    const body = Buffer.from(`{"messages":[${messages}${pad}]}`);
    expect(body.length).toBe(LIMITS.requestBytes);
    expect((await call("send", { headers: JSON_TYPE, body })).status).toBe(201);
    expect(sent()).toHaveLength(4);
  });

  test("a message of a mebibyte is taken, one byte more is named", async () => {
    const { call, sent } = fixture();
    const fits = "x".repeat(LIMITS.messageBytes);
    expect((await call("send", { body: { body: fits } })).status).toBe(201);
    const reply = await call("send", { body: { messages: [{ body: 1 }, { body: `${fits}x` }] } });
    expect(reply.fault()).toEqual([413, "message-too-large", "messages[1].body"]);
    const raw = await call("send", { body: `${fits}x` });
    expect(raw.fault()).toEqual([413, "message-too-large", "body"]);
    expect(sent()).toHaveLength(1);
  });
});

describe("encodings", () => {
  test.each(["br", "deflate", "gzip, gzip", "zstd"])("%s is 415", async (encoding) => {
    const { call, calls } = fixture();
    const headers = { ...JSON_TYPE, "content-encoding": encoding };
    const reply = await call("send", { headers, body: '{"body":1}' });
    expect(reply.fault()).toEqual([415, "unsupported-media-type", undefined]);
    expect(calls).toEqual([]);
  });

  test.each([
    ["no gzip at all", Buffer.from('{"body":1}')],
    ["gzip cut short", gzipSync('{"body":"0123456789"}').subarray(0, 25)],
  ])("%s is refused", async (_, body) => {
    const { call } = fixture();
    const reply = await call("send", {
      headers: { ...JSON_TYPE, "content-encoding": "gzip" },
      body,
    });
    expect(reply.fault()).toEqual([400, "invalid-request", undefined]);
  });

  test("JSON in another charset is 415, broken UTF-8 is refused", async () => {
    const { call, calls } = fixture();
    const latin = await call("send", {
      headers: { "content-type": "application/json; charset=iso-8859-1" },
      body: '{"body":1}',
    });
    const broken = Buffer.concat([
      Buffer.from('{"body":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"}'),
    ]);
    expect(latin.fault()).toEqual([415, "unsupported-media-type", undefined]);
    const reply = await call("send", { headers: JSON_TYPE, body: broken });
    expect(reply.fault()).toEqual([400, "invalid-request", undefined]);
    expect(calls).toEqual([]);
  });
});
