/** Which right each action asks for: a key that lacks it changes nothing, and learns nothing. */
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { ADMIN, callerWith } from "../../src/core/scope.ts";
import type { Action as Right, ApiKeyScope } from "../../src/core/scope.ts";
import { queueName } from "../../src/core/types.ts";
import type { SqsCall } from "../../src/sqs/action.ts";
import { ACTIONS } from "../../src/sqs/actions.ts";
import { createWorld, texts } from "../service/fixture.ts";
import type { Input } from "./queue-calls.ts";

const ORDERS = queueName("orders");
const DEAD = queueName("dead");
const SourceArn = "arn:aws:sqs:us-east-1:000000000000:orders";
const RedrivePolicy = JSON.stringify({
  deadLetterTargetArn: "arn:aws:sqs:us-east-1:000000000000:dead",
  maxReceiveCount: 1,
});

/** What an action is asked, or how that is found out of a queue with a message. */
type Asked = Input | ((admin: SqsCall) => Promise<Input>);

async function run(call: SqsCall, name: string, input: Input): Promise<Input> {
  const action = ACTIONS[name];
  if (action === undefined) throw new Error(`there is no ${name}`);
  return ((await action.run(call, v.parse(action.schema, input))) ?? {}) as Input;
}

async function act(name: string, asked: Asked, ...scopes: ApiKeyScope[]): Promise<string> {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(ORDERS, {});
  await service.putQueue(DEAD, {});
  const source = { maxReceives: 1, deadLetter: { queue: ORDERS } };
  await service.putQueue(queueName("source"), source);
  await service.send(ORDERS, texts(1));
  const admin: SqsCall = {
    service,
    caller: ADMIN,
    endpoint: "http://localhost:9324",
    account: "000000000000",
    region: "us-east-1",
    relaxed: false,
    now: () => world.now(),
    signal: undefined,
  };
  const input = typeof asked === "function" ? await asked(admin) : asked;
  const stored = () => JSON.stringify([world.store.items("catalog"), world.store.items("lanes")]);
  const before = stored();
  try {
    await world.through(run({ ...admin, caller: callerWith(scopes) }, name, input));
    return "done";
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    expect(stored()).toBe(before);
    return error.name;
  }
}

async function leased(admin: SqsCall): Promise<{ readonly ReceiptHandle: string }> {
  const { Messages } = await run(admin, "ReceiveMessage", { QueueUrl: "orders" });
  const [message] = Messages as readonly { readonly ReceiptHandle: string }[];
  if (message === undefined) throw new Error("nothing was received");
  return { ReceiptHandle: message.ReceiptHandle };
}

async function permitted(admin: SqsCall): Promise<Input> {
  const permission = { QueueUrl: "orders", Label: "p" };
  const granted = { AWSAccountIds: ["111111111111"], Actions: ["*"] };
  await run(admin, "AddPermission", { ...permission, ...granted });
  return permission;
}

const QueueUrl = "orders";
const onOrders = (...actions: Right[]): ApiKeyScope => ({ actions, queues: "orders" });
const RIGHTS = ["send", "receive", "browse", "manage"] as const satisfies readonly Right[];

/** Of every action but ListQueues, which is about no queue: the right, and a request that it is enough for. */
const DEMANDED: Readonly<Record<string, readonly [Right | "any", Asked]>> = {
  AddPermission: [
    "manage",
    { QueueUrl, Label: "p", AWSAccountIds: ["111111111111"], Actions: ["*"] },
  ],
  CancelMessageMoveTask: [
    "manage",
    (admin) => run(admin, "StartMessageMoveTask", { SourceArn, MaxNumberOfMessagesPerSecond: 1 }),
  ],
  ChangeMessageVisibility: [
    "receive",
    async (admin) => ({ QueueUrl, ...(await leased(admin)), VisibilityTimeout: 1 }),
  ],
  ChangeMessageVisibilityBatch: [
    "receive",
    async (admin) => ({
      QueueUrl,
      Entries: [{ Id: "a", ...(await leased(admin)), VisibilityTimeout: 1 }],
    }),
  ],
  CreateQueue: ["manage", { QueueName: "orders" }],
  DeleteMessage: ["receive", async (admin) => ({ QueueUrl, ...(await leased(admin)) })],
  DeleteMessageBatch: [
    "receive",
    async (admin) => ({ QueueUrl, Entries: [{ Id: "a", ...(await leased(admin)) }] }),
  ],
  DeleteQueue: ["manage", { QueueUrl }],
  GetQueueAttributes: ["any", { QueueUrl, AttributeNames: ["All"] }],
  GetQueueUrl: ["any", { QueueName: "orders" }],
  ListDeadLetterSourceQueues: ["any", { QueueUrl }],
  ListMessageMoveTasks: ["manage", { SourceArn }],
  ListQueueTags: ["any", { QueueUrl }],
  PurgeQueue: ["manage", { QueueUrl }],
  ReceiveMessage: ["receive", { QueueUrl }],
  RemovePermission: ["manage", permitted],
  SendMessage: ["send", { QueueUrl, MessageBody: "hello" }],
  SendMessageBatch: ["send", { QueueUrl, Entries: [{ Id: "a", MessageBody: "hello" }] }],
  SetQueueAttributes: ["manage", { QueueUrl, Attributes: { DelaySeconds: "1" } }],
  StartMessageMoveTask: ["manage", { SourceArn, MaxNumberOfMessagesPerSecond: 1 }],
  TagQueue: ["manage", { QueueUrl, Tags: { a: "b" } }],
  UntagQueue: ["manage", { QueueUrl, TagKeys: ["a"] }],
};

describe("a key", () => {
  it("is judged by a right for every action", () => {
    const judged = [...Object.keys(DEMANDED), "ListQueues"];
    expect(judged.toSorted()).toEqual(Object.keys(ACTIONS).toSorted());
  });

  it.each(Object.entries(DEMANDED).map(([name, [right, asked]]) => ({ name, right, asked })))(
    "needs $right for $name",
    async ({ name, right, asked }) => {
      const enough = RIGHTS.filter((one) => right === "any" || one === right);
      const others = RIGHTS.filter((one) => !enough.includes(one));
      for (const one of enough) expect(await act(name, asked, onOrders(one))).toBe("done");
      if (others.length > 0)
        expect(await act(name, asked, onOrders(...others))).toBe("AccessDenied");
      const elsewhere = { actions: RIGHTS, queues: "other" };
      expect(await act(name, asked, elsewhere)).toBe("AccessDenied");
    },
  );

  it("needs to send to a dead-letter queue, or to manage it, to have messages moved there", async () => {
    const input = { QueueUrl, Attributes: { RedrivePolicy } };
    const set = async (...scopes: ApiKeyScope[]) =>
      act("SetQueueAttributes", input, onOrders("manage"), ...scopes);
    expect(await set()).toBe("AccessDenied");
    expect(await set({ actions: ["receive"], queues: "dead" })).toBe("AccessDenied");
    expect(await set({ actions: ["send"], queues: "dead" })).toBe("done");
    expect(await set({ actions: ["manage"], queues: "dead" })).toBe("done");
  });

  it("that may not see a queue is not told whether it is there", async () => {
    const other = { actions: ["manage"], queues: "other" } as const;
    expect(await act("GetQueueUrl", { QueueName: "none" }, other)).toBe("AccessDenied");
  });
});
