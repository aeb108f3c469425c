/** A round of the janitor, on a schedule; emits what it saw as metrics. */
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { Context } from "aws-lambda";
import { METRIC } from "./metric-names.ts";
import { LIMITS } from "../src/core/limits.ts";
import { epochMs, type QueueName } from "../src/core/types.ts";
import type { Service } from "../src/service/api.ts";
import { createInstance } from "./instance.ts";
import { createQueueMetrics, type Measurement } from "./queue-metrics.ts";

/** What a round leaves of the function's time for its last write and for the metrics. */
const MARGIN_MS = 8_000;

const { service, logger, ready } = createInstance({ createsFormat: true });
const metrics = new Metrics();
const queueMetrics = createQueueMetrics({
  perQueue: process.env["LANEMQ_QUEUE_METRICS"] !== "false",
});

export const handler = async (_event: unknown, context: Context): Promise<void> => {
  await ready();
  const deadline = epochMs(Date.now() + context.getRemainingTimeInMillis() - MARGIN_MS);
  const report = await service.runJanitor(deadline);
  const { queues, ...done } = report;
  for (const one of queueMetrics.measure(report, await deadLetterQueues(service))) emit(one);
  if (done.deadLettered + done.lanesRetired + done.deletedQueuesCleared > 0 || !done.complete)
    logger.info("janitor", { queues: queues.length, ...done });
};

function emit({ queue, values }: Measurement): void {
  if (queue !== undefined) metrics.addDimension("queue", queue);
  for (const [name, value] of Object.entries(values)) metrics.addMetric(name, unitOf(name), value);
  metrics.publishStoredMetrics();
}

const unitOf = (name: string) =>
  name === METRIC.oldestAge ? MetricUnit.Seconds : MetricUnit.Count;

async function deadLetterQueues(service: Service): Promise<Set<string>> {
  const names = new Set<string>();
  let after: QueueName | undefined;
  do {
    const page = await service.listQueues({
      limit: LIMITS.listPage,
      ...(after === undefined ? {} : { after }),
    });
    for (const { settings } of page.queues)
      if (settings.deadLetter !== null) names.add(settings.deadLetter.queue);
    after = page.next;
  } while (after !== undefined);
  return names;
}
