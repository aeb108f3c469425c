/** Hunts random bytes that are handed out twice. */
import { expect, test } from "vitest";
import { createRandomBytes } from "../../src/local/effects.ts";

test("random bytes are as many as asked for, and never the same memory twice", () => {
  const draw = createRandomBytes();
  const drawn = Array.from({ length: 3_000 }, (_, index) =>
    draw([6, 12, 24, 256, 300][index % 5] ?? 6),
  );
  expect(drawn.map(({ length }) => length).slice(0, 5)).toEqual([6, 12, 24, 256, 300]);
  const shown = drawn.map((bytes) => Buffer.from(bytes).toString("hex"));
  expect(new Set(shown.filter((hex) => hex.length >= 24)).size).toBe(
    shown.filter((hex) => hex.length >= 24).length,
  );
  const before = shown.join();
  for (let index = 0; index < 1_000; index++) draw(200).fill(0);
  expect(drawn.map((bytes) => Buffer.from(bytes).toString("hex")).join()).toBe(before);
});
