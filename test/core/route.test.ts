import { describe, expect, it } from "vitest";
import type { Binding, BindingSettings, ExchangeSettings } from "../../src/core/exchange.ts";
import { checkBinding, checkExchange } from "../../src/core/exchange.ts";
import { route } from "../../src/core/route.ts";
import { RoutingTable } from "../../src/core/routing-table.ts";
import type { Content } from "../../src/core/transform.ts";
import { epochMs, exchangeName, queueName } from "../../src/core/types.ts";

type Bound = Omit<BindingSettings, "queue" | "exchange"> & { queue?: string; exchange?: string };

const table = (
  name: string,
  settings: Partial<ExchangeSettings>,
  bindings: readonly Bound[] = [],
) =>
  new RoutingTable(
    {
      name: exchangeName(name),
      exchangeId: name,
      settings: { type: "direct", alternate: null, mandatory: false, ...settings },
      createdAt: epochMs(0),
      revision: "r",
    },
    bindings.map((binding, index) => ({ ...binding, id: `b${index}` }) as Binding),
  );

function routed(
  tables: readonly RoutingTable[],
  routingKey = "",
  message: {
    headers?: Record<string, string>;
    body?: unknown;
    gone?: string[];
    token?: string;
  } = {},
  turn?: () => number,
) {
  const content: Content = {
    kind: "json",
    body: Buffer.from(JSON.stringify(message.body ?? {})),
    contentType: "application/json",
    headers: message.headers ?? {},
  };
  const first = tables[0]?.exchange.name ?? exchangeName("none");
  return route(
    {
      exchange: first,
      routingKey,
      content,
      draw: { token: message.token ?? "t", ...(turn === undefined ? {} : { turn }) },
    },
    {
      table: (name) => tables.find(({ exchange }) => exchange.name === name),
      isQueue: (queue) => message.gone?.includes(queue) !== true,
    },
  );
}

const queues = (...given: Parameters<typeof routed>) => [...routed(...given).queues.keys()];

describe("routing", () => {
  it("direct: by the whole key", () => {
    const direct = table("d", {}, [
      { queue: "a", routingKey: "x" },
      { queue: "b", routingKey: "x" },
      { queue: "c" },
    ]);
    expect(queues([direct], "x")).toEqual(["a", "b"]);
    expect(queues([direct], "")).toEqual(["c"]);
    expect(queues([direct], "y")).toEqual([]);
  });

  it("fanout: to all; topic: by pattern; several bindings of a queue give one copy", () => {
    expect(queues([table("f", { type: "fanout" }, [{ queue: "a" }, { queue: "b" }])])).toEqual([
      "a",
      "b",
    ]);
    const topic = table("t", { type: "topic" }, [
      { queue: "a", routingKey: "#.error" },
      { queue: "b", routingKey: "db.*" },
      { queue: "a", routingKey: "db.#" },
    ]);
    expect(queues([topic], "db.error")).toEqual(["a", "b"]);
    expect(queues([topic], "web.error")).toEqual(["a"]);
  });

  it("headers: all, any, and what begins with x-", () => {
    const wanted = { kind: "pdf", "x-old": "1", note: null };
    const of = (match: "all" | "any" | "all-with-x" | "any-with-x") =>
      table("h", { type: "headers" }, [{ queue: match, headers: wanted, match }]);
    expect(queues([of("all")], "", { headers: { kind: "pdf", note: "" } })).toEqual(["all"]);
    expect(queues([of("all")], "", { headers: { kind: "pdf" } })).toEqual([]);
    expect(queues([of("any")], "", { headers: { kind: "pdf" } })).toEqual(["any"]);
    expect(queues([of("any")], "", { headers: { "x-old": "1" } })).toEqual([]);
    expect(queues([of("any-with-x")], "", { headers: { "x-old": "1" } })).toEqual(["any-with-x"]);
    expect(queues([of("all-with-x")], "", { headers: { kind: "pdf", note: "" } })).toEqual([]);
    const bare = table("h", { type: "headers" }, [
      { queue: "all" },
      { queue: "any", match: "any" },
    ]);
    expect(queues([bare])).toEqual(["all"]);
  });

  it("filters by content, of any type", () => {
    const fanout = table("f", { type: "fanout" }, [
      { queue: "big", filter: { body: { total: [{ numeric: [">", 100] }] } } },
      { queue: "all" },
    ]);
    expect(queues([fanout], "", { body: { total: 101 } })).toEqual(["big", "all"]);
    expect(queues([fanout], "", { body: { total: 100 } })).toEqual(["all"]);
  });

  it("balance: one of them, by turns, by weight, or by a hash", () => {
    const three: Bound[] = [{ queue: "a" }, { queue: "b" }, { queue: "c" }];
    const turns = table("l", { type: "balance", by: "roundRobin" }, three);
    let next = 0;
    const took = Array.from({ length: 6 }, () => queues([turns], "", {}, () => next++)[0]);
    expect(took).toEqual(["a", "b", "c", "a", "b", "c"]);
    expect(routed([turns]).isChosen).toBe(true);
    // A message that may come again does not wait for its turn.
    expect(queues([turns], "", { token: "m1" })).toEqual(queues([turns], "", { token: "m1" }));

    const random = table("l", { type: "balance", by: "random" }, three);
    const drawn = Array.from(
      { length: 60 },
      (_, index) => queues([random], "", { token: `${index}` })[0],
    );
    expect(new Set(drawn)).toEqual(new Set(["a", "b", "c"]));

    const weighted = table("l", { type: "balance", by: "weight" }, [
      { queue: "a", weight: 0 },
      { queue: "b", weight: 5 },
    ]);
    expect(queues([weighted])).toEqual(["b"]);

    const hashed = table("l", { type: "balance", by: "hash" }, three);
    const byHeader = table("l", { type: "balance", by: "hash", hashHeader: "user" }, three);
    for (const user of ["u1", "u2", "u3", "u4"]) {
      const [chosen] = queues([hashed], user, { token: "1" });
      expect(queues([hashed], user, { token: "2" })).toEqual([chosen]);
      expect(queues([byHeader], "other", { headers: { user } })).toEqual([chosen]);
    }
  });

  it("balance passes over bindings that the message does not match and queues that are gone", () => {
    const some = table("l", { type: "balance", by: "random" }, [
      { queue: "a", filter: { headers: { x: ["1"] } } },
      { queue: "b" },
      { queue: "c" },
    ]);
    for (const token of ["1", "2", "3", "4", "5", "6"]) {
      expect(queues([some], "", { token, gone: ["b"] })).toEqual(["c"]);
    }
  });

  it("goes through exchanges, once each: circles end", () => {
    const a = table("a", { type: "fanout" }, [{ exchange: "b" }, { queue: "q1" }]);
    const b = table("b", { type: "fanout" }, [
      { exchange: "a" },
      { exchange: "b" },
      { queue: "q1" },
      { queue: "q2" },
    ]);
    expect(queues([a, b])).toEqual(["q1", "q2"]);
  });

  it("takes the alternate exchange where nothing of its own matches, and only there", () => {
    const rest = table("rest", { type: "fanout" }, [{ queue: "unrouted" }]);
    const direct = table("d", { alternate: exchangeName("rest") }, [
      { queue: "a", routingKey: "x" },
      { queue: "gone", routingKey: "g" },
      { exchange: "empty", routingKey: "e" },
      { exchange: "missing", routingKey: "m" },
    ]);
    const empty = table("empty", {});
    const tables = [direct, rest, empty];
    expect(queues(tables, "x")).toEqual(["a"]);
    expect(queues(tables, "y")).toEqual(["unrouted"]);
    expect(queues(tables, "g", { gone: ["gone"] })).toEqual(["unrouted"]);
    expect(queues(tables, "m")).toEqual(["unrouted"]);
    // It was taken by a binding; that this leads nowhere is the other exchange's affair.
    expect(queues(tables, "e")).toEqual([]);
    const loop = table("d", { alternate: exchangeName("rest") });
    expect(queues([loop, table("rest", { alternate: exchangeName("d") })])).toEqual([]);
    expect(queues([table("d", { alternate: exchangeName("missing") })])).toEqual([]);
  });

  it("transforms on the way, and what is behind sees it", () => {
    const headers = table("h", { type: "headers" }, [{ queue: "q", headers: { kind: "line" } }]);
    const fanout = table("f", { type: "fanout" }, [
      { exchange: "h", transform: { setHeaders: { kind: "line" }, body: "/lines/0" } },
      { queue: "whole" },
      { queue: "part", transform: { body: "/none" } },
    ]);
    const result = routed([fanout, headers], "", { body: { lines: [{ sku: "a" }] } }).queues;
    expect([...result.keys()]).toEqual(["whole", "q"]);
    const q = result.get(queueName("q"));
    expect(Buffer.from(q?.body ?? []).toString()).toBe('{"sku":"a"}');
    expect(q?.headers).toEqual({ kind: "line" });
    expect(result.get(queueName("whole"))?.headers).toEqual({});
  });
});

describe("what contradicts itself", () => {
  const exchange = (settings: Partial<ExchangeSettings>) => () =>
    checkExchange(exchangeName("x"), {
      type: "direct",
      alternate: null,
      mandatory: false,
      ...settings,
    });
  const binding = (settings: Partial<ExchangeSettings>, bound: Bound) => () =>
    checkBinding(table("x", settings).exchange, {
      queue: queueName("q"),
      ...bound,
    } as BindingSettings);

  it("of exchanges", () => {
    expect(exchange({ type: "balance" })).toThrow("by is required");
    expect(exchange({ by: "hash" })).toThrow("by is for balance");
    expect(exchange({ type: "balance", by: "random", hashHeader: "h" })).toThrow(
      "hashHeader is for",
    );
    expect(exchange({ alternate: exchangeName("x") })).toThrow("alternate is the exchange itself");
    expect(exchange({ type: "balance", by: "hash", hashHeader: "h" })).not.toThrow();
  });

  it("of bindings", () => {
    expect(binding({}, { headers: {} })).toThrow("headers is for headers exchanges only");
    expect(binding({}, { match: "any" })).toThrow("match is for headers exchanges only");
    expect(binding({ type: "balance", by: "random" }, { weight: 1 })).toThrow("weight is for");
    expect(binding({ type: "fanout" }, { routingKey: "x" })).toThrow("routingKey is for");
    expect(binding({ type: "fanout" }, { routingKey: "" })).not.toThrow();
    expect(binding({}, { filter: { body: { a: "x" } } })).toThrow("filter.body.a must be");
  });
});
