import { describe, expect, it } from "vitest";
import { choose, hashOf } from "../../src/core/balance.ts";

const contenders = (weights: Readonly<Record<string, number>>) =>
  Object.entries(weights).map(([id, weight]) => ({ id, hash: hashOf(id), weight }));
const TOKENS = Array.from({ length: 20_000 }, (_, index) => `customer-${index}`);
const choices = (weights: Readonly<Record<string, number>>) =>
  TOKENS.map((token) => choose(contenders(weights), token)?.id);
const shareOf = (chosen: readonly (string | undefined)[], id: string) =>
  chosen.filter((one) => one === id).length / chosen.length;

describe("rendezvous hashing", () => {
  it("gives equal shares to equals", () => {
    const chosen = choices({ a: 1, b: 1, c: 1, d: 1 });
    for (const id of ["a", "b", "c", "d"]) {
      expect(shareOf(chosen, id)).toBeGreaterThan(0.235);
      expect(shareOf(chosen, id)).toBeLessThan(0.265);
    }
  });

  it("gives shares by weight, and nothing for a weight of 0", () => {
    const chosen = choices({ a: 3, b: 1, c: 0 });
    expect(shareOf(chosen, "a")).toBeGreaterThan(0.735);
    expect(shareOf(chosen, "a")).toBeLessThan(0.765);
    expect(shareOf(chosen, "c")).toBe(0);
  });

  it("moves only what the newcomer wins, and only what stood where one goes", () => {
    const before = choices({ a: 1, b: 1, c: 1 });
    const more = choices({ a: 1, b: 1, c: 1, d: 1 });
    const moved = before.filter((id, index) => id !== more[index]);
    expect(more.filter((id, index) => id !== before[index]).every((id) => id === "d")).toBe(true);
    expect(moved.length / TOKENS.length).toBeGreaterThan(0.235);
    expect(moved.length / TOKENS.length).toBeLessThan(0.265);
    const fewer = choices({ a: 1, c: 1 });
    expect(before.every((id, index) => id === "b" || id === fewer[index])).toBe(true);
  });

  it("chooses the same in whatever order they stand, and none of none", () => {
    const all = contenders({ a: 1, b: 2, c: 3 });
    for (const token of TOKENS.slice(0, 200)) {
      expect(choose([...all].reverse(), token)?.id).toBe(choose(all, token)?.id);
    }
    expect(choose([], "x")).toBeUndefined();
    expect(choose(contenders({ a: 0 }), "x")).toBeUndefined();
  });
});
