import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  DEFAULT_SETTINGS,
  closeLanes,
  lanesWanted,
  openLanes,
  readableLanes,
} from "../../src/core/queue.ts";
import type { Lanes } from "../../src/core/queue.ts";
import { isQueueName, laneId, queueName } from "../../src/core/types.ts";

const NONE: Lanes = { open: [], ended: [], next: 0 };

describe("the lanes of a queue", () => {
  it("Q1: never get an id that one had before, however they open, close and are forgotten", () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("open" as const), by: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ do: fc.constant("close" as const), by: fc.nat(3) }),
      fc.record({ do: fc.constant("forget" as const), by: fc.nat(3) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let lanes = openLanes(NONE, 1);
        const ever = new Set<number>(lanes.open);
        for (const { do: what, by } of steps) {
          const before = new Set<number>(readableLanes(lanes));
          if (what === "open") {
            lanes = openLanes(lanes, by);
            for (const lane of lanes.open.filter((one) => !before.has(one))) {
              expect(ever.has(lane)).toBe(false);
              ever.add(lane);
            }
          } else if (what === "close") {
            lanes = closeLanes(lanes, Math.max(1, lanes.open.length - by));
            expect(new Set<number>(readableLanes(lanes))).toEqual(before);
          } else lanes = { ...lanes, ended: lanes.ended.slice(by) };
          expect(new Set(readableLanes(lanes)).size).toBe(readableLanes(lanes).length);
        }
      }),
    );
  });

  it("Q2: that close are read on, and have no end entry yet", () => {
    const lanes = closeLanes(openLanes(NONE, 4), 1);
    expect(lanes.open).toEqual([0]);
    expect(lanes.ended).toEqual([1, 2, 3].map((lane) => ({ lane: laneId(lane), until: 0 })));
    expect(lanes.next).toBe(4);
    expect(readableLanes(lanes)).toEqual([0, 1, 2, 3]);
  });

  it("are of a number that settings fix, or of none when automatic", () => {
    expect(lanesWanted(DEFAULT_SETTINGS)).toBeUndefined();
    expect(lanesWanted({ ...DEFAULT_SETTINGS, lanes: 5 })).toBe(5);
  });
});

describe("a queue's name", () => {
  it("is 1 to 80 of the characters allowed, and nothing else", () => {
    for (const name of ["a", "A-z_0.9", "x".repeat(80), "..."])
      expect(isQueueName(name)).toBe(true);
    for (const name of ["", "x".repeat(81), "a b", "a/b", "ä", "a\n", "a#b", "a*"]) {
      expect(isQueueName(name)).toBe(false);
      expect(() => queueName(name)).toThrow(expect.objectContaining({ code: "invalid-request" }));
    }
  });
});
