/** AWS's own client for JavaScript, in both protocols: what fails has the class, code and status that code asks for. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SQS } from "@aws-sdk/client-sqs";
import {
  connect,
  errorOf,
  newQueue,
  newQueueName,
  SPEAKERS,
  startService,
  textOf,
} from "./speakers.ts";
import type { Served } from "./speakers.ts";

let served: Served;
beforeAll(async () => {
  served = await startService();
});
afterAll(() => served.close());

describe.each(SPEAKERS)("$name", (speaker) => {
  let sqs: SQS;
  let QueueUrl: string;
  const { sdk } = speaker;
  beforeAll(async () => {
    sqs = connect(speaker, served);
    QueueUrl = await newQueue(sqs);
  });
  afterAll(() => sqs.destroy());

  test("batches that are malformed fail as a whole, by class", async () => {
    const entry = (Id: string) => ({ Id, MessageBody: "x" });
    const send = (...ids: string[]) =>
      errorOf(sqs.sendMessageBatch({ QueueUrl, Entries: ids.map(entry) }));
    expect(await send()).toBeInstanceOf(sdk.EmptyBatchRequest);
    expect(await send("a", "a")).toBeInstanceOf(sdk.BatchEntryIdsNotDistinct);
    expect(await send("not/allowed")).toBeInstanceOf(sdk.InvalidBatchEntryId);
    expect(await send(...Array.from({ length: 11 }, (_, n) => `${n}`))).toBeInstanceOf(
      sdk.TooManyEntriesInBatchRequest,
    );
    const large = {
      QueueUrl,
      Entries: ["a", "b"].map((Id) => ({ Id, MessageBody: "x".repeat(600_000) })),
    };
    expect(await errorOf(sqs.sendMessageBatch(large))).toBeInstanceOf(sdk.BatchRequestTooLong);
  });

  test("receipts, attributes and values that are wrong are refused, by class or code", async () => {
    const forged = sqs.deleteMessage({ QueueUrl, ReceiptHandle: "forged" });
    expect(await errorOf(forged)).toBeInstanceOf(sdk.ReceiptHandleIsInvalid);
    const nonsense: object = { Nonsense: "1" };
    const attribute = sqs.setQueueAttributes({ QueueUrl, Attributes: nonsense });
    expect(await errorOf(attribute)).toBeInstanceOf(sdk.InvalidAttributeName);
    const value = sqs.setQueueAttributes({ QueueUrl, Attributes: { VisibilityTimeout: "43201" } });
    expect((await errorOf(value)).name).toBe("InvalidAttributeValue");
    const contents = sqs.sendMessage({ QueueUrl, MessageBody: "\u0000" });
    expect(await errorOf(contents)).toBeInstanceOf(sdk.InvalidMessageContents);
    for (const call of [
      () => sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 11 }),
      () => sqs.receiveMessage({ QueueUrl, WaitTimeSeconds: 21 }),
      () => sqs.sendMessage({ QueueUrl, MessageBody: "x", DelaySeconds: 901 }),
    ])
      expect((await errorOf(call())).name).toBe("InvalidParameterValue");
  });

  test("a queue that is not there is said to be not there, by every call", async () => {
    const missing = { QueueUrl: QueueUrl.replace(/[^/]+$/, newQueueName()) };
    const receipt = { ...missing, ReceiptHandle: "x" };
    for (const call of [
      () => sqs.getQueueUrl({ QueueName: newQueueName() }),
      () => sqs.getQueueAttributes({ ...missing, AttributeNames: ["All"] }),
      () => sqs.setQueueAttributes({ ...missing, Attributes: { DelaySeconds: "1" } }),
      () => sqs.sendMessage({ ...missing, MessageBody: "x" }),
      () => sqs.sendMessageBatch({ ...missing, Entries: [{ Id: "a", MessageBody: "x" }] }),
      () => sqs.receiveMessage(missing),
      () => sqs.deleteMessage(receipt),
      () => sqs.changeMessageVisibility({ ...receipt, VisibilityTimeout: 1 }),
      () => sqs.purgeQueue(missing),
      () => sqs.deleteQueue(missing),
      () => sqs.listDeadLetterSourceQueues(missing),
      () => sqs.listQueueTags(missing),
      () => sqs.tagQueue({ ...missing, Tags: { a: "b" } }),
    ]) {
      const error = await errorOf(call());
      // The query protocol's last client knew the class for some calls only.
      expect(["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"]).toContain(
        error.name,
      );
      expect(textOf(error)).toMatch(/^The specified queue does not exist\b/);
      expect(error.$metadata.httpStatusCode).toBe(400);
    }
  });
});
