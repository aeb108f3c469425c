/** Hunts: a code of the service that a script cannot tell from another class. */
import { expect, test } from "vitest";
import { EXIT, exitClassOf } from "../../src/cli/exit-codes.ts";
import { CODES } from "../../src/core/errors.ts";
import type { Code } from "../../src/core/errors.ts";

test("every code of the table has the class of its status", () => {
  const classes = Object.fromEntries(
    Object.entries(CODES).map(([code, { status }]) => [
      code,
      [status, EXIT[exitClassOf(code as Code)].code],
    ]),
  );
  expect(classes).toMatchObject({
    "invalid-request": [400, 2],
    unauthorized: [401, 3],
    forbidden: [403, 3],
    "queue-not-found": [404, 4],
    "queue-conflict": [409, 5],
    "message-too-large": [413, 6],
    "too-many-leases": [429, 7],
    throttled: [503, 7],
    "outcome-unknown": [503, 8],
    internal: [500, 1],
  });
  expect(Object.values(classes).filter(([, exit]) => exit === EXIT.failed.code)).toEqual([
    [500, 1],
  ]);
});

test("codes are small, and each class has its own", () => {
  const codes = Object.values(EXIT).map(({ code }) => code);
  expect(codes).toEqual(codes.map((_, index) => index));
  expect(exitClassOf("unreachable")).toBe("tryAgain");
  expect(exitClassOf("invalid-body")).toBe("failed");
});
