import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { LEAVING_LEASE_MS } from "../../src/core/reclaim.ts";
import type { Segment } from "../../src/core/segment.ts";
import {
  applied,
  appliedTo,
  at,
  entry,
  holding,
  lease,
  NOW,
  offsetsOf,
  pendingOf,
  planOf,
  request,
  segment,
  stored,
} from "./plan-fixture.ts";
import type { Lease } from "../../src/core/segment.ts";

const RULE = { maxReceives: 3, onExpired: "drop" as const, queue: "dead" };
const claimed = (...leases: readonly Lease[]): Segment =>
  segment({ head: at(100), headEntry: at(100), leases: holding(...leases) });

describe("a lease that has run out", () => {
  it("C2: comes before fresh messages, the longest expired first", () => {
    const from = claimed(
      lease("young", [1], { until: NOW - 1 }),
      lease("old", [5], { until: NOW - 100 }),
      lease("free", [7], { until: 0 }),
    );
    const planned = planOf({ segment: from, fresh: [entry(100, 5)], requests: [request(4)] });
    expect(offsetsOf(planned)).toEqual([[7, 5, 1, 100]]);
  });

  it("C2: moves to a new lease with one more receive and its first time", async () => {
    const from = claimed(lease("a", [4, 2], { receives: 2, entry: at(2) }));
    const planned = planOf({ segment: from, requests: [request(9, { leaseMs: 7_000 })] });
    expect(offsetsOf(planned)).toEqual([[2, 4]]);
    const after = await appliedTo(from, planned);
    expect(pendingOf(after)).toEqual({ new0: [2, 4] });
    expect(after.spent).toEqual([]);
    expect(after.leases.get("new0")).toMatchObject({
      until: NOW + 7_000,
      receives: 3,
      entry: 2,
      firstAt: from.leases.get("a")?.firstAt,
    });
    expect(planned.ownLease).toBe("new0");
  });

  it("C5: is left alone until its end and the margin have passed", () => {
    const from = claimed(lease("a", [1], { until: NOW - 999 }));
    const early = planOf({ segment: from, skewMarginMs: 1_000 });
    expect(early.edits).toEqual([]);
    expect(early.nextEventAt).toBe(NOW + 1);
    expect(offsetsOf(planOf({ segment: from, skewMarginMs: 999 }))).toEqual([[1]]);
  });

  it("C2: is shared by several callers, what is left over staying behind", async () => {
    const from = claimed(lease("a", [1, 2, 3, 4, 5]));
    const planned = planOf({ segment: from, requests: [request(2), request(1)] });
    expect(offsetsOf(planned)).toEqual([[1, 2], [3]]);
    const after = await appliedTo(from, planned);
    expect(pendingOf(after)).toEqual({ a: [4, 5], new0: [1, 2], new1: [3] });
    expect(after.leases.get("a")?.receives).toBe(1);
  });

  it("that waited after a release with a delay is delivered as any other", async () => {
    const from = claimed(lease("a", [1], { waiting: true }));
    const after = await appliedTo(from, planOf({ segment: from }));
    expect(after.leases.get("new0")?.waiting).toBe(false);
  });

  it("of which what is pending could not be loaded is left alone", () => {
    const from = claimed(lease("a", [1, 2]));
    const lookUp = (where: number) => (where === 2 ? "notLoaded" : stored());
    expect(planOf({ segment: from, lookUp }).edits).toEqual([]);
  });

  it("drops what has expired or is gone, and delivers the rest", async () => {
    const from = claimed(lease("a", [1, 2, 3]));
    const lookUp = (where: number) =>
      where === 1 ? "gone" : where === 2 ? stored({ expiresAt: NOW }) : stored();
    const planned = planOf({ segment: from, lookUp });
    expect(offsetsOf(planned)).toEqual([[3]]);
    expect(pendingOf(await appliedTo(from, planned))).toEqual({ new0: [3] });
  });

  it("of which all has expired goes without anyone asking", async () => {
    const from = claimed(lease("a", [1, 2]));
    const planned = planOf({ segment: from, lookUp: () => "gone", requests: [] });
    const after = await appliedTo(from, planned);
    expect(after.leases.size).toBe(0);
    expect(after.spent).toEqual([]);
  });
});

describe("the guards of a re-claim", () => {
  const held = lease("a", [1, 2, 3]);
  const whole = planOf({ segment: claimed(held), requests: [request(9)] });
  const part = planOf({ segment: claimed(held), requests: [request(1)] });

  it("C2: undo no extension", async () => {
    const extended = claimed({ ...held, until: NOW + 60_000 });
    expect(await applied(extended, whole)).toBe("refused");
    expect(await applied(extended, part)).toBe("refused");
  });

  it("C2: undo no ack", async () => {
    const acked = claimed({ ...held, pending: new Set(["2", "3"]) });
    expect(await applied(acked, whole)).toBe("refused");
    expect(await applied(acked, part)).toBe("refused");
    expect(await applied(segment({ head: at(100), spent: ["a"] }), whole)).toBe("refused");
  });

  it("C2: undo no partial move, though the lease still stands", async () => {
    const moved = claimed(
      { ...held, pending: new Set(["1"]) },
      lease("b", [2, 3], { until: NOW + 1 }),
    );
    expect(await applied(moved, part)).toBe("refused");
  });

  it("C1: refuse it on a closed segment", async () => {
    expect(await applied({ ...claimed(held), closed: true }, whole)).toBe("refused");
  });

  it("C1: do not ask for the head, so that re-claims and fresh claims do not meet", async () => {
    expect(await applied({ ...claimed(held), head: at(120) }, whole)).not.toBe("refused");
  });
});

describe("after maxReceives", () => {
  it("C6: what was received as often is no longer delivered, and moves to a lease that leaves", async () => {
    const from = claimed(lease("a", [1, 2], { receives: 3 }));
    const planned = planOf({ segment: from, deadLetter: RULE });
    expect(offsetsOf(planned)).toEqual([[]]);
    expect(planned.dead.flatMap(({ messages }) => messages.map((one) => one.offset))).toEqual([
      1, 2,
    ]);
    const after = await appliedTo(from, planned);
    expect(pendingOf(after)).toEqual({ new0: [1, 2] });
    expect(after.leases.get("new0")).toMatchObject({
      until: NOW + LEAVING_LEASE_MS,
      receives: 3,
      leaving: { why: "deadLetter", to: "dead" },
    });
  });

  it("C6: what was received once less is delivered once more", () => {
    const from = claimed(lease("a", [1], { receives: 2 }));
    const planned = planOf({ segment: from, deadLetter: RULE });
    expect(offsetsOf(planned)).toEqual([[1]]);
    expect(planned.deliveries[0]?.[0]?.lease.receives).toBe(3);
    expect(planned.dead).toEqual([]);
  });

  it("C6: it leaves though nobody asks for messages", () => {
    const from = claimed(lease("a", [1], { receives: 3 }));
    expect(planOf({ segment: from, deadLetter: RULE, requests: [] }).dead).toHaveLength(1);
  });

  it("C6: it leaves behind what has expired or is gone", async () => {
    const from = claimed(lease("a", [1, 2], { receives: 3 }));
    const lookUp = (where: number) => (where === 1 ? "gone" : stored());
    const planned = planOf({ segment: from, deadLetter: RULE, lookUp });
    expect(pendingOf(await appliedTo(from, planned))).toEqual({ new0: [2] });
    const none = planOf({ segment: from, deadLetter: RULE, lookUp: () => "gone" });
    expect(none.dead).toEqual([]);
    expect((await appliedTo(from, none)).leases.size).toBe(0);
  });

  it("C6: it goes on being delivered where the dead-letter queue is missing", () => {
    const from = claimed(lease("a", [1], { receives: 9 }));
    const planned = planOf({ segment: from, deadLetter: RULE, missing: new Set(["dead"]) });
    expect(offsetsOf(planned)).toEqual([[1]]);
    expect(planned.deliveries[0]?.[0]?.lease.receives).toBe(10);
    expect(planned.dead).toEqual([]);
  });

  it("no more leaves in one claim than one lease may hold, and the rest stays where it is", async () => {
    const members = (from: number) => Array.from({ length: 150 }, (_, index) => from + index);
    const from = claimed(
      lease("a", members(0), { receives: 3, until: NOW - 2 }),
      lease("b", members(200), { receives: 3, until: NOW - 1 }),
    );
    const planned = planOf({ segment: from, deadLetter: RULE });
    const leaving = planned.dead.flatMap((one) => one.messages.map(({ offset }) => offset));
    expect(leaving.length).toBeGreaterThanOrEqual(150);
    expect(leaving.length).toBeLessThanOrEqual(LIMITS.leaseMessages);
    expect(offsetsOf(planned)).toEqual([[]]);
    const after = Object.values(pendingOf(await appliedTo(from, planned))).flat();
    expect(after.sort((a, b) => a - b)).toEqual([...members(0), ...members(200)]);
  });
});

describe("a lease on its way to another queue", () => {
  const leaving = { why: "deadLetter", to: "where-it-was-going" } as const;

  it("C6: is resumed when its attempt ran out, to where it was going, whatever the settings say", async () => {
    const from = claimed(lease("a", [1], { receives: 3, leaving }));
    for (const deadLetter of [null, RULE]) {
      const planned = planOf({ segment: from, deadLetter });
      expect(offsetsOf(planned)).toEqual([[]]);
      expect(planned.dead[0]?.leaving).toEqual(leaving);
      const after = await appliedTo(from, planned);
      expect(after.leases.get("new0")).toMatchObject({ leaving, until: NOW + LEAVING_LEASE_MS });
    }
  });

  it("C6: is left alone while its attempt runs", () => {
    const from = claimed(lease("a", [1], { receives: 3, leaving, until: NOW + 1 }));
    const planned = planOf({ segment: from, deadLetter: RULE });
    expect(planned.edits).toEqual([]);
    expect(planned.dead).toEqual([]);
  });

  it("C6: is delivered here, and no longer on its way, where that queue is missing", async () => {
    const from = claimed(lease("a", [1], { receives: 3, leaving }));
    const planned = planOf({ segment: from, missing: new Set([leaving.to]) });
    expect(offsetsOf(planned)).toEqual([[1]]);
    const after = await appliedTo(from, planned);
    expect(after.leases.get("new0")?.leaving).toBeUndefined();
  });

  it("by a redrive is resumed also where that queue is missing: it is released by who finds out", () => {
    const redrive = { why: "redrive", to: "gone" } as const;
    const from = claimed(lease("a", [1], { leaving: redrive }));
    const planned = planOf({ segment: from, missing: new Set(["gone"]) });
    expect(offsetsOf(planned)).toEqual([[]]);
    expect(planned.dead[0]?.leaving).toEqual(redrive);
  });

  it("by a redrive counts no receive, of fresh messages nor of run-out ones", async () => {
    const redrive = { why: "redrive", to: "orders" } as const;
    const from = claimed(lease("a", [1], { receives: 2 }));
    const planned = planOf({
      segment: from,
      fresh: [entry(100, 1)],
      requests: [request(9, { leaving: redrive })],
    });
    expect(offsetsOf(planned)).toEqual([[1, 100]]);
    const after = await appliedTo(from, planned);
    expect([...after.leases.values()].map((one) => [one.receives, one.leaving])).toEqual([
      [2, redrive],
      [0, redrive],
    ]);
  });
});
