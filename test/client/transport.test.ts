/** Hunts: repeats that are not safe, failures that are not repeated though they could be, errors that say too much. */
import { describe, expect, test } from "vitest";
import { isLaneMQError, LaneMQError } from "../../src/client/index.ts";
import { CODES } from "../../src/core/errors.ts";
import { broken, never, problem, world } from "./fake.ts";
import type { Reply } from "./fake.ts";

/** These replies in turn; the last one for good. */
const inTurn = (...replies: Reply[]) => {
  let at = 0;
  return () => replies[Math.min(at++, replies.length - 1)] ?? broken();
};

const OK: Reply = { json: { messages: [] } };
const STORED: Reply = { status: 201, json: { messages: [{ id: "a" }] } };
const SETTLED: Reply = { json: { results: [{ status: "done" }] } };

async function failure(promise: Promise<unknown>): Promise<LaneMQError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof LaneMQError) return error;
  throw new Error(`no LaneMQError: ${String(error)}`);
}

describe("retries", () => {
  test.each(Object.entries(CODES))(
    "%s is tried again only if its row says so",
    async (code, row) => {
      const { client, asked, pass } = world(
        inTurn(problem(row.status, code, { retryable: row.retryable })),
      );
      const failed = failure(client.queue("q").create());
      await pass(60_000);
      const error = await failed;
      expect(error).toMatchObject({ code, status: row.status, requestId: "request-1" });
      // A PUT may be repeated when its outcome is unknown.
      const isTriedAgain = row.retryable || code === "outcome-unknown";
      expect(asked.length).toBe(isTriedAgain ? 5 : 1);
    },
  );

  test("pauses grow, and what the service asks for is the least of them", async () => {
    const busy = problem(503, "throttled", { retryable: true });
    const asks = { ...busy, headers: { ...busy.headers, "retry-after": "3" } };
    const { client, asked, pass } = world(
      inTurn(problem(503, "throttled", { retryable: true }), asks, OK),
    );
    const receive = client.queue("q").receive();
    await pass(60_000);
    expect(await receive).toEqual([]);
    expect(asked.map(({ atMs }) => atMs)).toEqual([0, 75, 75 + 3_375]);
  });

  test.each([
    ["receive", () => OK, (q: Q) => q.receive()],
    ["ack", () => SETTLED, (q: Q) => q.ack("r")],
    ["release", () => SETTLED, (q: Q) => q.release("r")],
    ["extend", () => SETTLED, (q: Q) => q.extend("r", 5)],
    ["info", () => ({ json: {} }), (q: Q) => q.info()],
    ["update", () => ({ json: {} }), (q: Q) => q.update({})],
    ["delete", () => ({ status: 204 }), (q: Q) => q.delete()],
  ])("%s is repeated when its answer was lost", async (_name, reply, run) => {
    const { client, asked, pass } = world(inTurn(broken(), reply()));
    const running = run(client.queue("q"));
    await pass(1_000);
    await running;
    expect(asked.length).toBe(2);
  });

  test.each([
    ["purge", (q: Q) => q.purge()],
    ["redrive", (q: Q) => q.redrive()],
  ])("%s is not repeated when its answer was lost", async (_name, run) => {
    const { client, asked, pass } = world(inTurn(broken()));
    const failed = failure(run(client.queue("q")));
    await pass(60_000);
    expect((await failed).code).toBe("unreachable");
    expect(asked.length).toBe(1);
  });

  test("a send is repeated under one key, a caller's own if there is one", async () => {
    const first = world(inTurn(broken(), problem(503, "outcome-unknown"), STORED));
    const sent = first.client.queue("q").send("a");
    await first.pass(1_000);
    expect(await sent).toEqual({ id: "a" });
    expect(first.asked.map(({ headers }) => headers.get("idempotency-key"))).toEqual(
      Array(3).fill("id-1"),
    );
    const second = world(inTurn(STORED));
    await second.client.queue("q").send("a", {}, { idempotencyKey: "mine" });
    expect(second.asked[0]?.headers.get("idempotency-key")).toBe("mine");
  });

  test("a 429 of the gateway itself changed nothing, a 503 of it says nothing", async () => {
    const gateway = (status: number): Reply => ({ status, json: { message: "Slow down" } });
    const first = world(inTurn(gateway(429), STORED));
    const sent = first.client.queue("q").send("a");
    await first.pass(1_000);
    expect(await sent).toEqual({ id: "a" });
    const second = world(inTurn(gateway(503)));
    const failed = failure(second.client.queue("q").purge());
    await second.pass(60_000);
    expect(await failed).toMatchObject({ code: "outcome-unknown", message: "Slow down" });
    expect(second.asked.length).toBe(1);
  });
});

type Q = ReturnType<ReturnType<typeof world>["client"]["queue"]>;

describe("an end", () => {
  test("by a signal comes at once, with the signal's reason, in a call and in a pause", async () => {
    const reason = new Error("enough");
    const calling = world(({ signal }) => never(signal));
    const stop = new AbortController();
    const waits = calling.client.queue("q").receive({ waitSeconds: 20 }, { signal: stop.signal });
    await calling.pass(1_000);
    stop.abort(reason);
    await expect(waits).rejects.toBe(reason);

    const pausing = world(inTurn(problem(503, "throttled", { retryable: true })));
    const other = new AbortController();
    const paused = pausing.client.queue("q").info({ signal: other.signal });
    await pausing.pass(10);
    other.abort(reason);
    await expect(paused).rejects.toBe(reason);
    expect(pausing.asked.length).toBe(1);
    await expect(pausing.client.queue("q").info({ signal: other.signal })).rejects.toBe(reason);
    expect(pausing.asked.length).toBe(1);
  });

  test("comes when an attempt takes too long; a receive's wait is not counted", async () => {
    const { client, asked, pass } = world(({ signal }) => never(signal), {
      retries: { retries: 0 },
    });
    const info = failure(client.queue("q").info());
    const receive = failure(client.queue("q").receive({ waitSeconds: 20 }));
    await pass(29_999);
    expect(asked.map(({ signal }) => signal.aborted)).toEqual([false, false]);
    await pass(1);
    expect((await info).message).toContain("no answer within 30 s");
    expect((await receive).code).toBe("unreachable");
  });
});

describe("errors", () => {
  test("say what is wrong and where, and never the key", async () => {
    const errors = [{ path: "leaseSecond", message: "is not a known field" }];
    const { client } = world(inTurn(problem(400, "invalid-request", { errors })), {
      apiKey: "secret-key",
      endpoint: "https://lanes.example/base/",
    });
    const error = await failure(client.queue("q").create());
    expect(error).toMatchObject({ name: "LaneMQError", code: "invalid-request", errors });
    expect(isLaneMQError(error, "invalid-request")).toBe(true);
    const { inspect } = await import("node:util");
    expect(
      inspect([error, client, client.queue("q")], { depth: 9, showHidden: true }),
    ).not.toContain("secret-key");
  });

  test("of the network say why", async () => {
    const { client } = world(inTurn(broken("ECONNREFUSED")), { retries: { retries: 0 } });
    const error = await failure(client.queue("q").info());
    expect(error.message).toContain("ECONNREFUSED");
    expect(error.status).toBe(0);
  });

  test("of something that is not LaneMQ do not look like success", async () => {
    const { client } = world(inTurn({ json: undefined, status: 200 }), { retries: { retries: 0 } });
    await expect(client.queue("q").info()).resolves.toBeUndefined();
    const html = world(() => ({ status: 200 }), {
      retries: { retries: 0 },
      fetch: async () => new Response("<html>"),
    });
    expect((await failure(html.client.queue("q").info())).message).toContain("is this LaneMQ?");
  });
});

test("requests carry the key, the endpoint's path, and names as they are", async () => {
  const { client, asked } = world(inTurn({ json: {} }), {
    apiKey: "k",
    endpoint: "https://lanes.example/base/",
    headers: { "x-team": "a" },
  });
  await client.call("lookUp", { path: { queue: "a.b", id: "x/y?z" } });
  await client.call("listQueues", { path: {}, query: { prefix: "a&b", limit: 5 } });
  expect(asked.map(({ path }) => path)).toEqual([
    "/base/v1/queues/a.b/messages/x%2Fy%3Fz",
    "/base/v1/queues?prefix=a%26b&limit=5",
  ]);
  expect(asked[0]?.headers.get("authorization")).toBe("Bearer k");
  expect(asked[0]?.headers.get("x-team")).toBe("a");
  await expect(client.queue("..").info()).rejects.toThrow(TypeError);
});
