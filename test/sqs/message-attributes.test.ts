/** Hunts attributes that AWS would refuse, those that it would not, and values that change on their way. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { SqsError } from "../../src/sqs/errors.ts";
import {
  attributeBytes,
  attributeMap,
  attributesIn,
  attributesOf,
  contentOf,
  traceHeaderOf,
} from "../../src/sqs/message-attributes.ts";
import type { AttributeValue } from "../../src/sqs/message-attributes.ts";

const given = (map: Record<string, AttributeValue>) => attributesOf(map);
const string = (StringValue: string, DataType = "String"): AttributeValue => ({
  DataType,
  StringValue,
});
const binary = (BinaryValue: string, DataType = "Binary"): AttributeValue => ({
  DataType,
  BinaryValue,
});
const invalid = (message: string) => new SqsError("InvalidParameterValue", message);

describe("message attributes", () => {
  it("A1: come back as they were, by way of headers", () => {
    const map = {
      plain: string("text"),
      custom: string("text", "String.xml"),
      number: string("-1.50e3", "Number.java.lang.Double"),
      bytes: binary("AP8="),
      image: binary("AQID", "Binary.png"),
      constructor: string("as good as any name"),
      "Zürich.ß-9_": string("\r\n\t<&>"),
    };
    const content = contentOf(given(map), undefined);
    expect(content.headers).toMatchObject({ plain: "text", bytes: "AP8=" });
    expect(content.sqs).toEqual({
      types: {
        custom: "String.xml",
        number: "Number.java.lang.Double",
        bytes: "Binary",
        image: "Binary.png",
      },
    });
    expect(attributeMap(attributesIn(content, () => true))).toEqual(map);
  });

  it("A1: headers of REST are Strings, whatever their names", () => {
    const headers = { a: "1", toString: "2", "with space": "3" };
    expect(attributesIn({ headers }, () => true).map(({ type }) => type)).toEqual([
      "String",
      "String",
      "String",
    ]);
    const sqs = { types: { a: "Number" } };
    expect(attributesIn({ headers, sqs }, (name) => name !== "with space")).toEqual([
      { name: "a", type: "Number", value: "1" },
      { name: "toString", type: "String", value: "2" },
    ]);
  });

  it("base64 without padding is taken, and given with it", () => {
    expect(attributeMap(given({ b: binary("AP8") }))).toEqual({ b: binary("AP8=") });
  });

  it("count by names, types and values, those of Binary as bytes", () => {
    expect(attributeBytes(given({ k: string("x") }))).toBe(8);
    expect(attributeBytes(given({ ü: string("1", "Number.a"), b: binary("AP8=") }))).toBe(20);
  });

  it.each(["a", "a.b", "-", "_", "9", "ä.1øßä", "aws", "amazonas.x", "x".repeat(256)])(
    "may have the name %s",
    (name) => {
      expect(given({ [name]: string("v") })).toHaveLength(1);
    },
  );

  const RESERVED =
    "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved for internal use.";
  it.each([
    ["", "The request must contain non-empty message (user) attribute names."],
    ["x".repeat(257), "Message (user) attribute name must be shorter than 256 bytes."],
    ["aWs.x", RESERVED],
    ["AMAZON.x", RESERVED],
    [".x", "The message (user) attribute name '.x' can't start or end with a '.' character."],
    ["x.", "The message (user) attribute name 'x.' can't start or end with a '.' character."],
    ["x..y", "The message (user) attribute name 'x..y' can't have successive '.' characters."],
    [
      "x!y",
      "Invalid non-alphanumeric character '#x21' was found in the message (user) attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.",
    ],
    ["__proto__", "LaneMQ takes no message attribute of the name '__proto__'."],
  ])("may not have the name %j", (name, message) => {
    const map = Object.fromEntries([[name, string("v")]]);
    expect(() => given(map)).toThrow(invalid(message));
  });

  it.each(["§", "(", "?", " ", '"', "\u{1f600}"])("may not have a name with %s", (character) => {
    expect(() => given({ [`x${character}y`]: string("v") })).toThrow(/^Invalid non-alphanumeric/);
  });

  it("are at most ten", () => {
    const map = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`a${at}`, string("v")]));
    expect(given(map(10))).toHaveLength(10);
    expect(() => given(map(11))).toThrow(
      invalid("Number of message attributes [11] exceeds the allowed maximum [10]."),
    );
  });

  const TYPES = "You must use only the following supported type prefixes: Binary, Number, String.";
  it.each<[string, AttributeValue, string]>([
    [
      "no value",
      {},
      "The message (user) attribute 'a' must contain a non-empty message attribute value.",
    ],
    [
      "no type",
      { StringValue: "x" },
      "The message (user) attribute 'a' must contain a non-empty message attribute type.",
    ],
    [
      "another type",
      string("x", "Text"),
      `The type of message (user) attribute 'a' is invalid. ${TYPES}`,
    ],
    [
      "a type in lower case",
      string("x", "string"),
      `The type of message (user) attribute 'a' is invalid. ${TYPES}`,
    ],
    [
      "a longer word",
      string("x", "Strings"),
      `The type of message (user) attribute 'a' is invalid. ${TYPES}`,
    ],
    [
      "a long type",
      string("x", `String.${"x".repeat(250)}`),
      "Message (user) attribute type must be shorter than 256 bytes.",
    ],
    [
      "an empty String",
      string(""),
      "Message (user) attribute 'a' must contain a non-empty value of type 'String'.",
    ],
    [
      "an empty Number",
      string("", "Number"),
      "Message (user) attribute 'a' must contain a non-empty value of type 'String'.",
    ],
    [
      "an empty Binary",
      binary(""),
      "Message (user) attribute 'a' must contain a non-empty value of type 'Binary'.",
    ],
    [
      "bytes for a String",
      { DataType: "String", BinaryValue: "AA==" },
      "Message (user) attribute 'a' must contain a non-empty value of type 'String'.",
    ],
    [
      "both",
      { ...string("x"), BinaryValue: "AA==" },
      "The message (user) attribute 'a' has multiple values.",
    ],
    [
      "no base64",
      binary("*"),
      "The message (user) attribute 'a' contains an invalid Base64 Encoded String as a binary value.",
    ],
    [
      "no number",
      string("world", "Number"),
      "Can't cast the value of message (user) attribute 'a' to a number.",
    ],
    [
      "a character that XML has not",
      string("x\u0008"),
      "Invalid binary character '#x8' was found in the message (user) attribute 'a' value, the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]",
    ],
  ])("are refused with %s", (_, value, message) => {
    expect(() => given({ a: value })).toThrow(invalid(message));
  });

  it.each<AttributeValue>([
    { DataType: "StringList", StringListValues: ["x"] },
    { DataType: "BinaryList", BinaryListValues: ["AA=="] },
  ])("that are lists are not supported: $DataType", (value) => {
    const message = "Message attribute list values in SendMessage operation are not supported.";
    expect(() => given({ a: value })).toThrow(new SqsError("UnsupportedOperation", message));
  });

  it("of more bytes than LaneMQ stores with a message are refused in plain words", () => {
    const fits = LIMITS.attributeBytes - 1;
    expect(contentOf(given({ a: string("x".repeat(fits)) }), undefined).headers["a"]).toHaveLength(
      fits,
    );
    expect(() => contentOf(given({ a: string("x".repeat(fits + 1)) }), undefined)).toThrow(
      `LaneMQ stores at most ${LIMITS.attributeBytes} bytes of attributes with a message.`,
    );
  });
});

describe("numbers", () => {
  it.each([
    "0",
    "-0",
    "1",
    "+1",
    "007",
    "1.",
    ".5",
    "-1.5",
    "1e10",
    "1E-10",
    "0e999",
    "1e126",
    "9.9e126",
    "1e-128",
    "12345678901234567890123456789012345678",
    `1${"0".repeat(60)}`,
  ])("that AWS takes: %s", (text) => {
    expect(given({ n: string(text, "Number") })).toEqual([
      { name: "n", type: "Number", value: text },
    ]);
  });

  it.each(["", "x", "1x", "NaN", "Infinity", "0x10", "1e", "1,5", ".", "-", " 1", "1e1.5"])(
    "that are none: %j",
    (text) => {
      expect(() => given({ n: string(text, "Number.a") })).toThrow(SqsError);
    },
  );

  it.each([
    ["1e127", /scale must be between 10\^-128 and 10\^126\.$/],
    ["1e-129", /scale must be/],
    ["1e999999999", /scale must be/],
    ["123456789012345678901234567890123456789", /at most 38 precision digits\.$/],
  ])("that are too large, too small or too long: %s", (text, message) => {
    expect(() => given({ n: string(text, "Number") })).toThrow(message);
  });
});

describe("system attributes", () => {
  it("are the trace header, a String", () => {
    expect(traceHeaderOf(undefined)).toBeUndefined();
    expect(traceHeaderOf({ AWSTraceHeader: string("Root=1") })).toBe("Root=1");
    expect(contentOf([], "Root=1")).toEqual({ headers: {}, sqs: { trace: "Root=1" } });
  });

  it.each<[Record<string, AttributeValue>, string]>([
    [{ Hello: string("x") }, "Message system attribute name 'Hello' is invalid."],
    [
      { AWSTraceHeader: string("1", "Number") },
      "The type of message (system) attribute 'AWSTraceHeader' is invalid. You must use String.",
    ],
    [
      { AWSTraceHeader: string("") },
      "Message (system) attribute 'AWSTraceHeader' must contain a non-empty value of type 'String'.",
    ],
  ])("%j is refused", (map, message) => {
    expect(() => traceHeaderOf(map)).toThrow(invalid(message));
  });
});
