/** Hunts for exchanges, bindings and publishes that are taken though they mean nothing. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { queueName } from "../../src/core/types.ts";
import type { Service } from "../../src/service/api.ts";
import { exchangeOf, fixture, NOW } from "./face-fixture.ts";

describe("exchanges", () => {
  test("come with their defaults, and without what is ours alone", async () => {
    const { call, calls } = fixture();
    const reply = await call("putExchange", { body: { type: "fanout" } });
    expect([reply.status, reply.json()]).toEqual([
      201,
      {
        name: "events",
        settings: { type: "fanout", alternate: null, mandatory: false },
        createdAt: "2026-01-02T03:04:05.006Z",
      },
    ]);
    expect(calls).toEqual([
      {
        method: "putExchange",
        args: ["events", { type: "fanout", alternate: null, mandatory: false }],
      },
    ]);
  });

  test.each([
    [{}, "type"],
    [{ type: "Topic" }, "type"],
    [{ type: "x-delayed-message" }, "type"],
    [{ type: "balance", by: "round-robin" }, "by"],
    [{ type: "direct", alternate: "no name" }, "alternate"],
    [{ type: "direct", mandatory: "yes" }, "mandatory"],
    [{ type: "direct", durable: true }, "durable"],
    [{ type: "balance", by: "hash", hashHeader: "" }, "hashHeader"],
  ])("%j is refused", async (body, path) => {
    const { call, calls } = fixture();
    expect((await call("putExchange", { body })).fault()).toEqual([400, "invalid-request", path]);
    expect(calls).toEqual([]);
  });

  test("a name that is none is refused", async () => {
    const { call } = fixture();
    const reply = await call("getExchange", { exchange: "a b" });
    expect(reply.fault()).toEqual([400, "invalid-request", "exchange"]);
  });

  test("are listed in pages; a key sees its own only", async () => {
    const names = ["a", "b", "mine-1", "c", "mine-2", "mine-3"];
    const listExchanges: Service["listExchanges"] = async ({ limit, after }) => {
      const from = after === undefined ? 0 : names.indexOf(after) + 1;
      const exchanges = names.slice(from, from + limit).map((name) => exchangeOf(name));
      const last = exchanges.at(-1);
      return from + limit < names.length && last !== undefined
        ? { exchanges, next: last.name }
        : { exchanges };
    };
    const authenticate = async () => ({
      id: "k",
      name: "k",
      scopes: [{ actions: ["send" as const], exchanges: "mine-*" }],
      createdAt: NOW,
    });
    const { call } = fixture({ listExchanges, authenticate }, { auth: { mode: "deployed" } });
    const page = async (cursor?: string) =>
      (
        await call("listExchanges", {
          query: { limit: "2", ...(cursor === undefined ? {} : { cursor }) },
          headers: { authorization: "Bearer k" },
        })
      ).json();
    const namesOf = ({ exchanges }: Record<string, unknown>) =>
      (exchanges as { name: string }[]).map(({ name }) => name);
    const first = await page();
    expect(namesOf(first)).toEqual(["mine-1", "mine-2"]);
    const second = await page(first["cursor"] as string);
    expect([namesOf(second), second["cursor"]]).toEqual([["mine-3"], undefined]);
  });
});

describe("bindings", () => {
  test("are passed on as they were given", async () => {
    const { call, calls } = fixture();
    const body = {
      queue: "orders",
      headers: { kind: "pdf", note: null },
      match: "any",
      filter: { body: { a: [1] } },
      transform: { setHeaders: { a: "b" }, removeHeaders: ["c"], body: "/a/0" },
    };
    const reply = await call("putBinding", { id: "b-1", body });
    expect([reply.status, reply.json()]).toEqual([201, { id: "b-1", ...body }]);
    expect(calls).toEqual([{ method: "putBinding", args: ["events", "b-1", body] }]);
  });

  const to = { queue: "orders" };
  test.each([
    [{}, ""],
    [{ queue: "a", exchange: "b" }, ""],
    [{ queue: "no name" }, "queue"],
    [{ ...to, routingKey: 5 }, "routingKey"],
    [{ ...to, routingKey: "é".repeat(128) }, "routingKey"],
    [{ ...to, headers: ["a"] }, "headers"],
    [{ ...to, headers: { size: 5 } }, "headers.size"],
    [{ ...to, headers: { deep: {} } }, "headers.deep"],
    [{ ...to, headers: { "": "x" } }, 'headers[""]'],
    [{ ...to, match: "some" }, "match"],
    [{ ...to, filter: "a = 1" }, "filter"],
    [{ ...to, weight: -1 }, "weight"],
    [{ ...to, weight: 1.5 }, "weight"],
    [{ ...to, weight: 1_001 }, "weight"],
    [{ ...to, transform: { body: "a.b" } }, "transform.body"],
    [{ ...to, transform: { body: "/a~b" } }, "transform.body"],
    [{ ...to, transform: { setHeaders: { a: 1 } } }, "transform.setHeaders"],
    [{ ...to, transform: { removeHeaders: "a" } }, "transform.removeHeaders"],
    [{ ...to, transform: { code: "…" } }, "transform.code"],
    [{ ...to, priority: 1 }, "priority"],
  ])("%j is refused", async (body, path) => {
    const { call, calls } = fixture();
    expect((await call("putBinding", { id: "b", body })).fault()).toEqual([
      400,
      "invalid-request",
      path,
    ]);
    expect(calls).toEqual([]);
  });

  test.each(["", "a b", "a/b", "x".repeat(81), "é"])("id %j is refused", async (id) => {
    const { call } = fixture();
    for (const operation of ["putBinding", "getBinding", "deleteBinding"] as const) {
      const reply = await call(operation, {
        id,
        body: operation === "putBinding" ? to : undefined,
      });
      expect(reply.fault()).toEqual([400, "invalid-request", "id"]);
    }
  });
});

describe("publish", () => {
  test("takes a routing key with each message, however they come", async () => {
    const { call, calls } = fixture();
    const published = () => calls.at(-1)?.args[1];
    await call("publish", { body: { body: 1, routingKey: "a.b", key: "k" } });
    expect(published()).toMatchObject([{ routingKey: "a.b", key: "k", kind: "json" }]);
    await call("publish", { body: { messages: [{ body: "x", routingKey: "a" }, { body: "y" }] } });
    expect(published()).toMatchObject([{ routingKey: "a" }, { kind: "text" }]);
    await call("publish", {
      body: '{"body":1,"routingKey":"a"}\n{"body":2,"routingKey":"b"}\n',
      headers: { "content-type": "application/x-ndjson" },
    });
    expect(published()).toMatchObject([{ routingKey: "a" }, { routingKey: "b" }]);
    await call("publish", {
      body: "raw",
      headers: { "content-type": "text/plain", "x-lane-header-a": "b" },
      query: { routingKey: "x.y" },
    });
    expect(published()).toMatchObject([{ routingKey: "x.y", headers: { a: "b" }, kind: "text" }]);
  });

  test("refuses routing keys that are too long or no text; a send takes none", async () => {
    const { call, calls } = fixture();
    const at = async (routingKey: unknown) =>
      (await call("publish", { body: { messages: [{ body: 1, routingKey }] } })).fault();
    const wrong = [400, "invalid-request", "messages[0].routingKey"];
    expect(await at("x".repeat(LIMITS.routingKeyBytes + 1))).toEqual(wrong);
    expect(await at("é".repeat(128))).toEqual(wrong);
    expect(await at(7)).toEqual(wrong);
    expect((await call("send", { body: { body: 1, routingKey: "a" } })).fault()).toEqual([
      400,
      "invalid-request",
      "routingKey",
    ]);
    expect(calls).toEqual([]);
    const longest = "é".repeat(127);
    await call("publish", { body: { body: 1, routingKey: longest } });
    expect(calls.at(-1)?.args[1]).toMatchObject([{ routingKey: longest }]);
  });

  test("answers 201 when something reached a queue, 200 when nothing did, an error when all failed", async () => {
    const failure = { code: "throttled" as const, detail: "d", retryable: true };
    const half = { code: "publish-incomplete" as const, detail: "d", retryable: false };
    const status = async (...results: Awaited<ReturnType<Service["publish"]>>) => {
      const { call } = fixture({ publish: async () => results });
      const reply = await call("publish", { body: { messages: results.map(() => ({ body: 1 })) } });
      return [reply.status, reply.json()["code"]];
    };
    const routed = { id: "a", queues: [queueName("q")] };
    expect(await status(routed, { unroutable: true })).toEqual([201, undefined]);
    expect(await status(routed, { error: failure })).toEqual([201, undefined]);
    expect(await status({ unroutable: true }, { queues: [] })).toEqual([200, undefined]);
    expect(await status({ error: failure }, { error: failure })).toEqual([503, "throttled"]);
    expect(await status({ error: failure }, { error: half, queues: ["q"] })).toEqual([
      503,
      "publish-incomplete",
    ]);
  });
});

test("a publish takes an Idempotency-Key", async () => {
  const { call, calls } = fixture();
  const headers = { "idempotency-key": "k" };
  expect((await call("publish", { headers, body: { body: 1 } })).status).toBe(201);
  expect(calls.at(-1)?.args[2]).toEqual({ idempotencyKey: "k" });
  const long = { "idempotency-key": "k".repeat(129) };
  const reply = await call("publish", { headers: long, body: { body: 1 } });
  expect(reply.fault()).toEqual([400, "invalid-request", "headers.idempotency-key"]);
});
