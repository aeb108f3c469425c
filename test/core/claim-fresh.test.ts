import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { deliveredBytes } from "../../src/core/plan.ts";
import { epochMs } from "../../src/core/types.ts";
import { itemBytes } from "../../src/store/values.ts";
import {
  applied,
  appliedTo,
  at,
  endEntry,
  entry,
  holding,
  itemOf,
  lease,
  NOW,
  offsetsOf,
  pendingOf,
  planOf,
  request,
  segment,
  stored,
} from "./plan-fixture.ts";

const RUN = 1_800_000_000_000 * 1024;
const EXPIRED = stored({ expiresAt: NOW });
const DELAYED = stored({ visibleAt: epochMs(NOW + 4_000) });
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe("a fresh claim", () => {
  it("takes messages from the head on, in order, as one lease of one receive", async () => {
    const planned = planOf({ fresh: [entry(0, 3), entry(3, 4)], requests: [request(5)] });
    expect(offsetsOf(planned)).toEqual([[0, 1, 2, 3, 4]]);
    const after = await appliedTo(segment(), planned);
    expect(after).toMatchObject({ head: 5, headEntry: 3, version: 8 });
    expect(pendingOf(after)).toEqual({ new0: [0, 1, 2, 3, 4] });
    expect(after.leases.get("new0")).toMatchObject({
      until: NOW + 30_000,
      receives: 1,
      firstAt: NOW,
    });
  });

  it("begins within an entry where the head stands, and counts members from that entry", async () => {
    const from = segment({ head: at(RUN + 4), headEntry: at(RUN) });
    const planned = planOf({ segment: from, fresh: [entry(RUN, 9)], requests: [request(2)] });
    const after = await appliedTo(from, planned);
    expect(after).toMatchObject({ head: RUN + 6, headEntry: RUN });
    expect(after.leases.get("new0")).toMatchObject({ entry: RUN, pending: new Set(["4", "5"]) });
  });

  it("that ends with an entry leaves the head at the next one's place", () => {
    expect(planOf({ fresh: [entry(0, 2)] })).toMatchObject({ head: 2, headEntry: 2 });
  });

  it("gives callers of one round their own leases, each up to its max, nothing twice", async () => {
    const planned = planOf({
      fresh: [entry(0, 10)],
      requests: [request(3), request(4, { leaseMs: 5_000 }), request(9)],
    });
    expect(offsetsOf(planned)).toEqual([
      [0, 1, 2],
      [3, 4, 5, 6],
      [7, 8, 9],
    ]);
    const after = await appliedTo(segment(), planned);
    expect(pendingOf(after)).toEqual({ new0: [0, 1, 2], new1: [3, 4, 5, 6], new2: [7, 8, 9] });
    expect(after.leases.get("new1")?.until).toBe(NOW + 5_000);
  });

  it("C10: gives callers who want the same time one lease between them", async () => {
    const planned = planOf({
      fresh: [entry(0, 3), entry(3, 5)],
      requests: [request(1), request(3), request(2, { leaseMs: 5_000 }), request(1)],
    });
    expect(offsetsOf(planned)).toEqual([[0], [1, 2, 3], [4, 5], [6]]);
    const after = await appliedTo(segment(), planned);
    expect(pendingOf(after)).toEqual({ new0: [0, 1, 2, 3], new1: [4, 5], new2: [6] });
    const ids = planned.deliveries.map((given) => given.map(({ lease: { id } }) => id));
    expect(ids).toEqual([["new0"], ["new0", "new0", "new0"], ["new1", "new1"], ["new2"]]);
  });

  it("C10: shares no lease with what leaves for another queue", async () => {
    const leaving = { why: "redrive", to: "elsewhere" } as const;
    const planned = planOf({
      fresh: [entry(0, 9)],
      requests: [request(1), request(1, { leaving }), request(1, { leaving }), request(1)],
    });
    const after = await appliedTo(segment(), planned);
    expect(pendingOf(after)).toEqual({ new0: [0], new1: [1], new2: [2], new3: [3] });
    expect([...after.leases.values()].map(({ receives }) => receives)).toEqual([1, 0, 0, 1]);
  });

  it("stays within a caller's bytes, and gives what that one cannot take to the next", () => {
    const size = deliveredBytes(stored());
    const planned = planOf({
      fresh: [entry(0, 9)],
      requests: [request(9, { maxBytes: size * 2 + 1 }), request(9, { maxBytes: size * 3 })],
    });
    expect(offsetsOf(planned)).toEqual([
      [0, 1],
      [2, 3, 4],
    ]);
  });

  it("refuses no caller its very first message for its size, but one that has some already", () => {
    const fresh = [entry(0, 3)];
    expect(offsetsOf(planOf({ fresh, requests: [request(9, { maxBytes: 1 })] }))).toEqual([[0]]);
    const started = request(9, { maxBytes: 1, isStarted: true });
    expect(offsetsOf(planOf({ fresh, requests: [started] }))).toEqual([[]]);
  });

  it("counts a message in parts at its whole size", () => {
    const large = stored({
      body: new Uint8Array(),
      parts: { name: "p", count: 3, bytes: 1_000_000 },
    });
    expect(deliveredBytes(large)).toBeGreaterThan(1_333_333);
    const planned = planOf({
      fresh: [entry(0, [large, large, large, large])],
      requests: [request(9, { maxBytes: 3_000_000 })],
    });
    expect(offsetsOf(planned)).toEqual([[0, 1]]);
  });

  it("C4: makes no lease of more messages than one may have", async () => {
    const planned = planOf({ fresh: [entry(0, 256), entry(256, 256)], requests: [request(400)] });
    const after = await appliedTo(segment(), planned);
    const sizes = [...after.leases.values()].map(({ pending }) => pending.size);
    expect(sizes.length).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(LIMITS.leaseMessages);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(offsetsOf(planned)[0]?.length);
  });

  it("of no request passes over what has expired, and takes nothing", () => {
    const planned = planOf({ fresh: [entry(0, [EXPIRED, EXPIRED, stored()])], requests: [] });
    expect(planned).toMatchObject({ deliveries: [], head: 2, headEntry: 0 });
  });

  it("that finds nothing writes nothing", () => {
    const spent = segment({ spent: ["old"] });
    expect(planOf({ segment: spent, fresh: [] }).edits).toEqual([]);
  });

  it("C1: says which lease is its own, so that an applied claim is recognised", () => {
    expect(planOf({ fresh: [entry(0, 1)] }).ownLease).toBe("new0");
    expect(planOf({ fresh: [entry(0, [EXPIRED])] }).ownLease).toBeUndefined();
  });

  it("sweeps leases of which nothing is pending any more", async () => {
    const from = segment({ spent: ["old"] });
    const after = await appliedTo(from, planOf({ segment: from, fresh: [entry(0, 1)] }));
    expect(after.spent).toEqual([]);
  });
});

describe("what a fresh claim passes over", () => {
  it("M2: messages past their expiry, of which none is delivered", async () => {
    const planned = planOf({
      fresh: [entry(0, [EXPIRED, stored(), EXPIRED, stored(), EXPIRED])],
      requests: [request(9)],
    });
    expect(offsetsOf(planned)).toEqual([[1, 3]]);
    expect((await appliedTo(segment(), planned)).head).toBe(5);
  });

  it("erased entries", () => {
    const planned = planOf({
      fresh: [entry(0, 4, { messages: undefined }), entry(4, 1)],
    });
    expect(offsetsOf(planned)).toEqual([[4]]);
  });

  it("L8: a confirmed gap, behind which a lease counts from the new run", async () => {
    const from = segment({ head: at(2), headEntry: at(2) });
    const planned = planOf({ segment: from, fresh: [entry(RUN, 2)] });
    expect(offsetsOf(planned)).toEqual([[RUN, RUN + 1]]);
    const after = await appliedTo(from, planned);
    expect(after.leases.get("new0")).toMatchObject({ entry: RUN, pending: new Set(["0", "1"]) });
  });

  it("L8: a gap between entries ends a lease, for members must stay short", async () => {
    const planned = planOf({ fresh: [entry(0, 2), entry(RUN, 2)] });
    expect(offsetsOf(planned)).toEqual([[0, 1, RUN, RUN + 1]]);
    expect(pendingOf(await appliedTo(segment(), planned))).toEqual({
      new0: [0, 1],
      new1: [RUN, RUN + 1],
    });
    const texts = planned.deliveries.flat().flatMap(({ lease: of }) => [...of.pending]);
    expect(texts.every((text) => text.length === 1)).toBe(true);
  });
});

describe("where a fresh claim stops", () => {
  it("M2: at the first message not yet visible, though later ones are, and says when that one is", async () => {
    const planned = planOf({ fresh: [entry(0, [stored(), DELAYED, stored()])] });
    expect(offsetsOf(planned)).toEqual([[0]]);
    expect(planned.nextEventAt).toBe(DELAYED.visibleAt);
    expect((await appliedTo(segment(), planned)).head).toBe(1);
  });

  it("says of a running lease and a delay the earlier, and of neither nothing", () => {
    const held = segment({ leases: holding(lease("a", [0], { until: NOW + 1_000 })), head: at(1) });
    const fresh = [entry(1, [DELAYED])];
    expect(planOf({ segment: held, fresh, skewMarginMs: 500 }).nextEventAt).toBe(NOW + 1_500);
    expect(planOf({ segment: held, fresh, skewMarginMs: 5_000 }).nextEventAt).toBe(NOW + 4_000);
    expect(planOf({ fresh: [entry(0, 1)] }).nextEventAt).toBeUndefined();
  });

  it("L9: at the lane's end entry, and says so", () => {
    const planned = planOf({ fresh: [entry(0, 2), endEntry(2), entry(2, 3)] });
    expect(offsetsOf(planned)).toEqual([[0, 1]]);
    expect(planned).toMatchObject({ ended: true, head: 2 });
    expect(planOf({ segment: segment({ head: at(2) }), fresh: [endEntry(2)] }).edits).toEqual([]);
  });

  it("C7: at the end of a cut segment, also within an entry", async () => {
    const cut = segment({ end: at(3) });
    const planned = planOf({ segment: cut, fresh: [entry(0, 8), entry(8, 2)] });
    expect(offsetsOf(planned)).toEqual([[0, 1, 2]]);
    expect(await appliedTo(cut, planned)).toMatchObject({ head: 3, end: 3 });
  });

  it("L8: a jump never passes a cut segment's end", () => {
    const cut = segment({ head: at(2), headEntry: at(2), end: at(5) });
    const planned = planOf({ segment: cut, fresh: [entry(RUN, 3)] });
    expect(offsetsOf(planned)).toEqual([[]]);
    expect(planned.head).toBe(5);
  });

  it("C7: of a cut segment below whose end nothing is left, at its end; of an open one not", () => {
    const cut = segment({ head: at(2), end: at(5) });
    expect(planOf({ segment: cut, exhausted: true }).head).toBe(5);
    expect(planOf({ segment: cut, exhausted: false }).head).toBe(2);
    expect(planOf({ exhausted: true }).head).toBe(0);
  });
});

describe("the guards of a fresh claim", () => {
  const planned = planOf({ fresh: [entry(0, 4)], requests: [request(2)] });

  it("C1: refuse it where the head has moved, the segment was cut or was closed", async () => {
    expect(await applied(segment({ head: at(1) }), planned)).toBe("refused");
    expect(await applied(segment({ end: at(9) }), planned)).toBe("refused");
    expect(await applied(segment({ closed: true }), planned)).toBe("refused");
    expect(await applied(segment(), planned)).not.toBe("refused");
  });

  it("C1: refuse it where a cut segment's end is another", async () => {
    const cut = planOf({ segment: segment({ end: at(3) }), fresh: [entry(0, 4)] });
    expect(await applied(segment({ end: at(4) }), cut)).toBe("refused");
    expect(await applied(segment(), cut)).toBe("refused");
  });

  it("C1: refuse it on a segment taken for absent that exists by now, closed or not", async () => {
    const absent = segment({ absent: true, version: 0 });
    const ofAbsent = planOf({ segment: absent, fresh: [entry(0, 4)] });
    expect(await applied(segment(), ofAbsent)).toBe("refused");
    expect(await applied(segment({ closed: true }), ofAbsent)).toBe("refused");
    expect(await appliedTo(absent, ofAbsent)).toMatchObject({ head: 4, version: 1, absent: false });
  });

  it("C3: let it be where somebody acked meanwhile", async () => {
    const held = lease("a", [0, 1], { until: NOW + 9_000 });
    const from = segment({ head: at(2), leases: holding(held) });
    const claim = planOf({ segment: from, fresh: [entry(0, 4)] });
    const acked = segment({ head: at(2), leases: holding({ ...held, pending: new Set(["1"]) }) });
    expect(pendingOf(await appliedTo(acked, claim))).toEqual({ a: [1], new0: [2, 3] });
  });
});

describe("whatever the log holds", () => {
  it("a claim delivers from the head on every live message up to where it stopped, each once", async () => {
    const kinds = fc.constantFrom("live", "expired", "delayed");
    const entries = fc.array(
      fc.record({ gap: fc.nat(2), messages: fc.array(kinds, { minLength: 1, maxLength: 6 }) }),
      { maxLength: 6 },
    );
    const ends = fc.option(fc.nat(30), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(
        entries,
        ends,
        fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 3 }),
        async (parts, end, maxes) => {
          let place = 0;
          const expected: number[] = [];
          let stopped = false;
          const room = maxes.reduce((sum, max) => sum + max, 0);
          const fresh = parts.map(({ gap, messages }) => {
            const from = place + gap;
            place = from + messages.length;
            messages.forEach((kind, index) => {
              const where = from + index;
              if (stopped || (end !== undefined && where >= end)) return;
              if (kind === "delayed") stopped = true;
              else if (kind === "live" && expected.length < room) expected.push(where);
            });
            return entry(
              from,
              messages.map((kind) =>
                kind === "live" ? stored() : kind === "expired" ? EXPIRED : DELAYED,
              ),
            );
          });
          const from = segment(end === undefined ? {} : { end: at(end) });
          const planned = planOf({
            segment: from,
            fresh,
            requests: maxes.map((max) => request(max)),
          });
          expect(offsetsOf(planned).flat()).toEqual(expected);
          if (planned.edits.length === 0) return;
          const after = await appliedTo(from, planned);
          expect(Object.values(pendingOf(after)).flat()).toEqual(expected);
          expect(after.head).toBeGreaterThan(expected.at(-1) ?? -1);
          expect(after.head).toBeLessThanOrEqual(end ?? place);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("a segment that fills", () => {
  it("C7: is cut at the head before its item costs more than two write units, and never cut again", async () => {
    let current = segment({ head: at(RUN), headEntry: at(RUN), start: at(RUN) });
    const fresh = [entry(RUN, 256)];
    let ids = 0;
    const claim = (max: number) =>
      planOf({
        segment: current,
        fresh,
        requests: [request(max)],
        newLeaseId: () => `lease-${String(ids++).padStart(2, "0")}`,
      });
    for (let claims = 0; current.end === undefined; claims++) {
      expect(claims).toBeLessThan(30);
      const planned = claim(1);
      current = await appliedTo(current, planned);
      expect(planned.cutAt).toBe(current.end);
    }
    expect(current.end).toBe(current.head);
    expect(current.leases.size).toBeGreaterThan(8);
    expect(planOf({ segment: current, fresh }).edits).toEqual([]);
  });

  it("C7: never costs more than two write units while open, however the claims are sized", async () => {
    const key = { pk: `cursor#${"q".repeat(12)}#255`, sk: `default#0#${"1".repeat(16)}` };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 30, maxLength: 30 }),
        async (maxes) => {
          let current = segment({ head: at(RUN), headEntry: at(RUN), start: at(RUN) });
          let ids = 0;
          for (const max of maxes) {
            const fresh = [entry(RUN, 256), entry(RUN + 256, 256), entry(RUN + 512, 256)];
            const newLeaseId = () => `lease-${String(ids++).padStart(2, "0")}`;
            const planned = planOf({
              segment: current,
              fresh,
              requests: [request(max)],
              newLeaseId,
            });
            if (planned.edits.length === 0) break;
            current = await appliedTo(current, planned);
            expect(itemBytes({ ...itemOf(current), ...key })).toBeLessThanOrEqual(2_048);
            if (current.end !== undefined) break;
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("C7: goes on serving up to its end once cut, however full", async () => {
    const many = range(0, 40).map((index) =>
      lease(`lease-${index}`, [index], { until: NOW + 9_000 }),
    );
    const cut = segment({ head: at(40), headEntry: at(0), end: at(60), leases: holding(...many) });
    const planned = planOf({ segment: cut, fresh: [entry(0, 100)], requests: [request(50)] });
    expect(offsetsOf(planned)).toEqual([range(40, 60)]);
    expect(planned.cutAt).toBeUndefined();
    expect((await appliedTo(cut, planned)).end).toBe(60);
  });

  it("C7: is cut where it stands when full already, though nothing could be claimed", async () => {
    const many = range(0, 40).map((index) =>
      lease(`lease-${index}`, [index], { until: NOW + 9_000 }),
    );
    const full = segment({ head: at(40), leases: holding(...many) });
    const planned = planOf({ segment: full, fresh: [entry(0, 100)], requests: [request(5)] });
    expect(offsetsOf(planned)).toEqual([[]]);
    expect(await appliedTo(full, planned)).toMatchObject({ end: 40, head: 40 });
  });

  it("C7: is refused the cut by a claim that was faster", async () => {
    const many = range(0, 40).map((index) =>
      lease(`lease-${index}`, [index], { until: NOW + 9_000 }),
    );
    const full = segment({ head: at(40), leases: holding(...many) });
    const planned = planOf({ segment: full, fresh: [entry(0, 100)], requests: [request(5)] });
    expect(await applied({ ...full, head: at(41) }, planned)).toBe("refused");
  });
});
