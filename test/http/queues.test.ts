/** Hunts for settings that are dropped, bent or taken out of range, and for pages that skip or leak queues. */
import { describe, expect, test } from "vitest";
import { queueName } from "../../src/core/types.ts";
import type { Service } from "../../src/service/api.ts";
import { fixture, NOW, queueView, SETTINGS } from "./face-fixture.ts";

const FULL = {
  leaseSeconds: 0,
  retentionSeconds: 31_536_000,
  delaySeconds: 43_200,
  waitSeconds: 20,
  maxReceives: 3,
  deadLetter: { queue: "dead" },
  maxMessageBytes: 1,
  eraseOnAck: true,
  lanes: 256,
  onExpired: "deadLetter",
  backoff: { initialSeconds: 1, factor: 1.5, maxSeconds: 43_200, jitter: 1 },
  dedup: { scope: "key", windowSeconds: 604_800, contentBased: true },
  tags: { team: "", constructor: "x" },
};

describe("settings", () => {
  test("PUT and PATCH pass on exactly what was given", async () => {
    const { call, calls } = fixture();
    for (const body of [
      undefined,
      {},
      FULL,
      { maxReceives: null, deadLetter: null, backoff: null, lanes: "auto", dedup: null },
    ]) {
      expect((await call("putQueue", { body })).status).toBe(201);
      expect((await call("patchQueue", { body })).status).toBe(200);
      const given = body ?? {};
      expect(calls.splice(0)).toEqual([
        { method: "putQueue", args: ["orders", given] },
        { method: "patchQueue", args: ["orders", given] },
      ]);
    }
  });

  test("an update answers 200 and the queue", async () => {
    const queue = queueView("orders");
    const { call } = fixture({ putQueue: async () => ({ created: false, queue }) });
    const reply = await call("putQueue", {});
    expect([reply.status, reply.json()]).toEqual([
      200,
      {
        name: "orders",
        settings: SETTINGS,
        createdAt: "2026-01-02T03:04:05.006Z",
        depth: { ready: 3, leased: 2, delayed: 1 },
        oldestReadyAgeSeconds: 7,
        lanes: 1,
      },
    ]);
  });

  test("of a back-off, what is not given takes its default", async () => {
    const { call, calls } = fixture();
    await call("patchQueue", { body: { backoff: { initialSeconds: 5 } } });
    expect(calls[0]?.args[1]).toEqual({
      backoff: { initialSeconds: 5, factor: 2, maxSeconds: 43_200, jitter: 0 },
    });
  });

  test("of dedup, what is not given takes its default", async () => {
    const { call, calls } = fixture();
    await call("patchQueue", { body: { dedup: { windowSeconds: 60 } } });
    expect(calls[0]?.args[1]).toEqual({
      dedup: { scope: "queue", windowSeconds: 60, contentBased: false },
    });
  });

  test.each([
    [{ leaseSeconds: 43_201 }, "leaseSeconds"],
    [{ leaseSeconds: -1 }, "leaseSeconds"],
    [{ leaseSeconds: "30" }, "leaseSeconds"],
    [{ leaseSeconds: null }, "leaseSeconds"],
    [{ retentionSeconds: 59 }, "retentionSeconds"],
    [{ retentionSeconds: 31_536_001 }, "retentionSeconds"],
    [{ delaySeconds: 0.5 }, "delaySeconds"],
    [{ waitSeconds: 21 }, "waitSeconds"],
    [{ maxReceives: 0 }, "maxReceives"],
    [{ maxReceives: 1001 }, "maxReceives"],
    [{ deadLetter: "dead" }, "deadLetter"],
    [{ deadLetter: [] }, "deadLetter"],
    [{ deadLetter: { exchange: "x", routingKey: "é".repeat(128) } }, "deadLetter.routingKey"],
    [{ deadLetter: { exchange: "x", queue: "y" } }, "deadLetter"],
    [{ deadLetter: { queue: "y", routingKey: "z" } }, "deadLetter"],
    [{ deadLetter: { queue: "a b" } }, "deadLetter.queue"],
    [{ deadLetter: { queue: "a", extra: 1 } }, "deadLetter.extra"],
    [{ maxMessageBytes: 1_048_577 }, "maxMessageBytes"],
    [{ eraseOnAck: 1 }, "eraseOnAck"],
    [{ lanes: 0 }, "lanes"],
    [{ lanes: 257 }, "lanes"],
    [{ lanes: "many" }, "lanes"],
    [{ onExpired: "keep" }, "onExpired"],
    [{ onExpired: true }, "onExpired"],
    [{ backoff: 5 }, "backoff"],
    [{ backoff: {} }, "backoff.initialSeconds"],
    [{ backoff: { initialSeconds: 0 } }, "backoff.initialSeconds"],
    [{ backoff: { initialSeconds: 1.5 } }, "backoff.initialSeconds"],
    [{ backoff: { initialSeconds: 1, factor: 0.9 } }, "backoff.factor"],
    [{ backoff: { initialSeconds: 1, factor: 11 } }, "backoff.factor"],
    [{ backoff: { initialSeconds: 1, maxSeconds: 43_201 } }, "backoff.maxSeconds"],
    [{ backoff: { initialSeconds: 1, jitter: 1.1 } }, "backoff.jitter"],
    [{ backoff: { initialSeconds: 1, seconds: 1 } }, "backoff.seconds"],
    [{ priorities: true }, "priorities"],
    [{ priorities: "fair" }, "priorities"],
    [{ dedup: true }, "dedup"],
    [{ dedup: { scope: "lane" } }, "dedup.scope"],
    [{ dedup: { windowSeconds: 59 } }, "dedup.windowSeconds"],
    [{ dedup: { windowSeconds: 604_801 } }, "dedup.windowSeconds"],
    [{ dedup: { contentBased: 1 } }, "dedup.contentBased"],
    [{ dedup: { window: 60 } }, "dedup.window"],
    [{ tags: ["a"] }, "tags"],
    [{ tags: { a: 1 } }, "tags.a"],
    [{ tags: { "": "x" } }, 'tags[""]'],
    [{ tags: { a: "x".repeat(257) } }, "tags.a"],
    [{ tags: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [i, ""])) }, "tags"],
    [{ retention: 60 }, "retention"],
    [{ constructor: {} }, "constructor"],
    [{ tags: { a: "\ud800" } }, "tags.a"],
  ])("%j is refused", async (body, path) => {
    const { call, calls } = fixture();
    for (const operation of ["putQueue", "patchQueue"] as const) {
      expect((await call(operation, { body })).fault()).toEqual([400, "invalid-request", path]);
    }
    expect(calls).toEqual([]);
  });

  test.each([
    ['{"__proto__":{"leaseSeconds":5}}', "__proto__"],
    ['{"tags":{"__proto__":"x"}}', "tags.__proto__"],
    ['{"deadLetter":{"queue":"a","__proto__":{}}}', "deadLetter.__proto__"],
  ])("%s is refused", async (body, path) => {
    const { call, calls } = fixture();
    expect((await call("putQueue", { body })).fault()).toEqual([400, "invalid-request", path]);
    expect(calls).toEqual([]);
  });
});

test.each(["", "a b", "é", "a/b", "x".repeat(81), "a\n", "__proto__ "])(
  "the name %j is refused by every call",
  async (queue) => {
    const { call, calls } = fixture();
    for (const operation of ["putQueue", "getQueue", "send", "receive", "ack", "browse"] as const) {
      expect((await call(operation, { queue, body: "{}" })).fault()).toEqual([
        400,
        "invalid-request",
        "queue",
      ]);
    }
    expect(calls).toEqual([]);
  },
);

test("a name may be __proto__, or anything else of its characters", async () => {
  const { call } = fixture();
  expect((await call("getQueue", { queue: "__proto__" })).json()["name"]).toBe("__proto__");
});

test("delete and purge answer 204 without a body; purge takes no fields", async () => {
  const { call, calls } = fixture();
  for (const operation of ["deleteQueue", "purgeQueue"] as const) {
    const reply = await call(operation, {});
    expect([reply.status, reply.text]).toEqual([204, ""]);
  }
  expect((await call("purgeQueue", { body: { before: 1 } })).fault()[2]).toBe("before");
  expect(calls.map(({ method }) => method)).toEqual(["deleteQueue", "purgeQueue"]);
});

test("redrive", async () => {
  const { call, calls } = fixture();
  expect((await call("redrive", {})).json()).toEqual({ moved: 2, remaining: 1 });
  await call("redrive", { body: { to: "other", max: 5 } });
  expect(calls.map(({ args }) => args[1])).toEqual([{}, { to: "other", max: 5 }]);
  expect((await call("redrive", { body: { to: "a b" } })).fault()[2]).toBe("to");
  expect((await call("redrive", { body: { max: 0 } })).fault()[2]).toBe("max");
});

const NAMES = ["a-1", "a-2", "b-1", "c-1", "c-2", "c-3", "d-1"];

/** Pages over NAMES, as the catalog does. */
const listQueues: Service["listQueues"] = async ({ prefix = "", limit, after = "" }) => {
  const rest = NAMES.filter((name) => name.startsWith(prefix) && name > after);
  const queues = rest.slice(0, limit).map((name) => ({
    name: queueName(name),
    settings: SETTINGS,
    createdAt: NOW,
  }));
  const last = queues.at(-1);
  return { queues, ...(rest.length > limit && last ? { next: last.name } : {}) };
};

const walk = async (
  call: ReturnType<typeof fixture>["call"],
  query: Record<string, string>,
  headers: Record<string, string> = {},
) => {
  const pages: string[][] = [];
  let cursor: Record<string, string> = {};
  do {
    const reply = await call("listQueues", { query: { ...query, ...cursor }, headers });
    const page = reply.json() as { queues: { name: string }[]; cursor?: string };
    pages.push(page.queues.map(({ name }) => name));
    cursor = page.cursor === undefined ? {} : { cursor: page.cursor };
  } while (cursor["cursor"] !== undefined);
  return pages;
};

describe("listing", () => {
  test("pages cover every queue once, and the last one has no cursor", async () => {
    const { call } = fixture({ listQueues });
    expect(await walk(call, { limit: "3" })).toEqual([
      NAMES.slice(0, 3),
      NAMES.slice(3, 6),
      ["d-1"],
    ]);
    expect(await walk(call, { limit: "7" })).toEqual([NAMES]);
    expect(await walk(call, { prefix: "c", limit: "2" })).toEqual([["c-1", "c-2"], ["c-3"]]);
    expect(await walk(call, { prefix: "x" })).toEqual([[]]);
  });

  test("a key sees its own queues only, in full pages", async () => {
    const key = {
      id: "k",
      name: "k",
      createdAt: NOW,
      scopes: [
        { actions: ["send" as const], queues: "a-*" },
        { actions: ["browse" as const], queues: "*-3" },
      ],
    };
    const { call } = fixture(
      { listQueues, authenticate: async () => key },
      { auth: { mode: "deployed" } },
    );
    const headers = { authorization: "Bearer s" };
    expect(await walk(call, { limit: "2" }, headers)).toEqual([["a-1", "a-2"], ["c-3"]]);
    expect(await walk(call, { limit: "3" }, headers)).toEqual([["a-1", "a-2", "c-3"]]);
    expect(await walk(call, { limit: "1" }, headers)).toEqual([["a-1"], ["a-2"], ["c-3"]]);
  });

  test("a cursor that was changed, or is of another prefix, is refused", async () => {
    const { call } = fixture({ listQueues });
    const cursor = String((await call("listQueues", { query: { limit: "1" } })).json()["cursor"]);
    const forged = `c.${Buffer.from("zzz").toString("base64url")}`;
    for (const bad of [forged, cursor.slice(0, -2), `${cursor}=`, cursor.toUpperCase(), "x"]) {
      const reply = await call("listQueues", { query: { cursor: bad } });
      expect(reply.fault()).toEqual([400, "invalid-request", "cursor"]);
    }
    const reply = await call("listQueues", { query: { cursor, prefix: "a" } });
    expect(reply.fault()).toEqual([400, "invalid-request", "cursor"]);
  });
});
