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
import { dataFolder } from "../local/data-folder.ts";
import { signed, type Signing } from "../sqs/signing.ts";
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
