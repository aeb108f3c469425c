/** AWS's own client for JavaScript, in both protocols: the actions on queues. Hunts: answers that it reads otherwise than they were meant. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SQS } from "@aws-sdk/client-sqs";
import {
  arnOf,
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
  beforeAll(() => {
    sqs = connect(speaker, served);
  });
  afterAll(() => sqs.destroy());

  test("a queue is created, found by its name, and created again to no effect", async () => {
    const QueueName = newQueueName();
    const created = await sqs.createQueue({ QueueName, Attributes: { VisibilityTimeout: "7" } });
    expect(created.QueueUrl).toMatch(new RegExp(`^http://.*/\\d{12}/${QueueName}$`));
    expect((await sqs.getQueueUrl({ QueueName })).QueueUrl).toBe(created.QueueUrl);
    expect((await sqs.createQueue({ QueueName })).QueueUrl).toBe(created.QueueUrl);
    const error = await errorOf(
      sqs.createQueue({ QueueName, Attributes: { VisibilityTimeout: "8" } }),
    );
    expect(error).toBeInstanceOf(speaker.sdk.QueueNameExists);
    expect(textOf(error)).toContain("VisibilityTimeout");
  });

  test("attributes: defaults, those asked for, and changed ones", async () => {
    const before = Math.floor(Date.now() / 1_000) - 1;
    const QueueUrl = await newQueue(sqs, { DelaySeconds: "3" });
    const { Attributes = {} } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["All"] });
    expect(Attributes).toMatchObject({
      QueueArn: expect.stringMatching(/^arn:aws:sqs:us-east-1:\d{12}:clients-/),
      DelaySeconds: "3",
      VisibilityTimeout: "30",
      MaximumMessageSize: "1048576",
      MessageRetentionPeriod: "345600",
      ReceiveMessageWaitTimeSeconds: "0",
      ApproximateNumberOfMessages: "0",
      ApproximateNumberOfMessagesNotVisible: "0",
      ApproximateNumberOfMessagesDelayed: "0",
      SqsManagedSseEnabled: "true",
    });
    expect(Number(Attributes.CreatedTimestamp)).toBeGreaterThanOrEqual(before);
    expect(Attributes).not.toHaveProperty("FifoQueue");

    await sqs.setQueueAttributes({ QueueUrl, Attributes: { ReceiveMessageWaitTimeSeconds: "2" } });
    expect(
      await sqs.getQueueAttributes({
        QueueUrl,
        AttributeNames: ["ReceiveMessageWaitTimeSeconds", "DelaySeconds"],
      }),
    ).toMatchObject({ Attributes: { ReceiveMessageWaitTimeSeconds: "2", DelaySeconds: "3" } });
    // Nothing asked for: nothing is said.
    expect((await sqs.getQueueAttributes({ QueueUrl })).Attributes).toBeUndefined();
  });

  test("lists go by prefix, and page by page", async () => {
    const prefix = newQueueName("-list");
    const names = ["a", "b", "c"].map((letter) => `${prefix}-${letter}`);
    for (const QueueName of names) await sqs.createQueue({ QueueName });
    const nameOf = (url: string): string => url.split("/").at(-1) ?? "";
    const all = await sqs.listQueues({ QueueNamePrefix: prefix });
    expect(all.QueueUrls?.map(nameOf).sort()).toEqual(names);
    expect(all.NextToken).toBeUndefined();
    const first = await sqs.listQueues({ QueueNamePrefix: prefix, MaxResults: 2 });
    expect(first.QueueUrls).toHaveLength(2);
    const rest = await sqs.listQueues({
      QueueNamePrefix: prefix,
      MaxResults: 2,
      NextToken: first.NextToken,
    });
    expect(rest.NextToken).toBeUndefined();
    expect([...(first.QueueUrls ?? []), ...(rest.QueueUrls ?? [])].map(nameOf).sort()).toEqual(
      names,
    );
    expect((await sqs.listQueues({ QueueNamePrefix: `${prefix}-z` })).QueueUrls).toBeUndefined();
  });

  test("tags are given at creation, added, listed and taken away", async () => {
    const { QueueUrl = "" } = await sqs.createQueue({
      QueueName: newQueueName(),
      tags: { team: "a", stage: "test" },
    });
    await sqs.tagQueue({ QueueUrl, Tags: { team: "b", empty: "" } });
    await sqs.untagQueue({ QueueUrl, TagKeys: ["stage", "never-there"] });
    expect((await sqs.listQueueTags({ QueueUrl })).Tags).toEqual({ team: "b", empty: "" });
    const untagged = await newQueue(sqs);
    expect((await sqs.listQueueTags({ QueueUrl: untagged })).Tags ?? {}).toEqual({});
  });

  test("permissions make a policy, and go out of it again", async () => {
    const QueueUrl = await newQueue(sqs);
    const policy = async (): Promise<{ Statement: { Sid: string }[] } | undefined> => {
      const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["Policy"] });
      return Attributes?.Policy === undefined
        ? undefined
        : (JSON.parse(Attributes.Policy) as { Statement: { Sid: string }[] });
    };
    await sqs.addPermission({
      QueueUrl,
      Label: "senders",
      AWSAccountIds: ["111122223333"],
      Actions: ["SendMessage", "GetQueueUrl"],
    });
    expect((await policy())?.Statement).toMatchObject([{ Sid: "senders", Effect: "Allow" }]);
    await sqs.removePermission({ QueueUrl, Label: "senders" });
    expect(await policy()).toBeUndefined();
  });

  test("a purge leaves nothing, a deletion no queue", async () => {
    const QueueUrl = await newQueue(sqs);
    await sqs.sendMessage({ QueueUrl, MessageBody: "gone" });
    await sqs.purgeQueue({ QueueUrl });
    expect((await sqs.receiveMessage({ QueueUrl })).Messages).toBeUndefined();
    await sqs.deleteQueue({ QueueUrl });
    const QueueName = QueueUrl.split("/").at(-1);
    const error = await errorOf(sqs.getQueueUrl({ QueueName }));
    expect(error).toBeInstanceOf(speaker.sdk.QueueDoesNotExist);
    expect(error.$metadata.httpStatusCode).toBe(400);
    expect(error.$metadata.requestId).toMatch(/^[\w-]{16,}$/);
  });

  test("a dead-letter queue knows whose it is", async () => {
    const dead = await newQueue(sqs);
    const deadLetterTargetArn = await arnOf(sqs, dead);
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 2 });
    const source = await newQueue(sqs, { RedrivePolicy });
    const { Attributes } = await sqs.getQueueAttributes({
      QueueUrl: source,
      AttributeNames: ["RedrivePolicy"],
    });
    expect(JSON.parse(Attributes?.RedrivePolicy ?? "")).toEqual({
      deadLetterTargetArn,
      maxReceiveCount: 2,
    });
    expect((await sqs.listDeadLetterSourceQueues({ QueueUrl: dead })).queueUrls).toEqual([source]);
  });
});

describe.each(SPEAKERS)(
  "$name, where the minute after a deletion and a purge counts",
  (speaker) => {
    let strict: Served;
    let sqs: SQS;
    beforeAll(async () => {
      strict = await startService({ relaxed: false });
      sqs = connect(speaker, strict);
    });
    afterAll(async () => {
      sqs.destroy();
      await strict.close();
    });

    test("a name is kept back after its deletion", async () => {
      const QueueUrl = await newQueue(sqs);
      await sqs.deleteQueue({ QueueUrl });
      const again = sqs.createQueue({ QueueName: QueueUrl.split("/").at(-1) });
      expect(await errorOf(again)).toBeInstanceOf(speaker.sdk.QueueDeletedRecently);
    });

    test("a queue is purged once a minute", async () => {
      const QueueUrl = await newQueue(sqs);
      await sqs.purgeQueue({ QueueUrl });
      const error = await errorOf(sqs.purgeQueue({ QueueUrl }));
      expect(error).toBeInstanceOf(speaker.sdk.PurgeQueueInProgress);
    });
  },
);
