/**
 * What the janitor's round says of the queues, as metrics.
 *
 * Q1  An empty queue emits nothing, for a metric is billed by the hour in which it is emitted. The
 *     first round that finds it empty emits zeros, so that a graph comes down and an alarm ends.
 * Q2  The age over all queues, which the alarm watches, leaves dead-letter queues out: messages are
 *     meant to lie there.
 */
import type { Depth, JanitorReport } from "../src/service/api.ts";
import { type Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { METRIC } from "./metric-names.ts";

export interface Measurement {
  /** Absent: over all queues. */
  readonly queue?: string;
  readonly values: Readonly<Partial<Record<(typeof METRIC)[keyof typeof METRIC], number>>>;
}

export interface QueueMetrics {
  measure(report: JanitorReport, deadLetterQueues: ReadonlySet<string>): Measurement[];
}

/** Remembers which queues were not empty a round ago; forgets with its instance, which Q1 allows. */
export function createQueueMetrics(options: { perQueue: boolean }): QueueMetrics {
  let before: ReadonlySet<string> = new Set();
  let wasBusy = false;
  return {
    measure(report, deadLetterQueues) {
      const busy = report.queues.filter((queue) => total(queue.depth) > 0);
      const shown = report.queues.filter((queue) => busy.includes(queue) || before.has(queue.name));
      before = new Set(busy.map((queue) => queue.name));
      const measurements: Measurement[] = options.perQueue
        ? shown.map(({ name, depth, oldestReadyAgeSeconds }) => ({
            queue: name,
            values: {
              [METRIC.ready]: depth.ready,
              [METRIC.leased]: depth.leased,
              [METRIC.delayed]: depth.delayed,
              [METRIC.oldestAge]: oldestReadyAgeSeconds,
            },
          }))
        : [];
      if (busy.length > 0 || wasBusy || report.deadLettered > 0) {
        const isDead = (queue: { name: string }) => deadLetterQueues.has(queue.name);
        measurements.push({
          values: {
            [METRIC.oldestAge]: Math.max(
              0,
              ...busy.filter((queue) => !isDead(queue)).map((queue) => queue.oldestReadyAgeSeconds),
            ),
            [METRIC.deadLetters]: busy
              .filter(isDead)
              .reduce((sum, queue) => sum + total(queue.depth), 0),
            [METRIC.deadLettered]: report.deadLettered,
          },
        });
      }
      wasBusy = busy.length > 0;
      return measurements;
    },
  };
}

const total = (depth: Depth): number => depth.ready + depth.leased + depth.delayed;

/** A line of the embedded metric format for each, which CloudWatch takes from the function's log. */
export function emitMeasurements(metrics: Metrics, measurements: readonly Measurement[]): void {
  for (const { queue, values } of measurements) {
    if (queue !== undefined) metrics.addDimension("queue", queue);
    for (const [name, value] of Object.entries(values))
      metrics.addMetric(
        name,
        name === METRIC.oldestAge ? MetricUnit.Seconds : MetricUnit.Count,
        value,
      );
    metrics.publishStoredMetrics();
  }
}
