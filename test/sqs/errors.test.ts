/** Hunts errors that an SDK would not know by their name, or would repeat in vain. */
import { describe, expect, it, test } from "vitest";
import { CODES, LaneError } from "../../src/core/errors.ts";
import type { Code } from "../../src/core/errors.ts";
import { callerWith } from "../../src/core/scope.ts";
import { queueName } from "../../src/core/types.ts";
import { demand, type SqsCall } from "../../src/sqs/action.ts";
import { fromLaneError, invalidValue, SQS_ERRORS, SqsError } from "../../src/sqs/errors.ts";
import type { SqsErrorName } from "../../src/sqs/errors.ts";

describe("LaneMQ's errors", () => {
  it.each(Object.keys(CODES) as Code[])("%s blames who is at fault", (code) => {
    const known = fromLaneError(new LaneError(code, "the table is called lanes-1234"));
    const { status } = CODES[code];
    if (known.name === "InternalFailure") expect(known.message).not.toContain("lanes-1234");
    else expect(known.isSenderFault).toBe(status < 500);
  });

  it("that are unknown are internal", () => {
    expect(fromLaneError(new TypeError("x"))).toMatchObject({ name: "InternalFailure" });
    const own = new SqsError("OverLimit", "x");
    expect(fromLaneError(own)).toBe(own);
  });
});

describe("AWS's names", () => {
  it.each(Object.keys(SQS_ERRORS) as SqsErrorName[])("%s has a type and a code", (name) => {
    const error = new SqsError(name, "x");
    expect(error.type).toMatch(/^com\.amazon(aws\.sqs|\.coral\.service)#[A-Z]\w+$/);
    expect(error.queryCode).toMatch(/^(AWS\.SimpleQueueService\.)?[A-Z]\w+$/);
    expect(error.status).toBeGreaterThanOrEqual(400);
  });

  test("a value that is not allowed is said in AWS's words", () => {
    expect(
      invalidValue(11, "MaxNumberOfMessages", "Must be between 1 and 10, if provided."),
    ).toEqual(
      new SqsError(
        "InvalidParameterValue",
        "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
      ),
    );
  });
});

test("a key that lacks the right is denied the queue", () => {
  const caller = callerWith([{ actions: ["send"], queues: "orders-*" }]);
  const call = { caller, endpoint: "http://x", account: "000000000000" } as SqsCall;
  expect(() => demand(call, "send", queueName("orders-1"))).not.toThrow();
  expect(() => demand(call, "receive", queueName("orders-1"))).toThrow(
    new SqsError(
      "AccessDenied",
      "Access to the resource http://x/000000000000/orders-1 is denied.",
    ),
  );
});
