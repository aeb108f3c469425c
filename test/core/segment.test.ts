import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  carryOver,
  isDrained,
  isExpired,
  member,
  memberOffset,
  parseSegment,
  segmentBytes,
} from "../../src/core/segment.ts";
import type { Segment } from "../../src/core/segment.ts";
import { epochMs, offset } from "../../src/core/types.ts";
import { itemBytes } from "../../src/store/values.ts";
import { at, holding, itemOf, lease, NOW, pendingOf, segment } from "./plan-fixture.ts";

const RUN = 1_800_000_000_000 * 1024;

describe("a segment", () => {
  it("C7: names pending messages by their distance from the lease's entry, in any run", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 10_000 }),
        fc.nat(10_000),
        (entry, distance) => {
          const from = { entry: offset(entry) };
          const text = member(from, offset(entry + distance));
          expect(memberOffset(from, text)).toBe(entry + distance);
          expect(text.length).toBeLessThanOrEqual(3);
        },
      ),
    );
  });

  it("comes back from its item as it was, marks of its leases included", () => {
    const one = segment({
      start: at(RUN),
      head: at(RUN + 40),
      headEntry: at(RUN + 32),
      end: at(RUN + 50),
      leases: holding(
        lease("a", [RUN + 1, RUN + 9], { entry: at(RUN), receives: 3, until: NOW + 9 }),
        lease("b", [RUN + 20], { entry: at(RUN), waiting: true }),
        lease("c", [RUN + 21], { entry: at(RUN), leaving: { why: "deadLetter", to: "dead" } }),
        lease("d", [RUN + 22], { entry: at(RUN), leaving: { why: "redrive", to: "" } }),
      ),
    });
    expect(parseSegment(one.start, itemOf(one))).toEqual(one);
  });

  it("takes a lease with nothing pending for spent, and an absent item for nothing claimed yet", () => {
    const parsed = parseSegment(at(0), itemOf(segment({ spent: ["gone"] })));
    expect(parsed.spent).toEqual(["gone"]);
    expect(parsed.leases.size).toBe(0);
    expect(parseSegment(at(9), undefined)).toMatchObject({
      absent: true,
      head: 9,
      headEntry: 9,
      end: undefined,
    });
  });

  it("is drained only once cut, passed, and with nothing pending", () => {
    const passed = { end: at(5), head: at(5) };
    expect(isDrained(segment(passed))).toBe(true);
    expect(isDrained(segment({ ...passed, leases: holding(lease("a", [4])) }))).toBe(false);
    expect(isDrained(segment({ ...passed, head: at(4) }))).toBe(false);
    expect(isDrained(segment({ head: at(5) }))).toBe(false);
  });

  it("C5: a lease has run out only after its end and the margin; a released one at once", () => {
    const one = lease("a", [1], { until: NOW });
    expect(isExpired(one, epochMs(NOW + 4_999), 5_000)).toBe(false);
    expect(isExpired(one, epochMs(NOW + 5_000), 5_000)).toBe(true);
    expect(isExpired({ ...one, until: 0 }, NOW, 5_000)).toBe(true);
  });

  it("C7: is never estimated smaller than it is, in runs of large offsets", () => {
    const leases = fc.array(fc.integer({ min: 1, max: 60 }), {
      minLength: 1,
      maxLength: 18,
      size: "max",
    });
    fc.assert(
      fc.property(leases, (sizes) => {
        const one = segment({
          start: at(RUN),
          head: at(RUN + 4_000),
          headEntry: at(RUN + 3_900),
          version: 100_000,
          leases: holding(
            ...sizes.map((size, index) =>
              lease(
                `lease-${String(index).padStart(2, "0")}`,
                Array.from({ length: size }, (_, k) => RUN + 100 * index + k),
                { entry: at(RUN + 100 * index), until: NOW + 30_000 },
              ),
            ),
          ),
        });
        const { pk, sk, ...rest } = itemOf(one) ?? { pk: "", sk: "" };
        expect([pk, sk]).toEqual(["segment", "-"]);
        const key = { pk: `cursor#${"q".repeat(12)}#255`, sk: `default#1000#${"1".repeat(16)}` };
        expect(segmentBytes(one)).toBeGreaterThanOrEqual(itemBytes({ ...rest, ...key }));
      }),
    );
  });
});

describe("C8: what the next generation begins with", () => {
  const list = (...segments: Segment[]) => segments;

  it("is nothing of what stands before the start, though leased", () => {
    const before = segment({
      head: at(30),
      headEntry: at(30),
      end: at(30),
      leases: holding(lease("a", [4])),
    });
    const open = segment({
      start: at(30),
      head: at(40),
      headEntry: at(40),
      leases: holding(lease("b", [35])),
    });
    expect(carryOver(list(before), at(30))).toEqual([]);
    const [carried, ...more] = carryOver(list(before, open), at(50));
    expect(more).toEqual([]);
    expect(carried).toMatchObject({
      start: 50,
      head: 50,
      headEntry: 50,
      absent: true,
      end: undefined,
    });
    expect(carried?.leases.size).toBe(0);
  });

  it("keeps what of an open segment stands at or behind the start: claimed as claimed, leased as leased", () => {
    const open = segment({
      head: at(40),
      headEntry: at(38),
      leases: holding(lease("a", [3, 12, 20], { until: NOW + 5, receives: 2 })),
    });
    const [carried] = carryOver(list(open), at(12));
    expect(carried).toMatchObject({
      start: 12,
      head: 40,
      headEntry: 38,
      absent: false,
      closed: false,
    });
    expect(pendingOf(carried ?? segment())).toEqual({ a: [12, 20] });
    expect(carried?.leases.get("a")).toMatchObject({ until: NOW + 5, receives: 2 });
  });

  it("loses nothing at or behind the start and keeps nothing before it, whatever the segments hold", () => {
    const shapes = fc.array(
      fc.record({
        length: fc.integer({ min: 1, max: 20 }),
        claimed: fc.nat(20),
        leased: fc.array(fc.nat(20), { maxLength: 5 }),
      }),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(shapes, fc.nat(80), (parts, start) => {
        let from = 0;
        const segments = parts.map(({ length, claimed, leased }, index) => {
          const isLast = index === parts.length - 1;
          const head = from + Math.min(claimed, length);
          const pending = [...new Set(leased.map((one) => from + one))].filter((one) => one < head);
          const made = segment({
            start: at(from),
            head: at(head),
            headEntry: at(head),
            end: isLast ? undefined : at(from + length),
            absent: head === from && isLast,
            closed: true,
            leases:
              pending.length === 0
                ? new Map()
                : holding(lease(`l${index}`, pending, { entry: at(from) })),
          });
          from += length;
          return made;
        });
        const carried = carryOver(segments, at(start));
        for (let place = 0; place < 100; place++)
          expect([place, stateAt(carried, place)]).toEqual([
            place,
            place < start ? "passed" : stateAt(segments, place),
          ]);
        for (const one of carried) expect(one.closed || one.start < start).toBe(false);
        for (const [index, one] of carried.entries())
          if (index > 0) expect(one.start).toBe(carried[index - 1]?.end);
        if (carried.length > 0) expect(carried.at(-1)?.end).toBeUndefined();
      }),
    );
  });
});

function stateAt(segments: readonly Segment[], place: number): string {
  for (const one of segments) {
    if (place < one.start || place >= (one.end ?? Number.POSITIVE_INFINITY)) continue;
    for (const held of one.leases.values())
      if (held.pending.has(member(held, at(place)))) return `leased by ${held.id}`;
    return place >= one.head ? "unclaimed" : "passed";
  }
  return "passed";
}
