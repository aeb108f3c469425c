/** Schedules on the wire: fields in, what is listed out, and cancelling. */
import { expect, test } from "vitest";
import { LaneError } from "../../src/core/errors.ts";
import { epochMs } from "../../src/core/types.ts";
import { fixture, NOW } from "./face-fixture.ts";

const ISO = "2026-01-02T03:04:05.006Z";

test("a delay or a time reaches the service, from JSON and from the query of a raw message", async () => {
  const { call, sent } = fixture();
  await call("send", { body: { messages: [{ body: 1, delaySeconds: 7 }, { body: 2 }] } });
  await call("send", { body: { body: 1, deliverAt: "2026-01-02T04:04:05.006+01:00" } });
  await call("send", { body: "raw", query: { delaySeconds: "9" } });
  await call("send", { body: "raw", query: { deliverAt: ISO } });
  expect(sent().map(({ delaySeconds, deliverAt }) => [delaySeconds, deliverAt])).toEqual([
    [7, undefined],
    [undefined, undefined],
    [undefined, NOW],
    [9, undefined],
    [undefined, NOW],
  ]);
});

test("the answer says when, and what was past", async () => {
  const { call } = fixture({
    send: async () => [{ id: "a", deliverAt: NOW }, { id: "b", isPast: true }, { id: "c" }],
  });
  const reply = await call("send", { body: { messages: [1, 2, 3].map((body) => ({ body })) } });
  expect(reply.json()["messages"]).toEqual([
    { id: "a", deliverAt: ISO },
    { id: "b", isPast: true },
    { id: "c" },
  ]);
});

test.each([
  [{ delaySeconds: -1 }, "messages[0].delaySeconds"],
  [{ delaySeconds: 1.5 }, "messages[0].delaySeconds"],
  [{ delaySeconds: "5" }, "messages[0].delaySeconds"],
  [{ delaySeconds: 31_536_001 }, "messages[0].delaySeconds"],
  [{ ttlSeconds: 0 }, "messages[0].ttlSeconds"],
  [{ ttlSeconds: 31_536_001 }, "messages[0].ttlSeconds"],
  [{ deliverAt: 1_800_000_000 }, "messages[0].deliverAt"],
  [{ deliverAt: "tomorrow" }, "messages[0].deliverAt"],
  [{ deliverAt: "2027-02-30T00:00:00Z" }, "messages[0].deliverAt"],
  [{ deliverAt: "2027-02-28T00:00:00" }, "messages[0].deliverAt"],
])("%j is refused by name", async (fields, path) => {
  const { call, sent } = fixture();
  const reply = await call("send", { body: { messages: [{ body: 1, ...fields }] } });
  expect(reply.fault()).toEqual([400, "invalid-request", path]);
  expect(sent()).toEqual([]);
});

test.each([
  ["delaySeconds", "soon"],
  ["delaySeconds", "1e3"],
  ["deliverAt", "soon"],
  ["ttlSeconds", "0"],
])("the parameter %s=%s is refused by name", async (name, value) => {
  const { call } = fixture();
  const reply = await call("send", { body: "raw", query: { [name]: value } });
  expect(reply.fault()).toEqual([400, "invalid-request", `query.${name}`]);
});

test("what is scheduled is listed with its time, and goes on behind its own cursor only", async () => {
  const message = {
    id: "abcdefghijkl-t0-mj2k7c00-0123456789",
    kind: "json" as const,
    body: Buffer.from("[1]"),
    contentType: "application/json",
    headers: {},
    sentAt: NOW,
    expiresAt: epochMs(NOW + 60_000),
    deliverAt: NOW,
  };
  const { call, calls } = fixture({
    listScheduled: async () => ({ messages: [message], next: "0001#tag" }),
  });
  const page = (await call("listScheduled", { query: { limit: "1" } })).json();
  expect(page["messages"]).toEqual([
    {
      id: message.id,
      body: [1],
      contentType: "application/json",
      headers: {},
      sentAt: ISO,
      expiresAt: "2026-01-02T03:05:05.006Z",
      deliverAt: ISO,
    },
  ]);
  const cursor = String(page["cursor"]);
  await call("listScheduled", { query: { cursor } });
  expect(calls.map(({ args }) => args[1])).toEqual([
    { limit: 1 },
    { limit: 100, after: "0001#tag" },
  ]);
  const elsewhere = await call("listScheduled", { queue: "other", query: { cursor } });
  expect(elsewhere.fault()).toEqual([400, "invalid-request", "cursor"]);
  const made = await call("listScheduled", { query: { limit: "0" } });
  expect(made.fault()).toEqual([400, "invalid-request", "limit"]);
});

test("cancelling answers 204, and 409 when it is too late", async () => {
  const asked: unknown[] = [];
  const { call } = fixture({
    cancelScheduled: async (queue, id) => {
      asked.push([queue, id]);
      if (asked.length > 1) throw new LaneError("not-cancellable", "Too late.");
    },
  });
  expect((await call("cancelScheduled", { id: "a" })).status).toBe(204);
  expect((await call("cancelScheduled", { id: "a" })).fault()).toEqual([
    409,
    "not-cancellable",
    undefined,
  ]);
  expect(asked[0]).toEqual(["orders", "a"]);
});
