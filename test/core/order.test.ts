/** Hunts for keys that wander between lanes, and for lanes that get nothing. */
import { describe, expect, test } from "vitest";
import { laneOfKey, tagOf } from "../../src/core/order.ts";
import { laneId } from "../../src/core/types.ts";

const LANES = [laneId(4), laneId(5), laneId(9)];
const KEYS = Array.from({ length: 3_000 }, (_, number) => `customer-${number}`);

describe("the lane of a key", () => {
  test("is one of those that are open, and always the same one", () => {
    for (const key of KEYS) {
      expect(LANES).toContain(laneOfKey(key, LANES));
      expect(laneOfKey(key, LANES)).toBe(laneOfKey(key, [...LANES]));
    }
  });

  test("keys spread over all lanes alike", () => {
    for (const lane of LANES) {
      const share = KEYS.filter((key) => laneOfKey(key, LANES) === lane).length;
      expect(share).toBeGreaterThan(900);
      expect(share).toBeLessThan(1_100);
    }
  });
});

const tagOfKey = (key: string) => tagOf("key", { key });

test("a tag has three characters, and few keys share one", () => {
  for (const key of KEYS) expect(tagOfKey(key)).toMatch(/^[\w-]{3}$/);
  expect(new Set(KEYS.map(tagOfKey)).size).toBeGreaterThan(2_950);
});
