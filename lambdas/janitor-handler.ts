/** The handler of the janitor: a round, on a schedule; emits what it saw as metrics. */
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { Context } from "aws-lambda";
import { METRIC } from "./metric-names.ts";
import { LIMITS } from "../src/core/limits.ts";
import { epochMs, type QueueName } from "../src/core/types.ts";
import type { Service } from "../src/service/api.ts";
import { createInstance, type World } from "./instance.ts";
import { createQueueMetrics, type Measurement } from "./queue-metrics.ts";

/** What a round leaves of the function's time for its last write and for the metrics. */
const MARGIN_MS = 8_000;

type Handler = (
  event: unknown,
  context: Pick<Context, "getRemainingTimeInMillis">,
) => Promise<void>;

export function createJanitorHandler(world?: World): Handler {
  const { service, logger, ready, now } = createInstance({ createsFormat: true }, world);
  const metrics = new Metrics();
  const queueMetrics = createQueueMetrics({
    perQueue: process.env["LANEMQ_QUEUE_METRICS"] !== "false",
  });
  return async (_event, context) => {
    await ready();
    const deadline = epochMs(now() + context.getRemainingTimeInMillis() - MARGIN_MS);
    const { queues, ...done } = await service.runJanitor(deadline);
    const measurements = queueMetrics.measure({ queues, ...done }, await deadLetterQueues(service));
    for (const one of measurements) emit(metrics, one);
    if (done.deadLettered + done.lanesRetired + done.deletedQueuesCleared > 0 || !done.complete)
      logger.info("janitor", { queues: queues.length, ...done });
  };
}

function emit(metrics: Metrics, { queue, values }: Measurement): void {
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
