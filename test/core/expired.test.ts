import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import type { PlanInput } from "../../src/core/plan.ts";
import { parseLease } from "../../src/core/segment.ts";
import { epochMs } from "../../src/core/types.ts";
import {
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

const RULE = { maxReceives: null, onExpired: "deadLetter" as const, queue: "dead" };
const gone = () => stored({ expiresAt: NOW });
const live = () => stored();

const deadOf = (planned: ReturnType<typeof planOf>) =>
  planned.dead.map(({ leaving, messages }) => [
    leaving.why,
    messages.map((one): number => one.offset),
  ]);

describe("what has expired unread", () => {
  it("C6: leaves for the dead-letter queue as the walk comes to it, and what lives is delivered", async () => {
    const from = segment();
    const fresh = [entry(0, [gone(), live(), gone()]), entry(3, [gone(), live()])];
    const planned = planOf({ segment: from, fresh, deadLetter: RULE });
    expect(offsetsOf(planned)).toEqual([[1, 4]]);
    expect(deadOf(planned)).toEqual([["expired", [0, 2, 3]]]);
    const after = await appliedTo(from, planned);
    expect(after.head).toBe(5);
    expect(
      Object.values(pendingOf(after))
        .flat()
        .toSorted((a, b) => a - b),
    ).toEqual([0, 1, 2, 3, 4]);
    const [moved] = planned.dead;
    expect(after.leases.get(moved?.lease.id ?? "")).toMatchObject({
      receives: 0,
      leaving: { why: "expired", to: "dead" },
    });
  });

  it("leaves without anyone asking for messages, up to the first that lives", () => {
    const fresh = [entry(0, [gone(), gone(), live(), gone()])];
    const planned = planOf({ fresh, requests: [], deadLetter: RULE });
    expect(deadOf(planned)).toEqual([["expired", [0, 1]]]);
    expect(planned.head).toBe(2);
  });

  it.each<[string, Partial<PlanInput>]>([
    ["the queue drops it", { deadLetter: { ...RULE, maxReceives: 3, onExpired: "drop" } }],
    ["nothing says where it goes", {}],
    ["its dead-letter queue does not exist", { deadLetter: RULE, missing: new Set(["dead"]) }],
  ])("is passed over where %s", (_, over) => {
    const held = segment({ leases: holding(lease("a", [0])), head: at(1), headEntry: at(0) });
    const fresh = [entry(0, [gone(), gone(), live()])];
    const planned = planOf({ segment: held, fresh, lookUp: gone, ...over });
    expect(planned.dead).toEqual([]);
    expect(offsetsOf(planned)).toEqual([[2]]);
  });

  it("C6: leaves a lease that ran out, and what lives there is delivered again", async () => {
    const from = segment({
      head: at(9),
      headEntry: at(9),
      leases: holding(lease("a", [1, 2, 3], { receives: 4 })),
    });
    const lookUp = (offset: number) => (offset === 2 ? gone() : live());
    const planned = planOf({ segment: from, lookUp, deadLetter: RULE });
    expect(offsetsOf(planned)).toEqual([[1, 3]]);
    expect(deadOf(planned)).toEqual([["expired", [2]]]);
    expect(planned.dead[0]?.lease.receives).toBe(4);
    expect(
      Object.values(pendingOf(await appliedTo(from, planned)))
        .flat()
        .toSorted((a, b) => a - b),
    ).toEqual([1, 2, 3]);
  });

  it("stays with who holds it, for it can still be acked", () => {
    const held = lease("a", [1], { until: NOW + 1 });
    const from = segment({ head: at(9), headEntry: at(9), leases: holding(held) });
    expect(planOf({ segment: from, lookUp: gone, deadLetter: RULE }).edits).toEqual([]);
  });

  it("C6: goes on to where it was going, whatever the settings say by now", () => {
    const leaving = { why: "expired", to: "dead" } as const;
    const from = segment({
      head: at(9),
      headEntry: at(9),
      leases: holding(lease("a", [1], { leaving })),
    });
    expect(deadOf(planOf({ segment: from, lookUp: gone }))).toEqual([["expired", [1]]]);
  });

  it("is stored with its reason", async () => {
    const from = segment();
    const planned = planOf({ fresh: [entry(0, [gone()])], deadLetter: RULE });
    const after = await appliedTo(from, planned);
    const [one] = after.leases.values();
    expect(one?.leaving).toEqual({ why: "expired", to: "dead" });
    expect(
      parseLease("x", { "x#x": { u: 1, r: 0, e: 0, f: 0, d: "dead" }, "p#x": new Set(["1"]) }),
    ).toMatchObject({
      leaving: { why: "deadLetter", to: "dead" },
    });
  });

  it("C7: is moved some at a time, and never makes an open segment larger than it may be", () => {
    const many = Array.from({ length: 4 }, (_, index) =>
      entry(index * 256, Array.from({ length: 256 }, gone)),
    );
    const planned = planOf({ fresh: many, deadLetter: RULE, requests: [request(10)] });
    const moved = planned.dead.flatMap(({ messages }) => messages);
    expect(moved.length).toBeGreaterThan(50);
    expect(moved.length).toBeLessThan(400);
    expect(planned.head).toBe(moved.length);
    expect(planned.dead.length).toBeLessThanOrEqual(LIMITS.leasesPerUpdate);
  });

  it("is told from what expires a moment later", () => {
    const fresh = [entry(0, [stored({ expiresAt: epochMs(NOW + 1) })])];
    expect(planOf({ fresh, deadLetter: RULE }).dead).toEqual([]);
  });
});
