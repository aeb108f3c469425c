import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { planMove } from "../../src/core/moves.ts";
import type { LeaseChange } from "../../src/core/moves.ts";
import type { Lease } from "../../src/core/segment.ts";
import { applied, appliedTo, holding, lease, NOW, pendingOf, segment } from "./plan-fixture.ts";

const EXTEND: LeaseChange = { to: "extend", until: NOW + 60_000 };
const FREE: LeaseChange = { to: "release", until: 0, countAttempt: true };

const range = (count: number) => Array.from({ length: count }, (_, index) => index);
const held = (pending: readonly number[], over: Partial<Lease> = {}) =>
  lease("old", pending, { until: NOW + 9_000, receives: 4, ...over });
const move = (from: Lease, offsets: readonly number[], change: LeaseChange) =>
  planMove(from, new Set(offsets.map((one) => one.toString(36))), change, () => "new");
const within = (...leases: readonly Lease[]) => segment({ leases: holding(...leases) });

describe("extending", () => {
  it("C4: a whole lease changes in place: receipts stay good", async () => {
    const from = held([1, 2]);
    const planned = move(from, [1, 2], EXTEND);
    expect(planned.lease.id).toBe("old");
    const after = await appliedTo(within(from), planned);
    expect(after.leases.get("old")).toEqual({ ...from, until: NOW + 60_000 });
  });

  it("a whole lease whose messages were all acked meanwhile is refused, and not made anew", async () => {
    const from = held([1, 2]);
    const spent = segment({ spent: ["old"] });
    expect(await applied(spent, move(from, [1, 2], EXTEND))).toBe("refused");
  });

  it("a whole lease of which a part was acked or re-claimed meanwhile is refused, so that nothing false is answered", async () => {
    const planned = move(held([1, 2]), [1, 2], EXTEND);
    expect(await applied(within(held([2])), planned)).toBe("refused");
  });

  it("C4: some messages move to a new lease, the others stay as they were", async () => {
    const from = held([1, 2, 3]);
    const after = await appliedTo(within(from), move(from, [1, 3], EXTEND));
    expect(pendingOf(after)).toEqual({ old: [2], new: [1, 3] });
    expect(after.leases.get("old")?.until).toBe(from.until);
    expect(after.leases.get("new")).toMatchObject({
      until: NOW + 60_000,
      receives: 4,
      firstAt: from.firstAt,
    });
  });
});

describe("the guards of a move", () => {
  it("C4: refuse it when one of what moves was acked meanwhile", async () => {
    const planned = move(held([1, 2, 3]), [1, 3], EXTEND);
    expect(await applied(within(held([1, 2])), planned)).toBe("refused");
  });

  it("C4: let it be when another of the lease was acked meanwhile", async () => {
    const planned = move(held([1, 2, 3]), [1, 3], EXTEND);
    expect(pendingOf(await appliedTo(within(held([1, 3])), planned))).toEqual({ new: [1, 3] });
  });

  it("C4: beyond as many members as an expression takes, compare the whole set as read", async () => {
    const all = held(range(LIMITS.moveMembers + 2));
    const most = range(LIMITS.moveMembers + 1);
    const planned = move(all, most, EXTEND);
    expect(planned.guards).toHaveLength(1);
    expect(pendingOf(await appliedTo(within(all), planned))["new"]).toEqual(most);
    const ackedOther = held(range(LIMITS.moveMembers + 1));
    const ackedOne = held(range(LIMITS.moveMembers + 2).slice(1));
    expect(await applied(within(ackedOther), planned)).toBe("refused");
    expect(await applied(within(ackedOne), planned)).toBe("refused");
  });

  it("C4: name each member of a move of as many as an expression takes", () => {
    const planned = move(held(range(200)), range(LIMITS.moveMembers), EXTEND);
    expect(planned.guards).toHaveLength(LIMITS.moveMembers);
  });

  it("refuse a release of a whole lease of which anything was acked meanwhile", async () => {
    expect(await applied(within(held([2])), move(held([1, 2]), [1, 2], FREE))).toBe("refused");
  });
});

describe("releasing", () => {
  it("C4: always makes a new lease, so that the receipt is spent", async () => {
    const from = held([1, 2]);
    const after = await appliedTo(within(from), move(from, [1, 2], FREE));
    expect(pendingOf(after)).toEqual({ new: [1, 2] });
    expect(after.leases.get("new")).toMatchObject({ until: 0, receives: 4, waiting: false });
    expect(await applied(after, move(from, [1, 2], FREE))).toBe("refused");
  });

  it("with a delay waits until then, held by nobody", async () => {
    const from = held([1, 2]);
    const after = await appliedTo(within(from), move(from, [1], { ...FREE, until: NOW + 5_000 }));
    expect(after.leases.get("new")).toMatchObject({ until: NOW + 5_000, waiting: true });
    expect(after.leases.get("old")?.waiting).toBe(false);
  });

  it("uncounted takes one receive back, and only of what is released", async () => {
    const from = held([1, 2]);
    const change = { ...FREE, countAttempt: false } as const;
    const after = await appliedTo(within(from), move(from, [1], change));
    expect(after.leases.get("new")?.receives).toBe(3);
    expect(after.leases.get("old")?.receives).toBe(4);
  });

  it("C6: of what was on its way elsewhere makes it deliverable here", async () => {
    const from = held([1], { leaving: { why: "redrive", to: "gone" } });
    const after = await appliedTo(within(from), move(from, [1], FREE));
    expect(after.leases.get("new")?.leaving).toBeUndefined();
  });
});
