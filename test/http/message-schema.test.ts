/** Hunts for differences between the hand-written check of messages and the schema that is documented. */
import * as fc from "fast-check";
import * as v from "valibot";
import { expect, test } from "vitest";
import { outgoingMessage, sendRequest } from "../../src/http/schemas/messages.ts";
import { fixture, JSON_TYPE } from "./face-fixture.ts";

const junk = fc.oneof(
  fc.constantFrom(null, true, 0, 1.5, "", "base64", "text/plain", "AP8=", "tab\there", "é"),
  fc.constantFrom(
    [],
    ["a"],
    {},
    { a: "b" },
    { a: 1 },
    { a: null },
    "x".repeat(256),
    "x".repeat(257),
    31_536_001,
    "2030-02-30T12:00:00Z",
  ),
);

/** Mostly `good`. */
const orJunk = (...good: unknown[]) =>
  fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: junk });

const field = fc.constantFrom(
  "body",
  "contentType",
  "encoding",
  "headers",
  "key",
  "delaySeconds",
  "deliverAt",
  "dedupId",
  "priority",
  "tenant",
  "ttlSeconds",
  "bodi",
  "messages",
);

const message = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record(
      {
        body: orJunk("AP8=", "", 5, null),
        contentType: orJunk("a/b"),
        encoding: orJunk("base64"),
        headers: orJunk({}, { a: "b" }),
        key: orJunk("k", "é", "k".repeat(128)),
        ttlSeconds: orJunk(1, 60),
        delaySeconds: orJunk(0, 31_536_000),
        deliverAt: orJunk("2030-01-31T12:00:00Z", "2030-01-31T12:00+01:00"),
        dedupId: orJunk("d", "d".repeat(128)),
        priority: orJunk(0, 9),
        tenant: orJunk("t", "t".repeat(128)),
      },
      { requiredKeys: [] },
    ),
  },
  { weight: 2, arbitrary: fc.dictionary(field, junk, { maxKeys: 4 }) },
  { weight: 1, arbitrary: junk },
);

/** Rules that the schema has no words for: base64 is valid, and stands on a string. */
const isSound = (value: unknown): boolean => {
  const { body, encoding } = (value ?? {}) as { body?: unknown; encoding?: unknown };
  if (encoding === undefined) return true;
  return typeof body === "string" && Buffer.from(body, "base64").toString("base64") === body;
};

test("one message passes exactly if the schema takes it and its base64 is sound", async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(message, async (value) => {
      const expected = v.is(outgoingMessage, value) && isSound(value);
      const { call } = fixture();
      const batch = await call("send", {
        headers: JSON_TYPE,
        body: JSON.stringify({ messages: [value] }),
      });
      expect(batch.status).toBe(expected ? 201 : 400);
      if (expected) taken++;
    }),
    { numRuns: 3000 },
  );
  expect(taken).toBeGreaterThan(300);
});

test("a request passes exactly if the schema takes it", async () => {
  const request = fc.oneof(
    message,
    fc.record({ messages: fc.oneof(fc.array(message, { maxLength: 3 }), junk) }),
    fc.record({ messages: fc.array(message, { maxLength: 2 }), extra: junk }),
  );
  await fc.assert(
    fc.asyncProperty(request, async (value) => {
      const all = (value as { messages?: unknown } | null)?.messages;
      const sound = Array.isArray(all) ? all.every(isSound) : isSound(value);
      const { call } = fixture();
      const reply = await call("send", { headers: JSON_TYPE, body: JSON.stringify(value) });
      expect(reply.status).toBe(v.is(sendRequest, value) && sound ? 201 : 400);
    }),
    { numRuns: 2000 },
  );
});
