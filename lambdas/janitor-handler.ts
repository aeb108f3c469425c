/**
 * The handler of the janitor: a round, on a schedule; emits what it saw as metrics. Beside the round go
 * move tasks, as long as there are any: what they take is mostly waiting, so neither keeps the other.
 */
import { Metrics } from "@aws-lambda-powertools/metrics";
import type { Context } from "aws-lambda";
import { LIMITS } from "../src/core/limits.ts";
import { epochMs, type QueueName } from "../src/core/types.ts";
import type { Service } from "../src/service/api.ts";
import { describeError } from "./describe-error.ts";
import { createInstance, type World } from "./instance.ts";
import { createQueueMetrics, emitMeasurements } from "./queue-metrics.ts";

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
    const [{ queues, ...done }] = await Promise.all([
      service.runJanitor(deadline),
      service.runMoves(deadline).catch((error: unknown) => {
        logger.warn("move tasks failed", { failure: describeError(error) });
      }),
    ]);
    const measurements = queueMetrics.measure({ queues, ...done }, await deadLetterQueues(service));
    emitMeasurements(metrics, measurements);
    if (done.deadLettered + done.lanesRetired + done.deletedQueuesCleared > 0 || !done.complete)
      logger.info("janitor", { queues: queues.length, ...done });
  };
}

async function deadLetterQueues(service: Service): Promise<Set<string>> {
  const names = new Set<string>();
  let after: QueueName | undefined;
  do {
    const page = await service.listQueues({
      limit: LIMITS.listPage,
      ...(after === undefined ? {} : { after }),
    });
    for (const { settings } of page.queues)
      if (settings.deadLetter?.queue !== undefined) names.add(settings.deadLetter.queue);
    after = page.next;
  } while (after !== undefined);
  return names;
}
