/**
 * Hunts access keys that open more than their API key, or for longer: AWS's own client signs, through
 * the local gateway, against the embedded service with an admin key.
 */
import {
  CreateQueueCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
  type SQSServiceException,
} from "@aws-sdk/client-sqs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Local } from "../../src/local/runtime.ts";
import { ACTIONS } from "../../src/sqs/actions.ts";
import { dataFolder } from "../local/data-folder.ts";
import { jsonWish, signed, type Signing } from "../sqs/signing.ts";
import { type Call, caller, start } from "./local-service.ts";

const ADMIN_KEY = "the-admin-s-key";

let local: Local;
let call: Call;
const clients: SQSClient[] = [];

beforeAll(async () => {
  local = await start({ apiKey: ADMIN_KEY });
  call = caller(local.url, { authorization: `Bearer ${ADMIN_KEY}` });
});
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
});
afterAll(() => local.close());

type AccessKey = Pick<Signing, "accessKeyId" | "secretAccessKey" | "sessionToken">;

/** Region and account are as the client pleases. */
function sqs(credentials: AccessKey, endpoint = local.url): SQSClient {
  const client = new SQSClient({ endpoint, region: "eu-south-9", credentials, maxAttempts: 1 });
  clients.push(client);
  return client;
}

async function keyFor(actions: string[], queues: string, by = call) {
  const { json } = await by("POST", "/v1/keys", { name: "k", scopes: [{ actions, queues }] });
  return json as unknown as AccessKey & { readonly id: string; readonly secret: string };
}

const refusal = async (work: Promise<unknown>) =>
  work.then(
    () => "none",
    (error: SQSServiceException) => `${error.$metadata.httpStatusCode} ${error.name}`,
  );

test("the admin key signs as `lanemq`, and may do everything", async () => {
  const admin = sqs({ accessKeyId: "lanemq", secretAccessKey: ADMIN_KEY });
  const { QueueUrl } = await admin.send(new CreateQueueCommand({ QueueName: "all" }));
  expect(QueueUrl).toBe(`${local.url}/000000000000/all`);
  const other = sqs({ accessKeyId: "lanemq", secretAccessKey: `${ADMIN_KEY}x` });
  expect(await refusal(other.send(new ListQueuesCommand({})))).toBe("403 SignatureDoesNotMatch");
});

test("one key serves both faces, with the same scopes", async () => {
  const key = await keyFor(["send", "receive", "manage"], "orders-*");
  const client = sqs(key);
  const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: "orders-1" }));
  await client.send(new SendMessageCommand({ QueueUrl, MessageBody: "by SQS" }));
  const rest = caller(local.url, { authorization: `Bearer ${key.secret}` });
  const { json } = await rest("POST", "/v1/queues/orders-1/receive", {});
  expect(json.messages).toMatchObject([{ body: "by SQS" }]);
  const denied = new CreateQueueCommand({ QueueName: "others" });
  expect(await refusal(client.send(denied))).toMatch(/^403 AccessDenied/);
});

test("a key that may only receive neither sends nor makes queues", async () => {
  await call("PUT", "/v1/queues/inbox");
  await call("POST", "/v1/queues/inbox/messages", { body: "hello" });
  const client = sqs(await keyFor(["receive"], "inbox"));
  const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: "inbox" }));
  const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl }));
  expect(Messages).toMatchObject([{ Body: "hello" }]);
  const send = new SendMessageCommand({ QueueUrl, MessageBody: "no" });
  expect(await refusal(client.send(send))).toMatch(/^403 AccessDenied/);
  const create = new CreateQueueCommand({ QueueName: "inbox-2" });
  expect(await refusal(client.send(create))).toMatch(/^403 AccessDenied/);
});

const QueueUrl = "guarded";
const SourceArn = "arn:aws:sqs:us-east-1:000000000000:guarded";
const receipt = { Id: "a", ReceiptHandle: "r" };
/** For each action a request that would be served with the right to it, or get as far as its queue. */
const GUARDED: Readonly<Record<string, object>> = {
  AddPermission: { QueueUrl, Label: "l", AWSAccountIds: ["111111111111"], Actions: ["*"] },
  CancelMessageMoveTask: {
    TaskHandle: Buffer.from(JSON.stringify({ taskId: "t", sourceArn: SourceArn })).toString(
      "base64",
    ),
  },
  ChangeMessageVisibility: { QueueUrl, ReceiptHandle: "r", VisibilityTimeout: 0 },
  ChangeMessageVisibilityBatch: { QueueUrl, Entries: [{ ...receipt, VisibilityTimeout: 0 }] },
  CreateQueue: { QueueName: QueueUrl },
  DeleteMessage: { QueueUrl, ReceiptHandle: "r" },
  DeleteMessageBatch: { QueueUrl, Entries: [receipt] },
  DeleteQueue: { QueueUrl },
  GetQueueAttributes: { QueueUrl, AttributeNames: ["All"] },
  GetQueueUrl: { QueueName: QueueUrl },
  ListDeadLetterSourceQueues: { QueueUrl },
  ListMessageMoveTasks: { SourceArn },
  ListQueueTags: { QueueUrl },
  PurgeQueue: { QueueUrl },
  ReceiveMessage: { QueueUrl },
  RemovePermission: { QueueUrl, Label: "l" },
  SendMessage: { QueueUrl, MessageBody: "hello" },
  SendMessageBatch: { QueueUrl, Entries: [{ Id: "a", MessageBody: "hello" }] },
  SetQueueAttributes: { QueueUrl, Attributes: { DelaySeconds: "1" } },
  StartMessageMoveTask: { SourceArn },
  TagQueue: { QueueUrl, Tags: { a: "b" } },
  UntagQueue: { QueueUrl, TagKeys: ["a"] },
};

test("no action does anything on a queue that the key does not name", async () => {
  expect(Object.keys({ ...GUARDED, ListQueues: {} }).sort()).toEqual(Object.keys(ACTIONS).sort());
  await call("PUT", "/v1/queues/guarded");
  const key = await keyFor(["send", "receive", "browse", "manage"], "elsewhere-*");
  const { host } = new URL(local.url);
  const ask = async (action: string, input: object) => {
    const where = { region: "us-east-1", service: "sqs", at: new Date() };
    const { event, body } = await signed(jsonWish(action, input), { ...key, ...where }, { host });
    const headers = event.headers as Record<string, string>;
    const response = await fetch(local.url, { method: "POST", headers, body: Buffer.from(body) });
    return [action, response.status, response.headers.get("x-amzn-query-error")];
  };
  for (const [action, input] of Object.entries(GUARDED))
    expect(await ask(action, input)).toEqual([action, 403, "AccessDenied;Sender"]);
  const { QueueUrls } = await sqs(key).send(new ListQueuesCommand({}));
  expect(QueueUrls).toBeUndefined();
});

test("nobody else is let in", async () => {
  const key = await keyFor(["manage"], "*");
  const list = new ListQueuesCommand({});
  expect(await refusal(sqs({ ...key, secretAccessKey: key.secret }).send(list))).toBe(
    "403 SignatureDoesNotMatch",
  );
  for (const other of [
    { ...key, accessKeyId: "AKIAIOSFODNN7EXAMPLE" },
    { ...key, sessionToken: "t" },
  ])
    expect(await refusal(sqs(other).send(list))).toBe("403 InvalidClientTokenId");
  const unsigned = await fetch(`${local.url}/?Action=ListQueues`);
  expect([unsigned.status, await unsigned.text()]).toEqual([
    403,
    expect.stringContaining("<Code>MissingAuthenticationToken</Code>"),
  ]);
  await call("DELETE", `/v1/keys/${key.id}`);
  expect(await refusal(sqs(key).send(list))).toBe("403 InvalidClientTokenId");
});

test("a presigned link sends the message that was signed, and no other", async () => {
  const key = await keyFor(["send", "manage"], "links");
  await call("PUT", "/v1/queues/links");
  const body = "1+1 = 2 & é";
  const query = { Action: "SendMessage", Version: "2012-11-05", MessageBody: body };
  const path = "/000000000000/links";
  const wish = { method: "GET" as const, path, query, headers: {}, body: Buffer.alloc(0) };
  const where = { region: "us-east-1", service: "sqs", at: new Date(), expires: 60 };
  const { host } = new URL(local.url);
  const { event } = await signed(wish, { ...key, ...where }, { host });
  const link = `${local.url}${path}?${event.rawQueryString}`;
  expect((await fetch(link)).status).toBe(200);
  for (const other of [
    link.replace("%2B", "+"),
    link.replace("1%2B1", "1"),
    `${link}&DelaySeconds=9`,
  ])
    expect((await fetch(other)).status).toBe(403);
  const { json } = await call("POST", "/v1/queues/links/receive", { max: 10 });
  expect(json.messages?.map((message) => message.body)).toEqual([body]);
});

test("access keys outlive the process, in the folder that holds them", async () => {
  const options = { apiKey: ADMIN_KEY, data: await dataFolder() };
  const first = await start(options);
  const byAdmin = caller(first.url, { authorization: `Bearer ${ADMIN_KEY}` });
  const key = await keyFor(["manage"], "*", byAdmin);
  await first.close();
  const second = await start(options);
  try {
    const { QueueUrl } = await sqs(key, second.url).send(
      new CreateQueueCommand({ QueueName: "kept" }),
    );
    expect(QueueUrl).toBe(`${second.url}/000000000000/kept`);
  } finally {
    await second.close();
  }
});

test("without an admin key every request is served, whoever signs it", async () => {
  const open = await start();
  try {
    const client = sqs({ accessKeyId: "any", secretAccessKey: "thing" }, open.url);
    await client.send(new CreateQueueCommand({ QueueName: "open" }));
    const { QueueUrls } = await client.send(new ListQueuesCommand({}));
    expect(QueueUrls).toEqual([`${open.url}/000000000000/open`]);
  } finally {
    await open.close();
  }
});
