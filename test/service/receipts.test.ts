/** Hunts receipts that open for another queue, or say something else, because they are remembered. */
import { describe, expect, it } from "vitest";
import { openReceipt, sealReceipt } from "../../src/core/receipt.ts";
import type { Receipt } from "../../src/core/receipt.ts";
import { epochMs, groupId, laneId, offset, queueId } from "../../src/core/types.ts";
import { opened, sealed } from "../../src/service/receipts.ts";

const QUEUE = { queueId: queueId("abcdefghij12"), secret: new Uint8Array(32).fill(7) };

const receipt = (over: Partial<Receipt> = {}): Receipt => ({
  queueId: QUEUE.queueId,
  lane: laneId(3),
  group: groupId("default"),
  generation: 2,
  segment: offset(1_024),
  lease: "AbC_-012",
  entry: offset(1_124),
  offset: offset(1_131),
  claimedAt: epochMs(1_795_000_000_000),
  ...over,
});

describe("R4: a receipt that was sealed here", () => {
  it.each([{}, { tag: "t" }, { attempt: "Old_-012", tag: "t" }])(
    "says what it says to whoever opens it: %o",
    (over) => {
      const text = sealed(receipt(over), QUEUE.secret);
      expect(opened(text, QUEUE)).toStrictEqual(openReceipt(text, QUEUE.queueId, QUEUE.secret));
      expect(opened(text, QUEUE)).toEqual(receipt(over));
    },
  );

  it("opens for its queue alone", () => {
    const text = sealed(receipt(), QUEUE.secret);
    const others = [
      { ...QUEUE, queueId: queueId("zzzzzzzzzz99") },
      { ...QUEUE, secret: new Uint8Array(32).fill(8) },
    ];
    expect(others.map((other) => opened(text, other))).toEqual([undefined, undefined]);
    expect(opened(text, { ...QUEUE, secret: Uint8Array.from(QUEUE.secret) })).toEqual(receipt());
  });

  it("is another one each time, as acks go by which call it is of", () => {
    const text = sealed(receipt(), QUEUE.secret);
    expect(opened(text, QUEUE)).not.toBe(opened(text, QUEUE));
  });

  it("opens as well where it was sealed elsewhere, and was forgotten here", () => {
    expect(opened(sealReceipt(receipt({ lease: "elsewher" }), QUEUE.secret), QUEUE)).toEqual(
      receipt({ lease: "elsewher" }),
    );
    const first = sealed(receipt(), QUEUE.secret);
    for (let at = 0; at < 3_000; at++)
      sealed(receipt({ offset: offset(2_000 + at) }), QUEUE.secret);
    expect(opened(first, QUEUE)).toEqual(receipt());
  });

  it("does not open once a letter of it is changed", () => {
    const text = sealed(receipt(), QUEUE.secret);
    const changed = `${text.startsWith("m") ? "n" : "m"}${text.slice(1)}`;
    expect(opened(changed, QUEUE)).toBeUndefined();
  });
});
