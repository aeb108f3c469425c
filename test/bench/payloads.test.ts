/** Bug hunted: bodies that repeat, or fall short of their size, would make the bench's figures too good. */
import { expect, test } from "vitest";
import { earthquakes, payloads } from "../../bench/payloads.ts";

test.each([200, 1_024])("bodies of %i bytes are JSON, long enough, and never repeated", (bytes) => {
  const payload = payloads(bytes);
  const bodies = Array.from({ length: 20_000 }, (_, n) => payload(n));
  expect(new Set(bodies).size).toBe(bodies.length);
  expect(Math.min(...bodies.map((body) => Buffer.byteLength(body)))).toBeGreaterThanOrEqual(bytes);
  for (const body of bodies.slice(0, 2_000)) expect(JSON.parse(body)).toHaveProperty("id");
});

test("on the first pass through the file a body is the record itself", () => {
  const payload = payloads(400);
  earthquakes().forEach(({ id, properties }, n) => {
    expect(JSON.parse(payload(n))).toMatchObject({ id, time: properties["time"] });
  });
});
