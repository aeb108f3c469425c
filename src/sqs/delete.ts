/**
 * DeleteMessage and DeleteMessageBatch.
 *
 * D1  Deleting is idempotent: what is gone was deleted. On a standard queue an old handle deletes whoever
 *     has the message by now; a FIFO queue refuses a handle whose visibility timeout is over.
 */
import * as v from "valibot";
import type { QueueName } from "../core/types.ts";
import { action, demand } from "./action.ts";
import type { SqsCall } from "./action.ts";
import { batchAnswer, entriesOf } from "./batch.ts";
import { SqsError } from "./errors.ts";
import { isFifo } from "./fifo.ts";
import { queueOfUrl } from "./queue-url.ts";
import { handleOf, invalidHandle, notIssued, statusesOf } from "./receipt-handles.ts";

const ENTRY = "DeleteMessageBatchRequestEntry";

const optionalText = v.optional(v.string());

export const deleteMessage = action(
  v.object({ QueueUrl: optionalText, ReceiptHandle: optionalText }),
  async (call, input) => {
    const queue = queueOfUrl(input.QueueUrl);
    demand(call, "receive", queue);
    const [outcome] = await remove(call, queue, [handleOf(input.ReceiptHandle)]);
    if (outcome instanceof SqsError) throw outcome;
  },
);

export const deleteMessageBatch = action(
  v.object({
    QueueUrl: optionalText,
    Entries: v.optional(v.array(v.object({ Id: optionalText, ReceiptHandle: optionalText }))),
  }),
  async (call, input) => {
    const queue = queueOfUrl(input.QueueUrl);
    demand(call, "receive", queue);
    const entries = entriesOf(input.Entries, ENTRY);
    const handles = entries.map(({ ReceiptHandle }, index) =>
      handleOf(ReceiptHandle, `${ENTRY}.${index + 1}.ReceiptHandle`),
    );
    return batchAnswer(entries, await remove(call, queue, handles));
  },
);

/** D1: of each handle, nothing to say or its error. */
async function remove(
  call: SqsCall,
  queue: QueueName,
  handles: readonly string[],
): Promise<readonly (object | SqsError)[]> {
  const { settings } = await call.service.describeQueue(queue, { cached: true });
  const stale = isFifo(settings) ? "refuse" : "accept";
  const statuses = await statusesOf(handles, call.service.ack(queue, handles, { stale }));
  return handles.map((handle, index) => {
    const status = statuses[index];
    if (status === "invalid") return notIssued(handle);
    return status === "expired" ? invalidHandle(handle, "The receipt handle has expired.") : {};
  });
}
