/** Hunts a body in the logs: `JSON.parse` quotes what it could not read. */
import { expect, it } from "vitest";
import { describeError } from "../../lambdas/describe-error.ts";
import { LaneError } from "../../src/core/errors.ts";

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error;
  }
};

it("tells where a foreign error arose, and nothing that it quotes", () => {
  const foreign = parse("secret body");
  expect((foreign as Error).message).toContain("secret");
  const described = describeError(new LaneError("internal", "", { cause: foreign }));
  expect(JSON.stringify(described)).not.toContain("secret");
  expect(described.cause?.name).toBe("SyntaxError");
  expect(described.cause?.at?.join()).toContain("describe-error.test");
});

it("leaves out a multi-line message that looks like a stack", () => {
  const described = describeError(new Error("x\n    at the secret\nsecret"));
  expect(JSON.stringify(described)).not.toContain("secret");
});

it("keeps what AWS says, and none of the exception's other properties", () => {
  const refused = Object.assign(new Error("not authorized to perform: dynamodb:PutItem"), {
    $metadata: { httpStatusCode: 400 },
    Item: { body: "secret" },
  });
  const described = describeError(refused);
  expect(described.message).toContain("dynamodb:PutItem");
  expect(JSON.stringify(described)).not.toContain("secret");
});

it("ends on errors that cause each other", () => {
  const a = new Error("a");
  a.cause = new Error("b", { cause: a });
  expect(JSON.stringify(describeError(a)).length).toBeLessThan(20_000);
});
