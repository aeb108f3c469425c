/** AWS's own client for JavaScript, in both protocols: FIFO queues. Hunts: order, groups and deduplication lost on the way. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Message, SQS } from "@aws-sdk/client-sqs";
import {
  connect,
  errorOf,
  newQueue,
  newQueueName,
  receiveAll,
  SPEAKERS,
  startService,
} from "./speakers.ts";
import type { Served } from "./speakers.ts";

let served: Served;
beforeAll(async () => {
  served = await startService();
});
afterAll(() => served.close());

describe.each(SPEAKERS)("$name", (speaker) => {
  let sqs: SQS;
  beforeAll(() => {
    sqs = connect(speaker, served);
  });
  afterAll(() => sqs.destroy());

  const bodies = (messages: readonly Message[] = []): (string | undefined)[] =>
    messages.map(({ Body }) => Body);

  test("a group's messages come in order, and lock it until they are gone", async () => {
    const QueueUrl = await newQueue(sqs, { FifoQueue: "true" });
    const sequence: string[] = [];
    for (const [MessageBody, MessageGroupId] of [
      ["a1", "a"],
      ["a2", "a"],
      ["a3", "a"],
      ["b1", "b"],
    ] as const) {
      const sent = await sqs.sendMessage({
        QueueUrl,
        MessageBody,
        MessageGroupId,
        MessageDeduplicationId: MessageBody,
      });
      sequence.push(sent.SequenceNumber ?? "");
    }
    expect(sequence.every((number) => /^\d{20}$/.test(number))).toBe(true);
    expect([...sequence].sort().slice(0, 3)).toEqual(sequence.slice(0, 3));

    const first = await sqs.receiveMessage({
      QueueUrl,
      MaxNumberOfMessages: 2,
      AttributeNames: ["All"],
    });
    expect(bodies(first.Messages)).toEqual(["a1", "a2"]);
    expect(first.Messages?.[0]?.Attributes).toMatchObject({
      MessageGroupId: "a",
      MessageDeduplicationId: "a1",
      SequenceNumber: sequence[0],
    });
    const others = await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10 });
    expect(bodies(others.Messages)).toEqual(["b1"]);
    for (const { ReceiptHandle } of first.Messages ?? [])
      await sqs.deleteMessage({ QueueUrl, ReceiptHandle });
    const rest = await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10 });
    expect(bodies(rest.Messages)).toEqual(["a3"]);
  });

  test("a message is stored once, by its id or by its content", async () => {
    const QueueUrl = await newQueue(sqs, {
      FifoQueue: "true",
      ContentBasedDeduplication: "true",
    });
    const one = { QueueUrl, MessageGroupId: "g", MessageBody: "one" };
    const first = await sqs.sendMessage(one);
    const again = await sqs.sendMessage(one);
    expect(again.MessageId).toBe(first.MessageId);
    expect(again.SequenceNumber).toBe(first.SequenceNumber);
    await sqs.sendMessage({ ...one, MessageDeduplicationId: "another" });
    expect(bodies(await receiveAll(sqs, { QueueUrl, WaitTimeSeconds: 0 }, 3))).toEqual([
      "one",
      "one",
    ]);
  });

  test("a batch keeps its order", async () => {
    const QueueUrl = await newQueue(sqs, { FifoQueue: "true" });
    const { Successful } = await sqs.sendMessageBatch({
      QueueUrl,
      Entries: Array.from({ length: 10 }, (_, n) => ({
        Id: `${n}`,
        MessageBody: `${n}`,
        MessageGroupId: "g",
        MessageDeduplicationId: `id-${n}`,
      })),
    });
    expect(Successful).toHaveLength(10);
    const { Messages = [] } = await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10 });
    expect(bodies(Messages)).toEqual(Array.from({ length: 10 }, (_, n) => `${n}`));
  });

  test("an attempt that is repeated receives the same again", async () => {
    const QueueUrl = await newQueue(sqs, { FifoQueue: "true" });
    for (const MessageBody of ["1", "2"])
      await sqs.sendMessage({
        QueueUrl,
        MessageBody,
        MessageGroupId: "g",
        MessageDeduplicationId: MessageBody,
      });
    const attempt = { QueueUrl, MaxNumberOfMessages: 10, ReceiveRequestAttemptId: "attempt-1" };
    const first = await sqs.receiveMessage(attempt);
    expect(bodies(first.Messages)).toEqual(["1", "2"]);
    const repeated = await sqs.receiveMessage(attempt);
    expect(repeated.Messages?.map(({ ReceiptHandle }) => ReceiptHandle)).toEqual(
      first.Messages?.map(({ ReceiptHandle }) => ReceiptHandle),
    );
  });

  test("what a FIFO queue needs or does not take is refused", async () => {
    const QueueUrl = await newQueue(sqs, { FifoQueue: "true" });
    const message = {
      QueueUrl,
      MessageBody: "x",
      MessageGroupId: "g",
      MessageDeduplicationId: "d",
    };
    const { MessageGroupId: _, ...ungrouped } = message;
    expect((await errorOf(sqs.sendMessage(ungrouped))).name).toBe("MissingParameter");
    const { MessageDeduplicationId: __, ...undeduped } = message;
    expect((await errorOf(sqs.sendMessage(undeduped))).name).toBe("InvalidParameterValue");
    const delayed = await errorOf(sqs.sendMessage({ ...message, DelaySeconds: 1 }));
    expect(delayed.name).toBe("InvalidParameterValue");
    const misnamed = sqs.createQueue({
      QueueName: newQueueName(),
      Attributes: { FifoQueue: "true" },
    });
    expect((await errorOf(misnamed)).name).toBe("InvalidParameterValue");
  });
});
