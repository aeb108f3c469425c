/** Hunts messages that a client of SQS would not know again, and what they say of themselves unasked. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import type { OutgoingMessage } from "../../src/core/message.ts";
import type { QueueSettings } from "../../src/core/queue.ts";
import { queueName } from "../../src/core/types.ts";
import { bodyOf, text } from "../service/fixture.ts";
import { jsonRequest, queryRequest, sqsFixture } from "./requests.ts";

const Q = queueName("orders");
const DEAD = queueName("orders-dead");
const FIFO = queueName("orders.fifo");
const DEAD_FIFO = queueName("orders-dead.fifo");
const ARN = "arn:aws:sqs:us-east-1:000000000000:orders";
const INVALID = "com.amazon.coral.service#InvalidParameterValueException";

interface Message {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Body: string;
  readonly MD5OfBody: string;
  readonly MD5OfMessageAttributes?: string;
  readonly MessageAttributes?: Record<string, Record<string, string>>;
  readonly Attributes?: Record<string, string>;
}

async function world(settings: Partial<QueueSettings> = {}) {
  const fixture = sqsFixture();
  await fixture.service.putQueue(DEAD, { lanes: 1 });
  await fixture.service.putQueue(DEAD_FIFO, { lanes: 1, order: "key" });
  await fixture.service.putQueue(Q, { lanes: 1, ...settings });
  await fixture.service.putQueue(FIFO, { lanes: 1, order: "key", ...settings });
  const send = (input: object, queue = Q) =>
    fixture.call("SendMessage", { QueueUrl: queue, ...input });
  const receive = async (input: object = {}, queue = Q): Promise<readonly Message[]> => {
    const answer = await fixture.call("ReceiveMessage", { QueueUrl: queue, ...input });
    return (answer["Messages"] ?? []) as readonly Message[];
  };
  const receiveOne = async (input: object = {}, queue = Q): Promise<Message> => {
    const [message] = await receive(input, queue);
    if (message === undefined) throw new Error("nothing was received");
    return message;
  };
  return { ...fixture, send, receive, receiveOne };
}

const string = (StringValue: string, DataType = "String") => ({ DataType, StringValue });
const ATTRIBUTES = { "Help.Me": string("Me"), Hello: string("There"), General: string("Kenobi") };

describe("ReceiveMessage", () => {
  it("answers nothing of an empty queue", async () => {
    const { call } = await world();
    expect(await call("ReceiveMessage", { QueueUrl: Q })).toEqual({});
  });

  it("gives one message, or as many as are asked for, and of each no more than that", async () => {
    const { send, receive } = await world();
    const { MessageId } = await send({ MessageBody: "message", MessageAttributes: ATTRIBUTES });
    const [message] = await receive();
    expect(message).toEqual({
      MessageId,
      ReceiptHandle: message?.ReceiptHandle,
      MD5OfBody: "78e731027d8fd50ed642340b7c9a63b3",
      Body: "message",
    });
    for (let at = 0; at < 12; at++) await send({ MessageBody: `${at}` });
    expect(await receive()).toHaveLength(1);
    expect(await receive({ MaxNumberOfMessages: 10 })).toHaveLength(10);
    expect(await receive({ MaxNumberOfMessages: 10 })).toHaveLength(1);
  });

  it.each([
    [
      { MaxNumberOfMessages: 0 },
      "Value 0 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
    ],
    [
      { MaxNumberOfMessages: 11 },
      "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
    ],
    [
      { WaitTimeSeconds: 21 },
      "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
    ],
    [
      { WaitTimeSeconds: -1 },
      "Value -1 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
    ],
    [
      { VisibilityTimeout: 43_201 },
      "Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.",
    ],
    [
      { ReceiveRequestAttemptId: "x" },
      "Value x for parameter ReceiveRequestAttemptId is invalid. Reason: The request include parameter that is not valid for this queue type.",
    ],
  ])("refuses %j", async (input, message) => {
    const { call } = await world();
    expect(await call("ReceiveMessage", { QueueUrl: Q, ...input })).toEqual({
      __type: INVALID,
      message,
    });
  });

  it("hides messages for as long as it says, else as the queue does", async () => {
    const { send, receive, world: time } = await world({ leaseSeconds: 20 });
    await send({ MessageBody: "m" });
    expect(await receive({ VisibilityTimeout: 0 })).toHaveLength(1);
    await time.advance(1);
    expect(await receive({ VisibilityTimeout: 100 })).toHaveLength(1);
    await time.advance(99_000);
    expect(await receive()).toHaveLength(0);
    await time.advance(1_000);
    expect(await receive()).toHaveLength(1);
    await time.advance(20_000);
    expect(await receive()).toHaveLength(1);
  });

  it("of the query protocol says the same in XML", async () => {
    const { send, ask } = await world();
    await send({
      MessageBody: "<\r\n&>",
      MessageAttributes: { b: { DataType: "Binary.x", BinaryValue: "AP8=" } },
    });
    const { text: xml } = await ask(
      queryRequest("ReceiveMessage", {
        QueueUrl: Q,
        "MessageAttributeName.1": "All",
        "AttributeName.1": "ApproximateReceiveCount",
      }),
    );
    expect(xml).toMatch(/<Body>&lt;&#xD;\n&amp;&gt;<\/Body>/);
    expect(xml).toContain(
      "<MessageAttribute><Name>b</Name><Value><BinaryValue>AP8=</BinaryValue><DataType>Binary.x</DataType></Value></MessageAttribute>",
    );
    expect(xml).toContain(
      "<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>",
    );
  });
});

describe("message attributes", () => {
  const names: readonly [readonly string[] | undefined, readonly string[], string | undefined][] = [
    [undefined, [], undefined],
    [[], [], undefined],
    [["All"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"],
    [["*"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"],
    [[".*"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"],
    [["Foo", "Help"], [], undefined],
    [["Hello", "General"], ["General", "Hello"], "fca026605781cb4126a1e9044df24232"],
    [["Foo", "Hello"], ["Hello"], "a311262e065454b75da111d535b8dacd"],
    [["Hel.*"], ["Hello", "Help.Me"], "83fee93c1bcd8b9a5a923ffacdc636c7"],
    [["hel.*"], [], undefined],
    [["AWS."], [], undefined],
    [["..foo"], [], undefined],
  ];
  it.each(names)("R1: of those asked for as %j come %j", async (asked, given, digest) => {
    const { send, receiveOne } = await world();
    await send({ MessageBody: "msg", MessageAttributes: ATTRIBUTES });
    const message = await receiveOne({ MessageAttributeNames: asked });
    expect(Object.keys(message.MessageAttributes ?? {}).toSorted()).toEqual(given);
    expect(message.MD5OfMessageAttributes).toBe(digest);
  });
});

describe("system attributes", () => {
  const standard = [
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "SenderId",
    "SentTimestamp",
  ];

  it("are those that are asked for, by either parameter", async () => {
    const { send, receiveOne, world: time } = await world({ leaseSeconds: 0 });
    await send({ MessageBody: "m" });
    const ask = async (input: object) => {
      await time.advance(1);
      return Object.keys((await receiveOne(input)).Attributes ?? {}).toSorted();
    };
    expect(await ask({})).toEqual([]);
    expect(await ask({ AttributeNames: ["All"] })).toEqual(standard);
    expect(await ask({ MessageSystemAttributeNames: ["All"] })).toEqual(standard);
    expect(
      await ask({ MessageSystemAttributeNames: ["All"], AttributeNames: ["SenderId"] }),
    ).toEqual(standard);
    expect(await ask({ AttributeNames: ["SenderId", "SequenceNumber"] })).toEqual(["SenderId"]);
    expect(
      await ask({ AttributeNames: ["SentTimestamp"], MessageSystemAttributeNames: ["SenderId"] }),
    ).toEqual(["SenderId", "SentTimestamp"]);
  });

  it("say when, how often and by whom", async () => {
    const { send, receiveOne, world: time } = await world();
    const sent = time.now();
    await send({
      MessageBody: "m",
      MessageGroupId: "tenant-1",
      MessageSystemAttributes: { AWSTraceHeader: string("Root=1") },
    });
    await time.advance(1_000);
    const first = time.now();
    await receiveOne();
    await time.advance(30_000);
    expect((await receiveOne({ AttributeNames: ["All"] })).Attributes).toEqual({
      SenderId: "000000000000",
      SentTimestamp: String(sent),
      ApproximateReceiveCount: "2",
      ApproximateFirstReceiveTimestamp: String(first),
      MessageGroupId: "tenant-1",
      AWSTraceHeader: "Root=1",
    });
  });

  it("of a FIFO queue say group, sequence number and deduplication id, also of the content", async () => {
    const dedup = { scope: "key", windowSeconds: 300, contentBased: true } as const;
    const { send, receive } = await world({ dedup });
    const fields = { MessageBody: "message-1", MessageGroupId: "1#g" };
    const one = await send({ ...fields, MessageDeduplicationId: "d#1" }, FIFO);
    const two = await send(fields, FIFO);
    const all = { AttributeNames: ["All"], MaxNumberOfMessages: 10 };
    expect((await receive(all, FIFO)).map(({ Attributes }) => Attributes)).toMatchObject([
      {
        MessageGroupId: "1#g",
        MessageDeduplicationId: "d#1",
        SequenceNumber: one["SequenceNumber"],
      },
      {
        MessageGroupId: "1#g",
        MessageDeduplicationId: "9deb880b43bdf6f465a0afb130aed71b31cf219626f3637f577d4167cd80e5f2",
        SequenceNumber: two["SequenceNumber"],
      },
    ]);
  });

  it("of a dead letter say where from, and count on; id, attributes and trace are the same", async () => {
    const {
      send,
      receive,
      receiveOne,
      world: time,
    } = await world({
      maxReceives: 1,
      deadLetter: { queue: DEAD },
    });
    const first = time.now();
    const { MessageId } = await send({
      MessageBody: "message-1",
      MessageAttributes: { MyAttribute: string("foobar") },
      MessageSystemAttributes: { AWSTraceHeader: string("Root=1") },
    });
    await receiveOne();
    await time.advance(30_000);
    expect(await receive()).toEqual([]);
    const message = await receiveOne(
      { AttributeNames: ["All"], MessageAttributeNames: ["All"] },
      DEAD,
    );
    expect(message).toMatchObject({
      MessageId,
      MessageAttributes: { MyAttribute: string("foobar") },
      MD5OfMessageAttributes: "adb59cd4678ea5a855436b949cd07ab6",
    });
    expect(message.Attributes).toEqual({
      SenderId: "000000000000",
      SentTimestamp: String(first),
      ApproximateReceiveCount: "2",
      ApproximateFirstReceiveTimestamp: String(first),
      AWSTraceHeader: "Root=1",
      DeadLetterQueueSourceArn: ARN,
    });
  });

  it("of a FIFO dead letter keep its group; it is deduplicated by its own id, in the order of its new queue", async () => {
    const {
      send,
      receive,
      receiveOne,
      world: time,
    } = await world({ maxReceives: 1, deadLetter: { queue: DEAD_FIFO } });
    await send({ MessageBody: "m", MessageGroupId: "g", MessageDeduplicationId: "d" }, FIFO);
    await receiveOne({}, FIFO);
    await time.advance(30_000);
    await receive({}, FIFO);
    const { MessageId, Attributes } = await receiveOne({ AttributeNames: ["All"] }, DEAD_FIFO);
    expect(Attributes).toMatchObject({ MessageGroupId: "g", MessageDeduplicationId: MessageId });
    expect(Attributes?.["SequenceNumber"]).toMatch(/^\d{20}$/);
  });
});

describe("messages that REST has sent", () => {
  const sent = async (message: Partial<OutgoingMessage>) => {
    const { service, receiveOne } = await world();
    await service.send(Q, [{ ...text("m"), ...message }]);
    return receiveOne({ MessageAttributeNames: ["All"] });
  };

  it("have their headers for String attributes", async () => {
    const { MessageAttributes } = await sent({ headers: { "content-language": "de", n: "1" } });
    expect(MessageAttributes).toEqual({ "content-language": string("de"), n: string("1") });
  });

  it("R2: have JSON as it was sent, and bytes as base64", async () => {
    const json = '{ "n": 12345678901234567890 }';
    expect((await sent({ kind: "json", body: Buffer.from(json) })).Body).toBe(json);
    const { Body, MD5OfBody } = await sent({ kind: "bytes", body: Uint8Array.of(0, 255) });
    expect([Body, MD5OfBody]).toEqual(["AP8=", "5e3a70c7404d5c706ac2e9d0ccbe4528"]);
  });

  it("R2: have text that XML cannot carry as base64", async () => {
    expect((await sent(text("a\u0000b"))).Body).toBe(Buffer.from("a\u0000b").toString("base64"));
  });
});

describe("messages that SQS has sent", () => {
  it("are received by REST with Binary attributes as base64", async () => {
    const { service, send } = await world();
    await send({
      MessageBody: "m",
      MessageAttributes: { b: { DataType: "Binary", BinaryValue: "AP8=" } },
    });
    const [message] = await service.receive(Q, { max: 1, group: "default" });
    expect([message?.kind, message?.headers]).toEqual(["text", { b: "AP8=" }]);
  });
});

describe("a long poll", () => {
  it("waits as the queue says where the receive does not", async () => {
    const { receive, world: time } = await world({ waitSeconds: 5 });
    const before = time.now();
    expect(await receive()).toEqual([]);
    expect(time.now() - before).toBeGreaterThanOrEqual(5_000);
    expect(await receive({ WaitTimeSeconds: 0 })).toEqual([]);
    expect(time.now() - before).toBeLessThan(6_000);
  });

  it.each([
    ["a delay of the message", { MessageBody: "m", DelaySeconds: 4 }, {}, Q],
    ["the queue's delay", { MessageBody: "m" }, { delaySeconds: 4 }, Q],
    [
      "the delay of a FIFO queue",
      { MessageBody: "m", MessageGroupId: "g", MessageDeduplicationId: "d" },
      { delaySeconds: 4 },
      FIFO,
    ],
  ])("ends as soon as %s is over", async (_, message, settings, queue) => {
    const { send, receive, world: time } = await world(settings);
    await send(message, queue);
    const before = time.now();
    expect(await receive({ WaitTimeSeconds: 20 }, queue)).toHaveLength(1);
    expect(time.now() - before).toBeGreaterThanOrEqual(4_000);
    expect(time.now() - before).toBeLessThan(4_100);
  });

  it.each([Q, FIFO])("ends as soon as a message becomes visible again: %s", async (queue) => {
    const { send, receive, world: time } = await world({ leaseSeconds: 7 });
    await send(
      {
        MessageBody: "m",
        ...(queue === FIFO ? { MessageGroupId: "g", MessageDeduplicationId: "d" } : {}),
      },
      queue,
    );
    await receive({}, queue);
    const before = time.now();
    expect(await receive({ WaitTimeSeconds: 20 }, queue)).toHaveLength(1);
    expect(time.now() - before).toBeGreaterThanOrEqual(7_000);
    expect(time.now() - before).toBeLessThan(7_100);
  });
});

describe("the delay of a FIFO queue", () => {
  it("locks no group while a message waits", async () => {
    const { service, send, receive, world: time } = await world();
    const fields = (id: string) => ({
      MessageBody: id,
      MessageGroupId: "g",
      MessageDeduplicationId: id,
    });
    await send(fields("before"), FIFO);
    await service.patchQueue(FIFO, { delaySeconds: 60 });
    await send(fields("behind"), FIFO);
    expect((await receive({ MaxNumberOfMessages: 10 }, FIFO)).map(({ Body }) => Body)).toEqual([
      "before",
    ]);
    await time.advance(59_000);
    expect((await receive({ MaxNumberOfMessages: 10 }, FIFO)).map(({ Body }) => Body)).toEqual([
      "before",
    ]);
  });
});

describe("ReceiveRequestAttemptId", () => {
  it("gives the same messages and handles again", async () => {
    const { send, receive } = await world();
    for (const id of ["1", "2"])
      await send({ MessageBody: id, MessageGroupId: "g", MessageDeduplicationId: id }, FIFO);
    const attempt = { ReceiveRequestAttemptId: "try-1", MaxNumberOfMessages: 10 };
    const once = await receive(attempt, FIFO);
    expect(once).toHaveLength(2);
    expect(await receive(attempt, FIFO)).toEqual(once);
    expect(await receive({ ...attempt, ReceiveRequestAttemptId: "try-2" }, FIFO)).toEqual([]);
  });

  it("has the characters of ids", async () => {
    const { call } = await world();
    const answer = await call("ReceiveMessage", { QueueUrl: FIFO, ReceiveRequestAttemptId: "a b" });
    expect(answer).toMatchObject({ __type: INVALID });
  });
});

describe("large messages", () => {
  it("come as many as an answer holds, and at least one", async () => {
    const { service, receive } = await world();
    const body = Buffer.alloc(LIMITS.messageBytes / 2, '"');
    await service.send(Q, [text("small"), ...[1, 2, 3, 4].map(() => ({ ...text(""), body }))]);
    const seen: string[] = [];
    for (let looks = 0; looks < 6; looks++) {
      const some = await receive({ MaxNumberOfMessages: 10 });
      seen.push(...some.map(({ Body }) => Body));
    }
    expect(seen.map(({ length }) => length)).toEqual([
      5,
      body.length,
      body.length,
      body.length,
      body.length,
    ]);
    expect(bodyOf({ body })).toBe(seen[1]);
  });

  it.each(["&", '"', "\n", "\r", "<"])(
    "of nothing but %j fit Lambda's answer in both protocols",
    async (character) => {
      const { service, world: time, face } = await world({ leaseSeconds: 0 });
      const body = Buffer.alloc(LIMITS.messageBytes, character);
      await service.send(Q, [{ ...text(""), body }, text("m")]);
      for (const request of [
        jsonRequest("ReceiveMessage", { QueueUrl: Q, MaxNumberOfMessages: 10 }),
        queryRequest("ReceiveMessage", { QueueUrl: Q, MaxNumberOfMessages: "10" }),
      ]) {
        const result = await time.through(face(request));
        expect(result.statusCode).toBe(200);
        expect(Buffer.byteLength(JSON.stringify(result))).toBeLessThan(LIMITS.lambdaPayloadBytes);
        await time.advance(1);
      }
    },
  );
});
