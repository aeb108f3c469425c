import { describe, expect, it } from "vitest";
import { queueName } from "../../src/core/types.ts";
import { sqs } from "./queue-calls.ts";
import type { Input } from "./queue-calls.ts";

const ORDERS = queueName("orders");

async function tagged(tags: Input = {}) {
  const one = sqs();
  await one.create("orders", {}, tags);
  const list = async () => one.call("ListQueueTags", { QueueUrl: "orders" });
  const tag = async (Tags: Input) => one.call("TagQueue", { QueueUrl: "orders", Tags });
  const untag = async (TagKeys: string[]) =>
    one.call("UntagQueue", { QueueUrl: "orders", TagKeys });
  return { ...one, list, tag, untag };
}

const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`tag${n}`, ""]));

const refusal = (message: string) => [400, "InvalidParameterValueException", message];

describe("tags of a queue", () => {
  it("are set, listed, overwritten and taken away, each key in its case", async () => {
    const { list, tag, untag } = await tagged();
    expect(await list()).toEqual({});
    expect(await tag({ tag1: "value1", Tag1: "value2", tag3: "" })).toBeUndefined();
    await tag({ tag1: "VALUE1", constructor: "c" });
    expect(await list()).toEqual({
      Tags: { tag1: "VALUE1", Tag1: "value2", tag3: "", constructor: "c" },
    });
    expect(await untag(["tag1", "none", "constructor"])).toBeUndefined();
    expect(await list()).toEqual({ Tags: { Tag1: "value2", tag3: "" } });
    await untag(["Tag1", "tag3"]);
    expect(await list()).toEqual({});
  });

  it("are the tags among its settings", async () => {
    const { list, tag, service } = await tagged({ team: "a" });
    expect((await service.getQueue(ORDERS)).settings.tags).toEqual({ team: "a" });
    await service.patchQueue(ORDERS, { tags: { env: "test" } });
    expect(await list()).toEqual({ Tags: { env: "test" } });
    await tag({ team: "b" });
    expect((await service.getQueue(ORDERS)).settings.tags).toEqual({ env: "test", team: "b" });
  });

  it("are 50 at most, those that are there included", async () => {
    const { tag, list, create } = await tagged(many(50));
    expect(await tag({ tag0: "again" })).toBeUndefined();
    expect(await tag({ more: "" })).toEqual(refusal("Too many tags added for queue orders."));
    expect(Object.keys((await list()) as object)).toEqual(["Tags"]);
    expect(await create("letters", {}, many(51))).toEqual(
      refusal("Too many tags added for queue letters."),
    );
  });

  it.each([
    ["", "v", "Tag keys must be between 1 and 128 characters in length."],
    ["k".repeat(129), "v", "Tag keys must be between 1 and 128 characters in length."],
    ["k", "v".repeat(257), "Tag values must be between 0 and 256 characters in length."],
    ["aws:k", "v", "Tag keys that start with aws: are reserved."],
  ])("are refused as %.9s: %.9s", async (key, value, message) => {
    const { tag, list } = await tagged();
    expect(await tag({ [key]: value })).toEqual(refusal(message));
    expect(await list()).toEqual({});
  });

  it("are named by the request", async () => {
    const { tag, untag } = await tagged();
    expect(await tag({})).toEqual([
      400,
      "MissingRequiredParameterException",
      "The request must contain the parameter Tags.",
    ]);
    expect(await untag([])).toEqual(
      refusal("Tag keys must be between 1 and 128 characters in length."),
    );
  });
});
