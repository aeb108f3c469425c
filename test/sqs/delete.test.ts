/** Hunts deletions that AWS confirms and LaneMQ refuses or forgets, and those that it should refuse. */
import { describe, expect, it } from "vitest";
import { queryRequest } from "./requests.ts";
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
const expired = (handle: string | undefined) => ({
  __type: INVALID,
  message: `Value ${handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.`,
});

describe("DeleteMessage on a standard queue", () => {
  it("deletes, and does so again", async () => {
    const { service, send, receive, remove } = await receiptsWorld();
    await send(Q, "one");
    const [handle] = handlesOf(await receive(Q));
    for (let turn = 0; turn < 3; turn++) expect(await remove(Q, handle)).toEqual(DONE);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  it("deletes by an old handle: when its time is over, given back, or received by another", async () => {
    const { world, send, receive, remove, change } = await receiptsWorld();
    await send(Q, "over", "back", "taken");
    const handles = handlesOf(await receive(Q, { VisibilityTimeout: 1 }));
    await change(Q, handles[1], 0);
    await world.advance(1_001);
    expect(await remove(Q, handles[0])).toEqual(DONE);
    const again = await receive(Q, { MaxNumberOfMessages: 1 });
    for (const handle of handles) expect(await remove(Q, handle)).toEqual(DONE);
    await world.advance(3_600_000);
    expect(await receive(Q)).toEqual([]);
    expect(await remove(Q, again[0]?.ReceiptHandle)).toEqual(DONE);
  });

  it("deletes by the first handle, however often its timeout was changed", async () => {
    const { world, send, receive, remove, change } = await receiptsWorld();
    await send(Q, "a", "b", "c");
    const handles = handlesOf(await receive(Q));
    for (const handle of [...handles, ...handles]) await change(Q, handle, 60);
    expect(await remove(Q, handles[1])).toEqual(DONE);
    await world.advance(61_000);
    expect([...bodiesOf(await receive(Q))].sort()).toEqual(["a", "c"]);
  });
});

describe("DeleteMessage on a FIFO queue", () => {
  it("deletes while the timeout runs, again without effect", async () => {
    const { send, receive, remove } = await receiptsWorld();
    await send(FIFO, "g-1", "g-2");
    const [one, two] = handlesOf(await receive(FIFO));
    expect(await remove(FIFO, one)).toEqual(DONE);
    expect(await remove(FIFO, one)).toEqual(DONE);
    expect(await remove(FIFO, two)).toEqual(DONE);
    expect(await receive(FIFO)).toEqual([]);
  });

  it("refuses a handle whose timeout is over, also once another has the message", async () => {
    const { world, send, receive, remove } = await receiptsWorld();
    await send(FIFO, "g-1");
    const [handle] = handlesOf(await receive(FIFO, { VisibilityTimeout: 1 }));
    await world.advance(1_000);
    expect(await remove(FIFO, handle)).toEqual(expired(handle));
    const [again] = handlesOf(await receive(FIFO));
    expect(again).toBeDefined();
    expect(await remove(FIFO, handle)).toEqual(expired(handle));
    expect(await remove(FIFO, again)).toEqual(DONE);
    expect(await remove(FIFO, handle)).toEqual(DONE);
  });

  it("deletes when the timeout was extended in time", async () => {
    const { world, send, receive, remove, change } = await receiptsWorld();
    await send(FIFO, "g-1", "h-1");
    const [handle] = handlesOf(await receive(FIFO, { VisibilityTimeout: 1 }));
    await change(FIFO, handle, 5);
    await world.advance(1_500);
    expect(await remove(FIFO, handle)).toEqual(DONE);
    expect(bodiesOf(await receive(FIFO))).toEqual(["h-1"]);
  });
});

describe("a handle that the queue never issued", () => {
  it.each([Q, FIFO])("is refused in AWS's words, of %s", async (queue) => {
    const { send, receive, remove } = await receiptsWorld();
    await send(queue, "g-1");
    const [other] = handlesOf(await receive(queue));
    const refused = (handle: string) => ({
      __type: INVALID_HANDLE,
      message: `The input receipt handle "${handle}" is not a valid receipt handle.`,
    });
    expect(await remove(queue, "garbage")).toEqual(refused("garbage"));
    expect(await remove(queue === Q ? FIFO : Q, other)).toEqual(refused(other ?? ""));
    expect(await remove(queue, undefined)).toMatchObject({
      message: "The request must contain the parameter ReceiptHandle.",
    });
  });

  it("of a queue that is not there is not what the error is about", async () => {
    const { call } = await receiptsWorld();
    expect(
      await call("DeleteMessage", { QueueUrl: "nowhere", ReceiptHandle: "garbage" }),
    ).toMatchObject({ __type: "com.amazonaws.sqs#QueueDoesNotExist" });
  });
});

describe("DeleteMessageBatch", () => {
  it("answers each entry by its id: deleted, gone, expired, or never issued", async () => {
    const { world, call, send, receive, remove } = await receiptsWorld();
    await send(FIFO, "a-1", "b-1");
    const [old] = handlesOf(await receive(FIFO, { VisibilityTimeout: 1, MaxNumberOfMessages: 1 }));
    const [fresh] = handlesOf(await receive(FIFO));
    await send(FIFO, "c-1");
    const [gone] = handlesOf(await receive(FIFO));
    await remove(FIFO, gone);
    await world.advance(1_000);
    const Entries = [old, fresh, gone, "garbage"].map((ReceiptHandle, at) => ({
      Id: `e${at}`,
      ReceiptHandle,
    }));
    expect(await call("DeleteMessageBatch", { QueueUrl: FIFO, Entries })).toEqual({
      Successful: [{ Id: "e1" }, { Id: "e2" }],
      Failed: [
        {
          Id: "e0",
          SenderFault: true,
          Code: "InvalidParameterValue",
          Message: expired(old).message,
        },
        {
          Id: "e3",
          SenderFault: true,
          Code: "ReceiptHandleIsInvalid",
          Message: 'The input receipt handle "garbage" is not a valid receipt handle.',
        },
      ],
    });
  });

  it("of nothing but handles that were never issued fails entry by entry", async () => {
    const { call } = await receiptsWorld();
    const Entries = [
      { Id: "a", ReceiptHandle: "x" },
      { Id: "b", ReceiptHandle: "y" },
    ];
    const answer = await call("DeleteMessageBatch", { QueueUrl: Q, Entries });
    expect(answer).toMatchObject({ Failed: [{ Id: "a" }, { Id: "b" }] });
    expect(answer).not.toHaveProperty("Successful");
  });

  it("is refused whole where its entries cannot be told apart, and names what is missing", async () => {
    const { call } = await receiptsWorld();
    const batch = (Entries: readonly object[]) =>
      call("DeleteMessageBatch", { QueueUrl: Q, Entries });
    expect(await batch([])).toMatchObject({ __type: "com.amazonaws.sqs#EmptyBatchRequest" });
    expect(
      await batch([
        { Id: "a", ReceiptHandle: "x" },
        { Id: "a", ReceiptHandle: "y" },
      ]),
    ).toMatchObject({ __type: "com.amazonaws.sqs#BatchEntryIdsNotDistinct" });
    expect(await batch([{ Id: "a" }])).toMatchObject({
      message:
        "The request must contain the parameter DeleteMessageBatchRequestEntry.1.ReceiptHandle.",
    });
  });

  it("by the query protocol", async () => {
    const { ask, send, receive } = await receiptsWorld();
    await send(Q, "one");
    const [handle = ""] = handlesOf(await receive(Q));
    const { status, text } = await ask(
      queryRequest(
        "DeleteMessageBatch",
        {
          "DeleteMessageBatchRequestEntry.1.Id": "a",
          "DeleteMessageBatchRequestEntry.1.ReceiptHandle": handle,
          "DeleteMessageBatchRequestEntry.2.Id": "b",
          "DeleteMessageBatchRequestEntry.2.ReceiptHandle": "garbage",
        },
        `/000000000000/${Q}`,
      ),
    );
    expect(status).toBe(200);
    expect(text).toContain(
      "<DeleteMessageBatchResultEntry><Id>a</Id></DeleteMessageBatchResultEntry>",
    );
    expect(text).toContain(
      "<BatchResultErrorEntry><Id>b</Id><SenderFault>true</SenderFault><Code>ReceiptHandleIsInvalid</Code>",
    );
  });
});
