/**
 * Hunts: confirmed messages that a failing engine lost, messages that a retry doubled, and answers that
 * say "nothing was changed" when something was.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Local } from "../../src/local/runtime.ts";
import { startFaultyEngine, type FaultyEngine } from "./faulty-engine.ts";
import { caller, drain, newName, start, type Call, type Reply } from "./local-service.ts";

const WRITES = /^(Put|Update|Delete)Item$/;

let engine: FaultyEngine;
let local: Local;
let call: Call;
let queue: string;

beforeAll(async () => {
  engine = await startFaultyEngine();
  local = await start({ dynamodb: engine.url, log: () => {} });
  call = caller(local.url);
});
afterAll(async () => {
  await local.close();
  await engine.close();
});
beforeEach(async () => {
  queue = newName();
  await call("PUT", `/v1/queues/${queue}`, {});
});
afterEach(() => {
  engine.fault = () => undefined;
});

const send = (body: unknown): Promise<Reply> =>
  call("POST", `/v1/queues/${queue}/messages`, { body });

function expectUnavailable(reply: Reply, code: string, retryable: boolean): void {
  expect({ status: reply.status, ...reply.json }).toMatchObject({ status: 503, code, retryable });
  expect(reply.headers.get("retry-after")).toMatch(/^\d+$/);
  expect(reply.headers.get("x-request-id")).toBeTruthy();
}

test("an engine that throttles for a moment is waited for", async () => {
  let left = 3;
  engine.fault = () => (left-- > 0 ? "throttled" : undefined);
  expect((await send(1)).status).toBe(201);
  expect(await drain(call, queue)).toEqual([1]);
});

test("an engine that goes on throttling is 503 throttled, and nothing was stored", async () => {
  engine.fault = (action) => (WRITES.test(action) ? "throttled" : undefined);
  expectUnavailable(await send(1), "throttled", true);
  engine.fault = () => undefined;
  expect(await drain(call, queue)).toEqual([]);
});

test("an engine that is down is 503 engine-unavailable, and serves again once it is back", async () => {
  await send(1);
  await engine.down();
  try {
    // Reads first: a write on a connection that has just been closed is one of unknown outcome.
    expectUnavailable(await call("GET", `/v1/queues/${queue}`), "engine-unavailable", true);
    expectUnavailable(await send(2), "engine-unavailable", true);
    expectUnavailable(
      await call("POST", `/v1/queues/${queue}/receive`, {}),
      "engine-unavailable",
      true,
    );
    expect((await call("GET", "/healthz")).status).toBe(200);
  } finally {
    await engine.up();
  }
  expect(await drain(call, queue)).toEqual([1]);
});

test("a write whose reply is lost is found again, and stands once", async () => {
  await send("before");
  let lost = 0;
  engine.fault = (action) => (action === "PutItem" && lost++ === 0 ? "lost" : undefined);
  expect((await send("x")).status).toBe(201);
  expect(lost).toBeGreaterThan(0);
  expect(await drain(call, queue)).toEqual(["before", "x"]);
});

test("a receive whose reply is lost leases each message once", async () => {
  await send("x");
  let lost = 0;
  engine.fault = (action) => (action === "UpdateItem" && lost++ === 0 ? "lost" : undefined);
  const { json } = await call("POST", `/v1/queues/${queue}/receive`, { max: 10 });
  expect(lost).toBe(1);
  expect(json.messages).toMatchObject([{ body: "x", receives: 1 }]);
});

test("a write that nobody can say the outcome of is outcome-unknown, and not retryable", async () => {
  await send("before");
  let stored = 0;
  engine.fault = (action) => {
    if (action === "PutItem") stored += 1;
    return stored > 0 ? "lost" : undefined;
  };
  expectUnavailable(await send("x"), "outcome-unknown", false);
  engine.fault = () => undefined;
  const bodies = await drain(call, queue);
  expect(bodies[0]).toBe("before");
  expect(bodies.filter((body) => body === "x").length).toBeLessThanOrEqual(1);
});

test("reads that are cut off are repeated", async () => {
  await send("x");
  let cut = 0;
  engine.fault = (action) => (!WRITES.test(action) && cut++ < 2 ? "reset" : undefined);
  expect(await drain(call, queue)).toEqual(["x"]);
});

test("under any mix of faults, what was confirmed is delivered, and nothing more than once stands", async () => {
  let step = 0;
  // Every 7th, 11th and 13th request fails in its own way.
  engine.fault = () => {
    step += 1;
    if (step % 7 === 0) return "lost";
    if (step % 11 === 0) return "throttled";
    return step % 13 === 0 ? "reset" : undefined;
  };
  const confirmed: number[] = [];
  const unsure = new Set<number>();
  await Promise.all(
    Array.from({ length: 8 }, async (_, worker) => {
      for (let i = 0; i < 15; i++) {
        const body = worker * 100 + i;
        const reply = await send(body);
        if (reply.status === 201) confirmed.push(body);
        else if (reply.json.code === "outcome-unknown") unsure.add(body);
      }
    }),
  );
  engine.fault = () => undefined;
  const bodies = (await drain(call, queue)).map(Number);
  expect(new Set(bodies).size).toBe(bodies.length);
  for (const body of confirmed) expect(bodies).toContain(body);
  for (const body of bodies) expect(confirmed.includes(body) || unsure.has(body)).toBe(true);
});
