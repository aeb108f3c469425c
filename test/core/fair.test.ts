/** Hunts for tenants that wander over all lanes, and for backlogs taken for somebody else's. */
import { describe, expect, it } from "vitest";
import { homesAmong, isMostlyOf, lanesOfTenant, sampleOf } from "../../src/core/fair.ts";
import { laneId } from "../../src/core/types.ts";

const lanes = (count: number) => Array.from({ length: count }, (_, index) => laneId(index));

describe("F4: the lanes of a tenant", () => {
  it("are all lanes, in an order of its own that stays as lanes come", () => {
    const eight = lanesOfTenant("a", lanes(8));
    expect(eight.toSorted((a, b) => a - b)).toEqual(lanes(8));
    expect(lanesOfTenant("a", lanes(16)).filter((lane) => lane < 8)).toEqual(eight);
  });

  it("begin for many tenants on all lanes about as often", () => {
    const first = new Map<number, number>();
    for (let tenant = 0; tenant < 4_000; tenant++) {
      const lane = lanesOfTenant(`t${tenant}`, lanes(8))[0] ?? -1;
      first.set(lane, (first.get(lane) ?? 0) + 1);
    }
    for (const count of first.values()) expect(Math.abs(count - 500)).toBeLessThan(100);
  });

  it("are at home on an eighth of them, and on one at least", () => {
    expect([1, 7, 8, 15, 16, 64].map(homesAmong)).toEqual([1, 1, 1, 1, 2, 8]);
  });
});

describe("a backlog", () => {
  const of = (...tenants: (string | undefined)[]) =>
    sampleOf(tenants.map((tenant) => (tenant === undefined ? {} : { tenant })));

  it("is a tenant's where half of it is", () => {
    expect(isMostlyOf("a", of("a", "a", "b"))).toBe(true);
    expect(isMostlyOf("a", of("a", "b"))).toBe(true);
    expect(isMostlyOf("b", of("a", "a", "b"))).toBe(false);
    expect(isMostlyOf("c", of("a"))).toBe(false);
  });

  it("of messages without a tenant is that of who names none", () => {
    expect(isMostlyOf(undefined, of(undefined, undefined, "a"))).toBe(true);
    expect(isMostlyOf("a", of(undefined, undefined, "a"))).toBe(false);
  });
});
