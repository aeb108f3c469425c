/** Hunts for keys that slip past what holds them back, in plans of one segment. */
import { describe, expect, it } from "vitest";
import type { Held } from "../../src/core/held.ts";
import { tagOf } from "../../src/core/order.ts";
import type { HeldStretch } from "../../src/core/plan.ts";
import type { Lease } from "../../src/core/segment.ts";
import type { Offset } from "../../src/core/types.ts";
import { LIMITS } from "../../src/core/limits.ts";
import {
  appliedTo,
  at,
  entry,
  holding,
  lease,
  NOW,
  offsetsOf,
  planOf,
  request,
  segment,
  stored,
} from "./plan-fixture.ts";

const keyed = (key: string, bytes = 1) => stored({ key, body: Buffer.alloc(bytes) });
const tag = (key: string) => tagOf("key", { key });

/** A lease on messages of keys, by offset. */
const leaseOf = (id: string, members: Record<number, string>, over: Partial<Lease> = {}): Lease =>
  lease(id, [], {
    ...over,
    pending: new Set(
      Object.entries(members).map(([offset, key]) => `${Number(offset).toString(36)}.${tag(key)}`),
    ),
  });

const LOG = new Map<number, ReturnType<typeof stored>>();
const log = (keys: Record<number, ReturnType<typeof stored>>) => {
  LOG.clear();
  for (const [offset, message] of Object.entries(keys)) LOG.set(Number(offset), message);
};
const plan = (over: Parameters<typeof planOf>[0]) =>
  planOf({ order: "key", lookUp: (offset: Offset) => LOG.get(offset) ?? "gone", ...over });

describe("taking back", () => {
  it("T2: behind one that is too large for the answer nothing of its key is given", () => {
    log({ 0: keyed("b", 900), 1: keyed("a", 900_000), 2: keyed("a", 10), 3: keyed("c", 10) });
    const from = segment({
      head: at(10),
      headEntry: at(10),
      leases: holding(leaseOf("one", { 0: "b", 1: "a" }), leaseOf("two", { 2: "a", 3: "c" })),
    });
    const planned = plan({ segment: from, requests: [request(10, { maxBytes: 20_000 })] });
    expect(offsetsOf(planned)).toEqual([[0, 3]]);
  });

  it("T2: one whose message was not loaded keeps its key waiting", () => {
    log({ 1: keyed("a") });
    const from = segment({
      head: at(10),
      headEntry: at(10),
      leases: holding(leaseOf("one", { 0: "a" }), leaseOf("two", { 1: "a" })),
    });
    const planned = plan({
      segment: from,
      lookUp: (offset: Offset) => (offset === 0 ? "notLoaded" : (LOG.get(offset) ?? "gone")),
    });
    expect(offsetsOf(planned)).toEqual([[]]);
  });

  it("T1: of a message that is poison the key waits, unless it has expired", () => {
    log({ 0: keyed("a"), 1: keyed("a"), 2: stored({ key: "b", expiresAt: NOW }), 3: keyed("b") });
    const from = segment({
      head: at(10),
      headEntry: at(10),
      leases: holding(
        leaseOf("poison", { 0: "a", 2: "b" }, { receives: 3 }),
        leaseOf("next", { 1: "a", 3: "b" }),
      ),
    });
    expect(offsetsOf(plan({ segment: from, blocksAfter: 3 }))).toEqual([[3]]);
  });
});

describe("the walk", () => {
  const held = new Map<string, Held>([[tag("a"), { entry: at(0), index: 1, count: 2 }]]);

  it("T3: gives nothing fresh of a key while something of it is held, loaded or not", () => {
    const from = segment({ head: at(4), headEntry: at(4), held });
    const fresh = [entry(4, [keyed("a"), keyed("b")])];
    const planned = plan({ segment: from, fresh });
    expect(offsetsOf(planned)).toEqual([[5]]);
    expect(planned.more).toBe(true);
  });

  it("H1: goes on from a held place through what was loaded, and remembers where it ended", async () => {
    const from = segment({ head: at(40), headEntry: at(40), held });
    const stretch: HeldStretch = {
      entries: [entry(0, [keyed("a"), keyed("a"), keyed("b"), keyed("a")])],
      complete: false,
    };
    const planned = plan({ segment: from, requests: [request(9)], heldEntries: () => stretch });
    expect(offsetsOf(planned)).toEqual([[1, 3]]);
    const after = await appliedTo(from, planned);
    expect(after.held).toEqual(new Map([[tag("a"), { entry: at(4), index: 0, count: 0 }]]));
  });

  it("stops where the segment is as large as it may be, and says so", () => {
    const many = Array.from({ length: 60 }, (_, number) =>
      leaseOf(
        `lease-${number}`,
        Object.fromEntries(
          Array.from({ length: 250 }, (__, offset) => [number * 250 + offset, `${number}`]),
        ),
        {
          until: NOW + 60_000,
        },
      ),
    );
    const from = segment({ head: at(20_000), headEntry: at(20_000), leases: holding(...many) });
    const planned = plan({ segment: from, fresh: [entry(20_000, [keyed("new")])] });
    expect([offsetsOf(planned), planned.capped, planned.head]).toEqual([[[]], true, 20_000]);
    expect(LIMITS.orderedSegmentBytes).toBeLessThan(400 * 1024);
  });

  it("one update touches so many leases only; the walk stops there, and does not hold the rest", () => {
    const requests = Array.from({ length: 60 }, () => request(1));
    const fresh = [
      entry(
        0,
        Array.from({ length: 60 }, (_, number) => keyed(`k${number}`)),
      ),
    ];
    const planned = plan({ fresh, requests });
    expect(planned.head).toBe(LIMITS.leasesPerUpdate);
    expect(planned.more).toBe(true);
    expect(planned.deliveries.flat()).toHaveLength(LIMITS.leasesPerUpdate);
  });
});
