/** Hunts a bill for empty queues, a graph that never comes down, and an alarm that dead letters set off. */
import { expect, it } from "vitest";
import { createQueueMetrics } from "../../lambdas/queue-metrics.ts";
import { queueName } from "../../src/core/types.ts";
import type { JanitorReport } from "../../src/service/api.ts";

const report = (
  queues: Record<string, { ready?: number; leased?: number; age?: number }>,
  deadLettered = 0,
): JanitorReport => ({
  queues: Object.entries(queues).map(([name, { ready = 0, leased = 0, age = 0 }]) => ({
    name: queueName(name),
    depth: { ready, leased, delayed: 0 },
    oldestReadyAgeSeconds: age,
  })),
  deadLettered,
  lanesRetired: 0,
  deletedQueuesCleared: 0,
  complete: true,
});

const NONE = new Set<string>();

it("emits nothing while every queue is empty", () => {
  const metrics = createQueueMetrics({ perQueue: true });
  expect(metrics.measure(report({ a: {}, b: {} }), NONE)).toEqual([]);
});

it("emits zeros once when a queue has become empty, then nothing", () => {
  const metrics = createQueueMetrics({ perQueue: true });
  metrics.measure(report({ a: { ready: 3, age: 9 } }), NONE);
  expect(metrics.measure(report({ a: {} }), NONE)).toEqual([
    { queue: "a", values: { Ready: 0, Leased: 0, Delayed: 0, OldestReadyAgeSeconds: 0 } },
    { values: { OldestReadyAgeSeconds: 0, DeadLetters: 0, DeadLetteredByJanitor: 0 } },
  ]);
  expect(metrics.measure(report({ a: {} }), NONE)).toEqual([]);
});

it("counts leased messages as not empty", () => {
  const metrics = createQueueMetrics({ perQueue: true });
  expect(metrics.measure(report({ a: { leased: 2 } }), NONE)).toContainEqual({
    queue: "a",
    values: { Ready: 0, Leased: 2, Delayed: 0, OldestReadyAgeSeconds: 0 },
  });
});

it("leaves dead-letter queues out of the age that the alarm watches, and counts their messages", () => {
  const metrics = createQueueMetrics({ perQueue: false });
  const queues = { a: { ready: 1, age: 5 }, dead: { ready: 4, leased: 1, age: 90_000 } };
  expect(metrics.measure(report(queues, 2), new Set(["dead"]))).toEqual([
    { values: { OldestReadyAgeSeconds: 5, DeadLetters: 5, DeadLetteredByJanitor: 2 } },
  ]);
});
