/**
 * Dead letters by SQS's own SDK, in both protocols, against the embedded service: how often a message is
 * delivered before it is one, what it keeps, in what order it comes, and its way back by a move task.
 */
import type { Message, SQS } from "@aws-sdk/client-sqs";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Local } from "../../src/local/runtime.ts";
import { newName, start } from "./local-service.ts";
import { ARN, faultOf, PROTOCOLS } from "./sqs-clients.ts";

let local: Local;
beforeAll(async () => {
  local = await start();
});
afterAll(async () => local.close());

interface Queue {
  readonly url: string;
  readonly arn: string;
}

async function create(
  sqs: SQS,
  Attributes: Readonly<Record<string, string>> = {},
  suffix = "",
): Promise<Queue> {
  const QueueName = `${newName("dead-letters")}${suffix}`;
  const { QueueUrl = "" } = await sqs.createQueue({ QueueName, Attributes });
  return { url: QueueUrl, arn: `${ARN}:${QueueName}` };
}

/** A queue, and the one that it dead-letters to. */
async function pipe(
  sqs: SQS,
  maxReceiveCount: number,
  dead?: Queue,
): Promise<{ readonly queue: Queue; readonly dead: Queue }> {
  const target = dead ?? (await create(sqs));
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: target.arn, maxReceiveCount });
  return { queue: await create(sqs, { RedrivePolicy }), dead: target };
}

/** Everything that there is to see of a message; it may be received again at once. */
const receive = async (sqs: SQS, { url }: Queue, more: object = {}): Promise<Message[]> => {
  const { Messages = [] } = await sqs.receiveMessage({
    QueueUrl: url,
    AttributeNames: ["All"],
    MessageAttributeNames: ["All"],
    MaxNumberOfMessages: 10,
    VisibilityTimeout: 0,
    ...more,
  });
  return Messages;
};

/** Receives and deletes until nothing is left. */
async function drain(sqs: SQS, queue: Queue): Promise<Message[]> {
  const all: Message[] = [];
  for (;;) {
    const batch = await receive(sqs, queue, { VisibilityTimeout: 30 });
    if (batch.length === 0) return all;
    all.push(...batch);
    for (const { ReceiptHandle } of batch)
      await sqs.deleteMessage({ QueueUrl: queue.url, ReceiptHandle });
  }
}

const bodies = (messages: readonly Message[]): string[] => messages.map(({ Body = "" }) => Body);

/** Sends messages, and has each of them fail as often as its queue allows. */
async function fail(sqs: SQS, queue: Queue, texts: readonly string[]): Promise<void> {
  for (const MessageBody of texts) await sqs.sendMessage({ QueueUrl: queue.url, MessageBody });
  while ((await receive(sqs, queue)).length > 0);
}

const latest = async (sqs: SQS, { arn }: Queue) =>
  (await sqs.listMessageMoveTasks({ SourceArn: arn })).Results?.[0];

/** Looks until the latest task is as awaited, or no longer under way. */
async function settled(sqs: SQS, queue: Queue, isAwaited: (moved: number) => boolean) {
  for (;;) {
    const task = await latest(sqs, queue);
    const isOver = task?.Status !== "RUNNING" && task?.Status !== "CANCELLING";
    if (isOver || isAwaited(task?.ApproximateNumberOfMessagesMoved ?? 0)) return task;
    await wait(20);
  }
}

const ended = (sqs: SQS, queue: Queue) => settled(sqs, queue, () => false);

describe.each(PROTOCOLS)("%s: a dead letter", (_, connect) => {
  test("was delivered maxReceiveCount times, and keeps all that it was sent with", async () => {
    const sqs = connect(local.url);
    const { queue, dead } = await pipe(sqs, 3);
    const { MessageId } = await sqs.sendMessage({
      QueueUrl: queue.url,
      MessageBody: "<poison> & \r\n",
      MessageAttributes: {
        kind: { DataType: "String.word", StringValue: "é" },
        size: { DataType: "Number", StringValue: "1.50" },
        bytes: { DataType: "Binary", BinaryValue: Uint8Array.of(0, 255) },
      },
      MessageSystemAttributes: {
        AWSTraceHeader: {
          DataType: "String",
          StringValue: "Root=1-5759e988-bd862e3fe1be46a994272793",
        },
      },
    });
    const seen: Message[] = [];
    for (let count = 1; count <= 3; count++) {
      const [message] = await receive(sqs, queue);
      expect(message?.Attributes?.ApproximateReceiveCount).toBe(String(count));
      seen.push(message ?? {});
    }
    expect(await receive(sqs, queue)).toEqual([]);
    const { ReceiptHandle: _receipt, Attributes = {}, ...rest } = seen[0] ?? {};
    const [letter, ...others] = await receive(sqs, dead);
    expect(others).toEqual([]);
    expect(letter).toMatchObject(rest);
    expect(letter?.MessageId).toBe(MessageId);
    expect(letter?.Attributes).toEqual({
      ...Attributes,
      ApproximateReceiveCount: "4",
      DeadLetterQueueSourceArn: queue.arn,
    });
    const counts = await sqs.getQueueAttributes({
      QueueUrl: queue.url,
      AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    });
    expect(Object.values(counts.Attributes ?? {})).toEqual(["0", "0"]);
  });

  test("is none that was deleted with its last receive", async () => {
    const sqs = connect(local.url);
    const { queue, dead } = await pipe(sqs, 1);
    await sqs.sendMessage({ QueueUrl: queue.url, MessageBody: "in time" });
    const [{ ReceiptHandle } = {}] = await receive(sqs, queue, { VisibilityTimeout: 30 });
    await sqs.deleteMessage({ QueueUrl: queue.url, ReceiptHandle });
    expect(await receive(sqs, queue)).toEqual([]);
    expect(await receive(sqs, dead)).toEqual([]);
  });

  test("comes in the order of its group, and goes back in it", async () => {
    const sqs = connect(local.url);
    const fifo = { FifoQueue: "true", ContentBasedDeduplication: "true" };
    const dead = await create(sqs, fifo, ".fifo");
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: 1 });
    const queue = await create(sqs, { ...fifo, RedrivePolicy }, ".fifo");
    const texts = Array.from({ length: 12 }, (_each, index) => `${index % 3}-${index}`);
    for (const MessageBody of texts)
      await sqs.sendMessage({
        QueueUrl: queue.url,
        MessageBody,
        MessageGroupId: MessageBody.charAt(0),
      });
    while ((await receive(sqs, queue)).length > 0);
    const inOrder = async (from: Queue) => {
      const messages = await drain(sqs, from);
      for (const group of ["0", "1", "2"])
        expect(
          bodies(messages.filter(({ Attributes }) => Attributes?.MessageGroupId === group)),
        ).toEqual(texts.filter((one) => one.startsWith(group)));
      return messages.length;
    };
    await sqs.startMessageMoveTask({ SourceArn: dead.arn });
    expect(await ended(sqs, dead)).toMatchObject({ Status: "COMPLETED" });
    expect(await inOrder(queue)).toBe(12);
    expect(await receive(sqs, dead)).toEqual([]);
  });
});

describe.each(PROTOCOLS)("%s: a move task", (_, connect) => {
  test("gives letters back to the queue of each, where they begin anew", async () => {
    const sqs = connect(local.url);
    const { queue, dead } = await pipe(sqs, 1);
    const { queue: second } = await pipe(sqs, 2, dead);
    await fail(sqs, queue, ["a", "b"]);
    await fail(sqs, second, ["c", "d"]);
    const { TaskHandle = "" } = await sqs.startMessageMoveTask({ SourceArn: dead.arn });
    expect(JSON.parse(Buffer.from(TaskHandle, "base64").toString())).toEqual({
      taskId: expect.any(String),
      sourceArn: dead.arn,
    });
    expect(await ended(sqs, dead)).toEqual({
      Status: "COMPLETED",
      SourceArn: dead.arn,
      ApproximateNumberOfMessagesMoved: 4,
      ApproximateNumberOfMessagesToMove: 4,
      StartedTimestamp: expect.any(Number),
    });
    expect(await receive(sqs, dead)).toEqual([]);
    const back = await receive(sqs, queue, { VisibilityTimeout: 30 });
    expect(bodies(back).sort()).toEqual(["a", "b"]);
    expect(bodies(await drain(sqs, second)).sort()).toEqual(["c", "d"]);
    for (const { Attributes } of back) {
      expect(Attributes?.ApproximateReceiveCount).toBe("1");
      expect(Attributes?.DeadLetterQueueSourceArn).toBeUndefined();
    }
  });

  test("moves to a queue of one's choice at a rate, is seen to run, and is cancelled", async () => {
    const sqs = connect(local.url);
    const { queue, dead } = await pipe(sqs, 1);
    const target = await create(sqs);
    await fail(sqs, queue, ["a", "b", "c", "d", "e", "f"]);
    const input = { SourceArn: dead.arn, DestinationArn: target.arn };
    const rated = { ...input, MaxNumberOfMessagesPerSecond: 1 };
    const { TaskHandle } = await sqs.startMessageMoveTask(rated);
    expect(await latest(sqs, dead)).toEqual({
      ...rated,
      TaskHandle,
      Status: "RUNNING",
      ApproximateNumberOfMessagesMoved: 0,
      ApproximateNumberOfMessagesToMove: 6,
      StartedTimestamp: expect.any(Number),
    });
    expect(await faultOf(sqs.startMessageMoveTask(input))).toEqual([
      expect.stringMatching(/^InvalidParameterValue/),
      "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
    ]);
    await settled(sqs, dead, (moved) => moved >= 1);
    await sqs.cancelMessageMoveTask({ TaskHandle });
    const cancelled = await ended(sqs, dead);
    expect(cancelled).toMatchObject({ ...rated, Status: "CANCELLED" });
    expect(cancelled).not.toHaveProperty("TaskHandle", TaskHandle);
    const moved = cancelled?.ApproximateNumberOfMessagesMoved ?? 0;
    expect(await drain(sqs, target)).toHaveLength(moved);
    expect(await receive(sqs, dead)).toHaveLength(6 - moved);
    expect(await faultOf(sqs.cancelMessageMoveTask({ TaskHandle }))).toEqual([
      expect.stringMatching(/^InvalidParameterValue/),
      "Only active tasks can be cancelled.",
    ]);
  });

  test("fails when its destination is deleted, and leaves the rest", async () => {
    const sqs = connect(local.url);
    const { queue, dead } = await pipe(sqs, 1);
    const target = await create(sqs);
    await fail(sqs, queue, ["a", "b", "c", "d", "e"]);
    const input = { SourceArn: dead.arn, DestinationArn: target.arn };
    await sqs.startMessageMoveTask({ ...input, MaxNumberOfMessagesPerSecond: 1 });
    await sqs.deleteQueue({ QueueUrl: target.url });
    expect(await ended(sqs, dead)).toMatchObject({
      Status: "FAILED",
      FailureReason: "AWS.SimpleQueueService.NonExistentQueue",
    });
    expect((await receive(sqs, dead)).length).toBeGreaterThan(0);
  });

  test("is refused in AWS's words", async () => {
    const sqs = connect(local.url);
    const { queue, dead } = await pipe(sqs, 1);
    const handle = (sourceArn: string): string =>
      Buffer.from(
        JSON.stringify({ taskId: "10f57157-fc38-4da9-a113-4de7e12d05aa", sourceArn }),
      ).toString("base64");
    const missing = (parameter: string) => [
      "ResourceNotFoundException",
      `The resource that you specified for the ${parameter} parameter doesn't exist.`,
    ];
    const invalid = (message: string) => [expect.stringMatching(/^InvalidParameterValue/), message];
    const input = { SourceArn: dead.arn, DestinationArn: `${dead.arn}-none` };
    expect(await faultOf(sqs.startMessageMoveTask({ SourceArn: queue.arn }))).toEqual(
      invalid("Source queue must be configured as a Dead Letter Queue."),
    );
    expect(await faultOf(sqs.startMessageMoveTask(input))).toEqual(missing("DestinationArn"));
    expect(await faultOf(sqs.cancelMessageMoveTask({ TaskHandle: "foobared" }))).toEqual(
      invalid("Value for parameter TaskHandle is invalid."),
    );
    expect(await faultOf(sqs.cancelMessageMoveTask({ TaskHandle: handle(`${ARN}:none`) }))).toEqual(
      missing("SourceArn"),
    );
    expect(await faultOf(sqs.cancelMessageMoveTask({ TaskHandle: handle(dead.arn) }))).toEqual([
      "ResourceNotFoundException",
      "Task does not exist.",
    ]);
  });
});
