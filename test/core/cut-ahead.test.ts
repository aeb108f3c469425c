import { describe, expect, it } from "vitest";
import { cutAhead } from "../../src/core/claim-fresh.ts";
import { parseSegment } from "../../src/core/segment.ts";
import {
  applied,
  appliedTo,
  at,
  entry,
  holding,
  itemOf,
  lease,
  NOW,
  segment,
} from "./plan-fixture.ts";

const long = [entry(0, 256), entry(256, 256), entry(512, 256)];

describe("C7: cutting a segment ahead", () => {
  it("leaves room for claims like those it holds before the cut, and none past what was read", () => {
    const singles = cutAhead(segment(), long)?.at ?? 0;
    expect(singles).toBeGreaterThanOrEqual(2);
    expect(singles).toBeLessThan(256);
    const hundreds = holding(
      lease(
        "a",
        Array.from({ length: 100 }, (_, index) => index),
      ),
    );
    const batches = cutAhead(segment({ head: at(100), leases: hundreds }), long)?.at ?? 0;
    expect(batches).toBeGreaterThanOrEqual(300);
    expect(cutAhead(segment(), [entry(0, 1)])?.at).toBe(1);
  });

  it("does not cut what is cut, closed, or has nothing ahead", () => {
    expect(cutAhead(segment({ end: at(5) }), long)).toBeUndefined();
    expect(cutAhead(segment({ closed: true }), long)).toBeUndefined();
    expect(cutAhead(segment(), [])).toBeUndefined();
    expect(cutAhead(segment({ head: at(768) }), long)).toBeUndefined();
  });

  it("leaves head and leases as they are", async () => {
    const from = segment({
      head: at(3),
      headEntry: at(0),
      leases: holding(lease("a", [1], { until: NOW })),
    });
    const cut = cutAhead(from, long);
    if (cut === undefined) throw new Error("nothing was cut");
    expect(await appliedTo(from, cut)).toEqual({ ...from, end: cut.at, version: 8 });
  });

  it("creates an absent segment with its head at its start", async () => {
    const from = parseSegment(at(40), itemOf(segment({ absent: true })));
    const cut = cutAhead(from, [entry(40, 100)]);
    if (cut === undefined) throw new Error("nothing was cut");
    const after = await appliedTo(from, cut);
    expect(after).toMatchObject({ absent: false, head: 40, headEntry: 40, end: cut.at });
  });

  it("is refused where somebody claimed, cut, closed or created it meanwhile", async () => {
    const cut = cutAhead(segment(), long) ?? { edits: [], guards: [] };
    for (const over of [{ head: at(1) }, { end: at(9) }, { closed: true }])
      expect(await applied(segment(over), cut)).toBe("refused");
    const absent = cutAhead(segment({ absent: true }), long) ?? { edits: [], guards: [] };
    expect(await applied(segment(), absent)).toBe("refused");
  });
});
