/**
 * AWS's own client for JavaScript, in both protocols: messages. It checks the MD5 of every body that it
 * sends or receives. Hunts: answers that it reads otherwise than they were meant.
 */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MessageAttributeValue, SQS } from "@aws-sdk/client-sqs";
import {
  arnOf,
  connect,
  errorOf,
  JSON_SPEAKER,
  newQueue,
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

/** What is legal and yet likely to be mangled on the way through a form, XML or JSON. */
const BODIES = [
  "a",
  " leading and trailing ",
  `{"json": ["in", "text"], "a": "ä & <b> \\u0041"}`,
  "&quot;&amp;&#13;<![CDATA[x]]>",
  "tab\tline\nreturn\rboth\r\n",
  "a+b=c&d%20e%zz;f",
  "other line ends \u0085 \u2028",
  "日本語 \uFFFD \uE000 \u{1F600}\u{10FFFF}",
];

describe.each(SPEAKERS)("$name", (speaker) => {
  let sqs: SQS;
  beforeAll(() => {
    sqs = connect(speaker, served);
  });
  afterAll(() => sqs.destroy());

  test("a message's life: sent, received, kept longer, deleted", async () => {
    const QueueUrl = await newQueue(sqs);
    const sent = await sqs.sendMessage({ QueueUrl, MessageBody: "hello" });
    expect(sent).toMatchObject({
      MD5OfMessageBody: md5("hello"),
      MessageId: expect.stringMatching(/^\S+$/),
    });
    expect(sent).not.toHaveProperty("SequenceNumber", expect.anything());
    const { Messages: [message] = [] } = await sqs.receiveMessage({
      QueueUrl,
      AttributeNames: ["All"],
      VisibilityTimeout: 20,
    });
    expect(message).toMatchObject({
      MessageId: sent.MessageId,
      Body: "hello",
      MD5OfBody: md5("hello"),
      Attributes: {
        ApproximateReceiveCount: "1",
        SenderId: expect.stringMatching(/^\S+$/),
        SentTimestamp: expect.stringMatching(/^\d{13}$/),
        ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d{13}$/),
      },
    });
    const ReceiptHandle = message?.ReceiptHandle;
    await sqs.changeMessageVisibility({ QueueUrl, ReceiptHandle, VisibilityTimeout: 100 });
    expect(await counts(sqs, QueueUrl)).toEqual(["0", "1", "0"]);
    await sqs.deleteMessage({ QueueUrl, ReceiptHandle });
    await sqs.deleteMessage({ QueueUrl, ReceiptHandle });
    expect(await counts(sqs, QueueUrl)).toEqual(["0", "0", "0"]);
  });

  test("bodies come back as they were", async () => {
    const QueueUrl = await newQueue(sqs);
    for (const MessageBody of BODIES) await sqs.sendMessage({ QueueUrl, MessageBody });
    const received = await receiveAll(sqs, { QueueUrl }, BODIES.length);
    expect(new Set(received.map(({ Body }) => Body))).toEqual(new Set(BODIES));
    expect(received).toHaveLength(BODIES.length);
    for (const { Body, MD5OfBody } of received) expect(MD5OfBody).toBe(md5(Body ?? ""));
  });

  test("a message may have a MiB", async () => {
    const QueueUrl = await newQueue(sqs);
    const MessageBody = "0123456789abcdef".repeat(65_536);
    await sqs.sendMessage({ QueueUrl, MessageBody });
    const [message] = await receiveAll(sqs, { QueueUrl }, 1);
    expect(message?.Body === MessageBody).toBe(true);
    const error = await errorOf(sqs.sendMessage({ QueueUrl, MessageBody: `${MessageBody}!` }));
    expect(error).toMatchObject({ name: "InvalidParameterValue" });
    expect(error.message).toContain("1048576");
  });

  test("attributes of all types come back, with the MD5 of those that were asked for", async () => {
    const QueueUrl = await newQueue(sqs);
    const MessageAttributes: Record<string, MessageAttributeValue> = {
      "text.plain": { DataType: "String", StringValue: "ä <&> \r\n" },
      number: { DataType: "Number", StringValue: "-1.50" },
      bytes: { DataType: "Binary", BinaryValue: Uint8Array.of(0, 1, 254, 255) },
      "number.custom": { DataType: "Number.java.lang.Long", StringValue: "9007199254740993" },
    };
    const sent = await sqs.sendMessage({ QueueUrl, MessageBody: "with", MessageAttributes });
    expect(sent.MD5OfMessageAttributes).toBe(md5OfAttributes(MessageAttributes));

    const [some] = await receiveAll(
      sqs,
      { QueueUrl, MessageAttributeNames: ["number*", "nothing"], VisibilityTimeout: 0 },
      1,
    );
    expect(some).not.toHaveProperty("MessageAttributes.number");
    const [numbers] = await receiveAll(
      sqs,
      { QueueUrl, MessageAttributeNames: ["number", "number.*"], VisibilityTimeout: 0 },
      1,
    );
    const { number, "number.custom": custom } = MessageAttributes;
    expect(plain(numbers?.MessageAttributes)).toEqual(
      plain({ ...(number && { number }), ...(custom && { "number.custom": custom }) }),
    );
    const [all] = await receiveAll(sqs, { QueueUrl, MessageAttributeNames: ["All"] }, 1);
    expect(plain(all?.MessageAttributes)).toEqual(plain(MessageAttributes));
    expect(all?.MD5OfMessageAttributes).toBe(md5OfAttributes(MessageAttributes));
  });

  test("a trace header is a system attribute", async () => {
    const QueueUrl = await newQueue(sqs);
    const StringValue = "Root=1-5759e988-bd862e3fe1be46a994272793";
    const sent = await sqs.sendMessage({
      QueueUrl,
      MessageBody: "traced",
      MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue } },
    });
    expect(sent.MD5OfMessageSystemAttributes).toBe(
      md5OfAttributes({ AWSTraceHeader: { DataType: "String", StringValue } }),
    );
    const [message] = await receiveAll(sqs, { QueueUrl, AttributeNames: ["All"] }, 1);
    expect(message?.Attributes).toMatchObject({ AWSTraceHeader: StringValue });
  });

  test("batches: what is good goes, what is not is named", async () => {
    const QueueUrl = await newQueue(sqs);
    const Entries = Array.from({ length: 10 }, (_, n) => ({
      Id: `entry-${n}`,
      MessageBody: n === 4 ? "\u0001" : `body ${n}`,
    }));
    const sent = await sqs.sendMessageBatch({ QueueUrl, Entries });
    expect(sent.Successful?.map(({ Id }) => Id)).toEqual(
      Entries.map(({ Id }) => Id).filter((id) => id !== "entry-4"),
    );
    expect(sent.Failed).toMatchObject([
      { Id: "entry-4", Code: "InvalidMessageContents", SenderFault: true },
    ]);
    for (const { Id, MD5OfMessageBody } of sent.Successful ?? [])
      expect(MD5OfMessageBody).toBe(md5(`body ${Id?.split("-")[1]}`));

    const received = await receiveAll(sqs, { QueueUrl }, 9);
    expect(received).toHaveLength(9);
    const changed = await sqs.changeMessageVisibilityBatch({
      QueueUrl,
      Entries: [
        { Id: "a", ReceiptHandle: received[0]?.ReceiptHandle, VisibilityTimeout: 60 },
        { Id: "b", ReceiptHandle: "forged", VisibilityTimeout: 60 },
      ],
    });
    expect(changed.Successful).toMatchObject([{ Id: "a" }]);
    expect(changed.Failed).toMatchObject([{ Id: "b", Code: "ReceiptHandleIsInvalid" }]);
    const deleted = await sqs.deleteMessageBatch({
      QueueUrl,
      Entries: received.map(({ ReceiptHandle }, n) => ({ Id: `${n}`, ReceiptHandle })),
    });
    expect(deleted.Successful).toHaveLength(9);
    expect(await counts(sqs, QueueUrl)).toEqual(["0", "0", "0"]);
  });

  test("a long poll ends as soon as a message comes", async () => {
    const QueueUrl = await newQueue(sqs);
    const waiting = receiveAll(sqs, { QueueUrl, WaitTimeSeconds: 20 }, 1);
    await sqs.sendMessage({ QueueUrl, MessageBody: "awaited" });
    expect(await waiting).toMatchObject([{ Body: "awaited" }]);
  });

  test("what was given back, ran out or was delayed comes within the same long poll", async () => {
    const QueueUrl = await newQueue(sqs, { ReceiveMessageWaitTimeSeconds: "10" });
    await sqs.sendMessage({ QueueUrl, MessageBody: "delayed", DelaySeconds: 1 });
    expect(await counts(sqs, QueueUrl)).toEqual(["0", "0", "1"]);
    const first = await sqs.receiveMessage({ QueueUrl, VisibilityTimeout: 1 });
    expect(first.Messages).toMatchObject([{ Body: "delayed" }]);
    const { Messages: [second] = [] } = await sqs.receiveMessage({
      QueueUrl,
      AttributeNames: ["All"],
    });
    expect(second).toMatchObject({ Attributes: { ApproximateReceiveCount: "2" } });
    await sqs.changeMessageVisibility({
      QueueUrl,
      ReceiptHandle: second?.ReceiptHandle,
      VisibilityTimeout: 0,
    });
    const { Messages: [third] = [] } = await sqs.receiveMessage({
      QueueUrl,
      AttributeNames: ["All"],
    });
    expect(third?.Attributes?.ApproximateReceiveCount).toBe("3");
    // A handle of before deletes all the same.
    await sqs.deleteMessage({ QueueUrl, ReceiptHandle: second?.ReceiptHandle });
    expect(await counts(sqs, QueueUrl)).toEqual(["0", "0", "0"]);
  });

  test("a poisoned message ends in the dead-letter queue, and moves back", async () => {
    const dead = await newQueue(sqs);
    const deadLetterTargetArn = await arnOf(sqs, dead);
    const source = await newQueue(sqs, {
      VisibilityTimeout: "0",
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 1 }),
    });
    const sent = await sqs.sendMessage({ QueueUrl: source, MessageBody: "poison" });
    await receiveAll(sqs, { QueueUrl: source }, 1);
    expect((await sqs.receiveMessage({ QueueUrl: source })).Messages).toBeUndefined();
    const [letter] = await receiveAll(
      sqs,
      { QueueUrl: dead, AttributeNames: ["All"], VisibilityTimeout: 0 },
      1,
    );
    expect(letter).toMatchObject({
      MessageId: sent.MessageId,
      Body: "poison",
      Attributes: { DeadLetterQueueSourceArn: await arnOf(sqs, source) },
    });

    const { TaskHandle } = await sqs.startMessageMoveTask({ SourceArn: deadLetterTargetArn });
    expect(TaskHandle).toMatch(/^\S+$/);
    const [back] = await receiveAll(sqs, { QueueUrl: source }, 1);
    expect(back?.Body).toBe("poison");
    await expect
      .poll(
        async () => {
          const { Results } = await sqs.listMessageMoveTasks({ SourceArn: deadLetterTargetArn });
          return Results;
        },
        { timeout: 20_000 },
      )
      .toMatchObject([{ Status: "COMPLETED", ApproximateNumberOfMessagesMoved: 1 }]);
    // It is over; there is nothing to cancel.
    const over = await errorOf(sqs.cancelMessageMoveTask({ TaskHandle }));
    expect(over.name).toBe("InvalidParameterValue");
  });
});

test("attributes go by their new name in the current client, too", async () => {
  const sqs = connect(JSON_SPEAKER, served);
  const QueueUrl = await newQueue(sqs);
  await sqs.sendMessage({ QueueUrl, MessageBody: "shared", MessageGroupId: "tenant-1" });
  const [message] = await receiveAll(
    sqs,
    { QueueUrl, MessageSystemAttributeNames: ["MessageGroupId", "ApproximateReceiveCount"] },
    1,
  );
  expect(message?.Attributes).toEqual({
    MessageGroupId: "tenant-1",
    ApproximateReceiveCount: "1",
  });
  sqs.destroy();
});

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

/** As AWS's documentation says it: names in order, and of name, type and value each the length first. */
function md5OfAttributes(attributes: Readonly<Record<string, MessageAttributeValue>>): string {
  const hash = createHash("md5");
  const part = (bytes: Uint8Array): void => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  };
  for (const [name, { DataType = "", StringValue, BinaryValue }] of Object.entries(attributes).sort(
    ([a], [b]) => (a < b ? -1 : 1),
  )) {
    part(Buffer.from(name));
    part(Buffer.from(DataType));
    hash.update(Uint8Array.of(StringValue === undefined ? 2 : 1));
    part(BinaryValue ?? Buffer.from(StringValue ?? ""));
  }
  return hash.digest("hex");
}

/** Without what a client adds or leaves out of its own accord. */
const plain = (attributes: Readonly<Record<string, MessageAttributeValue>> = {}): unknown =>
  Object.fromEntries(
    Object.entries(attributes).map(([name, { DataType, StringValue, BinaryValue }]) => [
      name,
      {
        DataType,
        value: StringValue ?? Buffer.from(BinaryValue ?? Uint8Array.of()).toString("hex"),
      },
    ]),
  );

/** Ready, leased, delayed. */
async function counts(sqs: SQS, QueueUrl: string): Promise<(string | undefined)[]> {
  const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["All"] });
  return [
    Attributes?.ApproximateNumberOfMessages,
    Attributes?.ApproximateNumberOfMessagesNotVisible,
    Attributes?.ApproximateNumberOfMessagesDelayed,
  ];
}
