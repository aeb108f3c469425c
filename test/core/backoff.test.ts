import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { claimableAt, retryDelayMs } from "../../src/core/backoff.ts";
import type { Backoff } from "../../src/core/queue.ts";
import { at as offsetAt, holding, lease, NOW, offsetsOf, planOf, segment } from "./plan-fixture.ts";

const BACKOFF: Backoff = { initialSeconds: 10, factor: 2, maxSeconds: 60, jitter: 0 };

const delays = (backoff: Backoff, ids = ["a"]) =>
  ids.map((id) => [1, 2, 3, 4, 9].map((receives) => retryDelayMs(backoff, { id, receives })));

describe("back-off", () => {
  it("grows by its factor from attempt to attempt, up to its most", () => {
    expect(delays(BACKOFF)).toEqual([[10_000, 20_000, 40_000, 60_000, 60_000]]);
    expect(delays({ ...BACKOFF, factor: 1 })).toEqual([Array(5).fill(10_000)]);
  });

  it("R4: is taken off by its jitter, differently for each lease and always alike for one", () => {
    const jittered = { ...BACKOFF, jitter: 0.5 };
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.integer({ min: 1, max: 1_000 }),
        (id, receives) => {
          const whole = retryDelayMs(BACKOFF, { id, receives });
          const delay = retryDelayMs(jittered, { id, receives });
          expect(delay).toBeGreaterThanOrEqual(whole / 2);
          expect(delay).toBeLessThanOrEqual(whole);
          expect(retryDelayMs(jittered, { id, receives })).toBe(delay);
        },
      ),
    );
    const spread = new Set(delays(jittered, ["a", "b", "c", "d"]).map(([first]) => first));
    expect(spread.size).toBe(4);
  });

  it("never overflows, however often a message was received", () => {
    const steep = { ...BACKOFF, factor: 10 };
    expect(retryDelayMs(steep, { id: "a", receives: 1_000 })).toBe(60_000);
  });

  it("C5: comes on top of the skew margin, and only to a lease that ran out", () => {
    const retry = { skewMarginMs: 500, backoff: BACKOFF, deadLetter: null };
    const at = (over: object) =>
      claimableAt(lease("a", [1], { until: NOW, receives: 2, ...over }), retry);
    expect(at({})).toBe(NOW + 500 + 20_000);
    expect(at({ until: 0 })).toBe(0);
    expect(at({ waiting: true })).toBe(NOW + 500);
    expect(at({ leaving: { why: "redrive", to: "" } })).toBe(NOW + 500);
    expect(claimableAt(lease("a", [1], { until: NOW }), { ...retry, backoff: null })).toBe(
      NOW + 500,
    );
  });

  it("R5: keeps nothing from the dead-letter queue that has had its last receive", () => {
    const rule = { maxReceives: 2, onExpired: "drop" as const, queue: "dead" };
    const retry = { skewMarginMs: 0, backoff: BACKOFF, deadLetter: rule };
    const at = (receives: number) => claimableAt(lease("a", [1], { until: NOW, receives }), retry);
    expect([at(1), at(2), at(3)]).toEqual([NOW + 10_000, NOW, NOW]);
  });

  it("keeps a run-out lease from requests, and says when it will not", () => {
    const held = segment({
      head: offsetAt(120),
      leases: holding(lease("a", [1, 2], { until: NOW - 3_000, receives: 1 })),
    });
    const planned = planOf({ segment: held, backoff: BACKOFF });
    expect(offsetsOf(planned)).toEqual([[]]);
    expect(planned.nextEventAt).toBe(NOW + 7_000);
    const later = planOf({ segment: held, backoff: { ...BACKOFF, initialSeconds: 3 } });
    expect(offsetsOf(later)[0]).toHaveLength(2);
  });
});
