import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { messageId, openReceipt, parseMessageId, sealReceipt } from "../../src/core/receipt.ts";
import type { Receipt } from "../../src/core/receipt.ts";
import { groupId, laneId, offset, queueId } from "../../src/core/types.ts";

const SECRET = Buffer.alloc(32, 7);
const QUEUE = queueId("abcdefghij12");
const OTHER = queueId("zzzzzzzzzz99");
const MAX_OFFSET = Number.MAX_SAFE_INTEGER;

const receipt = (over: Partial<Receipt> = {}): Receipt => ({
  queueId: QUEUE,
  lane: laneId(3),
  group: groupId("default"),
  generation: 2,
  segment: offset(1_800_000_000_000 * 1024),
  lease: "AbC_-012",
  entry: offset(1_800_000_000_000 * 1024 + 100),
  offset: offset(1_800_000_000_000 * 1024 + 107),
  ...over,
});

const receipts = fc
  .record({
    lane: fc.nat(255).map(laneId),
    group: fc.string({ minLength: 1, maxLength: 80, unit: "binary" }).map(groupId),
    generation: fc.nat(),
    segment: fc.integer({ min: 0, max: MAX_OFFSET }).map(offset),
    entry: fc.integer({ min: 0, max: MAX_OFFSET - 255 }).map(offset),
    distance: fc.nat(255),
  })
  .map(({ distance, ...rest }) => receipt({ ...rest, offset: offset(rest.entry + distance) }));

describe("a receipt", () => {
  it("R1: says after opening what it said before, up to the largest numbers and any group", () => {
    fc.assert(
      fc.property(receipts, (one) => {
        expect(openReceipt(sealReceipt(one, SECRET), QUEUE, SECRET)).toEqual(one);
      }),
    );
  });

  it("is text of at most the length that calls accept", () => {
    const longest = receipt({
      group: groupId("g".repeat(80)),
      generation: MAX_OFFSET,
      segment: offset(MAX_OFFSET),
      entry: offset(MAX_OFFSET - 255),
      offset: offset(MAX_OFFSET),
    });
    const text = sealReceipt(longest, SECRET);
    expect(text).toMatch(/^[\w-]+$/);
    expect(text.length).toBeLessThanOrEqual(LIMITS.receiptChars);
  });

  it("R2: does not open after any one bit of it was flipped", () => {
    const bytes = Buffer.from(sealReceipt(receipt(), SECRET), "base64url");
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const forged = Buffer.from(bytes);
        forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(openReceipt(forged.toString("base64url"), QUEUE, SECRET)).toBeUndefined();
      }),
      { numRuns: 600 },
    );
  });

  it("R2: does not open when cut short anywhere, or lengthened", () => {
    const text = sealReceipt(receipt(), SECRET);
    for (let length = 0; length < text.length; length++)
      expect(openReceipt(text.slice(0, length), QUEUE, SECRET)).toBeUndefined();
    for (const more of ["A", "AAAA", "=", " ", "\n"])
      expect(openReceipt(text + more, QUEUE, SECRET)).toBeUndefined();
  });

  it("has one spelling: other text of the same bytes does not open", () => {
    const seals = Array.from({ length: 3 }, (_, length) =>
      sealReceipt(receipt({ lease: "x".repeat(length) }), SECRET),
    );
    const padded = seals.find((text) => text.length % 4 !== 0) ?? "";
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = alphabet.indexOf(padded.slice(-1));
    const respelled = padded.slice(0, -1) + (alphabet[last + 1] ?? "");
    expect(Buffer.from(respelled, "base64url")).toEqual(Buffer.from(padded, "base64url"));
    expect(openReceipt(padded, QUEUE, SECRET)).toBeDefined();
    expect(openReceipt(respelled, QUEUE, SECRET)).toBeUndefined();
  });

  it("R2: does not open for another queue, nor under another secret", () => {
    const text = sealReceipt(receipt(), SECRET);
    expect(openReceipt(text, OTHER, SECRET)).toBeUndefined();
    expect(openReceipt(text, QUEUE, Buffer.alloc(32, 8))).toBeUndefined();
  });

  it("no text at all opens or throws that was not sealed", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.base64String(), fc.string({ unit: "binary" })),
        (text) => {
          expect(openReceipt(text, QUEUE, SECRET)).toBeUndefined();
        },
      ),
    );
    expect(openReceipt("A".repeat(100_000), QUEUE, SECRET)).toBeUndefined();
  });
});

describe("a message id", () => {
  it("R3: names its place, up to the largest offset", () => {
    fc.assert(
      fc.property(fc.nat(255), fc.integer({ min: 0, max: MAX_OFFSET }), (lane, at) => {
        const place = { queueId: QUEUE, lane: laneId(lane), offset: offset(at) };
        expect(parseMessageId(messageId(place))).toEqual(place);
      }),
    );
  });

  it("is not taken from text that LaneMQ never issues", () => {
    const id = messageId({ queueId: QUEUE, lane: laneId(1), offset: offset(5) });
    for (const text of [
      "",
      id.toUpperCase(),
      `${id} `,
      ` ${id}`,
      `${id}\n`,
      `${id}-1`,
      id.slice(1),
      `${QUEUE}-1`,
      `${QUEUE}--5`,
      `${QUEUE}-1-`,
      `${QUEUE}-1--5`,
      `${QUEUE}-1-5.5`,
      `${QUEUE}-1-zzzzzzzzzzz`,
      `${QUEUE}-1-100000000000`,
      "__proto__",
    ])
      expect([text, parseMessageId(text)]).toEqual([text, undefined]);
  });
});
