/** Hunts ids that a client could not read as a UUID, or that change. */
import { expect, it } from "vitest";
import { sqsMessageId } from "../../src/sqs/message-id.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

it("is a UUID, always the same of a message and another of another", () => {
  const ids = Array.from({ length: 1_000 }, (_, n) => sqsMessageId(`idaj9xsx3jgx-0-${n}`));
  for (const id of ids) expect(id).toMatch(UUID);
  expect(new Set(ids).size).toBe(ids.length);
  expect(sqsMessageId("idaj9xsx3jgx-0-7")).toBe(ids[7]);
});
