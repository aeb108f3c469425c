/** A standard and a FIFO queue, and what tests do with messages of them by their handles. */
import type { QueueSettings } from "../../src/core/queue.ts";
import { queueName } from "../../src/core/types.ts";
import type { QueueName } from "../../src/core/types.ts";
import { sqsFixture } from "./requests.ts";

export const Q = queueName("orders");
export const FIFO = queueName("orders.fifo");

export const INVALID = "com.amazon.coral.service#InvalidParameterValueException";
export const INVALID_HANDLE = "com.amazonaws.sqs#ReceiptHandleIsInvalid";

export interface Received {
  readonly Body: string;
  readonly ReceiptHandle: string;
}

export async function receiptsWorld(settings: Partial<QueueSettings> = {}) {
  const fixture = sqsFixture();
  await fixture.service.putQueue(Q, { lanes: 1, ...settings });
  await fixture.service.putQueue(FIFO, { lanes: 1, order: "key", ...settings });
  /** On the FIFO queue the part before `-` is the group. */
  const send = async (queue: QueueName, ...bodies: readonly string[]): Promise<void> => {
    for (const [at, body] of bodies.entries()) {
      const [group] = body.split("-");
      const ids = { MessageGroupId: group, MessageDeduplicationId: `${body}${at}` };
      await fixture.call("SendMessage", {
        QueueUrl: queue,
        MessageBody: body,
        ...(queue === FIFO ? ids : {}),
      });
    }
  };
  const receive = async (queue: QueueName, input: object = {}): Promise<readonly Received[]> => {
    const all = { QueueUrl: queue, MaxNumberOfMessages: 10, ...input };
    return ((await fixture.call("ReceiveMessage", all))["Messages"] ?? []) as readonly Received[];
  };
  const remove = (queue: QueueName, ReceiptHandle: string | undefined) =>
    fixture.call("DeleteMessage", { QueueUrl: queue, ReceiptHandle });
  const change = (queue: QueueName, ReceiptHandle: string | undefined, VisibilityTimeout: number) =>
    fixture.call("ChangeMessageVisibility", { QueueUrl: queue, ReceiptHandle, VisibilityTimeout });
  return { ...fixture, send, receive, remove, change };
}

export const bodiesOf = (messages: readonly Received[]): readonly string[] =>
  messages.map(({ Body }) => Body);

export const handlesOf = (messages: readonly Received[]): readonly string[] =>
  messages.map(({ ReceiptHandle }) => ReceiptHandle);
