/** AWS's words for what is wrong with a redrive policy; who copies them into a test of theirs must find them here. */
import { describe, expect, it } from "vitest";
import { queueName } from "../../src/core/types.ts";
import {
  allowsRedrive,
  checkRedriveAllowPolicy,
  parseRedrivePolicy,
} from "../../src/sqs/redrive-policy.ts";
import { faultOf } from "./faults.ts";

const ARN = "arn:aws:sqs:us-east-1:123456789012:dead";
const policy = (more: object) => JSON.stringify({ deadLetterTargetArn: ARN, ...more });

describe("RedrivePolicy", () => {
  it.each([1, 42, 1_000, "42"])("takes a maxReceiveCount of %j", (maxReceiveCount) => {
    expect(parseRedrivePolicy(policy({ maxReceiveCount }))).toEqual({
      target: "dead",
      maxReceives: Number(maxReceiveCount),
    });
  });

  it.each([
    ["an account and region of others", "arn:aws:sqs:eu-west-1:999999999999:dead"],
    ["another partition", "arn:aws-cn:sqs:cn-north-1:123456789012:dead"],
  ])("takes an ARN with %s", (_, deadLetterTargetArn) => {
    expect(parseRedrivePolicy(policy({ deadLetterTargetArn, maxReceiveCount: 1 })).target).toBe(
      "dead",
    );
  });

  it.each([" ", "4", "[]", "null", '"text"', "{"])("is a JSON map, and %j is none", (text) => {
    expect(faultOf(() => parseRedrivePolicy(text))).toEqual([
      "InvalidAttributeValue",
      "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.",
    ]);
  });

  it.each([
    ["{}", "Redrive policy does not contain mandatory attribute: maxReceiveCount."],
    [
      '{"maxReceiveCount":5}',
      "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
    ],
    ...[-36, 0, 1_001, "invalid", 1.5, null].map((count) => [
      policy({ maxReceiveCount: count }),
      `Invalid value for maxReceiveCount: ${count}, valid values are from 1 to 1000 both inclusive.`,
    ]),
    [
      policy({
        maxReceiveCount: 5,
        deadLetterTargetArn: "arn:aws:sns:us-east-1:123456789012:Topic",
      }),
      "Only SQS queues are valid resources for deadLetterTargetArn.",
    ],
    ...["dummy", 7, "arn:aws:sqs:us-east-1:123456789012:not a name"].map((deadLetterTargetArn) => [
      policy({ maxReceiveCount: 5, deadLetterTargetArn }),
      "Dead-letter target ARN should be fully qualified ARN.",
    ]),
    [
      policy({ maxReceiveCount: 5, dummyField: "dummy value" }),
      "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].",
    ],
  ])("%s: %s", (text, reason) => {
    expect(faultOf(() => parseRedrivePolicy(text))).toEqual([
      "InvalidParameterValue",
      `Value ${text} for parameter RedrivePolicy is invalid. Reason: ${reason}`,
    ]);
  });
});

describe("RedriveAllowPolicy", () => {
  const arns = (count: number) =>
    Array.from({ length: count }, (_, n) => `arn:aws:sqs:us-east-1:123456789012:x${n}`);

  it.each([
    { redrivePermission: "allowAll" },
    { redrivePermission: "denyAll" },
    { redrivePermission: "byQueue", sourceQueueArns: arns(1) },
    { redrivePermission: "byQueue", sourceQueueArns: arns(10) },
  ])("takes %j", (given) => {
    expect(() => checkRedriveAllowPolicy(JSON.stringify(given))).not.toThrow();
  });

  it.each([
    "badjson",
    "[]",
    "{}",
    "444",
    '{"redrivePermission":"dummy"}',
    '{"redrivePermission":"allowAll","dummy":"value"}',
    '{"redrivePermission":"byQueue","sourceQueueArns":"arn:aws:sqs"}',
    '{"redrivePermission":"byQueue","sourceQueueArns":[{"dummy":"value"}]}',
  ])("refuses %s as a format", (text) => {
    expect(faultOf(() => checkRedriveAllowPolicy(text))).toEqual([
      "InvalidAttributeValue",
      "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format.",
    ]);
  });

  it.each([
    [
      { redrivePermission: "byQueue" },
      "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.",
    ],
    [
      { redrivePermission: "byQueue", sourceQueueArns: [] },
      "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.",
    ],
    [
      { redrivePermission: "byQueue", sourceQueueArns: arns(11) },
      "The maximum number of source queue ARNs you can specify is 10.",
    ],
    [
      { redrivePermission: "allowAll", sourceQueueArns: arns(1) },
      "To specify one or more source queue ARNs, you must set redrivePermission to byQueue.",
    ],
    [
      { redrivePermission: "denyAll", sourceQueueArns: arns(1) },
      "To specify one or more source queue ARNs, you must set redrivePermission to byQueue.",
    ],
  ])("%j: %s", (given, reason) => {
    const text = JSON.stringify(given);
    expect(faultOf(() => checkRedriveAllowPolicy(text))).toEqual([
      "InvalidParameterValue",
      `Value ${text} for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't create the redrive allow policy. ${reason}`,
    ]);
  });

  it("lets all in, none, or those that it names, whatever their account", () => {
    const allows = (given?: object) =>
      allowsRedrive(given === undefined ? undefined : JSON.stringify(given), queueName("x1"));
    const byQueue = (...sourceQueueArns: string[]) =>
      allows({ redrivePermission: "byQueue", sourceQueueArns });
    expect(allows()).toBe(true);
    expect(allows({ redrivePermission: "allowAll" })).toBe(true);
    expect(allows({ redrivePermission: "denyAll" })).toBe(false);
    expect(byQueue(...arns(3))).toBe(true);
    expect(byQueue("arn:aws:sqs:eu-west-1:999999999999:x1")).toBe(true);
    expect(byQueue(...arns(1))).toBe(false);
  });
});
