/**
 * SQS's queue actions by its own SDK, in both protocols, against the embedded service. Hunts: what the
 * SDK reads otherwise than the face has written it.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Local } from "../../src/local/runtime.ts";
import { caller, newName, start } from "./local-service.ts";
import { ARN, faultOf, PROTOCOLS } from "./sqs-clients.ts";

let relaxed: Local;
let strict: Local;
beforeAll(async () => {
  [relaxed, strict] = await Promise.all([start(), start({ relaxed: false })]);
});
afterAll(async () => {
  await Promise.all([relaxed.close(), strict.close()]);
});

describe.each(PROTOCOLS)("%s", (_, connect) => {
  test("a queue's life: created, found, changed, listed, deleted", async () => {
    const sqs = connect(relaxed.url);
    const name = newName("life");
    const Attributes = { DelaySeconds: "1", MessageRetentionPeriod: "604800" };
    const { QueueUrl } = await sqs.createQueue({ QueueName: name, Attributes, tags: { a: "b" } });
    expect(QueueUrl).toBe(`${relaxed.url}/000000000000/${name}`);
    expect((await sqs.getQueueUrl({ QueueName: name })).QueueUrl).toBe(QueueUrl);
    expect((await sqs.createQueue({ QueueName: name, Attributes })).QueueUrl).toBe(QueueUrl);
    await sqs.setQueueAttributes({ QueueUrl, Attributes: { VisibilityTimeout: "69" } });
    const all = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["All"] });
    expect(all.Attributes).toEqual({
      ApproximateNumberOfMessages: "0",
      ApproximateNumberOfMessagesDelayed: "0",
      ApproximateNumberOfMessagesNotVisible: "0",
      CreatedTimestamp: expect.stringMatching(/^\d{10}$/),
      DelaySeconds: "1",
      LastModifiedTimestamp: expect.stringMatching(/^\d{10}$/),
      MaximumMessageSize: "1048576",
      MessageRetentionPeriod: "604800",
      QueueArn: `${ARN}:${name}`,
      ReceiveMessageWaitTimeSeconds: "0",
      SqsManagedSseEnabled: "true",
      VisibilityTimeout: "69",
    });
    expect((await sqs.getQueueAttributes({ QueueUrl })).Attributes).toBeUndefined();
    expect((await sqs.listQueues({ QueueNamePrefix: name })).QueueUrls).toEqual([QueueUrl]);
    await sqs.deleteQueue({ QueueUrl });
    expect((await sqs.listQueues({ QueueNamePrefix: name })).QueueUrls).toBeUndefined();
    const [code, message] = await faultOf(sqs.getQueueUrl({ QueueName: name }));
    expect(code).toMatch(/^(QueueDoesNotExist|AWS\.SimpleQueueService\.NonExistentQueue)$/);
    expect(message).toMatch(/^The specified queue does not exist/);
  });

  test("a FIFO queue, and what it can be asked for", async () => {
    const sqs = connect(relaxed.url);
    const QueueName = `${newName("fifo")}.fifo`;
    const high = { DeduplicationScope: "messageGroup", FifoThroughputLimit: "perMessageGroupId" };
    const { QueueUrl } = await sqs.createQueue({
      QueueName,
      Attributes: { FifoQueue: "True", ContentBasedDeduplication: "True", ...high },
    });
    const names = ["FifoQueue", "ContentBasedDeduplication", "FifoThroughputLimit"] as const;
    const got = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: [...names] });
    expect(got.Attributes).toEqual({
      FifoQueue: "true",
      ContentBasedDeduplication: "true",
      FifoThroughputLimit: "perMessageGroupId",
    });
    expect(
      await faultOf(sqs.createQueue({ QueueName: newName(), Attributes: { FifoQueue: "true" } })),
    ).toEqual([
      expect.stringMatching(/^InvalidParameterValue/),
      "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
    ]);
  });

  test("errors have AWS's codes", async () => {
    const sqs = connect(relaxed.url);
    const QueueName = newName();
    const { QueueUrl } = await sqs.createQueue({ QueueName });
    const set = async (name: string, value: string) =>
      faultOf(sqs.setQueueAttributes({ QueueUrl, Attributes: { [name]: value } }));
    expect(await set("VisibilityTimeout", "43201")).toEqual([
      "InvalidAttributeValue",
      "Invalid value for the parameter VisibilityTimeout.",
    ]);
    expect(await set("FifoQueue", "true")).toEqual([
      "InvalidAttributeName",
      "Unknown Attribute FifoQueue.",
    ]);
    const again = sqs.createQueue({ QueueName, Attributes: { DelaySeconds: "9" } });
    expect(await faultOf(again)).toEqual([
      expect.stringMatching(/^(QueueNameExists|QueueAlreadyExists)$/),
      "A queue already exists with the same name and a different value for attribute DelaySeconds",
    ]);
  });

  test("dead letters: a policy set, found by the target, allowed, taken away", async () => {
    const sqs = connect(relaxed.url);
    const [dead, orders] = [newName("dead"), newName("orders")];
    const target = (await sqs.createQueue({ QueueName: dead })).QueueUrl;
    const RedrivePolicy = `{"deadLetterTargetArn":"${ARN}:${dead}","maxReceiveCount":3}`;
    const { QueueUrl } = await sqs.createQueue({
      QueueName: orders,
      Attributes: { RedrivePolicy },
    });
    const got = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["RedrivePolicy"] });
    expect(got.Attributes).toEqual({ RedrivePolicy });
    const listed = await sqs.listDeadLetterSourceQueues({ QueueUrl: target });
    expect(listed.queueUrls).toEqual([QueueUrl]);
    await sqs.setQueueAttributes({ QueueUrl, Attributes: { RedrivePolicy: "" } });
    await sqs.setQueueAttributes({
      QueueUrl: target,
      Attributes: { RedriveAllowPolicy: '{"redrivePermission":"denyAll"}' },
    });
    const denied = sqs.setQueueAttributes({ QueueUrl, Attributes: { RedrivePolicy } });
    expect((await faultOf(denied))[0]).toMatch(/^InvalidParameterValue/);
    await sqs.deleteQueue({ QueueUrl: target });
  });

  test("tags and permissions", async () => {
    const sqs = connect(relaxed.url);
    const { QueueUrl } = await sqs.createQueue({ QueueName: newName() });
    await sqs.tagQueue({ QueueUrl, Tags: { team: "a", env: "", "k:ä/=": "v&<>" } });
    await sqs.untagQueue({ QueueUrl, TagKeys: ["team", "none"] });
    expect((await sqs.listQueueTags({ QueueUrl })).Tags).toEqual({ env: "", "k:ä/=": "v&<>" });
    const AWSAccountIds = ["111111111111", "222222222222"];
    const Actions = ["SendMessage", "ReceiveMessage"];
    await sqs.addPermission({ QueueUrl, Label: "p1", AWSAccountIds, Actions });
    const got = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["Policy"] });
    expect(JSON.parse(got.Attributes?.["Policy"] ?? "")).toMatchObject({
      Statement: [
        {
          Sid: "p1",
          Principal: { AWS: AWSAccountIds.map((id) => `arn:aws:iam::${id}:root`) },
          Action: ["SQS:SendMessage", "SQS:ReceiveMessage"],
        },
      ],
    });
    await sqs.removePermission({ QueueUrl, Label: "p1" });
    const none = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["Policy"] });
    expect(none.Attributes).toBeUndefined();
  });

  test("listings in pages, by the SDK's own paging", async () => {
    const sqs = connect(relaxed.url);
    const prefix = newName("paged");
    const names = [0, 1, 2, 3, 4].map((number) => `${prefix}-${number}`);
    for (const QueueName of names) await sqs.createQueue({ QueueName });
    const pages: string[][] = [];
    let NextToken: string | undefined;
    do {
      const page = await sqs.listQueues({ QueueNamePrefix: prefix, MaxResults: 2, NextToken });
      pages.push((page.QueueUrls ?? []).map((url) => url.split("/").at(-1) ?? ""));
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    expect(pages).toEqual([names.slice(0, 2), names.slice(2, 4), names.slice(4)]);
  });

  test("a purge, and the 60 s that follow it and a deletion", async () => {
    const sqs = connect(strict.url);
    const QueueName = newName("purged");
    const { QueueUrl } = await sqs.createQueue({ QueueName });
    const rest = caller(strict.url);
    const send = async (body: object) => rest("POST", `/v1/queues/${QueueName}/messages`, body);
    await send({ body: "now", dedupId: "d" });
    await send({ body: "later", delaySeconds: 600 });
    const counts = async () => {
      const AttributeNames = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesDelayed",
      ] as const;
      const got = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: [...AttributeNames] });
      return AttributeNames.map((name) => got.Attributes?.[name]);
    };
    expect(await counts()).toEqual(["1", "1"]);
    await sqs.purgeQueue({ QueueUrl });
    expect(await counts()).toEqual(["0", "0"]);
    const { json } = await send({ body: "again", dedupId: "d" });
    expect(json.messages).toEqual([{ id: expect.any(String) }]);
    expect(await faultOf(sqs.purgeQueue({ QueueUrl }))).toEqual([
      expect.stringMatching(/PurgeQueueInProgress$/),
      `Only one PurgeQueue operation on ${QueueName} is allowed every 60 seconds.`,
    ]);
    await sqs.deleteQueue({ QueueUrl });
    expect(await faultOf(sqs.createQueue({ QueueName }))).toEqual([
      expect.stringMatching(/QueueDeletedRecently$/),
      "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    ]);
  });
});
