/** Hunts sends that AWS would refuse and LaneMQ stores, those the other way round, and batches that lose an entry. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import type { QueueSettings } from "../../src/core/queue.ts";
import { queueName } from "../../src/core/types.ts";
import { sqsMessageId } from "../../src/sqs/message-id.ts";
import { bodyOf } from "../service/fixture.ts";
import { jsonRequest, queryRequest, sqsFixture } from "./requests.ts";

const MINUTE = 60_000;
const Q = queueName("orders");
const FIFO = queueName("orders.fifo");
const ALL = { max: 100, group: "default" };
const INVALID = "com.amazon.coral.service#InvalidParameterValueException";

async function world(settings: Partial<QueueSettings> = {}) {
  const fixture = sqsFixture();
  await fixture.service.putQueue(Q, { lanes: 1, ...settings });
  await fixture.service.putQueue(FIFO, { lanes: 1, order: "key", ...settings });
  const send = (input: object, queue = Q) =>
    fixture.call("SendMessage", { QueueUrl: queue, ...input });
  const sendBatch = (Entries: readonly object[], queue = Q) =>
    fixture.call("SendMessageBatch", { QueueUrl: queue, Entries });
  const stored = async (queue = Q) =>
    (await fixture.service.browse(queue, { limit: 100 })).messages;
  return { ...fixture, send, sendBatch, stored };
}

const refusal = (message: string, type = INVALID) => ({ __type: type, message });
const fifo = (group: string, id?: string, body = "m") => ({
  MessageBody: body,
  MessageGroupId: group,
  ...(id === undefined ? {} : { MessageDeduplicationId: id }),
});

describe("SendMessage", () => {
  it("answers id and digests, and stores the message as REST knows it", async () => {
    const { send, stored } = await world();
    const answer = await send({
      MessageBody: "Test Message",
      MessageAttributes: { Hello: { DataType: "String", StringValue: "World" } },
      MessageSystemAttributes: {
        AWSTraceHeader: { DataType: "String", StringValue: "some-trace-id" },
      },
    });
    const [message] = await stored();
    expect(answer).toEqual({
      MessageId: sqsMessageId(message?.id ?? ""),
      MD5OfMessageBody: "d1d4180b7e411c4be86b00fb2ee103eb",
      MD5OfMessageAttributes: "7db7fb1ba7f41366a8ea5eb18220b26d",
      MD5OfMessageSystemAttributes: "fdce4f2818803f2f73becc09a54792c0",
    });
    expect(message).toMatchObject({
      kind: "text",
      contentType: "text/plain; charset=utf-8",
      headers: { Hello: "World" },
      sqs: { trace: "some-trace-id" },
    });
    expect(message && bodyOf(message)).toBe("Test Message");
  });

  it("takes numbers and booleans for their text, as AWS does", async () => {
    const { send, stored } = await world();
    const attributes = { n: { DataType: "String", StringValue: 2345 } };
    await send({ MessageBody: 0, MessageAttributes: attributes });
    const [message] = await stored();
    expect([message && bodyOf(message), message?.headers]).toEqual(["0", { n: "2345" }]);
  });

  it.each([
    [
      {},
      refusal(
        "The request must contain the parameter MessageBody.",
        "com.amazon.coral.service#MissingRequiredParameterException",
      ),
    ],
    [
      { MessageBody: "" },
      refusal(
        "The request must contain the parameter MessageBody.",
        "com.amazon.coral.service#MissingRequiredParameterException",
      ),
    ],
    [
      { MessageBody: "a\u0001" },
      refusal(
        "Invalid binary character '#x1' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]",
        "com.amazonaws.sqs#InvalidMessageContents",
      ),
    ],
    [
      { MessageBody: "m", DelaySeconds: -1 },
      refusal(
        "Value -1 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
      ),
    ],
    [
      { MessageBody: "m", DelaySeconds: 901 },
      refusal(
        "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
      ),
    ],
    [
      { MessageBody: "m", MessageDeduplicationId: "d" },
      refusal(
        "The request include parameter MessageDeduplicationId which is not valid for this queue type",
      ),
    ],
    [
      { MessageBody: "m", MessageGroupId: "" },
      refusal(
        "Value  for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.",
      ),
    ],
    [
      { MessageBody: "m", MessageGroupId: "group 123" },
      refusal(
        "Value group 123 for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.",
      ),
    ],
  ])("refuses %j to a standard queue", async (input, expected) => {
    const { send, stored } = await world();
    expect(await send(input)).toEqual(expected);
    expect(await stored()).toEqual([]);
  });

  it("takes body, attribute names, types and values up to the queue's size together", async () => {
    const { send } = await world({ maxMessageBytes: 1024 });
    const attributes = {
      k: { DataType: "Binary", BinaryValue: Buffer.from("xyz").toString("base64") },
    };
    const room = 1024 - "kBinaryxyz".length;
    const ok = await send({ MessageBody: "a".repeat(room), MessageAttributes: attributes });
    expect(ok).toHaveProperty("MessageId");
    expect(
      await send({ MessageBody: "a".repeat(room + 1), MessageAttributes: attributes }),
    ).toEqual(
      refusal(
        "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.",
      ),
    );
  });

  it("takes 1 MiB, and CR, LF and what XML reserves, by both protocols", async () => {
    const { ask, service } = await world();
    const body = `<a b="c">&amp;\r\n\t'\u{1f600}</a>`.padEnd(LIMITS.messageBytes - 2, "x");
    expect(Buffer.byteLength(body)).toBe(LIMITS.messageBytes);
    for (const request of [
      jsonRequest("SendMessage", { QueueUrl: Q, MessageBody: body }),
      queryRequest("SendMessage", { QueueUrl: Q, MessageBody: body }),
    ])
      expect((await ask(request)).status).toBe(200);
    const messages = await service.receive(Q, ALL);
    expect(messages.map(bodyOf).every((received) => received === body)).toBe(true);
    expect(messages).toHaveLength(2);
  });

  it("refuses a queue that does not exist", async () => {
    const { send } = await world();
    expect(await send({ MessageBody: "m" }, queueName("nowhere"))).toMatchObject({
      __type: "com.amazonaws.sqs#QueueDoesNotExist",
    });
  });

  it("takes attributes of any type in the query protocol", async () => {
    const { ask, stored } = await world();
    const reply = await ask(
      queryRequest("SendMessage", {
        QueueUrl: Q,
        MessageBody: "Test Message",
        "MessageAttribute.1.Name": "UserId",
        "MessageAttribute.1.Value.DataType": "Number.bigint",
        "MessageAttribute.1.Value.StringValue": "1234567890123456789012",
        "MessageAttribute.2.Name": "Raw",
        "MessageAttribute.2.Value.DataType": "Binary",
        "MessageAttribute.2.Value.BinaryValue": "AP8=",
      }),
    );
    expect(reply.status).toBe(200);
    expect(reply.text).toContain(
      "<MD5OfMessageBody>d1d4180b7e411c4be86b00fb2ee103eb</MD5OfMessageBody>",
    );
    expect(await stored()).toMatchObject([
      {
        headers: { UserId: "1234567890123456789012", Raw: "AP8=" },
        sqs: { types: { UserId: "Number.bigint", Raw: "Binary" } },
      },
    ]);
  });
});

describe("the trace header", () => {
  const sendWith = async (trace: string, input: object = {}) => {
    const { face, stored, world: time } = await world();
    const request = jsonRequest("SendMessage", { QueueUrl: Q, MessageBody: "m", ...input });
    const headers = { ...request.headers, "x-amzn-trace-id": trace };
    await time.through(face({ ...request, headers }));
    return (await stored())[0]?.sqs?.trace;
  };
  const TRACE = "Root=1-3152b799-8954dae64eda91bc9a23a7e8;Parent=7fa8c0f79203be72;Sampled=1";

  it("of the request goes along where a client sent it, and not where API Gateway made it", async () => {
    expect(await sendWith(TRACE)).toBe(TRACE);
    expect(await sendWith("Root=1-3152b799-8954dae64eda91bc9a23a7e8")).toBeUndefined();
  });

  it("of the message comes first", async () => {
    const own = { AWSTraceHeader: { DataType: "String", StringValue: "Root=1" } };
    expect(await sendWith(TRACE, { MessageSystemAttributes: own })).toBe("Root=1");
  });
});

describe("attributes of one name", () => {
  it("are refused in the query protocol, which alone can say them", async () => {
    const { ask } = await world();
    const parameters: Record<string, string> = { QueueUrl: Q, MessageBody: "m" };
    for (const at of [1, 2]) {
      parameters[`MessageAttribute.${at}.Name`] = "a";
      parameters[`MessageAttribute.${at}.Value.DataType`] = "String";
      parameters[`MessageAttribute.${at}.Value.StringValue`] = `${at}`;
    }
    const { status, text: xml } = await ask(queryRequest("SendMessage", parameters));
    expect([status, xml]).toEqual([
      400,
      expect.stringContaining("<Code>InvalidParameterValue</Code><Message>A name stands twice"),
    ]);
  });
});

describe("delays of standard queues", () => {
  it("keep a message back for as long", async () => {
    const { send, service, world: time } = await world();
    await send({ MessageBody: "later", DelaySeconds: 60 });
    await send({ MessageBody: "now", DelaySeconds: 0 });
    expect((await service.receive(Q, ALL)).map(bodyOf)).toEqual(["now"]);
    await time.advance(59_000);
    expect(await service.receive(Q, { ...ALL, leaseSeconds: 600 })).toHaveLength(1);
    await time.advance(2_000);
    expect((await service.receive(Q, ALL)).map(bodyOf)).toEqual(["later"]);
  });
});

describe("fair queues", () => {
  it("take MessageGroupId for the tenant", async () => {
    const { send, stored } = await world();
    const answer = await send({ MessageBody: "m", MessageGroupId: "tenant-1" });
    expect(answer).not.toHaveProperty("SequenceNumber");
    const [message] = await stored();
    expect([message?.tenant, message?.key]).toEqual(["tenant-1", undefined]);
  });
});

describe("SendMessage to a FIFO queue", () => {
  it("answers a SequenceNumber of 20 digits that rises", async () => {
    const { send } = await world();
    const numbers: string[] = [];
    for (const id of ["1", "2", "3"]) {
      const { SequenceNumber: number } = await send(fifo("g", id), FIFO);
      numbers.push(String(number));
    }
    expect(numbers.every((number) => /^\d{20}$/.test(number))).toBe(true);
    expect(new Set(numbers).size).toBe(3);
    expect(numbers.toSorted()).toEqual(numbers);
  });

  it.each([
    [
      { MessageBody: "m", MessageDeduplicationId: "d" },
      refusal(
        "The request must contain the parameter MessageGroupId.",
        "com.amazon.coral.service#MissingRequiredParameterException",
      ),
    ],
    [
      fifo("g"),
      refusal(
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
      ),
    ],
    [
      { ...fifo("g", "d"), DelaySeconds: 2 },
      refusal(
        "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.",
      ),
    ],
    [
      fifo("g", "a b"),
      refusal(
        "Value a b for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.",
      ),
    ],
    [
      fifo("g", ""),
      refusal(
        "Value  for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.",
      ),
    ],
    [
      fifo("x".repeat(129), "d"),
      refusal(
        `Value ${"x".repeat(129)} for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
      ),
    ],
  ])("refuses %j", async (input, expected) => {
    const { send, stored } = await world();
    expect(await send(input, FIFO)).toEqual(expected);
    expect(await stored(FIFO)).toEqual([]);
  });

  it("takes a delay of 0, and every character of punctuation in ids of 128", async () => {
    const { send } = await world();
    const id = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".padEnd(128, "a");
    expect(await send({ ...fifo(id, id), DelaySeconds: 0 }, FIFO)).toHaveProperty("SequenceNumber");
  });

  it("answers a repeat with id and number of the first, and the repeat's own digest", async () => {
    const { send, service, world: time, stored } = await world();
    const first = await send(fifo("g", "d", "Test message 1"), FIFO);
    const again = await send(fifo("h", "d", "another message"), FIFO);
    expect(again).toEqual({ ...first, MD5OfMessageBody: "80d402c39512ac39d7e8e79e2cfa935e" });
    const messages = await service.receive(FIFO, ALL);
    await service.ack(
      FIFO,
      messages.map(({ receipt }) => receipt),
    );
    await time.advance(5 * MINUTE - 1_000);
    expect(await send(fifo("g", "d"), FIFO)).toMatchObject({ MessageId: first["MessageId"] });
    expect(await stored(FIFO)).toHaveLength(1);
    await time.advance(2 * MINUTE);
    const { MessageId: later } = await send(fifo("g", "d"), FIFO);
    expect(later).not.toBe(first["MessageId"]);
    expect(await stored(FIFO)).toHaveLength(2);
  });

  it("tells ids by the group where the scope says so", async () => {
    const dedup = { scope: "key", windowSeconds: 300, contentBased: false } as const;
    const { send, stored } = await world({ dedup });
    for (const group of ["g", "h", "g"]) await send(fifo(group, "d"), FIFO);
    expect((await stored(FIFO)).map(({ key }) => key)).toEqual(["g", "h"]);
  });

  it("goes by the content where the queue does", async () => {
    const dedup = { scope: "queue", windowSeconds: 300, contentBased: true } as const;
    const { send, stored } = await world({ dedup });
    const first = await send(fifo("g", undefined, "same"), FIFO);
    expect(await send(fifo("g", undefined, "same"), FIFO)).toEqual(first);
    await send(fifo("g", "other", "same"), FIFO);
    expect(await stored(FIFO)).toHaveLength(2);
  });
});

describe("SendMessageBatch", () => {
  const entry = (Id: string, more: object = {}) => ({ Id, MessageBody: `body ${Id}`, ...more });

  it("answers each entry by its id", async () => {
    const { sendBatch, stored } = await world();
    const answer = await sendBatch([entry("a"), entry("b"), entry("c")]);
    const ids = (await stored()).map(({ id }) => id);
    expect(answer).toMatchObject({
      Successful: ["a", "b", "c"].map((Id, at) => ({ Id, MessageId: sqsMessageId(ids[at] ?? "") })),
    });
    expect(answer).not.toHaveProperty("Failed");
  });

  it("S1: stores what is good of it on a standard queue, in order", async () => {
    const { sendBatch, stored } = await world({ maxMessageBytes: 1024 });
    const answer = await sendBatch([
      entry("1"),
      entry("2", { MessageBody: "\u0001" }),
      entry("3", { MessageBody: "" }),
      entry("4", { MessageBody: "a".repeat(1025) }),
      entry("5", { DelaySeconds: 901 }),
      entry("6", { MessageDeduplicationId: "d" }),
      entry("7", { MessageAttributes: { n: { DataType: "Number", StringValue: "x" } } }),
      entry("8"),
    ]);
    expect(answer["Failed"]).toMatchObject([
      { Id: "2", SenderFault: true, Code: "InvalidMessageContents" },
      {
        Id: "3",
        Code: "MissingParameter",
        Message:
          "The request must contain the parameter SendMessageBatchRequestEntry.3.MessageBody.",
      },
      {
        Id: "4",
        Code: "InvalidParameterValue",
        Message:
          "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.",
      },
      { Id: "5", Code: "InvalidParameterValue" },
      { Id: "6", Message: "The request include parameter that is not valid for this queue type" },
      { Id: "7", Message: "Can't cast the value of message (user) attribute 'n' to a number." },
    ]);
    expect(answer["Successful"]).toMatchObject([{ Id: "1" }, { Id: "8" }]);
    expect((await stored()).map(bodyOf)).toEqual(["body 1", "body 8"]);
  });

  it.each([
    [
      [entry("1", fifo("g", "1")), entry("2", { MessageGroupId: "g" })],
      "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    ],
    [
      [entry("1", fifo("g", "1")), entry("2", { MessageDeduplicationId: "2" })],
      "The request must contain the parameter MessageGroupId.",
    ],
    [
      [entry("1", fifo("g", "1")), entry("2", { ...fifo("g", "2"), DelaySeconds: 3 })],
      "Value 3 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.",
    ],
    [
      [entry("1", fifo("g", "1")), entry("2", fifo("g", "2", "a".repeat(1025)))],
      "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.",
    ],
  ])("S1: refuses it on a FIFO queue for one entry: %#", async (entries, message) => {
    const { sendBatch, stored } = await world({ maxMessageBytes: 1024 });
    expect(await sendBatch(entries, FIFO)).toEqual(refusal(message));
    expect(await stored(FIFO)).toEqual([]);
  });

  it("answers repeats within it as the first of them", async () => {
    const { sendBatch, stored } = await world();
    const { Successful } = await sendBatch(
      [entry("1", fifo("g", "d")), entry("2", fifo("g", "d")), entry("3", fifo("g", "e"))],
      FIFO,
    );
    const [one, two, three] = Successful as { MessageId: string; SequenceNumber: string }[];
    expect([two?.MessageId, two?.SequenceNumber]).toEqual([one?.MessageId, one?.SequenceNumber]);
    expect(Number(three?.SequenceNumber)).toBeGreaterThanOrEqual(Number(two?.SequenceNumber));
    expect(await stored(FIFO)).toHaveLength(2);
  });

  it("is refused as a whole where it is larger than 1 MiB, whatever the queue takes of one", async () => {
    const { sendBatch, stored } = await world();
    const half = LIMITS.messageBytes / 2;
    const k = { MessageAttributes: { k: { DataType: "String", StringValue: "x" } } };
    const of = (length: number) => [
      entry("1", { MessageBody: "a".repeat(half) }),
      entry("2", { MessageBody: "b".repeat(length), ...k }),
    ];
    expect(await sendBatch(of(half - 7))).toEqual(
      refusal(
        "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
        "com.amazonaws.sqs#BatchRequestTooLong",
      ),
    );
    expect(await stored()).toEqual([]);
    const { Successful } = await sendBatch(of(half - 8));
    expect(Successful).toHaveLength(2);
  });

  it.each([
    [[], "com.amazonaws.sqs#EmptyBatchRequest"],
    [[entry("a"), entry("a")], "com.amazonaws.sqs#BatchEntryIdsNotDistinct"],
    [[entry("a b")], "com.amazonaws.sqs#InvalidBatchEntryId"],
    [
      Array.from({ length: 11 }, (_, at) => entry(`${at}`)),
      "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
    ],
  ])("stores nothing of a malformed one: %#", async (entries, type) => {
    const { sendBatch, stored } = await world();
    expect(await sendBatch(entries)).toMatchObject({ __type: type });
    expect(await stored()).toEqual([]);
  });
});
