/** The life of a queue through the SQS face, as AWS's own tests and clients go through it. */
import { describe, expect, it } from "vitest";
import { exchangeName, queueName } from "../../src/core/types.ts";
import { sqs } from "./queue-calls.ts";
import type { Input } from "./queue-calls.ts";
import { queryRequest } from "./requests.ts";

const URL = "http://localhost:9324/000000000000";
const ARN = "arn:aws:sqs:us-east-1:000000000000";
const ORDERS = queueName("orders");

describe("CreateQueue", () => {
  it("answers the URL at which the client reached it, and GetQueueUrl the same", async () => {
    const { call, create } = sqs();
    expect(await create("orders")).toEqual({ QueueUrl: `${URL}/orders` });
    expect(await call("GetQueueUrl", { QueueName: "orders" })).toEqual({
      QueueUrl: `${URL}/orders`,
    });
  });

  it("makes a FIFO queue, ordered by key, of a name in .fifo", async () => {
    const { create, service } = sqs();
    const given = { FifoQueue: "true", ContentBasedDeduplication: "true" };
    expect(await create("orders.fifo", given)).toEqual({ QueueUrl: `${URL}/orders.fifo` });
    const { settings } = await service.describeQueue(queueName("orders.fifo"));
    expect(settings).toMatchObject({
      order: "key",
      dedup: { scope: "queue", windowSeconds: 300, contentBased: true },
    });
  });

  const STANDARD =
    "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
  const FIFO =
    "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.";
  it.each([
    ["in.fo", {}, STANDARD],
    ["orders.fifo", {}, STANDARD],
    ["a/b", {}, STANDARD],
    ["x".repeat(81), {}, STANDARD],
    ["orders", { FifoQueue: "true" }, FIFO],
    [".fifo", { FifoQueue: "true" }, FIFO],
    [`${"x".repeat(76)}.fifo`, { FifoQueue: "true" }, FIFO],
    ["", {}, "Queue name cannot be empty"],
    [undefined, {}, "Value for parameter QueueName is invalid. Reason: Must specify a queue name."],
  ])("takes no queue of the name %.10s with %j", async (QueueName, Attributes, message) => {
    expect(await sqs().call("CreateQueue", { QueueName, Attributes })).toEqual([
      400,
      "InvalidParameterValueException",
      message,
    ]);
  });

  it("again is as good as the first time, and says otherwise which attribute differs", async () => {
    const { create, set } = sqs();
    const url = await create("orders", { ReceiveMessageWaitTimeSeconds: "1", DelaySeconds: 1 });
    expect(await create("orders")).toEqual(url);
    expect(await create("orders", { DelaySeconds: "1" })).toEqual(url);
    const differs = [
      400,
      "QueueNameExists",
      "A queue already exists with the same name and a different value for attribute DelaySeconds",
    ];
    expect(
      await create("orders", { ReceiveMessageWaitTimeSeconds: "1", DelaySeconds: "2" }),
    ).toEqual(differs);
    await set("orders", { DelaySeconds: "2" });
    expect(await create("orders", { DelaySeconds: "2" })).toEqual(url);
    expect(await create("orders", { DelaySeconds: "1" })).toEqual(differs);
  });

  it("again is refused for what is wrong, as it would be the first time", async () => {
    const { create } = sqs();
    await create("orders");
    expect(await create("orders", { FifoQueue: "false" })).toEqual([
      400,
      "InvalidAttributeName",
      "Unknown Attribute FifoQueue.",
    ]);
  });

  it("of two at once makes one queue", async () => {
    const { create, service } = sqs();
    const urls = await Promise.all([1, 2, 3].map(() => create("orders", { DelaySeconds: "1" })));
    expect(new Set(urls.map((url) => JSON.stringify(url))).size).toBe(1);
    expect((await service.describeQueue(ORDERS)).settings.delaySeconds).toBe(1);
  });

  it("waits 60 s after a deletion, unless the service is relaxed", async () => {
    const { call, create, world } = sqs();
    await create("orders");
    await call("DeleteQueue", { QueueUrl: "orders" });
    expect(await create("orders")).toEqual([
      400,
      "QueueDeletedRecently",
      "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    ]);
    await world.advance(60_000);
    expect(await create("orders")).toEqual({ QueueUrl: `${URL}/orders` });
  });

  it("does not make what could not be", async () => {
    const { create, call } = sqs();
    expect(
      await create("orders", { MessageRetentionPeriod: "60", DelaySeconds: "900" }),
    ).toMatchObject([
      400,
      "InvalidParameterValueException",
      "Messages would expire before they are delivered.",
    ]);
    expect(await call("ListQueues")).toEqual({});
  });
});

describe("a queue that is not there", () => {
  const CALLS: readonly [string, Input][] = [
    ["DeleteQueue", {}],
    ["GetQueueAttributes", { AttributeNames: ["All"] }],
    ["GetQueueAttributes", {}],
    ["SetQueueAttributes", { Attributes: { DelaySeconds: "1" } }],
    ["PurgeQueue", {}],
    ["ListQueueTags", {}],
    ["TagQueue", { Tags: { a: "b" } }],
    ["UntagQueue", { TagKeys: ["a"] }],
    ["ListDeadLetterSourceQueues", {}],
    ["AddPermission", { Label: "p", AWSAccountIds: ["111111111111"], Actions: ["*"] }],
    ["RemovePermission", { Label: "p" }],
  ];
  it.each(CALLS)("is said by %s with %j", async (action, input) => {
    expect(await sqs().call(action, { QueueUrl: `${URL}/none`, ...input })).toEqual([
      400,
      "QueueDoesNotExist",
      "The specified queue does not exist.",
    ]);
    expect(await sqs().call(action, input)).toEqual([
      400,
      "MissingRequiredParameterException",
      "The request must contain the parameter QueueUrl.",
    ]);
  });

  it("is said by GetQueueUrl", async () => {
    expect(await sqs().call("GetQueueUrl", { QueueName: "none" })).toEqual([
      400,
      "QueueDoesNotExist",
      "The specified queue does not exist.",
    ]);
  });
});

describe("GetQueueAttributes", () => {
  it("gives all of a queue's attributes, and times in seconds", async () => {
    const { create, attributes, set, world } = sqs();
    await create("orders");
    const at = Math.floor(world.now() / 1000);
    await world.advance(5_000);
    await set("orders", { VisibilityTimeout: "69" });
    expect(await attributes("orders")).toEqual({
      ApproximateNumberOfMessages: "0",
      ApproximateNumberOfMessagesDelayed: "0",
      ApproximateNumberOfMessagesNotVisible: "0",
      CreatedTimestamp: String(at),
      DelaySeconds: "0",
      LastModifiedTimestamp: String(at + 5),
      MaximumMessageSize: "1048576",
      MessageRetentionPeriod: "345600",
      QueueArn: `${ARN}:orders`,
      ReceiveMessageWaitTimeSeconds: "0",
      SqsManagedSseEnabled: "true",
      VisibilityTimeout: "69",
    });
  });

  it("gives what is asked for, and nothing where that is nothing", async () => {
    const { create, attributes, call } = sqs();
    await create("orders");
    expect(await call("GetQueueAttributes", { QueueUrl: "orders" })).toEqual({});
    expect(await attributes("orders", "Policy", "KmsMasterKeyId", "RedrivePolicy")).toEqual({});
    expect(await attributes("orders", "QueueArn", "VisibilityTimeout")).toEqual({
      QueueArn: `${ARN}:orders`,
      VisibilityTimeout: "30",
    });
  });

  it.each(["Foobar", "FifoQueue", "ContentBasedDeduplication", "constructor"])(
    "does not know %s of a standard queue",
    async (name) => {
      const { create, attributes } = sqs();
      await create("orders");
      expect(await attributes("orders", name)).toEqual([
        400,
        "InvalidAttributeName",
        `Unknown Attribute ${name}.`,
      ]);
    },
  );

  it("counts what is ready, leased, and delayed in either way", async () => {
    const { create, attributes, service } = sqs();
    await create("orders");
    const message = {
      kind: "text",
      body: Buffer.from("m"),
      contentType: "text/plain",
      headers: {},
    } as const;
    await service.send(ORDERS, [message, message, message, { ...message, delaySeconds: 60 }]);
    await service.receive(ORDERS, { max: 1, group: "default" });
    expect(
      await attributes(
        "orders",
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
      ),
    ).toEqual({
      ApproximateNumberOfMessages: "2",
      ApproximateNumberOfMessagesNotVisible: "1",
      ApproximateNumberOfMessagesDelayed: "1",
    });
  });

  it("reads no depth where none is asked for", async () => {
    const { create, attributes, world } = sqs();
    await create("orders");
    world.requests.length = 0;
    await attributes("orders", "QueueArn");
    expect(world.requests.map(({ table }) => table)).toEqual(["catalog"]);
  });

  it("shows what REST has made, whatever its name", async () => {
    const { attributes, service } = sqs();
    const odd = queueName("v1.orders");
    await service.putQueue(odd, { order: "key", retentionSeconds: 31_536_000 });
    expect(await attributes("v1.orders")).toMatchObject({
      FifoQueue: "true",
      MessageRetentionPeriod: "31536000",
      QueueArn: `${ARN}:v1.orders`,
    });
    await service.putQueue(ORDERS, { deadLetter: { queue: odd }, order: "key", maxReceives: 2 });
    expect((await attributes("orders"))["RedrivePolicy"]).toBe(
      `{"deadLetterTargetArn":"${ARN}:v1.orders","maxReceiveCount":2}`,
    );
  });
});

describe("SetQueueAttributes", () => {
  it("changes what is given, keeps the rest, and REST sees it", async () => {
    const { create, set, service } = sqs();
    await create("orders", { DelaySeconds: "3" }, { team: "a" });
    expect(await set("orders", { VisibilityTimeout: "7", Policy: "" })).toBeUndefined();
    expect((await service.getQueue(ORDERS)).settings).toMatchObject({
      delaySeconds: 3,
      leaseSeconds: 7,
      tags: { team: "a" },
    });
  });

  it("keeps what only SQS knows when REST puts the whole of the settings", async () => {
    const { create, attributes, service } = sqs();
    await create("orders", { KmsMasterKeyId: "alias/aws/sqs", VisibilityTimeout: "7" });
    await service.putQueue(ORDERS, {});
    expect(await attributes("orders", "KmsMasterKeyId", "VisibilityTimeout")).toEqual({
      KmsMasterKeyId: "alias/aws/sqs",
      VisibilityTimeout: "30",
    });
  });

  it("changes nothing where one of them is wrong", async () => {
    const { create, set, attributes } = sqs();
    await create("orders");
    await set("orders", { VisibilityTimeout: "7", DelaySeconds: "901" });
    expect(await attributes("orders", "VisibilityTimeout")).toEqual({ VisibilityTimeout: "30" });
  });

  it("needs attributes", async () => {
    const { create, call } = sqs();
    await create("orders");
    expect(await call("SetQueueAttributes", { QueueUrl: "orders" })).toEqual([
      400,
      "MissingRequiredParameterException",
      "The request must contain the parameter Attributes.",
    ]);
  });
});

describe("a RedrivePolicy", () => {
  const policy = (target: string) =>
    `{"deadLetterTargetArn":"${ARN}:${target}","maxReceiveCount":5}`;
  const refusal = (target: string, reason: string) => [
    400,
    "InvalidParameterValueException",
    `Value ${policy(target)} for parameter RedrivePolicy is invalid. Reason: ${reason}`,
  ];

  it("names a queue that is there, of the same type", async () => {
    const { create, set } = sqs();
    await create("dead");
    await create("dead.fifo", { FifoQueue: "true" });
    const missing = refusal("none", "Dead letter target does not exist.");
    const fifo = refusal(
      "dead.fifo",
      "Dead-letter queue must be same type of queue as the source..",
    );
    expect(await create("orders", { RedrivePolicy: policy("none") })).toEqual(missing);
    expect(await create("orders", { RedrivePolicy: policy("dead.fifo") })).toEqual(fifo);
    await create("orders", { RedrivePolicy: policy("dead") });
    expect(await set("orders", { RedrivePolicy: policy("none") })).toEqual(missing);
    expect(await set("orders", { RedrivePolicy: policy("dead.fifo") })).toEqual(fifo);
    const given = { FifoQueue: "true", RedrivePolicy: policy("dead") };
    expect(await create("orders.fifo", given)).toEqual(
      refusal("dead", "Dead-letter queue must be same type of queue as the source.."),
    );
  });

  it("does not name the queue itself, nor one that leads back to it", async () => {
    const { create, set } = sqs();
    await create("a");
    await create("b", { RedrivePolicy: policy("a") });
    expect(await set("a", { RedrivePolicy: policy("a") })).toEqual(
      refusal("a", "A queue cannot be its own dead-letter queue."),
    );
    expect(await set("a", { RedrivePolicy: policy("b") })).toEqual(
      refusal("b", 'Dead letters would go in a circle: "b" leads back to "a".'),
    );
  });

  it("is heeded by the dead-letter queue's RedriveAllowPolicy, when it is set", async () => {
    const { create, set } = sqs();
    await create("dead");
    await create("orders");
    const denied = refusal(
      "dead",
      "The redrive allow policy of the dead-letter queue does not allow this source queue.",
    );
    await set("dead", { RedriveAllowPolicy: '{"redrivePermission":"denyAll"}' });
    expect(await set("orders", { RedrivePolicy: policy("dead") })).toEqual(denied);
    const byQueue = (name: string) =>
      JSON.stringify({ redrivePermission: "byQueue", sourceQueueArns: [`${ARN}:${name}`] });
    await set("dead", { RedriveAllowPolicy: byQueue("others") });
    expect(await create("letters", { RedrivePolicy: policy("dead") })).toEqual(denied);
    await set("dead", { RedriveAllowPolicy: byQueue("orders") });
    expect(await set("orders", { RedrivePolicy: policy("dead") })).toBeUndefined();
    await set("dead", { RedriveAllowPolicy: "" });
    expect(await create("letters", { RedrivePolicy: policy("dead") })).toEqual({
      QueueUrl: `${URL}/letters`,
    });
  });

  it("takes what it says of the ways that REST has, and no more", async () => {
    const { create, set, service, attributes } = sqs();
    await create("dead");
    const mail = exchangeName("mail");
    await service.putExchange(mail, { type: "fanout", alternate: null, mandatory: false });
    await service.putQueue(ORDERS, { deadLetter: { exchange: mail }, maxReceives: 4 });
    await set("orders", { RedrivePolicy: "" });
    expect((await service.describeQueue(ORDERS)).settings.deadLetter).toEqual({ exchange: mail });
    await set("orders", { RedrivePolicy: policy("dead") });
    expect(await attributes("orders", "RedrivePolicy")).toEqual({ RedrivePolicy: policy("dead") });
    await set("orders", { RedrivePolicy: "" });
    expect((await service.describeQueue(ORDERS)).settings).toMatchObject({
      deadLetter: null,
      maxReceives: null,
    });
  });
});

describe("DeleteQueue", () => {
  it("takes a dead-letter queue from those that name it, which go on delivering", async () => {
    const { call, create, attributes } = sqs();
    await create("dead");
    const RedrivePolicy = `{"deadLetterTargetArn":"${ARN}:dead","maxReceiveCount":1}`;
    await create("orders", { RedrivePolicy });
    expect(await call("DeleteQueue", { QueueUrl: `${URL}/dead` })).toBeUndefined();
    expect(await call("ListQueues")).toEqual({ QueueUrls: [`${URL}/orders`] });
    expect(await attributes("orders", "RedrivePolicy")).toEqual({ RedrivePolicy });
    expect(await create("orders", { RedrivePolicy })).toEqual({ QueueUrl: `${URL}/orders` });
  });
});

describe("PurgeQueue", () => {
  const send = async (
    { service }: Pick<ReturnType<typeof sqs>, "service">,
    body: string,
    more: object = {},
  ) =>
    service.send(ORDERS, [
      { kind: "text", body: Buffer.from(body), contentType: "text/plain", headers: {}, ...more },
    ]);

  it("drops what is there, delayed messages and remembered ids included", async () => {
    const one = sqs();
    await one.create("orders");
    await send(one, "ready", { dedupId: "d" });
    await send(one, "delayed", { delaySeconds: 60 });
    expect(await one.call("PurgeQueue", { QueueUrl: "orders" })).toBeUndefined();
    await one.world.advance(120_000);
    expect(await one.service.receive(ORDERS, { max: 9, group: "default" })).toEqual([]);
    expect(await send(one, "again", { dedupId: "d" })).toEqual([{ id: expect.any(String) }]);
  });

  it("comes once a minute, unless the service is relaxed", async () => {
    const { create, call, world } = sqs();
    await create("orders");
    const purge = () => call("PurgeQueue", { QueueUrl: "orders" });
    await purge();
    await world.advance(59_999);
    expect(await purge()).toEqual([
      403,
      "PurgeQueueInProgress",
      "Only one PurgeQueue operation on orders is allowed every 60 seconds.",
    ]);
    await world.advance(1);
    expect(await purge()).toBeUndefined();
    const relaxed = sqs({ relaxed: true });
    await relaxed.create("orders");
    for (let times = 0; times < 2; times++)
      expect(await relaxed.call("PurgeQueue", { QueueUrl: "orders" })).toBeUndefined();
  });
});

describe("the query protocol", () => {
  it("creates a queue with attributes and tags, and gives them back", async () => {
    const { ask, call } = sqs();
    const created = await ask(
      queryRequest("CreateQueue", {
        QueueName: "orders",
        "Attribute.1.Name": "DelaySeconds",
        "Attribute.1.Value": "5",
        "Tag.1.Key": "team",
        "Tag.1.Value": "a",
      }),
    );
    expect(created.text).toContain(`<QueueUrl>${URL}/orders</QueueUrl>`);
    expect(await call("ListQueueTags", { QueueUrl: "orders" })).toEqual({ Tags: { team: "a" } });
    const path = "/000000000000/orders";
    const got = await ask(
      queryRequest("GetQueueAttributes", { "AttributeName.1": "DelaySeconds" }, path),
    );
    expect(got.text).toContain("<Attribute><Name>DelaySeconds</Name><Value>5</Value></Attribute>");
    const set = await ask(
      queryRequest(
        "SetQueueAttributes",
        { "Attribute.Name": "VisibilityTimeout", "Attribute.Value": "9" },
        path,
      ),
    );
    expect(set.status).toBe(200);
    const wrong = await ask(
      queryRequest("GetQueueAttributes", { "AttributeName.1": "Foobar" }, path),
    );
    expect(wrong.status).toBe(400);
    expect(wrong.text).toContain("<Code>InvalidAttributeName</Code>");
    expect(wrong.text).toContain("<Message>Unknown Attribute Foobar.</Message>");
  });

  it("names the attribute that differs by AWS's code", async () => {
    const { ask, create } = sqs();
    await create("orders");
    const reply = await ask(
      queryRequest("CreateQueue", {
        QueueName: "orders",
        "Attribute.1.Name": "DelaySeconds",
        "Attribute.1.Value": "5",
      }),
    );
    expect(reply.text).toContain("<Code>QueueAlreadyExists</Code>");
  });
});
