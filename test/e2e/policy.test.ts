/**
 * Hunts a deployment that fails on permissions which no test saw, and one that may do more than it
 * does. Every operation runs through the deployed handlers, down to the rare branches (a lane that
 * restarts, a lease that expires, a queue that is cleared); what each function asked DynamoDB for is
 * then compared with what the template grants it.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FUNCTION_NAMES, type FunctionName } from "../../lib/grants.ts";
import { type Operation, ROUTES } from "../../src/http/routes.ts";
import { ACTIONS } from "../../src/sqs/actions.ts";
import { list, type Statement, statements, synth } from "../cdk/synth.ts";
import type { Request } from "../http/face-fixture.ts";
import { deploy, type Deployed } from "./deployed.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const IAM = "arn:aws:iam::1:user/someone";

let deployed: Deployed;
let authorization = "";
const driven = new Set<Operation>();
/** Actions of SQS. */
const asked = new Set<string>();

beforeAll(async () => {
  process.env["POWERTOOLS_METRICS_DISABLED"] = "true";
  process.env["POWERTOOLS_METRICS_NAMESPACE"] = "LaneMQ";
  deployed = await deploy();
  for (const scenario of [
    keys,
    queues,
    messages,
    exchanges,
    deadLetters,
    idleLanes,
    largeMessages,
    erasedDeadLetters,
    moveTasks,
    handles,
    groups,
    crowdedLane,
    schedules,
    recurring,
    sqs,
    janitor,
  ])
    await scenario();
});

afterAll(() => deployed.close());

/** Calls, with the key, and holds the answer to the status expected. */
async function call(
  operation: Operation,
  request: Request = {},
  status = 200,
): Promise<Record<string, unknown>> {
  driven.add(operation);
  const reply = await deployed.call(operation, {
    ...request,
    headers: { authorization, ...request.headers },
  });
  if (reply.status !== status)
    throw new Error(
      `${operation}: ${reply.status} instead of ${status}: ${JSON.stringify(reply.body)}`,
    );
  return reply.body;
}

type Received = { receipt: string; id: string; body: unknown };
const receive = async (queue: string, body: object = {}): Promise<Received[]> => {
  const { messages } = await call("receive", { queue, body: { max: 1000, ...body } });
  return messages as Received[];
};
const receiptsOf = (messages: readonly Received[]) => messages.map(({ receipt }) => receipt);
const send = (queue: string, count: number, body: unknown = "hello") =>
  call("send", { queue, body: { messages: Array.from({ length: count }, () => ({ body })) } }, 201);

async function keys(): Promise<void> {
  await call("health");
  const scopes = [
    { actions: ["send", "receive", "browse", "manage"], queues: "*", exchanges: "*" },
  ];
  const made = await call("createKey", { iam: IAM, body: { name: "all", scopes } }, 201);
  authorization = `Bearer ${String(made["secret"])}`;
  deployed.signWith({
    accessKeyId: String(made["accessKeyId"]),
    secretAccessKey: String(made["secretAccessKey"]),
  });
  const other = await call("createKey", { iam: IAM, body: { name: "other", scopes } }, 201);
  await call("listKeys", { iam: IAM });
  await call("openapi");
  const id = (other["id"] ?? (other["key"] as { id: string } | undefined)?.id) as string;
  await call("deleteKey", { iam: IAM, id }, 204);
}

async function sqs(): Promise<void> {
  expect(await deployed.sqs("NoSuchAction")).toMatchObject({ status: 400 });
  await sqsQueues();
  await sqsMessages();
}

/** Calls an action of SQS that must be done. */
/** Calls an action of SQS, signed with the key's other half. */
async function ask(
  action: string,
  input: Record<string, unknown> = {},
): Promise<Record<string, unknown>> {
  asked.add(action);
  const { status, body } = await deployed.sqs(action, input);
  if (status !== 200) throw new Error(`${action}: ${status}: ${JSON.stringify(body)}`);
  return body;
}

/** In order, once each, and received by one attempt made twice. */
async function sqsMessages(): Promise<void> {
  const QueueUrl = "letters.fifo";
  await ask("CreateQueue", { QueueName: QueueUrl, Attributes: { FifoQueue: "true" } });
  const Entries = ["a", "b", "a"].map((MessageGroupId, at) => ({
    Id: `${at}`,
    MessageBody: at === 2 ? "x".repeat(500_000) : "hello",
    MessageGroupId,
    MessageDeduplicationId: `${at}`,
  }));
  for (let time = 0; time < 2; time++)
    expect((await ask("SendMessageBatch", { QueueUrl, Entries }))["Failed"]).toBeUndefined();
  const attempt = { QueueUrl, MaxNumberOfMessages: 10, ReceiveRequestAttemptId: "attempt" };
  const handlesOf = async () =>
    ((await ask("ReceiveMessage", attempt))["Messages"] as { ReceiptHandle: string }[]).map(
      ({ ReceiptHandle }) => ReceiptHandle,
    );
  const handles = await handlesOf();
  expect(handles).toHaveLength(3);
  expect(await handlesOf()).toEqual(handles);
  const [first, ...others] = handles;
  await ask("ChangeMessageVisibilityBatch", {
    QueueUrl,
    Entries: others.map((ReceiptHandle, at) => ({
      Id: `${at}`,
      ReceiptHandle,
      VisibilityTimeout: 0,
    })),
  });
  await ask("DeleteMessage", { QueueUrl, ReceiptHandle: first });
}

async function sqsQueues(): Promise<void> {
  const QueueUrl = "letters";
  const RedrivePolicy = JSON.stringify({
    deadLetterTargetArn: "arn:aws:sqs:us-east-1:000000000000:letters-dead",
    maxReceiveCount: 1,
  });
  await ask("CreateQueue", { QueueName: "letters-dead" });
  await ask("CreateQueue", { QueueName: QueueUrl, Attributes: { RedrivePolicy } });
  await ask("GetQueueUrl", { QueueName: QueueUrl });
  await ask("SetQueueAttributes", { QueueUrl, Attributes: { VisibilityTimeout: "5" } });
  await ask("ListQueues", { MaxResults: 1 });
  await ask("ListDeadLetterSourceQueues", { QueueUrl: "letters-dead" });
  await ask("TagQueue", { QueueUrl, Tags: { team: "a" } });
  await ask("ListQueueTags", { QueueUrl });
  await ask("UntagQueue", { QueueUrl, TagKeys: ["team"] });
  const permission = { QueueUrl, Label: "p" };
  await ask("AddPermission", { ...permission, AWSAccountIds: ["111111111111"], Actions: ["*"] });
  await ask("RemovePermission", permission);
  await send(QueueUrl, 3);
  await receive(QueueUrl, { max: 1 });
  for (const delaySeconds of [1, 60])
    await call("send", { queue: QueueUrl, body: { body: "later", delaySeconds } }, 201);
  await ask("GetQueueAttributes", { QueueUrl, AttributeNames: ["All"] });
  await ask("PurgeQueue", { QueueUrl });
  await ask("DeleteQueue", { QueueUrl: "letters-dead" });
  await ask("DeleteQueue", { QueueUrl });
  deployed.advance(60_000);
  await ask("CreateQueue", { QueueName: QueueUrl });
}

async function queues(): Promise<void> {
  await call("putQueue", { queue: "orders", body: {} }, 201);
  await call("putQueue", { queue: "orders", body: { leaseSeconds: 60 } });
  await call("patchQueue", { queue: "orders", body: { tags: { team: "a" } } });
  await call("getQueue", { queue: "orders" });
  await call("listQueues");
  await call("putQueue", { queue: "short-lived", body: {} }, 201);
  await send("short-lived", 3);
  await receive("short-lived", { max: 1 });
  await call("deleteQueue", { queue: "short-lived" }, 204);
  deployed.advance(2 * MINUTE);
  await call("putQueue", { queue: "short-lived", body: {} }, 201);
  await send("short-lived", 3);
  await receive("short-lived", { max: 2 });
  await call("purgeQueue", { queue: "short-lived" }, 204);
  expect(await receive("short-lived")).toEqual([]);
}

async function messages(): Promise<void> {
  await send("orders", 1);
  await send("orders", 500);
  const [first, ...others] = await receive("orders", { max: 100 });
  if (first === undefined) throw new Error("Nothing was received.");
  await call("extend", {
    queue: "orders",
    body: { receipts: [first.receipt], leaseSeconds: 600 },
  });
  const receipts = receiptsOf(others);
  await call("release", { queue: "orders", body: { receipts: receipts.slice(0, 9) } });
  await call("release", {
    queue: "orders",
    body: { receipts: receipts.slice(9, 19), delaySeconds: 5, countAttempt: false },
  });
  await call("ack", { queue: "orders", body: { receipts: receipts.slice(19) } });
  await call("lookUp", { queue: "orders", id: first.id });
  await call("browse", { queue: "orders", query: { limit: "10" } });
  await call("getQueue", { queue: "orders" });
  // Many small leases, so that segments are cut, drained and closed.
  for (let lease = 0; lease < 60; lease++) await receive("orders", { max: 1 });
  deployed.advance(11 * MINUTE);
  for (let round = 0; round < 40; round++) {
    const batch = await receive("orders");
    if (batch.length === 0) break;
    await call("ack", { queue: "orders", body: { receipts: receiptsOf(batch) } });
  }
  expect(await receive("orders", { waitSeconds: 20 })).toEqual([]);
}

async function exchanges(): Promise<void> {
  const at = { exchange: "events" };
  await call("putExchange", { ...at, body: { type: "topic" } }, 201);
  await call("putExchange", { ...at, body: { type: "topic", mandatory: true } });
  await call("getExchange", at);
  await call("listExchanges");
  for (const id of ["one", "two"]) {
    const body = { queue: "orders", routingKey: `${id}.#` };
    await call("putBinding", { ...at, id, body }, 201);
  }
  await call("getBinding", { ...at, id: "one" });
  await call("listBindings", at);
  const messages = ["one.x", "two", "three"].map((routingKey) => ({ body: 1, routingKey }));
  const published = await call("publish", { ...at, body: { messages } }, 201);
  expect(published["messages"]).toMatchObject([
    { queues: ["orders"] },
    { queues: ["orders"] },
    { unroutable: true },
  ]);
  await call("deleteBinding", { ...at, id: "one" }, 204);
  await call("deleteExchange", at, 204);
  await call("putExchange", { ...at, body: { type: "direct" } }, 201);

  await call("putExchange", { exchange: "dead", body: { type: "balance", by: "random" } }, 201);
  await call("putQueue", { queue: "buried", body: {} }, 201);
  for (const id of ["one", "two"]) {
    await call("putBinding", { exchange: "dead", id, body: { queue: "buried" } }, 201);
  }
  const deadLetter = { exchange: "dead" };
  const dying = { maxReceives: 1, leaseSeconds: 1, deadLetter };
  await call("putQueue", { queue: "dying", body: dying }, 201);
  await call("publish", { exchange: "dead", body: { body: 1, dedupId: "once" } }, 201);
  for (const mover of [() => receive("dying"), () => deployed.runJanitor()]) {
    await send("dying", 3);
    expect(await receive("dying")).toHaveLength(3);
    deployed.advance(MINUTE);
    await mover();
  }
  expect(await receive("buried")).toHaveLength(7);
}

async function deadLetters(): Promise<void> {
  await call("putQueue", { queue: "dead", body: {} }, 201);
  await call(
    "putQueue",
    { queue: "work", body: { maxReceives: 1, leaseSeconds: 1, deadLetter: { queue: "dead" } } },
    201,
  );
  await send("work", 20);
  expect(await receive("work")).toHaveLength(20);
  deployed.advance(MINUTE);
  await receive("work");
  deployed.advance(MINUTE);
  await receive("work");
  expect(await call("redrive", { queue: "dead", body: {} })).toMatchObject({ moved: 20 });
  // Nobody polls any more: the janitor does it.
  expect(await receive("work")).toHaveLength(20);
  deployed.advance(MINUTE);
  await deployed.runJanitor();
  expect(await receive("dead")).toHaveLength(20);
  await call("patchQueue", { queue: "work", body: { maxReceives: null, deadLetter: null } });
  await call("deleteQueue", { queue: "dead" }, 204);
}

/** The tail's beliefs, the touch, the seal and the anchor (L5 to L7). */
async function idleLanes(): Promise<void> {
  await call("putQueue", { queue: "idle", body: { retentionSeconds: 60, lanes: 1 } }, 201);
  for (const pause of [MINUTE, 53 * MINUTE, 61 * MINUTE, 5 * MINUTE, 15 * MINUTE, 3 * HOUR]) {
    await send("idle", 1);
    deployed.advance(pause);
  }
  deployed.restart();
  await send("idle", 1);
  expect(await receive("idle")).toHaveLength(1);
  deployed.advance(6 * HOUR);
  await receive("idle");
  await call("getQueue", { queue: "idle" });
}

async function largeMessages(): Promise<void> {
  await call("putQueue", { queue: "large", body: { eraseOnAck: true } }, 201);
  await send("large", 1, "x".repeat(1_000_000));
  const [message] = await receive("large");
  expect(message?.body).toHaveLength(1_000_000);
  await call("browse", { queue: "large" });
  await call("lookUp", { queue: "large", id: message?.id ?? "" });
  await call("ack", { queue: "large", body: { receipts: [message?.receipt] } });
}

/** Large messages through a dead-letter queue that erases, and back. */
async function erasedDeadLetters(): Promise<void> {
  await call("putQueue", { queue: "erased", body: { eraseOnAck: true } }, 201);
  const deadLetter = { queue: "erased" };
  await call(
    "putQueue",
    { queue: "heavy", body: { eraseOnAck: true, maxReceives: 1, leaseSeconds: 1, deadLetter } },
    201,
  );
  await send("heavy", 1, "y".repeat(1_000_000));
  expect(await receive("heavy")).toHaveLength(1);
  for (let look = 0; look < 2; look++) {
    deployed.advance(MINUTE);
    await receive("heavy");
  }
  const { moved } = await call("redrive", { queue: "erased", body: {} });
  expect(moved).toBe(1);
  expect((await receive("heavy"))[0]?.body).toHaveLength(1_000_000);
}

/** As SQS clients receive, change and delete, by handles that are old, too. */
async function handles(): Promise<void> {
  const QueueUrl = "orders";
  await ask("SendMessage", { QueueUrl, MessageBody: "one" });
  await ask("SendMessage", { QueueUrl, MessageBody: "two" });
  const received = await ask("ReceiveMessage", { QueueUrl, MaxNumberOfMessages: 10 });
  const handles = (received["Messages"] as { ReceiptHandle: string }[]).map(
    ({ ReceiptHandle }) => ReceiptHandle,
  );
  expect(handles.length).toBeGreaterThan(1);
  const [first] = handles;
  for (const VisibilityTimeout of [90, 0])
    await ask("ChangeMessageVisibility", {
      QueueUrl,
      ReceiptHandle: first,
      VisibilityTimeout,
    });
  await ask("ReceiveMessage", { QueueUrl });
  const Entries = handles.map((ReceiptHandle, at) => ({ Id: `${at}`, ReceiptHandle }));
  const deleted = await ask("DeleteMessageBatch", { QueueUrl, Entries });
  expect(deleted["Failed"]).toBeUndefined();
}

/** Some of them by the start itself, some by the janitor; a large body's parts go with it. */
async function moveTasks(): Promise<void> {
  const SourceArn = "arn:aws:sqs:us-east-1:000000000000:erased";
  const fail = async (): Promise<void> => {
    for (let look = 0; look < 3; look++) {
      deployed.advance(MINUTE);
      await receive("heavy");
    }
  };
  const statuses = async (): Promise<unknown[]> => {
    const listed = await ask("ListMessageMoveTasks", { SourceArn, MaxResults: 10 });
    return (listed["Results"] as { Status: string }[]).map(({ Status }) => Status);
  };
  await fail();
  await ask("StartMessageMoveTask", { SourceArn });
  expect(await statuses()).toEqual(["COMPLETED"]);
  await fail();
  await ask("StartMessageMoveTask", { SourceArn, MaxNumberOfMessagesPerSecond: 1 });
  deployed.advance(MINUTE);
  await deployed.runJanitor();
  expect(await statuses()).toEqual(["COMPLETED", "COMPLETED"]);
  await fail();
  const input = { SourceArn, MaxNumberOfMessagesPerSecond: 1 };
  const started = await ask("StartMessageMoveTask", input);
  deployed.advance(MINUTE);
  await ask("CancelMessageMoveTask", { TaskHandle: started["TaskHandle"] });
  expect(await statuses()).toEqual(["CANCELLED", "COMPLETED", "COMPLETED"]);
}

/** Made, used, left to the janitor, deleted and made again. */
async function groups(): Promise<void> {
  await call("putQueue", { queue: "topic", body: { lanes: 2 } }, 201);
  await send("topic", 5);
  const group = "audit";
  await call("putGroup", { queue: "topic", group, body: { from: "latest" } }, 201);
  await call("putQueue", { queue: "audit-dead", body: {} }, 201);
  const deadLetter = { queue: "audit-dead" };
  await call("putGroup", { queue: "topic", group, body: { maxReceives: 1, deadLetter } });
  await send("topic", 5);
  const [first] = await receive("topic", { group, leaseSeconds: 1 });
  await call("ack", { queue: "topic", body: { receipts: [first?.receipt] } });
  deployed.advance(MINUTE);
  await deployed.runJanitor();
  expect((await receive("audit-dead")).length).toBeGreaterThan(0);
  await call("getGroup", { queue: "topic", group });
  await call("listGroups", { queue: "topic" });
  await call("seekGroup", { queue: "topic", group, body: { from: "earliest" } });
  await call("seekGroup", { queue: "topic", group: "default", body: { from: "latest" } });
  await call("deleteGroup", { queue: "topic", group }, 204);
  deployed.advance(2 * MINUTE);
  const from = { time: "2020-01-01T00:00:00Z" };
  await call("putGroup", { queue: "topic", group, body: { from } }, 201);
}

/** Senders that meet on one lane make it more. */
async function crowdedLane(): Promise<void> {
  await call("putQueue", { queue: "crowded", body: {} }, 201);
  const request = {
    queue: "crowded",
    headers: { authorization },
    body: { body: "hello" },
  };
  let lanes: unknown = 1;
  for (let round = 0; round < 10 && lanes === 1; round++) {
    const replies = await deployed.crowd(
      "send",
      Array.from({ length: 16 }, () => request),
    );
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 201));
    deployed.advance(MINUTE);
    lanes = (await call("getQueue", { queue: "crowded" }))["lanes"];
  }
  expect(lanes).toBeGreaterThan(1);
}

async function schedules(): Promise<void> {
  await call("putQueue", { queue: "later", body: {} }, 201);
  const messages = [5, 5, 600, 900].map((delaySeconds) => ({ body: "hello", delaySeconds }));
  const sent = await call("send", { queue: "later", body: { messages } }, 201);
  const ids = (sent["messages"] as { id: string }[]).map(({ id }) => id);
  await call("listScheduled", { queue: "later" });
  await call("lookUp", { queue: "later", id: ids[0] ?? "" });
  await call("cancelScheduled", { queue: "later", id: ids[3] ?? "" }, 204);
  deployed.advance(MINUTE);
  const due = await receive("later");
  expect(due).toHaveLength(2);
  await call("ack", { queue: "later", body: { receipts: receiptsOf(due) } });
  await call("lookUp", { queue: "later", id: ids[0] ?? "" });
  deployed.advance(20 * MINUTE);
  await deployed.runJanitor();
  expect(await receive("later")).toHaveLength(1);
}

async function recurring(): Promise<void> {
  await call("putQueue", { queue: "ticks", body: {} }, 201);
  const body = { everySeconds: 30, queue: "ticks", message: { body: "tick" } };
  await call("putSchedule", { id: "ticking", body }, 201);
  await call("putSchedule", { id: "ticking", body });
  deployed.advance(MINUTE);
  await deployed.runJanitor();
  expect(await receive("ticks")).toHaveLength(2);
  await call("getSchedule", { id: "ticking" });
  await call("listSchedules");
  await call("deleteSchedule", { id: "ticking" }, 204);
}

async function janitor(): Promise<void> {
  await call("putQueue", { queue: "wide", body: { lanes: 8 } }, 201);
  await send("wide", 300);
  await call("patchQueue", { queue: "wide", body: { lanes: 1 } });
  await call("deleteQueue", { queue: "orders" }, 204);
  for (let hour = 0; hour < 12; hour++) {
    deployed.advance(HOUR);
    await deployed.runJanitor();
  }
  await call("getQueue", { queue: "wide" });
}

describe("the scenarios", () => {
  it("drive every operation of the route table", () => {
    const missing = ROUTES.map(({ operation }) => operation).filter((one) => !driven.has(one));
    expect(missing).toEqual([]);
  });

  it("drive every action of SQS", () => {
    expect([...asked].sort()).toEqual(Object.keys(ACTIONS).sort());
  });

  it("show the actions that are sent, and nothing beside them but dynalite's second looks", () => {
    for (const name of FUNCTION_NAMES) {
      const asked = deployed.asked.get(name) ?? new Set();
      const beside = [...(deployed.sent.get(name) ?? [])].filter((one) => !asked.has(one));
      expect(
        beside.filter((one) => !one.endsWith(":GetItem")),
        name,
      ).toEqual([]);
      expect([...asked].filter((one) => deployed.sent.get(name)?.has(one) !== true)).toEqual([]);
    }
  });
});

describe("the policy of each function", () => {
  const { template } = synth();

  it.each(FUNCTION_NAMES)("of %s grants what it does, and nothing that it does not", (name) => {
    const used = [...(deployed.asked.get(name) ?? [])].sort();
    expect(granted(statementsOf(name)), "granted (received) against used (expected)").toEqual(used);
  });

  it.each(FUNCTION_NAMES)("of %s lets it do with the access keys' key what it does", (name) => {
    const actions = statementsOf(name)
      .filter(isOfKey)
      .flatMap((one) => list(one.Action));
    const used = [...(deployed.keyUses.get(name) ?? [])];
    expect(actions).toEqual(used.map((action) => `kms:${action}`));
  });

  it.each(FUNCTION_NAMES)("of %s grants nothing beside tables, key and its own log", (name) => {
    const others = statementsOf(name).filter((one) => tablesOf(one).length === 0 && !isOfKey(one));
    expect(others).toHaveLength(1);
    expect(list(others[0]?.Action ?? [])).toEqual(["logs:CreateLogStream", "logs:PutLogEvents"]);
    expect(JSON.stringify(others[0]?.Resource)).toContain(`Functions${idOf(name)}Logs`);
  });

  const statementsOf = (name: FunctionName) => statements(template, idOf(name));
});

const idOf = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);

const isOfKey = ({ Resource }: Statement): boolean =>
  JSON.stringify(Resource).includes('"FunctionsAccessKeysKey');

/** One statement may be for both tables. */
const tablesOf = ({ Resource }: Statement): string[] =>
  [...JSON.stringify(Resource).matchAll(/"Tables(Catalog|Lanes)/g)].map(([, table = ""]) =>
    table.toLowerCase(),
  );

const granted = (all: readonly Statement[]): string[] =>
  all
    .flatMap((one) =>
      tablesOf(one).flatMap((table) =>
        list(one.Action).map((action) => `${table}:${action.replace("dynamodb:", "")}`),
      ),
    )
    .sort();
