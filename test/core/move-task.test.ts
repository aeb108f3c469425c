/** N1: a task's rate, as slices of any length and with any pauses between them come to it. */
import { describe, expect, it } from "vitest";
import { allowance, CATCH_UP_MS, dueAt, paced } from "../../src/core/move-task.ts";
import type { MoveTask } from "../../src/core/move-task.ts";
import { epochMs, queueId, queueName } from "../../src/core/types.ts";

const START = Date.UTC(2026, 0, 1);

const taskOf = (ratePerSecond: number, total = 1_000_000): MoveTask => ({
  taskId: "t",
  queueId: queueId("q"),
  queue: queueName("dead"),
  ratePerSecond,
  status: "running",
  moved: 0,
  total,
  startedAt: epochMs(START),
  updatedAt: epochMs(START),
  version: 1,
  notBefore: epochMs(START),
  nextAt: epochMs(START),
});

/** Slices as soon as they are due, while somebody is awake; gives when each message was moved. */
function moves(task: MoveTask, forMs: number, isAwake: (ms: number) => boolean): number[] {
  const at: number[] = [];
  let current = task;
  for (let ms = 0; ms < forMs; ms += 10) {
    const now = epochMs(START + ms);
    if (!isAwake(ms) || dueAt(current) > now) continue;
    const moved = allowance(current, now);
    for (let index = 0; index < moved; index++) at.push(ms);
    current = { ...current, ...paced(current, now, moved), moved: current.moved + moved };
  }
  return at;
}

/** The most of them within any time so long. */
function most(at: readonly number[], withinMs: number): number {
  let from = 0;
  let found = 0;
  for (const [index, one] of at.entries()) {
    while ((at[from] ?? one) <= one - withinMs) from += 1;
    found = Math.max(found, index - from + 1);
  }
  return found;
}

describe("N1: a rate", () => {
  it("is kept by who is awake all the time, in every second", () => {
    for (const rate of [1, 3, 7, 100]) {
      const at = moves(taskOf(rate), 60_000, () => true);
      expect(at.length).toBeGreaterThan(58 * rate);
      expect(at.length).toBeLessThanOrEqual(60 * rate);
      expect(most(at, 1_000)).toBeLessThanOrEqual(rate + 1);
    }
  });

  it("is kept over a minute by who sleeps for 10 s of it, at most a quarter faster at any time", () => {
    for (const rate of [1, 10, 60]) {
      const at = moves(taskOf(rate), 600_000, (ms) => ms % 60_000 < 50_000);
      expect(at.length).toBeGreaterThan(600 * rate * 0.95);
      expect(at.length).toBeLessThanOrEqual(600 * rate);
      expect(most(at, 1_000)).toBeLessThanOrEqual(Math.ceil(rate * 1.25) + 1);
      expect(most(at, 60_000)).toBeLessThanOrEqual(60 * rate + CATCH_UP_MS * (rate / 1000));
    }
  });

  it("does not make up for a long pause", () => {
    const at = moves(taskOf(10), 700_000, (ms) => ms < 10_000 || ms >= 600_000);
    expect(at.length).toBeLessThanOrEqual(10 * (10 + 100 + CATCH_UP_MS / 1000) + 2);
  });

  it("never lets more go than there was at the start", () => {
    expect(moves(taskOf(500, 7), 10_000, () => true)).toHaveLength(7);
    expect(allowance({ ...taskOf(500, 7), moved: 9 }, epochMs(START + 5_000))).toBe(0);
  });
});
