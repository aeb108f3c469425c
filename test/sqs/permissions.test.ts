import { describe, expect, it } from "vitest";
import { sqs } from "./queue-calls.ts";
import type { Input } from "./queue-calls.ts";

const ARN = "arn:aws:sqs:us-east-1:000000000000:orders";
const GIVEN = { Label: "p1", AWSAccountIds: ["111111111111"], Actions: ["ReceiveMessage"] };

async function permitted() {
  const one = sqs();
  await one.create("orders");
  const add = async (more: Input = {}) =>
    one.call("AddPermission", { QueueUrl: "orders", ...GIVEN, ...more });
  const remove = async (Label?: string) =>
    one.call("RemovePermission", { QueueUrl: "orders", Label });
  const policy = async () => {
    const { Policy } = await one.attributes("orders", "Policy");
    return typeof Policy === "string" ? (JSON.parse(Policy) as unknown) : Policy;
  };
  return { ...one, add, remove, policy };
}

describe("permissions", () => {
  it("are statements of the queue's policy, which ends with the last", async () => {
    const { add, remove, policy } = await permitted();
    expect(await add()).toBeUndefined();
    const statement = {
      Sid: "p1",
      Effect: "Allow",
      Principal: { AWS: "arn:aws:iam::111111111111:root" },
      Action: "SQS:ReceiveMessage",
      Resource: ARN,
    };
    expect(await policy()).toEqual({
      Version: "2008-10-17",
      Id: `${ARN}/SQSDefaultPolicy`,
      Statement: [statement],
    });
    await add({ Label: "p2" });
    expect(await policy()).toMatchObject({ Statement: [statement, { ...statement, Sid: "p2" }] });
    expect(await remove("p1")).toBeUndefined();
    expect(await policy()).toMatchObject({ Statement: [{ Sid: "p2" }] });
    await remove("p2");
    expect(await policy()).toBeUndefined();
  });

  it("come to a policy that was set as a whole", async () => {
    const { add, set, policy } = await permitted();
    const own = { Effect: "Deny", Principal: "*", Action: "sqs:*", Resource: ARN };
    await set("orders", { Policy: JSON.stringify({ Version: "2012-10-17", Statement: own }) });
    await add();
    expect(await policy()).toMatchObject({
      Version: "2012-10-17",
      Statement: [own, { Sid: "p1" }],
    });
  });

  it("that are added at the same time are all there", async () => {
    const { add, policy } = await permitted();
    await Promise.all(["a", "b", "c"].map((Label) => add({ Label })));
    const { Statement } = (await policy()) as { Statement: { Sid: string }[] };
    expect(Statement.map(({ Sid }) => Sid).toSorted()).toEqual(["a", "b", "c"]);
  });

  const MISSING = "MissingRequiredParameterException";
  const INVALID = "InvalidParameterValueException";
  it.each<[Input, number, string, string]>([
    [{ Label: undefined }, 400, MISSING, "The request must contain the parameter Label."],
    [{ Label: "" }, 400, MISSING, "The request must contain the parameter Label."],
    [
      { Label: "a b" },
      400,
      INVALID,
      "Value a b for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
    ],
    [{ Actions: [] }, 400, MISSING, "The request must contain the parameter Actions."],
    [
      { Actions: ["SendMessageBatch"] },
      400,
      INVALID,
      "Value SQS:SendMessageBatch for parameter ActionName is invalid. Reason: Please refer to the appropriate WSDL for a list of valid actions.",
    ],
    [
      { Actions: ["CreateQueue"] },
      400,
      INVALID,
      "Value SQS:CreateQueue for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action.",
    ],
    [
      { Actions: Array.from({ length: 8 }, () => "SendMessage") },
      403,
      "OverLimit",
      "8 Actions were found, maximum allowed is 7.",
    ],
    [
      { AWSAccountIds: [] },
      400,
      INVALID,
      "Value [] for parameter PrincipalId is invalid. Reason: Unable to verify.",
    ],
    [
      { AWSAccountIds: ["111111111111", "me"] },
      400,
      INVALID,
      "Value [111111111111, me] for parameter PrincipalId is invalid. Reason: Unable to verify.",
    ],
  ])("are refused with %j", async (more, ...refusal) => {
    const { add, policy } = await permitted();
    expect(await add(more)).toEqual(refusal);
    expect(await policy()).toBeUndefined();
  });

  it("are found by their labels", async () => {
    const { add, remove } = await permitted();
    expect(await remove("p1")).toEqual([
      400,
      INVALID,
      "Value p1 for parameter Label is invalid. Reason: can't find label.",
    ]);
    expect(await remove()).toEqual([400, MISSING, "The request must contain the parameter Label."]);
    await add();
    expect(await add({ Actions: ["SendMessage"] })).toEqual([
      400,
      INVALID,
      "Value p1 for parameter Label is invalid. Reason: Already exists.",
    ]);
  });
});
