/** Hunts timeouts that change more than their message, less than AWS changes, or last longer than they may. */
import { describe, expect, it } from "vitest";
import {
  bodiesOf,
  FIFO,
  handlesOf,
  INVALID,
  INVALID_HANDLE,
  Q,
  receiptsWorld,
} from "./receipts.ts";

const DONE = {};
const HOURS_12 = 43_200;
const gone = (handle: string | undefined) => ({
  __type: INVALID,
  message: `Value ${handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
});
const tooLong = (seconds: number) => ({
  __type: INVALID,
  message: `Value ${seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]`,
});

describe("ChangeMessageVisibility on a standard queue", () => {
  it("runs from now on, and can be made again and again by the first handle", async () => {
    const { world, send, receive, change } = await receiptsWorld();
    await send(Q, "test");
    const [handle] = handlesOf(await receive(Q, { VisibilityTimeout: 2 }));
    for (let turn = 0; turn < 4; turn++) {
      await world.advance(1_000);
      expect(await change(Q, handle, 2)).toEqual(DONE);
      expect(await receive(Q)).toEqual([]);
    }
    await world.advance(2_000);
    expect(bodiesOf(await receive(Q))).toEqual(["test"]);
  });

  it("0 gives the message back at once, once, as an attempt that counts", async () => {
    const { send, receive, change } = await receiptsWorld();
    await send(Q, "a", "b");
    const handles = handlesOf(await receive(Q));
    expect(await change(Q, handles[1], 0)).toEqual(DONE);
    const all = { AttributeNames: ["ApproximateReceiveCount"] };
    expect(await receive(Q, all)).toMatchObject([
      { Body: "b", Attributes: { ApproximateReceiveCount: "2" } },
    ]);
    expect(await receive(Q)).toEqual([]);
  });

  it("by an old handle: when its time is over, and when another has the message", async () => {
    const { world, send, receive, change } = await receiptsWorld();
    await send(Q, "test");
    const [handle] = handlesOf(await receive(Q, { VisibilityTimeout: 1 }));
    await world.advance(2_000);
    expect(await change(Q, handle, 2)).toEqual(DONE);
    expect(await receive(Q)).toEqual([]);
    await world.advance(2_000);
    expect(await receive(Q, { VisibilityTimeout: 300 })).toHaveLength(1);
    expect(await change(Q, handle, 0)).toEqual(DONE);
    expect(bodiesOf(await receive(Q))).toEqual(["test"]);
  });

  it("wakes a long poll", async () => {
    const { service, world, send, receive, change } = await receiptsWorld();
    await send(Q, "test");
    const [handle] = handlesOf(await receive(Q));
    const waiting = service.receive(Q, { max: 1, group: "default", waitSeconds: 20 });
    await world.advance(3_000);
    const before = world.now();
    await change(Q, handle, 0);
    expect(await world.through(waiting)).toHaveLength(1);
    expect(world.now()).toBe(before);
  });

  it("of a deleted message is refused", async () => {
    const { send, receive, remove, change } = await receiptsWorld();
    await send(Q, "foo");
    const [handle] = handlesOf(await receive(Q));
    expect(await change(Q, handle, 42)).toEqual(DONE);
    await remove(Q, handle);
    expect(await change(Q, handle, 42)).toEqual(gone(handle));
  });
});

describe("12 hours in all", () => {
  it("count from the receive, not from the change", async () => {
    const { world, send, receive, change } = await receiptsWorld();
    await send(Q, "test", "other");
    const [handle, other] = handlesOf(await receive(Q, { VisibilityTimeout: 60 }));
    expect(await change(Q, handle, HOURS_12)).toEqual(DONE);
    await world.advance(10_000);
    expect(await change(Q, handle, HOURS_12)).toEqual(tooLong(HOURS_12));
    expect(await change(Q, handle, HOURS_12 - 10)).toEqual(DONE);
    expect(await change(Q, other, HOURS_12 - 9)).toEqual(tooLong(HOURS_12 - 9));
    await world.advance(3_600_000);
    expect(await change(Q, handle, 0)).toEqual(DONE);
    const [again] = handlesOf(await receive(Q, { MaxNumberOfMessages: 1 }));
    expect(await change(Q, again, HOURS_12)).toEqual(DONE);
  });

  it.each([-1, HOURS_12 + 1])("%i is out of range", async (seconds) => {
    const { send, receive, change } = await receiptsWorld();
    await send(Q, "test");
    const [handle] = handlesOf(await receive(Q));
    expect(await change(Q, handle, seconds)).toEqual({
      __type: INVALID,
      message: `Value ${seconds} for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.`,
    });
  });
});

describe("ChangeMessageVisibility on a FIFO queue", () => {
  it("0 on the first of a group gives it back alone, before all others of the group", async () => {
    const { send, receive, change } = await receiptsWorld();
    await send(FIFO, "g1-1", "g1-2", "g1-3", "g2-1");
    const held = await receive(FIFO, { MaxNumberOfMessages: 2 });
    expect(bodiesOf(held)).toEqual(["g1-1", "g1-2"]);
    expect(await change(FIFO, held[0]?.ReceiptHandle, 0)).toEqual(DONE);
    expect(new Set(bodiesOf(await receive(FIFO)))).toEqual(new Set(["g2-1", "g1-1"]));
    expect(await receive(FIFO)).toEqual([]);
  });

  it("0 on a later one: it waits for those before it, and nothing overtakes it", async () => {
    const { send, receive, remove, change } = await receiptsWorld();
    await send(FIFO, "g-1", "g-2", "g-3");
    const [one, two] = handlesOf(await receive(FIFO, { MaxNumberOfMessages: 2 }));
    await change(FIFO, two, 0);
    expect(await receive(FIFO)).toEqual([]);
    await remove(FIFO, one);
    expect(bodiesOf(await receive(FIFO))).toEqual(["g-2", "g-3"]);
  });

  it("shortened: the message comes when that is over, the others of its group stay", async () => {
    const { world, send, receive, change } = await receiptsWorld();
    await send(FIFO, "g1-1", "g1-2", "g2-1");
    const held = await receive(FIFO, { MaxNumberOfMessages: 2 });
    await change(FIFO, held[0]?.ReceiptHandle, 1);
    await world.advance(1_001);
    expect(new Set(bodiesOf(await receive(FIFO)))).toEqual(new Set(["g2-1", "g1-1"]));
  });

  it.each([
    [0, []],
    [1, ["g-0"]],
    [2, ["g-0", "g-1"]],
  ])("number %i of three extended: the group is locked from there on", async (at, expected) => {
    const { world, send, receive, change } = await receiptsWorld();
    await send(FIFO, "g-0", "g-1", "g-2");
    const handles = handlesOf(await receive(FIFO, { VisibilityTimeout: 1 }));
    await change(FIFO, handles[at], 4);
    await world.advance(2_500);
    expect(bodiesOf(await receive(FIFO))).toEqual(expected);
  });

  it("given back and then changed again by the same handle, as AWS allows", async () => {
    const { world, send, receive, remove, change } = await receiptsWorld();
    await send(FIFO, "g-1");
    const [handle] = handlesOf(await receive(FIFO));
    for (const seconds of [0, 0, 9]) expect(await change(FIFO, handle, seconds)).toEqual(DONE);
    expect(await receive(FIFO)).toEqual([]);
    await world.advance(8_000);
    expect(await remove(FIFO, handle)).toEqual(DONE);
  });

  it("once another has the message it is refused", async () => {
    const { world, send, receive, change } = await receiptsWorld();
    await send(FIFO, "g-1");
    const [handle] = handlesOf(await receive(FIFO, { VisibilityTimeout: 1 }));
    await world.advance(1_001);
    expect(await receive(FIFO)).toHaveLength(1);
    expect(await change(FIFO, handle, 9)).toEqual(gone(handle));
  });
});

describe("a handle that the queue never issued", () => {
  it("is refused in AWS's words", async () => {
    const { change, call } = await receiptsWorld();
    expect(await change(Q, "INVALID", 60)).toEqual({
      __type: INVALID_HANDLE,
      message: 'The input receipt handle "INVALID" is not a valid receipt handle.',
    });
    expect(
      await call("ChangeMessageVisibility", { QueueUrl: Q, ReceiptHandle: "x" }),
    ).toMatchObject({ message: "The request must contain the parameter VisibilityTimeout." });
  });
});

describe("ChangeMessageVisibilityBatch", () => {
  it("gives each entry its own timeout, and its own answer", async () => {
    const { world, call, send, receive, remove } = await receiptsWorld();
    await send(Q, "a", "b", "c", "d", "e");
    const messages = await receive(Q);
    const of = (body: string) => messages.find(({ Body }) => Body === body)?.ReceiptHandle;
    await remove(Q, of("e"));
    await world.advance(1_000);
    const entry = (Id: string, ReceiptHandle: string | undefined, VisibilityTimeout: number) => ({
      Id,
      ReceiptHandle,
      VisibilityTimeout,
    });
    const answer = await call("ChangeMessageVisibilityBatch", {
      QueueUrl: Q,
      Entries: [
        entry("a", of("a"), 0),
        entry("b", of("b"), 100),
        entry("c", of("c"), HOURS_12),
        entry("d", of("d"), 100),
        entry("e", of("e"), 5),
        entry("f", "garbage", 5),
        entry("g", of("c"), HOURS_12 + 1),
      ],
    });
    expect(answer).toMatchObject({
      Successful: [{ Id: "a" }, { Id: "b" }, { Id: "d" }],
      Failed: [
        { Id: "c", Code: "InvalidParameterValue", Message: tooLong(HOURS_12).message },
        { Id: "e", Code: "InvalidParameterValue", Message: gone(of("e")).message },
        { Id: "f", Code: "ReceiptHandleIsInvalid", SenderFault: true },
        { Id: "g", Code: "InvalidParameterValue" },
      ],
    });
    expect(bodiesOf(await receive(Q))).toEqual(["a"]);
    await world.advance(30_000);
    expect(new Set(bodiesOf(await receive(Q)))).toEqual(new Set(["a", "c"]));
  });

  it("names what is missing", async () => {
    const { call } = await receiptsWorld();
    const Entries = [
      { Id: "a", ReceiptHandle: "x", VisibilityTimeout: 1 },
      { Id: "b", ReceiptHandle: "y" },
    ];
    expect(await call("ChangeMessageVisibilityBatch", { QueueUrl: Q, Entries })).toMatchObject({
      message:
        "The request must contain the parameter ChangeMessageVisibilityBatchRequestEntry.2.VisibilityTimeout.",
    });
  });
});
