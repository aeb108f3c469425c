/** Policies are kept as given and never evaluated; what AWS would refuse is refused here, too. */
import { describe, expect, it } from "vitest";
import { checkPolicy, withoutPermission, withPermission } from "../../src/sqs/access-policy.ts";
import { faultOf } from "./faults.ts";

const QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders";
const STATEMENT = {
  Sid: "one",
  Effect: "Allow",
  Principal: { AWS: ["123456789012"] },
  Action: "sqs:SendMessage",
  Resource: QUEUE,
};
const policy = (statement: unknown, more: object = {}) =>
  JSON.stringify({ Version: "2012-10-17", Statement: statement, ...more });

describe("a policy", () => {
  it.each([
    policy(STATEMENT),
    policy([STATEMENT], { Version: "2008-10-17", Id: "some" }),
    policy([{ ...STATEMENT, Action: ["sqs:*"], Resource: ["*"], Sid: undefined }]),
    policy([{ ...STATEMENT, Principal: "*", Condition: { ArnEquals: { "aws:SourceArn": "x" } } }]),
  ])("is taken: %s", (text) => {
    expect(faultOf(() => checkPolicy(text))).toBeUndefined();
  });

  it.each([
    "badjson",
    "[]",
    '"text"',
    "533",
    "null",
    policy([STATEMENT], { Dummy: 1 }),
    policy([STATEMENT], { Version: "4532-10-17" }),
    policy([]),
    policy(["text"]),
    policy({ ...STATEMENT, dummy: "value" }),
    policy([{ ...STATEMENT, Effect: "Perhaps" }]),
    policy([{ ...STATEMENT, Action: undefined }]),
    policy([{ ...STATEMENT, Action: 7 }]),
    policy([{ ...STATEMENT, Principal: undefined }]),
    policy([{ ...STATEMENT, Condition: { x: "y".repeat(8_192) } }]),
  ])("is refused: %.60s", (text) => {
    expect(faultOf(() => checkPolicy(text))).toEqual([
      "InvalidAttributeValue",
      "Invalid value for the parameter Policy.",
    ]);
  });

  it("has at most 20 statements", () => {
    const many = (count: number) => policy(Array.from({ length: count }, () => STATEMENT));
    expect(faultOf(() => checkPolicy(many(20)))).toBeUndefined();
    expect(faultOf(() => checkPolicy(many(22)))).toEqual([
      "OverLimit",
      "22 statements were found in the submitted policy, max allowed is 20",
    ]);
  });
});

describe("a permission", () => {
  const one = { label: "p1", accounts: ["111111111111"], actions: ["ReceiveMessage"] };
  const two = {
    label: "p2",
    accounts: ["111111111111", "222222222222"],
    actions: ["SendMessage", "*"],
  };
  const statement = {
    Sid: "p1",
    Effect: "Allow",
    Principal: { AWS: "arn:aws:iam::111111111111:root" },
    Action: "SQS:ReceiveMessage",
    Resource: QUEUE,
  };

  it("begins a policy, as AWS writes one", () => {
    expect(JSON.parse(withPermission(undefined, QUEUE, one))).toEqual({
      Version: "2008-10-17",
      Id: `${QUEUE}/SQSDefaultPolicy`,
      Statement: [statement],
    });
  });

  it("is added behind what is there, one alone or in a list", () => {
    for (const given of [STATEMENT, [STATEMENT]]) {
      const text = withPermission(policy(given), QUEUE, two);
      expect(JSON.parse(text)).toEqual({
        Version: "2012-10-17",
        Statement: [
          STATEMENT,
          {
            Sid: "p2",
            Effect: "Allow",
            Principal: {
              AWS: ["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"],
            },
            Action: ["SQS:SendMessage", "SQS:*"],
            Resource: QUEUE,
          },
        ],
      });
    }
  });

  it("has a label of its own; the same again is the same", () => {
    const text = withPermission(undefined, QUEUE, one);
    expect(withPermission(text, QUEUE, one)).toBe(text);
    expect(faultOf(() => withPermission(text, QUEUE, { ...two, label: "p1" }))).toEqual([
      "InvalidParameterValue",
      "Value p1 for parameter Label is invalid. Reason: Already exists.",
    ]);
  });

  it("is one of 20 at most", () => {
    const add = (text: string | undefined, number: number) =>
      withPermission(text, QUEUE, { ...one, label: `p${number}` });
    let text: string | undefined;
    for (let number = 0; number < 20; number++) text = add(text, number);
    expect(faultOf(() => add(text, 20))).toEqual([
      "OverLimit",
      "21 Statements were found, maximum allowed is 20.",
    ]);
  });

  it("is removed by its label, and the policy with the last", () => {
    const both = withPermission(withPermission(undefined, QUEUE, one), QUEUE, two);
    const left = withoutPermission(both, "p2");
    expect(JSON.parse(left ?? "")).toMatchObject({ Statement: [statement] });
    expect(withoutPermission(left, "p1")).toBeUndefined();
    for (const text of [undefined, left])
      expect(faultOf(() => withoutPermission(text, "p2"))).toEqual([
        "InvalidParameterValue",
        "Value p2 for parameter Label is invalid. Reason: can't find label.",
      ]);
  });
});
