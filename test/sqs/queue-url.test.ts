/** Hunts queue URLs and ARNs, as configurations hold them, that do not lead to their queue. */
import { describe, expect, it } from "vitest";
import { queueName } from "../../src/core/types.ts";
import { queueArn, queueOfArn, queueOfUrl, queueUrl } from "../../src/sqs/queue-url.ts";

const WHERE = { endpoint: "http://127.0.0.1:9324", account: "000000000000", region: "eu-west-1" };
const NAME = queueName("orders.fifo");

describe("a queue's URL", () => {
  it("leads back to its queue", () => {
    expect(queueUrl(WHERE, NAME)).toBe("http://127.0.0.1:9324/000000000000/orders.fifo");
    expect(queueOfUrl(queueUrl(WHERE, NAME))).toBe(NAME);
  });

  it.each([
    "https://sqs.us-east-1.amazonaws.com/123456789012/orders.fifo",
    "http://localhost:9324/queue/orders.fifo",
    "http://localhost:9324/queue/orders.fifo/",
    "/123456789012/orders.fifo",
    "orders.fifo",
  ])("is found by %s", (text) => expect(queueOfUrl(text)).toBe(NAME));

  it.each(["http://orders.fifo", "https://host/", "/", "a b", "http://host/1/a%20b"])(
    "is not found by %s",
    (text) => expect(() => queueOfUrl(text)).toThrow(/not valid for this endpoint/),
  );

  it.each([undefined, ""])("has to be there", (text) =>
    expect(() => queueOfUrl(text)).toThrow("must contain the parameter QueueUrl"),
  );
});

describe("a queue's ARN", () => {
  it("leads back to its queue, whatever account and region it says", () => {
    expect(queueArn(WHERE, NAME)).toBe("arn:aws:sqs:eu-west-1:000000000000:orders.fifo");
    expect(queueOfArn(queueArn(WHERE, NAME))).toBe(NAME);
    expect(queueOfArn("arn:aws-cn:sqs:cn-north-1:123456789012:orders.fifo")).toBe(NAME);
  });

  it.each(["orders.fifo", "arn:aws:sns:eu-west-1:123456789012:a", "arn:aws:sqs:x:1:a", ""])(
    "is not %s",
    (text) => expect(queueOfArn(text)).toBeUndefined(),
  );
});
