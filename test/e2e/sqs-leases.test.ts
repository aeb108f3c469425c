/**
 * Deleting and changing visibility by SQS's own SDK, in both protocols, against the embedded service.
 * Hunts: handles that stop working between two requests, and groups that come out of turn.
 */
import { SQS } from "@aws-sdk/client-sqs";
import { SQS as QuerySqs } from "aws-sdk-client-sqs-query";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Local } from "../../src/local/runtime.ts";
import { caller, newName, start } from "./local-service.ts";

let local: Local;
beforeAll(async () => {
  local = await start();
});
afterAll(() => local.close());

const config = (endpoint: string) => ({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "any", secretAccessKey: "any" },
  maxAttempts: 1,
});

/** The older one's types are its own; what it is asked here is the same. */
const PROTOCOLS: readonly [string, (endpoint: string) => SQS][] = [
  ["JSON", (endpoint) => new SQS(config(endpoint))],
  ["query", (endpoint) => new QuerySqs(config(endpoint)) as unknown as SQS],
];

/** Of some errors the older SDK keeps the message inside. */
async function faultOf(call: Promise<unknown>): Promise<unknown[]> {
  try {
    return ["done", await call];
  } catch (error) {
    const {
      name,
      message,
      Error: details,
    } = error as {
      name: string;
      message: string;
      Error?: { Message?: string };
    };
    return [name, details?.Message ?? message];
  }
}

interface Message {
  readonly Body: string;
  readonly ReceiptHandle: string;
}

async function queueOf(sqs: SQS, isFifo: boolean) {
  const QueueName = `${newName("leases")}${isFifo ? ".fifo" : ""}`;
  const Attributes = isFifo ? { FifoQueue: "true", ContentBasedDeduplication: "true" } : {};
  const { QueueUrl } = await sqs.createQueue({ QueueName, Attributes });
  const receive = async (input: object = {}): Promise<readonly Message[]> => {
    const all = { QueueUrl, MaxNumberOfMessages: 10, ...input };
    return ((await sqs.receiveMessage(all)).Messages ?? []) as readonly Message[];
  };
  /** On a FIFO queue the part before `-` is the group. */
  const send = async (...bodies: readonly string[]): Promise<void> => {
    for (const MessageBody of bodies) {
      const [MessageGroupId] = MessageBody.split("-");
      await sqs.sendMessage({ QueueUrl, MessageBody, ...(isFifo ? { MessageGroupId } : {}) });
    }
  };
  const remove = (ReceiptHandle: string | undefined) =>
    sqs.deleteMessage({ QueueUrl, ReceiptHandle });
  const change = (ReceiptHandle: string | undefined, VisibilityTimeout: number) =>
    sqs.changeMessageVisibility({ QueueUrl, ReceiptHandle, VisibilityTimeout });
  return { QueueName, QueueUrl, send, receive, remove, change };
}

const bodiesOf = (messages: readonly Message[]) => messages.map(({ Body }) => Body);

describe.each(PROTOCOLS)("%s", (_, connect) => {
  test("a heartbeat for each message of a batch, then deletions by the handles of the receive", async () => {
    const sqs = connect(local.url);
    const { QueueUrl, send, receive, change } = await queueOf(sqs, false);
    await send(...Array.from({ length: 10 }, (__, at) => `m${at}`));
    const messages: Message[] = [];
    while (messages.length < 10) messages.push(...(await receive()));
    for (let beat = 0; beat < 2; beat++)
      await Promise.all(messages.map(({ ReceiptHandle }) => change(ReceiptHandle, 60 + beat)));
    const entries = messages.map(({ ReceiptHandle }, at) => ({ Id: `e${at}`, ReceiptHandle }));
    const changed = await sqs.changeMessageVisibilityBatch({
      QueueUrl,
      Entries: entries.map((entry) => ({ ...entry, VisibilityTimeout: 90 })),
    });
    expect(changed.Successful).toHaveLength(10);
    const deleted = await sqs.deleteMessageBatch({ QueueUrl, Entries: entries });
    expect([deleted.Successful?.length, deleted.Failed ?? []]).toEqual([10, []]);
    const names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] as const;
    const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: [...names] });
    expect(Object.values(Attributes ?? {})).toEqual(["0", "0"]);
  });

  test("an old handle of a standard queue changes and deletes whoever has the message", async () => {
    const { send, receive, remove, change } = await queueOf(connect(local.url), false);
    await send("test");
    const [old] = await receive({ VisibilityTimeout: 0, WaitTimeSeconds: 2 });
    expect(bodiesOf(await receive({ VisibilityTimeout: 300, WaitTimeSeconds: 2 }))).toEqual([
      "test",
    ]);
    await change(old?.ReceiptHandle, 0);
    expect(bodiesOf(await receive({ VisibilityTimeout: 300 }))).toEqual(["test"]);
    for (let turn = 0; turn < 2; turn++) await remove(old?.ReceiptHandle);
    expect(await faultOf(change(old?.ReceiptHandle, 5))).toEqual([
      expect.stringContaining("InvalidParameterValue"),
      `Value ${old?.ReceiptHandle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
    ]);
  });

  test("a FIFO queue gives group by group, holds a group back behind what is in flight, and refuses expired handles", async () => {
    const { send, receive, remove, change } = await queueOf(connect(local.url), true);
    await send("g1-1", "g2-1", "g1-2", "g1-3", "g3-1");
    const held = await receive({ MaxNumberOfMessages: 2 });
    expect(bodiesOf(held)).toEqual(["g1-1", "g1-2"]);
    await remove(held[0]?.ReceiptHandle);
    expect(bodiesOf(await receive())).toEqual(["g2-1", "g3-1"]);
    await change(held[1]?.ReceiptHandle, 0);
    expect(await faultOf(remove(held[1]?.ReceiptHandle))).toEqual([
      expect.stringContaining("InvalidParameterValue"),
      `Value ${held[1]?.ReceiptHandle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.`,
    ]);
    const again = await receive({ VisibilityTimeout: 1 });
    expect(bodiesOf(again)).toEqual(["g1-2", "g1-3"]);
    // The long poll ends when their time does.
    expect(bodiesOf(await receive({ WaitTimeSeconds: 20 }))).toEqual(["g1-2", "g1-3"]);
  });

  test("a batch says of each handle what became of it", async () => {
    const sqs = connect(local.url);
    const { QueueUrl, send, receive } = await queueOf(sqs, false);
    await send("one");
    const [message] = await receive();
    const answer = await sqs.deleteMessageBatch({
      QueueUrl,
      Entries: [
        { Id: "good", ReceiptHandle: message?.ReceiptHandle },
        { Id: "bad", ReceiptHandle: "garbage" },
      ],
    });
    expect(answer.Successful).toEqual([{ Id: "good" }]);
    expect(answer.Failed).toEqual([
      {
        Id: "bad",
        SenderFault: true,
        Code: "ReceiptHandleIsInvalid",
        Message: 'The input receipt handle "garbage" is not a valid receipt handle.',
      },
    ]);
  });

  test("a handle is a receipt of REST, and the other way round", async () => {
    const { QueueName, send, receive, remove } = await queueOf(connect(local.url), false);
    const call = caller(local.url);
    await send("a", "b");
    const [one] = await receive({ MaxNumberOfMessages: 1 });
    const { json } = await call("POST", `/v1/queues/${QueueName}/ack`, {
      receipts: [one?.ReceiptHandle],
    });
    expect(json.results).toEqual([{ status: "done" }]);
    const rest = await call("POST", `/v1/queues/${QueueName}/receive`, { waitSeconds: 2 });
    await remove(rest.json.messages?.[0]?.receipt);
    const depth = (await call("GET", `/v1/queues/${QueueName}`)).json["depth"];
    expect(depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });
});
