/** Which right each queue action asks for: a key that lacks it changes nothing, and learns nothing. */
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { callerWith } from "../../src/core/scope.ts";
import type { Action as Right, ApiKeyScope } from "../../src/core/scope.ts";
import { queueName } from "../../src/core/types.ts";
import { ACTIONS } from "../../src/sqs/actions.ts";
import { createWorld } from "../service/fixture.ts";
import type { Input } from "./queue-calls.ts";

const ORDERS = queueName("orders");
const DEAD = queueName("dead");
const RedrivePolicy = JSON.stringify({
  deadLetterTargetArn: "arn:aws:sqs:us-east-1:000000000000:dead",
  maxReceiveCount: 1,
});

async function act(name: string, input: Input, ...scopes: ApiKeyScope[]): Promise<string> {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(ORDERS, {});
  await service.putQueue(DEAD, {});
  const call = {
    service,
    caller: callerWith(scopes),
    endpoint: "http://localhost:9324",
    account: "000000000000",
    region: "us-east-1",
    relaxed: false,
    now: () => world.now(),
    signal: undefined,
  };
  const action = ACTIONS[name];
  if (action === undefined) throw new Error(`there is no ${name}`);
  const before = JSON.stringify(world.store.items("catalog"));
  try {
    await action.run(call, v.parse(action.schema, input));
    return "done";
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    expect(JSON.stringify(world.store.items("catalog"))).toBe(before);
    return error.name;
  }
}

const onOrders = (...actions: Right[]): ApiKeyScope => ({ actions, queues: "orders" });

const MANAGE: readonly [string, Input][] = [
  ["CreateQueue", { QueueName: "orders" }],
  ["DeleteQueue", { QueueUrl: "orders" }],
  ["SetQueueAttributes", { QueueUrl: "orders", Attributes: { DelaySeconds: "1" } }],
  ["PurgeQueue", { QueueUrl: "orders" }],
  ["TagQueue", { QueueUrl: "orders", Tags: { a: "b" } }],
  ["UntagQueue", { QueueUrl: "orders", TagKeys: ["a"] }],
  [
    "AddPermission",
    { QueueUrl: "orders", Label: "p", AWSAccountIds: ["111111111111"], Actions: ["*"] },
  ],
];
const ANY: readonly [string, Input][] = [
  ["GetQueueUrl", { QueueName: "orders" }],
  ["GetQueueAttributes", { QueueUrl: "orders", AttributeNames: ["All"] }],
  ["ListQueueTags", { QueueUrl: "orders" }],
  ["ListDeadLetterSourceQueues", { QueueUrl: "orders" }],
];

describe("a key", () => {
  it.each(MANAGE)("needs manage for %s", async (name, input) => {
    expect(await act(name, input, onOrders("manage"))).toBe("done");
    expect(await act(name, input, onOrders("send", "receive", "browse"))).toBe("AccessDenied");
    expect(await act(name, input, { actions: ["manage"], queues: "other" })).toBe("AccessDenied");
  });

  it.each(ANY)("needs any right on the queue for %s", async (name, input) => {
    for (const right of ["send", "receive", "browse", "manage"] as const)
      expect(await act(name, input, onOrders(right))).toBe("done");
    expect(await act(name, input, { actions: ["manage"], queues: "other" })).toBe("AccessDenied");
  });

  it("needs to send to a dead-letter queue, or to manage it, to have messages moved there", async () => {
    const input = { QueueUrl: "orders", Attributes: { RedrivePolicy } };
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
