import { deflateRawSync } from "node:zlib";
import { encode } from "@msgpack/msgpack";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import type { BodyKind, StoredMessage } from "../../src/core/message.ts";
import { pack, packedBytes, unpack } from "../../src/core/packing.ts";
import { epochMs } from "../../src/core/types.ts";
import { NOW, stored } from "./plan-fixture.ts";

const words = fc.string({ unit: "binary", maxLength: 12 });
const names = fc
  .string({ unit: "binary", minLength: 1, maxLength: 8 })
  .filter((name) => name !== "__proto__");
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const times = fc.integer({ min: 0, max: 4_102_444_800_000 }).map(epochMs);

const messages: fc.Arbitrary<StoredMessage> = fc
  .record({
    kind: fc.constantFrom<BodyKind>("text", "json", "bytes"),
    body: fc.uint8Array({ maxLength: 40 }),
    contentType: fc.oneof(
      words,
      fc.constantFrom("text/plain; charset=utf-8", "application/json", "application/octet-stream"),
    ),
    headers: fc.dictionary(names, words, { maxKeys: 4 }),
    sentAt: times,
    expiresAt: times,
    visibleAt: times,
    origin: fc.option(
      fc.record({ exchange: words, routingKey: words }, { noNullPrototype: true }),
      {
        nil: undefined,
      },
    ),
    id: fc.option(words, { nil: undefined }),
    dedupId: fc.option(words, { nil: undefined }),
    sentAs: fc.option(words, { nil: undefined }),
    sqs: fc.option(
      fc.record(
        { types: fc.dictionary(names, words, { maxKeys: 3 }), trace: words },
        { noNullPrototype: true, requiredKeys: [] },
      ),
      { nil: undefined },
    ),
    parts: fc.option(fc.record({ name: words, count: whole, bytes: whole }), { nil: undefined }),
    deadLetter: fc.option(
      fc.record(
        {
          reason: fc.constant("maxReceives" as const),
          queue: words,
          queueId: words,
          group: words,
          lane: whole,
          offset: whole,
          receives: whole,
          firstReceivedAt: times,
          deadLetteredAt: times,
        },
        { noNullPrototype: true },
      ),
      { nil: undefined },
    ),
  })
  .map(({ origin, id, dedupId, sentAs, sqs, parts, deadLetter, ...message }) => ({
    ...message,
    ...origin,
    ...(id === undefined ? {} : { id }),
    ...(dedupId === undefined ? {} : { dedupId }),
    ...(sentAs === undefined ? {} : { sentAs }),
    ...(sqs === undefined ? {} : { sqs }),
    ...(parts === undefined ? {} : { parts }),
    ...(deadLetter === undefined ? {} : { deadLetter }),
  }));

const same = (packed: Uint8Array, sent: readonly StoredMessage[]) => {
  const back = unpack(packed);
  expect(back.map((one) => Buffer.from(one.body).toString("hex"))).toEqual(
    sent.map((one) => Buffer.from(one.body).toString("hex")),
  );
  // A plain copy: generated records may have no prototype.
  const rest = (one: StoredMessage) => structuredClone({ ...one, body: 0 });
  expect(back.map(rest)).toStrictEqual(sent.map(rest));
};

describe("packing", () => {
  it("K2: gives back exactly what was packed, whatever it is", () => {
    fc.assert(
      fc.property(fc.array(messages, { minLength: 1, maxLength: 12 }), (sent) =>
        same(pack(sent), sent),
      ),
      { numRuns: 150 },
    );
  });

  it("K1, K3: is deflated where that is smaller, plain where it is not, and readable both ways", () => {
    const repeated = Array.from({ length: 50 }, () => stored({ body: Buffer.from("the same") }));
    const noise = Uint8Array.from(
      { length: 400 },
      (_, index) => Math.imul(index + 1, 2_654_435_761) >>> 24,
    );
    const incompressible = [stored({ kind: "bytes", contentType: "x", body: noise })];
    expect(pack(repeated)[0]).toBe(2);
    expect(pack(repeated).length).toBeLessThan(500);
    expect(pack(incompressible)[0]).toBe(1);
    same(pack(repeated), repeated);
    same(pack(incompressible), incompressible);
  });

  it("keeps the times of messages that differ from the first one's", () => {
    const sent = [
      stored(),
      stored({ visibleAt: epochMs(NOW + 5) }),
      stored({ sentAt: epochMs(NOW - 7) }),
      stored({ expiresAt: epochMs(NOW + 1) }),
    ];
    same(pack(sent), sent);
  });

  it("does not take one message's optional fields for the next one's", () => {
    const sent = [
      stored({ id: "a", dedupId: "b", headers: { h: "1" } }),
      stored(),
      stored({ id: "c" }),
    ];
    same(pack(sent), sent);
  });

  it("a body is of its own bytes, whichever view it was given as", () => {
    const wide = Buffer.from("..body..");
    const sent = [stored({ body: wide.subarray(2, 6) })];
    expect(Buffer.from(unpack(pack(sent))[0]?.body ?? []).toString()).toBe("body");
  });

  it("K1: refuses a version that it does not know, and an empty body", () => {
    const packed = pack([stored()]);
    for (const version of [0, 3, 255]) {
      packed[0] = version;
      expect(() => unpack(packed)).toThrow(/K1/);
    }
    expect(() => unpack(new Uint8Array())).toThrow(/K1/);
  });

  it("K2: refuses a kind that it does not know", () => {
    const raw = encode([[0, 0, 0], [[3, new Uint8Array(1), 0, 0, 0]]]);
    expect(() => unpack(Buffer.concat([Buffer.from([1]), raw]))).toThrow(/K2/);
  });

  it("K3: inflates no bomb", () => {
    const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024));
    expect(() => unpack(Buffer.concat([Buffer.from([2]), bomb]))).toThrow(
      expect.objectContaining({ code: "ERR_BUFFER_TOO_LARGE" }),
    );
  });

  it("K3: inflates the largest entry that a sender makes: a full chunk's worth and one inline message", () => {
    const largest = stored({
      kind: "bytes",
      contentType: "application/octet-stream",
      body: new Uint8Array(LIMITS.inlineMessageBytes),
      headers: { h: "é".repeat(LIMITS.headerBytesTotal / 2) },
    });
    const sent = [stored({ body: new Uint8Array(LIMITS.entryRawBytes) }), largest];
    same(pack(sent), sent);
  });

  it("a message's packed size is never estimated below what its body, headers and ids take", () => {
    fc.assert(
      fc.property(messages, (message) => {
        const { length } = message.body;
        const headers = Object.entries(message.headers).reduce(
          (sum, [name, value]) => sum + name.length + Buffer.byteLength(value),
          0,
        );
        expect(packedBytes(message)).toBeGreaterThanOrEqual(
          length + headers + (message.id?.length ?? 0) + (message.dedupId?.length ?? 0),
        );
      }),
    );
  });
});
