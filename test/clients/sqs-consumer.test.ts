/** bbc's sqs-consumer and sqs-producer, as they are. Hunts: what frameworks on top of AWS's client rely on. */
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Message, SQS } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";
import { Producer } from "sqs-producer";
import { connect, JSON_SPEAKER, newQueue, startService } from "./speakers.ts";
import type { Served } from "./speakers.ts";

let served: Served;
let sqs: SQS;
beforeAll(async () => {
  served = await startService();
  sqs = connect(JSON_SPEAKER, served);
});
afterAll(async () => {
  sqs.destroy();
  await served.close();
});

const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => `${n}`);
const PATIENT = { timeout: 30_000 };

test("a producer's batches are consumed by batches, and deleted", async () => {
  const queueUrl = await newQueue(sqs);
  const producer = Producer.create({ queueUrl, sqs });
  const sent = await producer.send(numbers(25));
  expect(sent).toHaveLength(25);
  expect(await producer.queueSize()).toBe(25);
  const handled: string[] = [];
  const consumer = Consumer.create({
    queueUrl,
    sqs,
    batchSize: 10,
    waitTimeSeconds: 1,
    async handleMessageBatch(messages) {
      handled.push(...messages.map(({ Body }) => Body ?? ""));
      return messages;
    },
  });
  consumer.start();
  await once(consumer, "empty");
  await stopped(consumer);
  expect(handled.sort()).toEqual(numbers(25).sort());
  expect(await producer.queueSize()).toBe(0);
});

test("attributes and groups reach the handler", async () => {
  const queueUrl = await newQueue(sqs, { FifoQueue: "true" });
  await Producer.create({ queueUrl, sqs }).send({
    id: "1",
    body: "grouped",
    groupId: "group-1",
    deduplicationId: "d-1",
    messageAttributes: { kind: { DataType: "String", StringValue: "order" } },
  });
  const message = await new Promise<Message>((resolve) => {
    const consumer = Consumer.create({
      queueUrl,
      sqs,
      suppressFifoWarning: true,
      waitTimeSeconds: 1,
      messageAttributeNames: ["All"],
      messageSystemAttributeNames: ["MessageGroupId"],
      async handleMessage(received) {
        consumer.stop();
        resolve(received);
        return received;
      },
    });
    consumer.start();
  });
  expect(message).toMatchObject({
    Body: "grouped",
    Attributes: { MessageGroupId: "group-1" },
    MessageAttributes: { kind: { StringValue: "order" } },
  });
});

test("a heartbeat keeps a message that takes longer than its visibility", async () => {
  const queueUrl = await newQueue(sqs);
  await sqs.sendMessage({ QueueUrl: queueUrl, MessageBody: "slow" });
  let handled = 0;
  const finish = gate();
  const consumer = Consumer.create({
    queueUrl,
    sqs,
    visibilityTimeout: 2,
    heartbeatInterval: 1,
    waitTimeSeconds: 1,
    async handleMessage(message) {
      handled += 1;
      await finish.passed;
      return message;
    },
  });
  consumer.start();
  // Another receiver, who waits for longer than the visibility, gets nothing.
  await expect.poll(() => handled, PATIENT).toBe(1);
  const others = await sqs.receiveMessage({ QueueUrl: queueUrl, WaitTimeSeconds: 4 });
  expect(others.Messages).toBeUndefined();
  const processed = once(consumer, "message_processed");
  finish.open();
  await processed;
  await stopped(consumer);
  expect(handled).toBe(1);
});

test("a handler that fails gets its message again", async () => {
  const queueUrl = await newQueue(sqs);
  await sqs.sendMessage({ QueueUrl: queueUrl, MessageBody: "twice" });
  const attempts: (string | undefined)[] = [];
  const consumer = Consumer.create({
    queueUrl,
    sqs,
    waitTimeSeconds: 1,
    terminateVisibilityTimeout: true,
    messageSystemAttributeNames: ["ApproximateReceiveCount"],
    async handleMessage(message) {
      attempts.push(message.Attributes?.ApproximateReceiveCount);
      if (attempts.length === 1) throw new Error("the first attempt fails");
      return message;
    },
  });
  consumer.on("processing_error", () => {});
  const processed = once(consumer, "message_processed");
  consumer.start();
  await processed;
  await stopped(consumer);
  expect(attempts).toEqual(["1", "2"]);
});

test("a consumer that stops finishes what it has", async () => {
  const queueUrl = await newQueue(sqs);
  await Producer.create({ queueUrl, sqs }).send(numbers(3));
  const finish = gate();
  let begun = 0;
  const consumer = Consumer.create({
    queueUrl,
    sqs,
    batchSize: 3,
    waitTimeSeconds: 1,
    pollingCompleteWaitTimeMs: 20_000,
    async handleMessage(message) {
      begun += 1;
      await finish.passed;
      return message;
    },
  });
  consumer.start();
  await expect.poll(() => begun, PATIENT).toBe(3);
  const stop = stopped(consumer);
  finish.open();
  await stop;
  const { Attributes } = await sqs.getQueueAttributes({
    QueueUrl: queueUrl,
    AttributeNames: ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
  });
  expect(Attributes).toEqual({
    ApproximateNumberOfMessages: "0",
    ApproximateNumberOfMessagesNotVisible: "0",
  });
});

async function stopped(consumer: Consumer): Promise<void> {
  const ended = once(consumer, "stopped");
  consumer.stop();
  await ended;
}

function gate(): { passed: Promise<void>; open: () => void } {
  let open = (): void => {};
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open: () => open() };
}
