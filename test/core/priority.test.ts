/** Hunts for lanes that change their priority, for ids used twice, and for priorities that starve. */
import { describe, expect, it } from "vitest";
import {
  byPriority,
  evenLanes,
  lanesAt,
  openLanesAt,
  priorityOf,
  quietLanes,
} from "../../src/core/priority.ts";
import type { Lanes } from "../../src/core/queue.ts";
import { laneId } from "../../src/core/types.ts";

const NONE: Lanes = { open: [], ended: [], next: 0 };

describe("lanes of priorities", () => {
  it("Y1, Q1: have ids that say which, and none is used twice, whatever comes and goes", () => {
    let lanes = openLanesAt(NONE, 0, 1);
    const ever = new Set<number>(lanes.open);
    for (let step = 0; step < 200; step++) {
      const before = new Set<number>(lanes.open);
      const priority = (step * 7) % 10;
      lanes = step % 9 === 8 ? quietLanes(lanes) : openLanesAt(lanes, priority, (step % 3) + 1);
      for (const lane of lanes.open) {
        if (before.has(lane)) continue;
        expect(ever.has(lane)).toBe(false);
        expect(priorityOf(lane)).toBe(priority);
        ever.add(lane);
      }
    }
    expect(ever.size).toBeGreaterThan(100);
  });

  it("of a quiet queue are halved, and those of other priorities than the usual one go", () => {
    let lanes = openLanesAt(openLanesAt(openLanesAt(NONE, 0, 4), 9, 2), 5, 1);
    const counts = (): number[] =>
      [0, 5, 9].map((priority) => lanesAt(lanes.open, priority).length);
    lanes = quietLanes(lanes);
    expect(counts()).toEqual([2, 0, 1]);
    lanes = quietLanes(lanes);
    expect(counts()).toEqual([1, 0, 0]);
    lanes = quietLanes(lanes);
    expect(counts()).toEqual([1, 0, 0]);
    expect(lanes.ended).toHaveLength(6);
  });

  it("are made the same number at each priority that is in use", () => {
    const lanes = evenLanes(openLanesAt(openLanesAt(NONE, 0, 1), 9, 5), 3);
    expect([0, 4, 9].map((priority) => lanesAt(lanes.open, priority).length)).toEqual([3, 0, 3]);
  });
});

describe("Y2: the order in which receives look", () => {
  const lanes = [0, 3, 9, 10, 19].map(laneId);

  it("is from the top where it is strict", () => {
    expect(byPriority("strict", lanes, Math.random)).toEqual([[9, 19], [3], [0, 10]]);
  });

  it("where it is weighted begins with a priority of p as often as its weight, p + 1, says", () => {
    let seed = 1;
    const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    const first = new Map<number, number>();
    const rounds = 15_000;
    for (let round = 0; round < rounds; round++) {
      const order = byPriority("weighted", lanes, random);
      expect(order.flat().toSorted((a, b) => a - b)).toEqual([0, 3, 9, 10, 19]);
      const top = priorityOf(order[0]?.[0] ?? laneId(0));
      first.set(top, (first.get(top) ?? 0) + 1);
    }
    for (const [priority, weight] of [
      [0, 1],
      [3, 4],
      [9, 10],
    ] as const)
      expect((first.get(priority) ?? 0) / rounds).toBeCloseTo(weight / 15, 1);
  });
});
