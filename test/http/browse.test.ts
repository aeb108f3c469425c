/** Hunts for cursors that point elsewhere than they did, and for a state that is told wrongly. */
import { expect, test } from "vitest";
import { epochMs, laneId } from "../../src/core/types.ts";
import type { MessageView } from "../../src/service/api.ts";
import { fixture, NOW } from "./face-fixture.ts";

const view = (kind: MessageView["kind"], body: string): MessageView => ({
  id: "abcdefghijkl-1-2",
  kind,
  body: Buffer.from(body),
  contentType: "x/y",
  headers: {},
  sentAt: NOW,
  expiresAt: epochMs(NOW + 60_000),
});

test("a message looked up shows its state per group, with times", async () => {
  const { call, calls } = fixture({
    lookUp: async () => ({
      ...view("json", "[1]"),
      groups: {
        default: { state: "leased", leaseExpiresAt: NOW, receives: 2 },
        late: { state: "delayed", visibleAt: NOW },
        done: { state: "acked" },
      },
    }),
  });
  const reply = await call("lookUp", { id: "abcdefghijkl-1-2" });
  expect(calls[0]?.args).toEqual(["orders", "abcdefghijkl-1-2"]);
  expect(reply.json()).toEqual({
    id: "abcdefghijkl-1-2",
    body: [1],
    contentType: "x/y",
    headers: {},
    sentAt: "2026-01-02T03:04:05.006Z",
    expiresAt: "2026-01-02T03:05:05.006Z",
    groups: {
      default: { state: "leased", leaseExpiresAt: "2026-01-02T03:04:05.006Z", receives: 2 },
      late: { state: "delayed", visibleAt: "2026-01-02T03:04:05.006Z" },
      done: { state: "acked" },
    },
  });
});

test("browse goes on from its own cursor or from a message id", async () => {
  const next = { lane: laneId(3), offset: 1.7e15 };
  const { call, calls } = fixture({
    browse: async () => ({ messages: [view("text", "x")], next }),
  });
  const first = await call("browse", { query: { limit: "5" } });
  const cursor = String(first.json()["cursor"]);
  await call("browse", { query: { from: cursor } });
  await call("browse", { query: { from: "abcdefghijkl-1-2", lane: "1" } });
  expect(calls.map(({ args }) => args[1])).toEqual([
    { limit: 5 },
    { limit: 100, from: next },
    { limit: 100, lane: 1, from: { queueId: "abcdefghijkl", lane: 1, offset: 2 } },
  ]);
  expect(first.json()["messages"]).toEqual([
    {
      id: "abcdefghijkl-1-2",
      body: "x",
      contentType: "x/y",
      headers: {},
      sentAt: "2026-01-02T03:04:05.006Z",
      expiresAt: "2026-01-02T03:05:05.006Z",
    },
  ]);

  const flipped = `${cursor.slice(0, 4)}${cursor[4] === "A" ? "B" : "A"}${cursor.slice(5)}`;
  for (const from of [flipped, cursor.slice(0, -1), `${cursor}A`, "c.", "nonsense"]) {
    expect((await call("browse", { query: { from } })).fault()).toEqual([
      400,
      "invalid-request",
      "from",
    ]);
  }
  // Of another queue, or of another filter, it would point anywhere.
  expect((await call("browse", { queue: "other", query: { from: cursor } })).status).toBe(400);
  expect((await call("browse", { query: { from: cursor, lane: "3" } })).status).toBe(400);
});

test.each([
  [{ limit: "0" }, "limit"],
  [{ limit: "1001" }, "limit"],
  [{ limit: "1e2" }, "limit"],
  [{ limit: "5,6" }, "limit"],
  [{ limit: "" }, "limit"],
  [{ lane: "-1" }, "lane"],
  [{ from: "" }, "from"],
  [{ form: "x" }, "form"],
])("browse refuses %j", async (query, path) => {
  const { call, calls } = fixture();
  expect((await call("browse", { query })).fault()).toEqual([400, "invalid-request", path]);
  expect(calls).toEqual([]);
});
