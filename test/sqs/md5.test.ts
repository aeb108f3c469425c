/** Hunts digests that clients would refuse. All figures were answered by AWS. */
import { describe, expect, it } from "vitest";
import { md5, md5OfAttributes } from "../../src/sqs/md5.ts";
import type { Attribute } from "../../src/sqs/md5.ts";

const string = (name: string, value: string, type = "String"): Attribute => ({ name, type, value });
const TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const help = string("Help.Me", "Me");
const hello = string("Hello", "There");
const general = string("General", "Kenobi");

describe("digests", () => {
  it("of bodies are MD5 of UTF-8", () => {
    expect(md5("msg")).toBe("6e2baaf3b97dbeef01c0043275f9a0e7");
    expect(md5(Buffer.from("msg"))).toBe("6e2baaf3b97dbeef01c0043275f9a0e7");
  });

  const examples: readonly [string, string, readonly Attribute[]][] = [
    ["one String", "ae7155c6026991b6d54b11589678bf9c", [string("Foo", "Bar")]],
    ["several, by name", "4c360f3fdafd970e05fae2f149d997f5", [help, hello, general]],
    ["in another order", "4c360f3fdafd970e05fae2f149d997f5", [general, help, hello]],
    ["some of them", "fca026605781cb4126a1e9044df24232", [hello, general]],
    ["others of them", "83fee93c1bcd8b9a5a923ffacdc636c7", [hello, help]],
    [
      "a Number",
      "235c5c510d26fb653d073faed50ae77c",
      [string("timestamp", "1493147359900", "Number")],
    ],
    [
      "a type with a custom suffix",
      "797ab158d73dcb5242dedc4412c8e855",
      [string("UserId", "1234567890123456789012", "Number.bigint")],
    ],
    [
      "a Binary",
      "8cbe4db156db8a94db8b801b7addb984",
      [
        {
          name: "attr1",
          type: "Binary",
          value: Buffer.from(
            "traceparent\u001e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01",
          ),
        },
      ],
    ],
    ["a trace header", "5ae4d5d7636402d80f4eb6d213245a88", [string("AWSTraceHeader", TRACE)]],
  ];
  it.each(examples)("D1: of %s", (_, digest, attributes) => {
    expect(md5OfAttributes(attributes)).toBe(digest);
  });

  it("of no attributes are left out", () => {
    expect(md5OfAttributes([])).toBeUndefined();
  });
});
