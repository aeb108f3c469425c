/** Hunts for two messages that are taken for one, and for repeats that are not recognised. */
import { describe, expect, it } from "vitest";
import {
  DEFAULT_DEDUP,
  dedupName,
  fingerprint,
  givenDedupId,
  requestName,
  slotName,
} from "../../src/core/dedup.ts";
import type { OutgoingMessage } from "../../src/core/message.ts";
import { epochMs } from "../../src/core/types.ts";

const message = (more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  kind: "text",
  body: Buffer.from("hello"),
  contentType: "text/plain",
  headers: {},
  ...more,
});

const CONTENT = { ...DEFAULT_DEDUP, contentBased: true };
const OF_KEY = { ...DEFAULT_DEDUP, scope: "key" as const };

describe("what a message is remembered by", () => {
  it("is nothing without an id, unless the content is asked for", () => {
    expect(dedupName(message(), DEFAULT_DEDUP)).toBeUndefined();
    expect(dedupName(message(), CONTENT)).toBe(dedupName(message(), CONTENT));
  });

  it("U2: is of the content its kind and bytes alone", () => {
    const name = dedupName(message(), CONTENT);
    expect(dedupName(message({ headers: { a: "b" }, contentType: "x/y" }), CONTENT)).toBe(name);
    expect(dedupName(message({ kind: "bytes" }), CONTENT)).not.toBe(name);
    expect(dedupName(message({ body: Buffer.from("hello!") }), CONTENT)).not.toBe(name);
  });

  it("is the id where there is one, whatever the content", () => {
    const name = dedupName(message({ dedupId: "d" }), CONTENT);
    expect(dedupName(message({ dedupId: "d", body: Buffer.from("else") }), CONTENT)).toBe(name);
  });

  it("is told by the key only where the scope says so", () => {
    const [a, b] = ["a", "b"].map((key) => message({ key, dedupId: "d" }));
    if (a === undefined || b === undefined) throw new Error("unreachable");
    expect(dedupName(a, DEFAULT_DEDUP)).toBe(dedupName(b, DEFAULT_DEDUP));
    expect(dedupName(a, OF_KEY)).not.toBe(dedupName(b, OF_KEY));
  });

  it("U3: is another once the queue was cleared, and another with each clearing", () => {
    for (const settings of [DEFAULT_DEDUP, OF_KEY, CONTENT]) {
      for (const one of [message({ dedupId: "d" }), message({ dedupId: "d", key: "a" })]) {
        const names = [undefined, 1, 2].map((at) =>
          dedupName(one, settings, at === undefined ? undefined : epochMs(at)),
        );
        expect(new Set(names).size).toBe(3);
      }
    }
  });

  it("U1: never meets another sort's, whatever users choose", () => {
    const hash = dedupName(message(), CONTENT)?.split("#")[1] ?? "";
    const names = [
      dedupName(message(), CONTENT),
      dedupName(message({ dedupId: hash }), CONTENT),
      dedupName(message({ dedupId: "b#c", key: "a" }), OF_KEY),
      dedupName(message({ dedupId: "c", key: "a#b" }), OF_KEY),
      dedupName(message({ dedupId: "1#a#b#c" }), OF_KEY),
      dedupName(message({ dedupId: "c" }), OF_KEY),
      dedupName(message({ dedupId: "c" }), DEFAULT_DEDUP, epochMs(12)),
      dedupName(message({ dedupId: "c", key: "a#b" }), OF_KEY, epochMs(12)),
      dedupName(message(), CONTENT, epochMs(12)),
      requestName("c"),
      requestName("0#c"),
      slotName("c", 0),
      slotName("c", 1),
      slotName("0#c", 0),
    ];
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("the fingerprint of a request", () => {
  const base = [message({ headers: { a: "1", b: "2" } }), message({ key: "k" })];

  it("is the same however headers are ordered", () => {
    const same = [message({ headers: { b: "2", a: "1" } }), message({ key: "k" })];
    expect(fingerprint(same)).toBe(fingerprint(base));
  });

  it.each<[string, OutgoingMessage[]]>([
    [
      "another body",
      [message({ body: Buffer.from("x"), headers: { a: "1", b: "2" } }), base[1] ?? message()],
    ],
    ["another header", [message({ headers: { a: "1", b: "3" } }), base[1] ?? message()]],
    ["another key", [base[0] ?? message(), message({ key: "l" })]],
    ["another order", base.toReversed()],
    ["a message more", [...base, message()]],
  ])("differs for %s", (_, other) => {
    expect(fingerprint(other)).not.toBe(fingerprint(base));
  });
});

describe("what a name was made of", () => {
  const named = (more: Partial<OutgoingMessage>, settings = DEFAULT_DEDUP) =>
    givenDedupId(dedupName(message(more), settings) ?? "");

  it("is the id that the sender gave, whatever is in it", () => {
    for (const dedupId of ["d", "#", "1#2", "content#", "1#a#b"])
      for (const key of ["k", "1#k", "##"]) {
        expect(named({ dedupId })).toEqual({ id: dedupId });
        expect(named({ dedupId, key }, OF_KEY)).toEqual({ id: dedupId });
      }
  });

  it("is the content where no id was given", () => {
    expect(named({}, CONTENT)).toBe("content");
    expect(named({ key: "k" }, { ...OF_KEY, contentBased: true })).toBe("content");
  });

  it("is nothing that a sender knows of for a place or a request", () => {
    for (const name of ["deadLetter#q/0/1", "redrive#q/0/1", requestName("c"), slotName("c", 0)])
      expect(givenDedupId(name)).toBeUndefined();
  });
});
