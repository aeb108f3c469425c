/** Hunts: move tasks that take the janitor's time, or its round with them when they fail. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createJanitorHandler } from "../../lambdas/janitor-handler.ts";
import { MOVE_TASKS } from "../../src/store/keys.ts";
import { ALL, createWorld, DEAD, Q, texts, throttled } from "../service/fixture.ts";
import { tampered } from "../service/tampered.ts";

beforeEach(() => {
  vi.stubEnv("POWERTOOLS_METRICS_NAMESPACE", "LaneMQ");
  vi.stubEnv("POWERTOOLS_METRICS_DISABLED", "true");
});
afterEach(() => vi.unstubAllEnvs());

const CONTEXT = { getRemainingTimeInMillis: () => 58_000 };

/** Five dead letters that a task is to move, one a second; and one that is yet to become one. */
async function world() {
  const made = createWorld();
  const service = made.instance();
  await service.putQueue(DEAD, { lanes: 1 });
  const settings = { lanes: 1, leaseSeconds: 1, maxReceives: 1, deadLetter: { queue: DEAD } };
  await service.putQueue(Q, settings);
  await service.send(Q, texts(5));
  await service.receive(Q, ALL);
  await made.advance(1_000);
  await service.receive(Q, ALL);
  await service.startMove(DEAD, { ratePerSecond: 1 });
  await service.send(Q, texts(1, "late"));
  await service.receive(Q, ALL);
  await made.advance(2_000);
  return { made, service };
}

it("a round tends queues and goes on with move tasks, beside each other", async () => {
  const { made, service } = await world();
  await made.through(createJanitorHandler(made.deps())({}, CONTEXT));
  expect(await service.listMoves(DEAD, 1)).toMatchObject([{ status: "completed", moved: 5 }]);
  expect((await service.getQueue(DEAD)).depth.ready).toBe(1);
});

it("a round without move tasks is over at once", async () => {
  const made = createWorld();
  const before = made.now();
  await made.through(createJanitorHandler(made.deps())({}, CONTEXT));
  expect(made.now()).toBe(before);
});

it("a round tends queues though move tasks cannot even be read", async () => {
  const { made, service } = await world();
  const { store } = tampered(made.store, ({ op, pk }) =>
    op === "query" && pk === MOVE_TASKS ? { throws: throttled } : undefined,
  );
  await made.through(createJanitorHandler(made.deps(store))({}, CONTEXT));
  expect((await service.getQueue(DEAD)).depth.ready).toBe(6);
});
