import { describe, expect, test } from "vitest";
import { itemJson } from "../../src/local/item-json.ts";
import { fromItem, toAttributes } from "../../src/store/dynamodb-values.ts";
import type { Item, Value } from "../../src/store/port.ts";
import { storedItem } from "../../src/store/values.ts";

const KEY = { pk: "p", sk: "s" };

/** As the SDK writes attributes: bytes as base64. */
const bySdk = (item: Item): unknown =>
  JSON.parse(
    JSON.stringify(toAttributes(item), (_name, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value,
    ),
  );

const VALUES: Readonly<Record<string, Value>> = {
  text: "a",
  "text that JSON escapes": 'a"b\\c\n\u0000\u2028\ud800 é 😀',
  "no text": "",
  zero: 0,
  "minus zero": -0,
  integer: 1795999999123,
  fraction: -0.25,
  "a large number": 1e21,
  yes: true,
  no: false,
  bytes: Uint8Array.of(0, 255, 7),
  "bytes of a larger buffer": new Uint8Array(Uint8Array.of(1, 2, 3, 4).buffer, 1, 2),
  "no bytes": new Uint8Array(),
  set: new Set(["a", 'b"', "ü"]),
  "empty set": new Set<string>(),
  list: ["a", 1, true, ["b"], { c: 2 }],
  "empty list": [],
  map: { a: 1, b: { c: new Set(["d"]) }, gone: new Set<string>() },
  "empty map": {},
};

describe("an item as DynamoDB's JSON", () => {
  test.each(Object.entries(VALUES))("%s", (name, value) => {
    const item: Item = { ...KEY, [name]: value };
    expect(JSON.parse(itemJson(item))).toEqual(bySdk(item));
  });

  test("with all of it, and read again", () => {
    const item: Item = { ...KEY, ...VALUES };
    const read = JSON.parse(itemJson(item)) as Record<string, { B?: unknown }>;
    expect(read).toEqual(bySdk(item));
    const withBytes = Object.fromEntries(
      Object.entries(read).map(([name, attribute]) => [
        name,
        typeof attribute.B === "string"
          ? { B: new Uint8Array(Buffer.from(attribute.B, "base64")) }
          : attribute,
      ]),
    );
    expect(fromItem(withBytes as Parameters<typeof fromItem>[0])).toEqual(storedItem(item));
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("%d is refused (V2)", (value) => {
    expect(() => itemJson({ ...KEY, value })).toThrow(/V2/);
  });

  test("an empty set in a list is refused (V1)", () => {
    expect(() => itemJson({ ...KEY, list: [new Set<string>()] })).toThrow(/V1/);
  });
});
