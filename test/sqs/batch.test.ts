/** Hunts batches that are half done though they should be refused, and entries that get another's answer. */
import { describe, expect, it } from "vitest";
import { batchAnswer, entriesOf } from "../../src/sqs/batch.ts";
import { SqsError } from "../../src/sqs/errors.ts";

const of = (...ids: (string | undefined)[]) =>
  entriesOf(
    ids.map((Id) => ({ Id })),
    "DeleteMessageBatchRequestEntry",
  );

const IDS = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

const BAD_ID = new SqsError(
  "InvalidBatchEntryId",
  "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
);

describe("a batch", () => {
  it("of one to ten entries with ids of their own is taken", () => {
    expect(of("a")).toEqual([{ Id: "a" }]);
    expect(of(...IDS)).toHaveLength(10);
    expect(of("A-z_0", "x".repeat(80))).toHaveLength(2);
  });

  it("W1: without entries is refused", () => {
    const error = new SqsError(
      "EmptyBatchRequest",
      "There should be at least one DeleteMessageBatchRequestEntry in the request.",
    );
    expect(() => of()).toThrow(error);
    expect(() => entriesOf(undefined, "DeleteMessageBatchRequestEntry")).toThrow(error);
  });

  it("W1: of more than ten is refused", () => {
    expect(() => of(...IDS, "k")).toThrow(
      new SqsError(
        "TooManyEntriesInBatchRequest",
        "Maximum number of entries per request are 10. You have sent 11.",
      ),
    );
  });

  it.each(["", " ", "a b", "é", "invalid:id", "x".repeat(81)])(
    "W1: with the id %j is refused",
    (id) => {
      expect(() => of("a", id)).toThrow(BAD_ID);
    },
  );

  it("W1: with an entry without an id is refused", () => {
    expect(() => of("a", undefined)).toThrow(
      new SqsError(
        "MissingParameter",
        "The request must contain the parameter DeleteMessageBatchRequestEntry.2.Id.",
      ),
    );
  });

  it("W1: with one id twice is refused", () => {
    expect(() => of("a", "b", "a")).toThrow(
      new SqsError("BatchEntryIdsNotDistinct", "Id a repeated."),
    );
  });

  it("W2: answers every entry by its id, once", () => {
    expect(
      batchAnswer(of("a", "b", "c", "d"), [
        {},
        new SqsError("ReceiptHandleIsInvalid", "no such receipt"),
        { MessageId: "m" },
        new SqsError("ServiceUnavailable", "later"),
      ]),
    ).toEqual({
      Successful: [{ Id: "a" }, { Id: "c", MessageId: "m" }],
      Failed: [
        { Id: "b", SenderFault: true, Code: "ReceiptHandleIsInvalid", Message: "no such receipt" },
        { Id: "d", SenderFault: false, Code: "ServiceUnavailable", Message: "later" },
      ],
    });
  });
});
