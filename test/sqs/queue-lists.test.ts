/** Listings page as AWS's do, and name no queue that a caller must not know of. */
import { describe, expect, it } from "vitest";
import { callerWith } from "../../src/core/scope.ts";
import type { ApiKeyScope, Caller } from "../../src/core/scope.ts";
import { queueName } from "../../src/core/types.ts";
import { listDeadLetterSourceQueues, listQueues } from "../../src/sqs/queue-lists.ts";
import { sqs } from "./queue-calls.ts";
import type { Input } from "./queue-calls.ts";

const URL = "http://localhost:9324/000000000000";
const urls = (...names: string[]) => names.map((name) => `${URL}/${name}`);

async function withQueues(...names: string[]) {
  const one = sqs();
  for (const name of names) await one.service.putQueue(queueName(name), {});
  const list = async (input: Input = {}) => (await one.call("ListQueues", input)) as Input;
  return { ...one, list };
}

describe("ListQueues", () => {
  it("gives all, or those of a prefix, in the order of their names", async () => {
    const { list } = await withQueues("b-one", "a-two", "a-one", "c.fifo");
    expect(await list()).toEqual({ QueueUrls: urls("a-one", "a-two", "b-one", "c.fifo") });
    expect(await list({ QueueNamePrefix: "a-" })).toEqual({ QueueUrls: urls("a-one", "a-two") });
    expect(await list({ QueueNamePrefix: "d" })).toEqual({});
  });

  it("gives pages to who says how long they are", async () => {
    const { list } = await withQueues("q0", "q1", "q2", "q3", "q4");
    const two = await list({ MaxResults: 2, QueueNamePrefix: "q" });
    expect(two).toEqual({ QueueUrls: urls("q0", "q1"), NextToken: expect.any(String) });
    const rest = { MaxResults: 10, QueueNamePrefix: "q", NextToken: two["NextToken"] };
    expect(await list(rest)).toEqual({ QueueUrls: urls("q2", "q3", "q4") });
    expect(await list({ MaxResults: 5 })).toEqual({
      QueueUrls: urls("q0", "q1", "q2", "q3", "q4"),
    });
  });

  it("gives others the first 1,000, and no token", async () => {
    const names = Array.from({ length: 1_001 }, (_, n) => `q${String(n).padStart(4, "0")}`);
    const { list } = await withQueues(...names);
    const all = await list();
    expect(all["QueueUrls"]).toEqual(urls(...names.slice(0, 1_000)));
    expect(all).not.toHaveProperty("NextToken");
  });

  it.each([0, -23, 1_001, 1.5])("takes no MaxResults of %d", async (MaxResults) => {
    const { list } = await withQueues();
    expect(await list({ MaxResults })).toEqual([
      400,
      "InvalidParameterValueException",
      "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000.",
    ]);
  });

  it("takes only tokens of its own", async () => {
    const { list } = await withQueues("q0", "q1");
    const { NextToken } = await list({ MaxResults: 1 });
    for (const input of [{ NextToken: "invalidtoken" }, { NextToken, QueueNamePrefix: "q" }])
      expect(await list({ MaxResults: 1, ...input })).toEqual([
        400,
        "InvalidParameterValueException",
        "Invalid or expired next token.",
      ]);
  });
});

describe("ListDeadLetterSourceQueues", () => {
  async function withSources() {
    const one = await withQueues("dead", "other");
    for (const name of ["s2", "s0", "s1"])
      await one.service.putQueue(queueName(name), {
        maxReceives: 5,
        deadLetter: { queue: queueName("dead") },
      });
    const sources = async (input: Input = {}) =>
      (await one.call("ListDeadLetterSourceQueues", { QueueUrl: "dead", ...input })) as Input;
    return { ...one, sources };
  }

  it("gives those that dead-letter to the queue", async () => {
    const { sources, set } = await withSources();
    expect(await sources()).toEqual({ queueUrls: urls("s0", "s1", "s2") });
    expect(await sources({ QueueUrl: "other" })).toEqual({});
    await set("s1", { RedrivePolicy: "" });
    expect(await sources()).toEqual({ queueUrls: urls("s0", "s2") });
  });

  it("gives pages", async () => {
    const { sources } = await withSources();
    const first = await sources({ MaxResults: 2 });
    expect(first).toEqual({ queueUrls: urls("s0", "s1"), NextToken: expect.any(String) });
    expect(await sources({ MaxResults: 2, NextToken: first["NextToken"] })).toEqual({
      queueUrls: urls("s2"),
    });
  });

  it.each([{ MaxResults: 0 }, { MaxResults: 1, NextToken: "x" }])("refuses %j", async (input) => {
    expect(await (await withSources()).sources(input)).toMatchObject([
      400,
      "InvalidParameterValueException",
      expect.any(String),
    ]);
  });
});

describe("who may see some queues only", () => {
  const scopes: ApiKeyScope[] = [{ actions: ["send"], queues: "a-*" }];
  const caller: Caller = callerWith(scopes);

  it("is given those, in whole pages", async () => {
    const { service, world } = await withQueues("a-1", "b-1", "a-2", "b-2", "a-3", "b-3");
    const call = {
      service,
      caller,
      endpoint: "http://localhost:9324",
      account: "000000000000",
      region: "us-east-1",
      relaxed: false,
      now: () => world.now(),
      signal: undefined,
    };
    const page = (await listQueues.run(call, { QueueNamePrefix: "", MaxResults: 2 })) as Input;
    expect(page["QueueUrls"]).toEqual(urls("a-1", "a-2"));
    const rest = { QueueNamePrefix: "", MaxResults: 2, NextToken: page["NextToken"] };
    expect(await listQueues.run(call, rest)).toEqual({ QueueUrls: urls("a-3") });
    const dead = queueName("a-1");
    for (const name of ["a-2", "b-2"])
      await service.patchQueue(queueName(name), { maxReceives: 1, deadLetter: { queue: dead } });
    expect(await listDeadLetterSourceQueues.run(call, { QueueUrl: "a-1" })).toEqual({
      queueUrls: urls("a-2"),
    });
  });
});
