/** Hunts for bodies whose raw text is not the value that JSON.parse sees. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { elementMemberTexts, memberText } from "../../src/core/json-span.ts";
import { hasLoneEscape } from "../../src/http/request-body.ts";

const space = fc.string({ unit: fc.constantFrom(" ", "\n", "\t", "\r"), maxLength: 2 });

/** Strings that look like structure, or like the keys searched for. */
const trickyString = fc.oneof(
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.constantFrom(
    "body",
    "messages",
    '"',
    "\\",
    '\\"',
    "{",
    "}",
    "]",
    '{"body":1}',
    ",",
    "__proto__",
  ),
);

/** A string as JSON, some of its characters needlessly escaped. */
const stringText = fc
  .tuple(trickyString, fc.infiniteStream(fc.boolean()))
  .map(([text, choices]) => {
    const units = text.split("").map((unit) => {
      const escape = `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
      const isAmbiguous =
        unit < " " || unit === '"' || unit === "\\" || /[\ud800-\udfff]/.test(unit);
      return isAmbiguous || choices.next().value ? escape : unit;
    });
    return `"${units.join("")}"`;
  });

const { value: jsonText } = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom("null", "true", "false", "0", "-0.50", "1e400", "12345678901234567890", "1E-2"),
    stringText,
    tie("array"),
    tie("object"),
  ),
  array: fc
    .array(fc.tuple(space, tie("value"), space), { maxLength: 4 })
    .map((items) => `[${items.map((item) => item.join("")).join(",")}]`),
  object: fc
    .array(
      fc.tuple(
        space,
        fc.oneof(stringText, fc.constantFrom('"body"', '"bo\\u0064y"', '"messages"')),
        space,
        space,
        tie("value"),
        space,
      ),
      { maxLength: 4 },
    )
    .map((members) => {
      const texts = members.map(([a, key, b, c, value, d]) => `${a}${key}${b}:${c}${value}${d}`);
      return `{${texts.join(",")}}`;
    }),
}));

const member = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;

const parsed = (text: string | undefined): unknown =>
  text === undefined ? undefined : JSON.parse(text);

test("the text of a member parses to what JSON.parse gives for it", () => {
  fc.assert(
    fc.property(jsonText, space, (text, around) => {
      const whole = around + text + around;
      expect(parsed(memberText(whole, "body"))).toStrictEqual(member(JSON.parse(whole), "body"));
    }),
    { numRuns: 3000 },
  );
});

test("so do the texts of a member of each element", () => {
  const batch = fc
    .tuple(fc.array(fc.tuple(space, jsonText, space), { maxLength: 4 }), space, jsonText)
    .map(([items, gap, other]) => {
      const array = items.map((item) => item.join("")).join(",");
      return `{${gap}"messages":[7],"other":${other},${gap}"messages":${gap}[${array}${gap}]${gap}}`;
    });
  fc.assert(
    fc.property(batch, (text) => {
      const elements = member(JSON.parse(text), "messages") as unknown[];
      expect(elementMemberTexts(text, "messages", "body").map(parsed)).toStrictEqual(
        elements.map((element) => member(element, "body")),
      );
    }),
    { numRuns: 2000 },
  );
});

test("nesting of any depth is skipped", () => {
  const deep = `${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}`;
  expect(memberText(`{"a":${deep},"body":${deep}}`, "body")).toBe(deep);
});

describe("halves of surrogate pairs", () => {
  test("an escape is found lone exactly if the string that it makes is ill-formed", () => {
    const unit = fc.constantFrom(
      "\\ud83d",
      "\\uDE00",
      "\\\\",
      "\\n",
      "ud800",
      "x",
      "😀",
      "\\u00e9",
    );
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 6 }), (units) => {
        const text = `"${units.join("")}"`;
        expect(hasLoneEscape(text)).toBe(!(JSON.parse(text) as string).isWellFormed());
      }),
      { numRuns: 3000 },
    );
  });
});
