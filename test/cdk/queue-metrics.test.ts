/** Hunts a bill for empty queues, a graph that never comes down, and an alarm that dead letters set off. */
import { Metrics } from "@aws-lambda-powertools/metrics";
import { expect, it, vi } from "vitest";
import { createQueueMetrics, emitMeasurements } from "../../lambdas/queue-metrics.ts";
import { queueName } from "../../src/core/types.ts";
import type { JanitorReport } from "../../src/service/api.ts";

const report = (
  queues: Record<string, { ready?: number; leased?: number; age?: number }>,
  deadLettered = 0,
): JanitorReport => ({
  fired: 0,
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

it("emits each queue under its own name, and the sums under the stack's alone", () => {
  vi.stubEnv("POWERTOOLS_DEV", "true");
  vi.stubEnv("POWERTOOLS_METRICS_DISABLED", "false");
  const lines: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(line));
  emitMeasurements(new Metrics({ namespace: "LaneMQ", serviceName: "stack" }), [
    { queue: "a", values: { Ready: 1, OldestReadyAgeSeconds: 7 } },
    { queue: "b", values: { Ready: 2 } },
    { values: { OldestReadyAgeSeconds: 7 } },
  ]);
  log.mockRestore();
  vi.unstubAllEnvs();
  const emitted = lines.map((line) => JSON.parse(line) as Emitted);
  expect(emitted).toMatchObject([
    { service: "stack", queue: "a", Ready: 1, OldestReadyAgeSeconds: 7 },
    { service: "stack", queue: "b", Ready: 2 },
    { service: "stack", OldestReadyAgeSeconds: 7 },
  ]);
  expect(emitted[1]).not.toHaveProperty("OldestReadyAgeSeconds");
  const dimensions = emitted.map((one) => new Set(one["_aws"].CloudWatchMetrics[0]?.Dimensions[0]));
  expect(dimensions).toEqual([
    new Set(["service", "queue"]),
    new Set(["service", "queue"]),
    new Set(["service"]),
  ]);
  expect(emitted[0]?.["_aws"].CloudWatchMetrics[0]?.Namespace).toBe("LaneMQ");
});

interface Emitted {
  readonly ["_aws"]: {
    readonly CloudWatchMetrics: { Namespace: string; Dimensions: string[][] }[];
  };
}
