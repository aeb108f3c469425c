/** Hunts for answers that change a body, break JSON, or outgrow what Lambda may return. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import type { DeadLetterInfo, OutgoingMessage } from "../../src/core/message.ts";
import { epochMs } from "../../src/core/types.ts";
import { wireBytes } from "../../src/core/wire-size.ts";
import type { ReceivedMessage } from "../../src/service/api.ts";
import { fixture, NOW, receivedMessage } from "./face-fixture.ts";

const message = (
  kind: OutgoingMessage["kind"],
  body: string | Uint8Array,
  more: Partial<OutgoingMessage> = {},
): ReceivedMessage =>
  receivedMessage({ kind, body: Buffer.from(body), contentType: "x/y", headers: {}, ...more });

const receive = async (...messages: ReceivedMessage[]) => {
  const { call } = fixture({ receive: async () => messages });
  return call("receive", {});
};

const only = (reply: { json(): Record<string, unknown> }): Record<string, unknown> =>
  (reply.json()["messages"] as Record<string, unknown>[])[0] ?? {};

/** The largest that the service can make: every optional part, at its longest. */
const fullest = (one: ReceivedMessage): ReceivedMessage => ({
  ...one,
  id: "a".repeat(40),
  place: "b".repeat(40),
  receipt: "r".repeat(LIMITS.receiptChars),
  deadLetter: {
    reason: "maxReceives",
    queue: "q".repeat(80),
    queueId: "i".repeat(12),
    group: "g".repeat(80),
    lane: 2 ** 32,
    offset: Number.MAX_SAFE_INTEGER,
    receives: 1000,
    firstReceivedAt: NOW,
    deadLetteredAt: epochMs(NOW + 2000),
  } satisfies DeadLetterInfo,
});

describe("a received message", () => {
  test("has every field, with its times in ISO 8601", async () => {
    const reply = await receive(message("text", "hé\n", { headers: { a: "b" } }));
    expect(reply.status).toBe(200);
    expect(reply.headers).toEqual({
      "content-type": "application/json",
      "x-request-id": "request-1",
    });
    expect(reply.json()).toEqual({
      messages: [
        {
          id: "abcdefghijkl-1-2",
          receipt: "receipt-1",
          body: "hé\n",
          contentType: "x/y",
          headers: { a: "b" },
          sentAt: "2026-01-02T03:04:05.006Z",
          firstReceivedAt: "2026-01-02T03:04:06.006Z",
          receives: 1,
          leaseExpiresAt: "2026-01-02T03:04:35.006Z",
        },
      ],
    });
  });

  test("says where it was dead-lettered from, and not the queue's inner id", async () => {
    const reply = await receive(fullest(message("text", "x")));
    expect(only(reply)["deadLetter"]).toEqual({
      reason: "maxReceives",
      queue: "q".repeat(80),
      group: "g".repeat(80),
      lane: 2 ** 32,
      offset: Number.MAX_SAFE_INTEGER,
      receives: 1000,
      firstReceivedAt: "2026-01-02T03:04:05.006Z",
      deadLetteredAt: "2026-01-02T03:04:07.006Z",
    });
  });

  test("has its JSON body in the very text that was sent", async () => {
    const text = '{"n":12345678901234567890.10, "__proto__":[1e400]}';
    expect((await receive(message("json", text))).text).toContain(`"body":${text},`);
  });

  test("has bytes in base64", async () => {
    expect(only(await receive(message("bytes", Uint8Array.of(0, 255))))).toMatchObject({
      body: "AP8=",
      encoding: "base64",
    });
  });

  test("has text in base64 once escaping would make it larger, and says so", async () => {
    const controls = "\u0001".repeat(1000);
    const quotes = '"'.repeat(1000);
    expect(only(await receive(message("text", controls)))).toMatchObject({
      body: Buffer.from(controls).toString("base64"),
      encoding: "base64",
    });
    expect(only(await receive(message("text", quotes)))["encoding"]).toBe("base64");
    const few = `${"x".repeat(900)}${'"'.repeat(100)}`;
    const plain = only(await receive(message("text", few)));
    expect([plain["body"], plain["encoding"]]).toEqual([few, undefined]);
  });
});

const anyMessage = fc
  .record({
    kind: fc.constantFrom("text" as const, "bytes" as const),
    text: fc.string({
      unit: fc.oneof(
        fc.constantFrom('"', "\\", "\u0001", "\n", "é", "😀"),
        fc.string({ minLength: 1, maxLength: 1, unit: "grapheme" }),
      ),
      maxLength: 400,
    }),
    headers: fc.dictionary(
      fc.string({ unit: "binary", maxLength: 8 }).filter((name) => name !== "__proto__"),
      fc.string({ unit: "binary", maxLength: 8 }),
    ),
    contentType: fc.string({ maxLength: 20 }),
  })
  .map(({ kind, text, ...rest }) => message(kind, text, rest));

test("whatever a message holds, it is read back the same, and is no larger than wireBytes says", async () => {
  await fc.assert(
    fc.asyncProperty(anyMessage, async (one) => {
      const full = fullest(one);
      const reply = await receive(full);
      const seen = only(reply);
      const bytes = Buffer.from(
        String(seen["body"]),
        seen["encoding"] === "base64" ? "base64" : "utf8",
      );
      expect(bytes).toEqual(Buffer.from(one.body));
      expect(seen["headers"]).toEqual({ ...one.headers });
      expect(seen["contentType"]).toBe(one.contentType);
      const frame = '{"messages":[]}'.length;
      expect(Buffer.byteLength(reply.text) - frame).toBeLessThanOrEqual(wireBytes(one));
    }),
    { numRuns: 500 },
  );
});

test.each([
  ["a short text", "\u0001".repeat(256), {}],
  ["a header", "", { a: "\u0001".repeat(4096) }],
  ["a header name", "", { ["\u0001".repeat(256)]: "" }],
  ["quotes in a header", "", { a: '"'.repeat(4096) }],
])("wireBytes counts what escaping adds to %s", async (_, body, headers) => {
  const one = message("text", body, { headers });
  const reply = await receive(fullest(one));
  expect(Buffer.byteLength(reply.text)).toBeLessThanOrEqual(wireBytes(one));
});

test("wireBytes also bounds JSON bodies and messages of a mebibyte, without wasting a tenth", () => {
  for (const kind of ["json", "text", "bytes"] as const) {
    const bytes = wireBytes(message(kind, "x".repeat(LIMITS.messageBytes)));
    const wire = kind === "bytes" ? (LIMITS.messageBytes * 4) / 3 : LIMITS.messageBytes;
    expect(bytes).toBeGreaterThan(wire);
    expect(bytes).toBeLessThan(wire * 1.01);
  }
});

describe("a Lambda result stays within 6 MB", () => {
  const resultBytes = async (one: ReceivedMessage): Promise<[number, boolean]> => {
    const { face } = fixture({ receive: async () => [one] });
    const { eventOf } = await import("./face-fixture.ts");
    const result = await face(eventOf("receive", {}));
    return [Buffer.byteLength(JSON.stringify(result)), result.isBase64Encoded ?? false];
  };

  test.each([
    ["JSON full of quotes", `[${'"",'.repeat(1_450_000)}0]`, true],
    ["JSON full of line breaks", `[${"\n".repeat(4_400_000)}0]`, true],
    ["JSON of digits", `[${"12345678,".repeat(480_000)}0]`, false],
    ["JSON of many-byte characters", `"${"é\\".repeat(1)}\\${"é".repeat(2_150_000)}"`, false],
  ])("%s", async (_, body, isBase64Encoded) => {
    const [bytes, isBase64] = await resultBytes(message("json", body));
    expect(isBase64).toBe(isBase64Encoded);
    expect(bytes).toBeLessThan(6 * 1024 * 1024);
  });
});

describe("a receive request", () => {
  test("has its defaults", async () => {
    const { call, calls } = fixture();
    expect((await call("receive", {})).json()).toEqual({ messages: [] });
    await call("receive", {
      body: { max: 10, waitSeconds: 20, leaseSeconds: 0, group: "default" },
    });
    expect(calls.map(({ args }) => args)).toEqual([
      ["orders", { max: 1, group: "default" }],
      ["orders", { max: 10, waitSeconds: 20, leaseSeconds: 0, group: "default" }],
    ]);
  });

  test.each([
    [{ max: 0 }, "max"],
    [{ max: 1001 }, "max"],
    [{ max: 1.5 }, "max"],
    [{ max: "1" }, "max"],
    [{ max: null }, "max"],
    [{ waitSeconds: 21 }, "waitSeconds"],
    [{ waitSeconds: -1 }, "waitSeconds"],
    [{ leaseSeconds: 43_201 }, "leaseSeconds"],
    [{ leaseSeconds: true }, "leaseSeconds"],
    [{ group: 1 }, "group"],
    [{ limit: 1 }, "limit"],
    [{ constructor: 1 }, "constructor"],
  ])("%j is refused", async (body, path) => {
    const { call, calls } = fixture();
    expect((await call("receive", { body })).fault()).toEqual([400, "invalid-request", path]);
    expect(calls).toEqual([]);
  });

  test.each([
    ['{"max":1e400}', [400, "invalid-request", "max"]],
    ['{"__proto__":1}', [400, "invalid-request", "__proto__"]],
    ["[]", [400, "invalid-request", ""]],
    ["null", [400, "invalid-request", ""]],
    ['{"max":NaN}', [400, "invalid-request", ""]],
  ])("%s is refused", async (body, fault) => {
    const { call } = fixture();
    expect((await call("receive", { body })).fault()).toEqual(fault);
  });

  test("a body that does not say it is JSON is 415", async () => {
    const { call } = fixture();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    expect((await call("receive", { headers, body: '{"max":1}' })).fault()[0]).toBe(415);
  });

  test("names the group that it is for", async () => {
    const { call, calls } = fixture();
    expect((await call("receive", { body: { group: "audit" } })).status).toBe(200);
    expect(calls[0]?.args[1]).toMatchObject({ group: "audit" });
    const refused = await call("receive", { body: { group: "no/name" } });
    expect(refused.fault()).toEqual([400, "invalid-request", "group"]);
  });
});
