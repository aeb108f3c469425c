/** Hunts failures beside the calls that nobody would hear of. */
import { expect, test } from "vitest";
import type { ServiceEvent } from "../../src/service/deps.ts";
import { troubleOf } from "../../src/service/trouble.ts";

const error = new Error("broken");

test.each<[ServiceEvent, string, Record<string, string>]>([
  [{ type: "deadLetterFailed", queue: "q", error }, "dead-lettering failed", { queue: "q" }],
  [
    { type: "promotionFailed", queue: "q", error },
    "promoting scheduled messages failed",
    { queue: "q" },
  ],
  [{ type: "moveFailed", queue: "q", error }, "moving dead letters failed", { queue: "q" }],
  [{ type: "tendFailed", queue: "q", error }, "looking after a queue failed", { queue: "q" }],
  [{ type: "scheduleFailed", schedule: "s", error }, "firing schedules failed", { schedule: "s" }],
  [{ type: "scheduleFailed", schedule: "", error }, "firing schedules failed", {}],
  [{ type: "eraseFailed", error }, "erasing acked messages failed", {}],
])("$type is said with what it is about, and why", (event, text, about) => {
  expect(troubleOf(event)).toEqual({ text, about, error });
});

test("what is only counted is no trouble", () => {
  expect(troubleOf({ type: "claimConflict" })).toBeUndefined();
  expect(troubleOf({ type: "unroutable", exchange: "e", messages: 1 })).toBeUndefined();
});
