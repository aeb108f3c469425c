/** Names that CreateQueue takes: SQS's, which are fewer than LaneMQ's. */
import { queueName } from "../core/types.ts";
import type { QueueName } from "../core/types.ts";
import { SqsError } from "./errors.ts";

const STANDARD = /^[A-Za-z0-9_-]{1,80}$/;
const FIFO = /^(?=.{1,80}$)[A-Za-z0-9_-]+\.fifo$/;

/** @throws SqsError `InvalidParameterValue` */
export function newQueueName(text: string | undefined, fifo: boolean): QueueName {
  if (text === undefined)
    throw invalid("Value for parameter QueueName is invalid. Reason: Must specify a queue name.");
  if (text === "") throw invalid("Queue name cannot be empty");
  if (fifo && !FIFO.test(text))
    throw invalid(
      "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
    );
  if (!fifo && !STANDARD.test(text))
    throw invalid(
      "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    );
  return queueName(text);
}

const invalid = (message: string): SqsError => new SqsError("InvalidParameterValue", message);
