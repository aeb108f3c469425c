/** Hunts: bodies that pass a schema unchecked, and invalid ones that are lost, or acked before they are safe. */
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import { broken, world } from "./fake.ts";
import type { Asked, Reply } from "./fake.ts";

const received = (body: unknown, id = "m1"): object => ({
  id,
  receipt: `receipt-${id}`,
  body,
  contentType: "application/json",
  headers: { kept: "yes" },
  sentAt: "",
  firstReceivedAt: "",
  receives: 1,
  leaseExpiresAt: "",
});

const service =
  (messages: readonly object[], send?: Reply) =>
  ({ path, body }: Asked): Reply => {
    if (path.endsWith("/receive")) return { json: { messages } };
    if (path.endsWith("/messages")) {
      const sent = body["messages"] as unknown[];
      return send ?? { status: 201, json: { messages: sent.map(() => ({ id: "x" })) } };
    }
    return { json: { results: [{ status: "done" }] } };
  };

describe.each([
  ["zod", z.object({ n: z.number() })],
  ["valibot", v.object({ n: v.number() })],
  ["arktype", type({ n: "number" })],
])("a schema of %s", (_library, schema) => {
  test("is checked before anything is sent", async () => {
    const { client, asked } = world(service([]));
    const queue = client.queue("q", { schema });
    await queue.send({ n: 1 });
    const bad = { n: "1" } as unknown as { n: number };
    await expect(queue.send(bad)).rejects.toMatchObject({
      code: "invalid-body",
      errors: [{ path: "n" }],
    });
    await expect(queue.producer().send(bad)).rejects.toMatchObject({ code: "invalid-body" });
    expect(asked.length).toBe(1);
  });

  test("types what is received, and lets through only what fits", async () => {
    const { client } = world(service([received({ n: 1 }), received({ n: "1" }, "m2")]));
    const messages = await client.queue("q", { schema }).receive();
    expectTypeOf(messages[0]?.body).toEqualTypeOf<{ n: number } | undefined>();
    expect(messages.map(({ body }) => body)).toEqual([{ n: 1 }]);
  });
});

test("a schema that transforms gets on both ends what it takes in", async () => {
  const schema = z.object({ at: z.iso.datetime().transform((text) => new Date(text)) });
  const { client, asked } = world(service([received({ at: "2026-01-31T12:00:00Z" })]));
  const queue = client.queue("q", { schema });
  await queue.send({ at: "2026-01-31T12:00:00Z" });
  expect(asked[0]?.body["messages"]).toEqual([{ body: { at: "2026-01-31T12:00:00Z" } }]);
  const [message] = await queue.receive();
  expect(message?.body.at.getTime()).toBe(Date.UTC(2026, 0, 31, 12));
});

describe("what does not fit", () => {
  const schema = z.object({ n: z.number() });

  test("is given back as a failed attempt, for the queue's own dead letters", async () => {
    const { client, asked } = world(service([received("no")]));
    expect(await client.queue("q", { schema }).receive()).toEqual([]);
    expect(asked.map(({ path }) => path)).toEqual(["/v1/queues/q/receive", "/v1/queues/q/release"]);
    expect(asked[1]?.body).toEqual({ receipts: ["receipt-m1"] });
  });

  test("goes to the queue of `onInvalid` with its reasons, and only then is it acked", async () => {
    const { client, asked } = world(service([received("no")]));
    await client.queue("q", { schema, onInvalid: { queue: "bad" } }).receive();
    expect(asked.map(({ path }) => path)).toEqual([
      "/v1/queues/q/receive",
      "/v1/queues/bad/messages",
      "/v1/queues/q/ack",
    ]);
    const [message] = (asked[1]?.body["messages"] ?? []) as { headers: Record<string, string> }[];
    expect(message).toMatchObject({
      body: "no",
      contentType: "application/json",
      headers: { kept: "yes", "lanemq-invalid-queue": "q", "lanemq-invalid-id": "m1" },
    });
    expect(message?.headers["lanemq-invalid"]).toContain("expected object");
  });

  test("is not acked when it could not be put there", async () => {
    const unknown = { error: { code: "outcome-unknown", detail: "", retryable: false } };
    const failing = service([received("no")], { status: 201, json: { messages: [unknown] } });
    const first = world(failing);
    const receiving = first.client.queue("q", { schema, onInvalid: { queue: "bad" } }).receive();
    await first.pass(60_000);
    await receiving;
    expect(first.asked.map(({ path }) => path)).not.toContain("/v1/queues/q/ack");
    expect(first.asked.at(-1)?.path).toBe("/v1/queues/q/release");

    const second = world((asked) =>
      asked.path.endsWith("/messages") ? broken() : service([received("no")])(asked),
    );
    const receive = second.client.queue("q", { schema, onInvalid: { queue: "bad" } }).receive();
    const failed = expect(receive).rejects.toMatchObject({ code: "unreachable" });
    await second.pass(60_000);
    await failed;
    expect(second.asked.map(({ path }) => path)).not.toContain("/v1/queues/q/ack");
  });
});

test("bytes are bytes on both ends", async () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, n) => n % 256);
  const text = Buffer.from(bytes).toString("base64");
  const { client, asked } = world(service([{ ...received(text), encoding: "base64" }]));
  const queue = client.queue("q");
  await queue.send(bytes, { contentType: "image/x" });
  expect(asked[0]?.body["messages"]).toEqual([
    { body: text, encoding: "base64", contentType: "image/x" },
  ]);
  const [message] = await queue.receive();
  expect(message?.body).toEqual(bytes);
  expect(message).not.toHaveProperty("encoding");
  await expect(queue.send(undefined)).rejects.toThrow("A body is text, bytes or JSON");
});
