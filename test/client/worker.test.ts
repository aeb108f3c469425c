/** Hunts: work lost or held back, leases that run out under a handler, rejections that escape, stops that hang. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Discard, RetryAfter } from "../../src/client/index.ts";
import type { WorkerOptions } from "../../src/client/index.ts";
import { broken, problem, world } from "./fake.ts";
import type { Asked, Reply } from "./fake.ts";

const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);
beforeEach(() => void process.on("unhandledRejection", note));
afterEach(() => {
  process.off("unhandledRejection", note);
  expect(unhandled.splice(0)).toEqual([]);
});

const message = (id: string, receives = 1): object => ({
  id,
  receipt: `r-${id}`,
  body: id,
  contentType: "text/plain",
  headers: {},
  sentAt: "",
  firstReceivedAt: "",
  receives,
  leaseExpiresAt: "",
});

/** A queue with these messages; `instead` may answer a call in the queue's place. */
function queue(
  ids: readonly string[],
  instead: (
    ...asked: Parameters<Parameters<typeof world>[0]>
  ) => Reply | undefined | Promise<Reply | undefined> = () => undefined,
) {
  const ready = ids.map((id) => message(id));
  const { client, asked, pass, now } = world(async (request, sleep) => {
    const other = await instead(request, sleep);
    if (other !== undefined) return other;
    if (!request.path.endsWith("/receive")) {
      const receipts = request.body["receipts"] as string[];
      return { json: { results: receipts.map(() => ({ status: "done" })) } };
    }
    const messages = ready.splice(0, Number(request.body["max"]));
    return messages.length > 0
      ? { json: { messages } }
      : ((await sleep(Number(request.body["waitSeconds"]) * 1_000)) ?? { json: { messages } });
  });
  const calls = (name: string): Asked[] => asked.filter(({ path }) => path.endsWith(`/${name}`));
  const receiptsOf = (name: string): string[] =>
    calls(name).flatMap(({ body }) => body["receipts"] as string[]);
  const start = (
    handler: (body: unknown, signal: AbortSignal) => unknown,
    options: WorkerOptions = {},
  ) => {
    const worker = client
      .queue("q")
      .worker(({ body }, { signal }) => handler(body, signal), options);
    const events: [string, unknown][] = [];
    for (const name of ["started", "done", "failed", "discarded", "lost", "error", "stopped"]) {
      worker.on(name, (event) => events.push([name, event]));
    }
    return { worker, events, names: () => events.map(([name]) => name) };
  };
  return { ready, asked, calls, receiptsOf, pass, now, start };
}

const forever = (): Promise<void> => new Promise(() => {});

test("leases no more than it can start, and acks what is done in one call", async () => {
  const { start, calls, receiptsOf, pass } = queue(["a", "b", "c", "d", "e"]);
  let open: (() => void)[] = [];
  let most = 0;
  const { worker, names } = start(
    () =>
      new Promise<void>((resolve) => {
        open.push(resolve);
        most = Math.max(most, open.length);
      }),
    { concurrency: 3 },
  );
  await pass(0);
  expect(calls("receive").map(({ body }) => body)).toEqual([
    { max: 3, waitSeconds: 20, leaseSeconds: 30 },
  ]);
  expect(worker.running).toBe(3);
  for (const end of open) end();
  open = [];
  await pass(10);
  expect(receiptsOf("ack")).toEqual(["r-a", "r-b", "r-c"]);
  expect(calls("ack").length).toBe(1);
  expect(worker.running).toBe(2);
  for (const end of open) end();
  await pass(10);
  await worker.stop();
  expect(most).toBe(3);
  expect(names().filter((name) => name === "done").length).toBe(5);
  expect(names().at(-1)).toBe("stopped");
});

test("`batch` caps a receive", async () => {
  const { start, calls, pass } = queue(["a", "b", "c"]);
  const { worker } = start(forever, { concurrency: 10, batch: 2, graceSeconds: 0 });
  await pass(100);
  expect(calls("receive").map(({ body }) => body["max"])).toEqual([2, 2, 2]);
  const stopped = worker.stop();
  await pass(100);
  await stopped;
});

describe("a handler that throws", () => {
  test("has its message back after a pause that grows with its receives", async () => {
    const { ready, start, calls, pass } = queue([]);
    ready.push(message("a", 1), message("b", 4), message("c", 40));
    const { worker, names } = start(() => Promise.reject(new Error("no")));
    await pass(10);
    const delays = calls("release").map(({ body }) => [body["receipts"], body["delaySeconds"]]);
    expect(delays).toEqual([
      [["r-a"], 1],
      [["r-b"], 6],
      [["r-c"], 225],
    ]);
    expect(calls("release").every(({ body }) => body["countAttempt"] === true)).toBe(true);
    await worker.stop();
    expect(names()).toContain("failed");
  });

  test("synchronously, or with something that is no error, does no harm", async () => {
    const { start, receiptsOf, pass } = queue(["a", "b"]);
    const { worker } = start((body) => {
      if (body === "a") throw new Error("no");
      return Promise.reject(undefined);
    });
    await pass(10);
    await worker.stop();
    expect(receiptsOf("release").sort()).toEqual(["r-a", "r-b"]);
  });

  test("RetryAfter is given back for as long as it says, Discard is acked", async () => {
    const { start, calls, receiptsOf, pass } = queue(["a", "b"]);
    const { worker, names } = start((body) => {
      throw body === "a" ? new RetryAfter(90) : new Discard();
    });
    await pass(10);
    await worker.stop();
    expect(calls("release").map(({ body }) => body["delaySeconds"])).toEqual([90]);
    expect(receiptsOf("ack")).toEqual(["r-b"]);
    expect(names()).toContain("discarded");
  });
});

describe("a lease", () => {
  test("is extended in good time for as long as its handler runs", async () => {
    const { start, calls, pass } = queue(["a", "b"]);
    let end = (): void => {};
    const { worker } = start(() => new Promise<void>((resolve) => (end = resolve)), {
      concurrency: 2,
      leaseSeconds: 30,
    });
    await pass(9_000);
    expect(calls("extend").length).toBe(0);
    await pass(91_000);
    const times = calls("extend").map(({ atMs }) => atMs);
    expect(times.every((at, index) => at - (times[index - 1] ?? 0) <= 20_000)).toBe(true);
    expect(calls("extend")[0]?.body).toEqual({ receipts: ["r-a", "r-b"], leaseSeconds: 30 });
    end();
    await pass(10);
    const extended = calls("extend").length;
    await pass(40_000);
    expect(calls("extend").length).toBeGreaterThan(extended);
    expect(calls("extend").at(-1)?.body["receipts"]).toEqual(["r-a"]);
    const stopped = worker.stop();
    await pass(30_000);
    await stopped;
  });

  test("that moved on is acked by its new receipt", async () => {
    const { start, receiptsOf, pass } = queue(["a"], ({ path }) =>
      path.endsWith("/extend")
        ? { json: { results: [{ status: "done", receipt: "new" }] } }
        : undefined,
    );
    let end = (): void => {};
    const { worker } = start(() => new Promise<void>((resolve) => (end = resolve)));
    await pass(15_000);
    end();
    await pass(10);
    await worker.stop();
    expect(receiptsOf("ack")).toEqual(["new"]);
  });

  test("that is lost ends its handler's signal, and what the handler says is dropped", async () => {
    const { start, calls, pass } = queue(["a"], ({ path }) =>
      path.endsWith("/extend") ? { json: { results: [{ status: "gone" }] } } : undefined,
    );
    let reason: unknown;
    const { worker, names } = start(
      (_body, signal) =>
        new Promise<void>((_resolve, reject) =>
          signal.addEventListener("abort", () => {
            reason = signal.reason;
            reject(new Error("stopped"));
          }),
        ),
    );
    await pass(15_000);
    expect(reason).toMatchObject({ code: "lease-lost" });
    await pass(100);
    await worker.stop();
    expect(calls("ack").length + calls("release").length).toBe(0);
    expect(names()).toEqual(["started", "lost", "stopped"]);
  });

  test("outlasts a service that does not answer for a while", async () => {
    let isUp = true;
    const { start, receiptsOf, pass } = queue(["a"], () => (isUp ? undefined : broken()));
    let end = (): void => {};
    const { worker, names } = start(() => new Promise<void>((resolve) => (end = resolve)));
    await pass(5_000);
    isUp = false;
    await pass(12_000);
    end();
    await pass(3_000);
    isUp = true;
    await pass(10_000);
    await worker.stop();
    expect(receiptsOf("ack").length).toBeGreaterThan(0);
    expect(names()).toContain("error");
    expect(names().at(-2)).toBe("done");
  });
});

describe("trouble", () => {
  test("with receives is told, and followed by pauses that grow and end", async () => {
    let fails = 6;
    const { start, calls, pass } = queue(["a"], ({ path }) =>
      path.endsWith("/receive") && fails-- > 0 ? broken("ECONNREFUSED") : undefined,
    );
    const { worker, names } = start(() => {});
    await pass(60_000);
    await worker.stop();
    const times = calls("receive").map(({ atMs }) => atMs);
    const pauses = times.slice(1, 7).map((at, index) => at - (times[index] ?? 0));
    expect(pauses).toEqual([150, 300, 600, 1_200, 2_400, 4_800]);
    expect(names().filter((name) => name === "error").length).toBe(6);
    expect(names()).toContain("done");
  });

  test("as a 429 waits as long as the service asks", async () => {
    let calls429 = 1;
    const busy = problem(429, "too-many-leases", { retryable: true });
    const { start, calls, pass } = queue([], () =>
      calls429-- > 0 ? { ...busy, headers: { ...busy.headers, "retry-after": "7" } } : undefined,
    );
    const { worker } = start(() => {});
    await pass(20_000);
    await worker.stop();
    expect(calls("receive").map(({ atMs }) => atMs)).toEqual([0, 7_000]);
  });

  test("with long waits makes them shorter, until they last again", async () => {
    let cuts = 2;
    const { start, calls, pass } = queue([], async (_asked, sleep) =>
      cuts-- > 0 ? ((await sleep(8_000)) ?? broken()) : undefined,
    );
    const { worker } = start(() => {});
    await pass(90_000);
    await worker.stop();
    expect(
      calls("receive")
        .map(({ body }) => body["waitSeconds"])
        .slice(0, 6),
    ).toEqual([20, 4, 4, 8, 16, 20]);
  });

  test("of a listener harms nobody else", async () => {
    const { start, receiptsOf, pass } = queue(["a"]);
    const { worker } = start(() => {});
    worker.on("started", () => {
      throw new Error("listener");
    });
    worker.on("done", () => Promise.reject(new Error("listener")));
    await pass(10);
    await worker.stop();
    expect(receiptsOf("ack")).toEqual(["r-a"]);
  });
});

describe("stopping", () => {
  test("gives up the wait, lets handlers finish and acks what they did", async () => {
    const { start, receiptsOf, calls, pass } = queue(["a"]);
    let end = (): void => {};
    const { worker } = start(() => new Promise<void>((resolve) => (end = resolve)));
    await pass(100);
    const stopped = worker.stop();
    await pass(1_000);
    expect(calls("receive").at(-1)?.signal.aborted).toBe(true);
    end();
    await pass(10);
    await stopped;
    expect(receiptsOf("ack")).toEqual(["r-a"]);
  });

  test("gives back uncounted what is not finished in time, and does not wait for it", async () => {
    const { start, calls, pass } = queue(["a", "b"]);
    const signals: AbortSignal[] = [];
    const stop = new AbortController();
    const { worker, names } = start(
      (_body, signal) => {
        signals.push(signal);
        return forever();
      },
      { graceSeconds: 5, signal: stop.signal },
    );
    await pass(100);
    stop.abort();
    await pass(4_900);
    expect(calls("release").length).toBe(0);
    await pass(200);
    await worker.done;
    expect(calls("release").map(({ body }) => body)).toEqual([
      { receipts: ["r-a", "r-b"], delaySeconds: 0, countAttempt: false },
    ]);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    expect(names().at(-1)).toBe("stopped");
  });

  test("works before it has begun, and twice", async () => {
    const { start, asked } = queue(["a"]);
    const { worker } = start(() => {}, { signal: AbortSignal.abort() });
    await Promise.all([worker.stop(), worker.done, worker.stop()]);
    expect(asked).toEqual([]);
  });
});
