/** Hunts for messages that a plan which goes by keys leaves behind the head, gives twice, or out of turn. */
import { describe, expect, it } from "vitest";
import * as fc from "fast-check";
import type { Held } from "../../src/core/held.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { tagOf } from "../../src/core/order.ts";
import type { Lease } from "../../src/core/segment.ts";
import { epochMs } from "../../src/core/types.ts";
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

const keyed = (key: string) => stored({ key });
const tag = (key: string) => tagOf("key", { key });
const leaseOf = (id: string, members: Record<number, string>, over: Partial<Lease> = {}): Lease =>
  lease(id, [], {
    ...over,
    pending: new Set(
      Object.entries(members).map(([at, key]) => `${Number(at).toString(36)}.${tag(key)}`),
    ),
  });
const LIVE = { until: NOW + 60_000 };

const drain = (max: number) => request(max, { drain: true });
const plan = (over: Parameters<typeof planOf>[0]) =>
  planOf({ order: "key", requests: [drain(10)], ...over });
const letters = (text: string) => text.split("").map(keyed);

describe("T4: one key after the other", () => {
  it("what is fresh of the first key, then of the next", () => {
    expect(offsetsOf(plan({ fresh: [entry(0, letters("abaacb"))] }))).toEqual([[0, 2, 3, 1, 5, 4]]);
  });

  it("only what was passed by is held", async () => {
    const planned = plan({ fresh: [entry(0, letters("abacad"))], requests: [drain(3)] });
    expect(offsetsOf(planned)).toEqual([[0, 2, 4]]);
    expect(planned.head).toBe(5);
    const after = await appliedTo(segment(), planned);
    expect(after.held).toEqual(
      new Map([
        [tag("b"), { entry: 0, index: 1, count: 1 }],
        [tag("c"), { entry: 0, index: 3, count: 1 }],
      ]),
    );
  });

  it("what comes back of a key, what is held of it and what is fresh, before any other key", () => {
    const held = new Map<string, Held>([[tag("a"), { entry: at(4), index: 0, count: 1 }]]);
    const from = segment({
      head: at(6),
      headEntry: at(6),
      held,
      leases: holding(leaseOf("one", { 0: "a", 1: "b" })),
    });
    const planned = plan({
      segment: from,
      lookUp: (one) => keyed(one === 0 ? "a" : "b"),
      heldEntries: () => ({ entries: [entry(4, letters("ab"))], complete: true }),
      fresh: [entry(6, letters("ba"))],
    });
    expect(offsetsOf(planned)).toEqual([[0, 4, 7, 1, 6]]);
  });

  it("a key goes to one of several callers, and the next key to whoever has room", () => {
    const planned = plan({
      fresh: [entry(0, letters("aabab"))],
      requests: [drain(2), drain(5)],
    });
    expect(offsetsOf(planned)).toEqual([
      [0, 1],
      [2, 4],
    ]);
  });

  it("a message that is not visible yet ends it, and one past its expiry is passed over", () => {
    const over = stored({ key: "a", expiresAt: NOW });
    const later = stored({ key: "c", visibleAt: epochMs(NOW + 5_000) });
    const planned = plan({ fresh: [entry(0, [keyed("b"), over, keyed("a"), later, keyed("b")])] });
    expect(offsetsOf(planned)).toEqual([[0, 2]]);
    expect(planned.head).toBe(3);
    expect(planned.nextEventAt).toBe(NOW + 5_000);
  });

  it("behind a message that leaves because it has expired nothing of its key is given", async () => {
    const over = stored({ key: "a", expiresAt: NOW });
    const planned = plan({
      fresh: [entry(0, [over, keyed("a"), keyed("b")])],
      deadLetter: { maxReceives: null, onExpired: "deadLetter", queue: "dead" },
    });
    expect(offsetsOf(planned)).toEqual([[2]]);
    expect((await appliedTo(segment(), planned)).held.get(tag("a"))).toEqual({
      entry: 0,
      index: 1,
      count: 1,
    });
  });
});

describe("T5: the window", () => {
  it("ends where passing it by would hold more keys than one claim may", () => {
    const others = Array.from({ length: 60 }, (_, number) => keyed(`other${number}`));
    const planned = plan({
      fresh: [entry(0, [keyed("a"), ...others, keyed("a")])],
      requests: [drain(3)],
    });
    expect(offsetsOf(planned)).toEqual([[0, 1, 2]]);
    expect(planned.head).toBe(3);
    const near = Array.from({ length: LIMITS.drainedPast - 1 }, (_, at) => keyed(`other${at}`));
    const within = plan({
      fresh: [entry(0, [keyed("a"), ...near, keyed("a")])],
      requests: [drain(2)],
    });
    expect(offsetsOf(within)).toEqual([[0, LIMITS.drainedPast]]);
  });

  it("in a segment without room for another held key nothing is passed by", () => {
    const many = Array.from({ length: 60 }, (_, number) =>
      leaseOf(
        `lease-${number}`,
        Object.fromEntries(
          Array.from({ length: 250 }, (__, one) => [number * 250 + one, `${number}`]),
        ),
        LIVE,
      ),
    );
    const from = segment({ head: at(20_000), headEntry: at(20_000), leases: holding(...many) });
    const planned = plan({ segment: from, fresh: [entry(20_000, letters("aba"))] });
    expect([offsetsOf(planned), planned.capped, planned.head]).toEqual([[[]], true, 20_000]);
  });
});

describe("T1: a key is blocked from the first of its messages that is in flight", () => {
  const leases = holding(
    leaseOf("back", { 0: "a", 3: "a" }),
    leaseOf("live", { 1: "a" }, LIVE),
    leaseOf("other", { 2: "b" }, LIVE),
  );
  const from = segment({ head: at(4), headEntry: at(4), leases });
  const input = { segment: from, lookUp: () => keyed("a"), fresh: [entry(4, letters("ab"))] };

  it("what comes back before it is given, what is behind it is not", () => {
    expect(offsetsOf(plan(input))).toEqual([[0]]);
  });

  it("of a plan that does not drain the whole key is blocked", () => {
    expect(offsetsOf(plan({ ...input, requests: [request(10)] }))).toEqual([[]]);
  });
});

describe("whatever is asked for", () => {
  it("each message is given once, in its key's order, and what is below the head and was not given is held", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 3 }),
        async (keys, wanted) => {
          const entries: ReturnType<typeof entry>[] = [];
          for (let first = 0; first < keys.length; first += 5)
            entries.push(entry(first, keys.slice(first, first + 5).map(keyed)));
          const planned = plan({ fresh: entries, requests: wanted.map(drain) });
          const given = new Set(offsetsOf(planned).flat());
          expect(given.size).toBe(offsetsOf(planned).flat().length);
          const after =
            planned.edits.length === 0 ? segment() : await appliedTo(segment(), planned);
          for (const [at, key] of keys.entries()) {
            const held = after.held.get(tag(key));
            const isHeld = held !== undefined && held.entry + held.index <= at;
            expect(given.has(at) && isHeld).toBe(false);
            if (at < after.head) expect(given.has(at) || isHeld).toBe(true);
            else expect(given.has(at)).toBe(false);
          }
          for (const one of offsetsOf(planned)) {
            const inOrder = one.map((at) => keys[at] ?? "");
            const runs = inOrder.filter((key, index) => key !== inOrder[index - 1]);
            expect(new Set(runs).size).toBe(runs.length);
          }
        },
      ),
    );
  });
});
