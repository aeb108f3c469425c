/** Event patterns: the operators by example, bad patterns by their place, and a naive matcher beside. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isLaneError } from "../../src/core/errors.ts";
import { matches, parsePattern, subjectOf } from "../../src/core/pattern.ts";
import { matchesNaively } from "./naive-pattern.ts";

const headers = { type: "order.placed", region: "eu-west-1", size: "12.5" };
const body = {
  state: "running",
  price: 5,
  paid: false,
  note: null,
  tags: ["red", "Blue"],
  grid: [[1, 2], [3]],
  lines: [
    { sku: "a-1", amount: 1 },
    { sku: "b-2", amount: 20 },
  ],
  empty: [],
};

const isMatch = (pattern: unknown): boolean =>
  matches(parsePattern(pattern), { headers, body }) && matchesNaively(pattern, { headers, body });
const onBody = (pattern: unknown): boolean => isMatch({ body: pattern });
const onHeaders = (pattern: unknown): boolean => isMatch({ headers: pattern });

describe("a pattern", () => {
  it("takes one of the values of each field", () => {
    expect(onBody({ state: ["stopped", "running"] })).toBe(true);
    expect(onBody({ state: ["stopped"] })).toBe(false);
    expect(onBody({ state: ["running"], price: [6] })).toBe(false);
    expect(onBody({ price: [5.0], paid: [false], note: [null] })).toBe(true);
    expect(onBody({ price: ["5"] })).toBe(false);
    expect(onHeaders({ type: ["order.placed"], region: ["eu-west-1"] })).toBe(true);
  });

  it("takes text by prefix, suffix, wildcard and without regard to case", () => {
    expect(onHeaders({ type: [{ prefix: "order." }] })).toBe(true);
    expect(onHeaders({ type: [{ prefix: "Order." }] })).toBe(false);
    expect(onHeaders({ type: [{ prefix: { "equals-ignore-case": "ORDER." } }] })).toBe(true);
    expect(onHeaders({ type: [{ suffix: ".placed" }] })).toBe(true);
    expect(onHeaders({ type: [{ suffix: { "equals-ignore-case": ".PLACED" } }] })).toBe(true);
    expect(onBody({ state: [{ "equals-ignore-case": "RUNNING" }] })).toBe(true);
    expect(onHeaders({ type: [{ wildcard: "o*r.*d" }] })).toBe(true);
    expect(onHeaders({ type: [{ wildcard: "o*r.*x" }] })).toBe(false);
    expect(onBody({ price: [{ prefix: "5" }] })).toBe(false);
  });

  it.each([
    ["*", "", true],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["*ab*ab*", "ab ab", true],
    ["*ab*ab*", "abab", true],
    ["*ab*bc", "abc", false],
    ["a\\*b", "a*b", true],
    ["a\\*b", "axb", false],
    ["a\\\\*", "a\\x", true],
    ["\\**", "*x", true],
    ["plain", "plain", true],
    ["plain", "plainer", false],
  ])("takes wildcard %s against %j as %s", (wildcard, name, expected) => {
    const pattern = { headers: { name: [{ wildcard }] } };
    expect(matches(parsePattern(pattern), { headers: { name }, body: undefined })).toBe(expected);
  });

  it("does not lose itself in a wildcard with many stars", () => {
    const wildcard = `${"a*".repeat(500)}b`;
    const subject = { headers: { name: "a".repeat(100_000) }, body: undefined };
    expect(matches(parsePattern({ headers: { name: [{ wildcard }] } }), subject)).toBe(false);
  });

  it("takes numbers by ranges, and headers that are numbers", () => {
    expect(onBody({ price: [{ numeric: [">", 4, "<=", 5] }] })).toBe(true);
    expect(onBody({ price: [{ numeric: [">", 5] }] })).toBe(false);
    expect(onBody({ price: [{ numeric: ["=", 5] }] })).toBe(true);
    expect(onBody({ state: [{ numeric: [">", 0] }] })).toBe(false);
    expect(onHeaders({ size: [{ numeric: [">=", 12.5] }] })).toBe(true);
    expect(onHeaders({ region: [{ numeric: [">=", 0] }] })).toBe(false);
  });

  it("knows what is there", () => {
    expect(onBody({ note: [{ exists: true }] })).toBe(true);
    expect(onBody({ other: [{ exists: true }] })).toBe(false);
    expect(onBody({ other: [{ exists: false }] })).toBe(true);
    expect(onBody({ other: { deep: [{ exists: false }] } })).toBe(true);
    expect(onBody({ empty: [{ exists: false }] })).toBe(true);
    expect(onHeaders({ other: ["x", { exists: false }] })).toBe(true);
    // As in EventBridge, only what is no object counts as a value.
    expect(onBody({ lines: [{ exists: true }] })).toBe(false);
    expect(onBody({ constructor: [{ exists: true }] })).toBe(false);
    expect(onHeaders({ toString: [{ exists: false }] })).toBe(true);
  });

  it("takes anything but what it names", () => {
    expect(onBody({ state: [{ "anything-but": "running" }] })).toBe(false);
    expect(onBody({ state: [{ "anything-but": ["stopped", 5] }] })).toBe(true);
    expect(onBody({ paid: [{ "anything-but": [true] }] })).toBe(true);
    expect(onBody({ other: [{ "anything-but": "x" }] })).toBe(false);
    expect(onHeaders({ region: [{ "anything-but": { prefix: ["us-", "eu-"] } }] })).toBe(false);
    expect(onHeaders({ region: [{ "anything-but": { suffix: "-2" } }] })).toBe(true);
    expect(onHeaders({ region: [{ "anything-but": { wildcard: "*west*" } }] })).toBe(false);
    expect(onBody({ state: [{ "anything-but": { "equals-ignore-case": "Running" } }] })).toBe(
      false,
    );
  });

  it("takes one of several objects under $or, at any depth", () => {
    expect(onBody({ $or: [{ state: ["stopped"] }, { price: [5] }] })).toBe(true);
    expect(onBody({ paid: [true], $or: [{ price: [5] }] })).toBe(false);
    expect(isMatch({ $or: [{ headers: { type: ["x"] } }, { body: { price: [5] } }] })).toBe(true);
    expect(onHeaders({ $or: [{ type: ["x"] }, { region: ["y"] }] })).toBe(false);
  });

  it("looks into arrays, and asks all of one element", () => {
    expect(onBody({ tags: ["red"] })).toBe(true);
    expect(onBody({ tags: [{ "anything-but": "red" }] })).toBe(true);
    expect(onBody({ grid: [3] })).toBe(true);
    expect(onBody({ lines: { sku: ["b-2"], amount: [{ numeric: [">", 10] }] } })).toBe(true);
    expect(onBody({ lines: { sku: ["a-1"], amount: [{ numeric: [">", 10] }] } })).toBe(false);
  });

  it("takes a body that is a plain value", () => {
    const pattern = parsePattern({ body: [5, "five"] });
    expect(matches(pattern, { headers: {}, body: "five" })).toBe(true);
    expect(matches(pattern, { headers: {}, body: 6 })).toBe(false);
    expect(matches(pattern, { headers: {}, body: undefined })).toBe(false);
  });

  it("looks at a body of any depth", () => {
    const deep = JSON.parse(`${"[".repeat(200_000)}7${"]".repeat(200_000)}`) as unknown;
    expect(matches(parsePattern({ body: { a: [7] } }), { headers: {}, body: { a: deep } })).toBe(
      true,
    );
  });
});

describe("the body", () => {
  const message = (kind: "json" | "text" | "bytes", text: string, contentType = "text/plain") => ({
    kind,
    body: Buffer.from(text),
    contentType,
    headers,
  });
  const pattern = parsePattern({ headers: { type: ["order.placed"] }, body: { a: [1] } });

  it("is JSON by kind, or text by its content type", () => {
    expect(matches(pattern, subjectOf(message("json", '{"a":1}')))).toBe(true);
    expect(matches(pattern, subjectOf(message("text", '{"a":1}')))).toBe(false);
    const typed = message("text", '{"a":1}', "application/vnd.shop+json; charset=utf-8");
    expect(matches(pattern, subjectOf(typed))).toBe(true);
    expect(matches(pattern, subjectOf(message("bytes", '{"a":1}', "application/json")))).toBe(
      false,
    );
    expect(matches(pattern, subjectOf(message("text", "{", "application/json")))).toBe(false);
  });

  it("is read only where the headers match and the pattern asks for it", () => {
    let reads = 0;
    const subject = (type: string) => ({
      headers: { type },
      get body() {
        reads += 1;
        return { a: 1 };
      },
    });
    expect(matches(pattern, subject("other"))).toBe(false);
    expect(matches(parsePattern({ headers: { type: ["x"] } }), subject("x"))).toBe(true);
    expect(reads).toBe(0);
    expect(matches(pattern, subject("order.placed"))).toBe(true);
    expect(reads).toBe(1);
    expect(pattern.readsBody).toBe(true);
    expect(parsePattern({ headers: { type: ["x"] } }).readsBody).toBe(false);
  });
});

describe("a pattern that is not valid names the place", () => {
  const nested = (depth: number): unknown => (depth === 0 ? ["x"] : { a: nested(depth - 1) });

  const bad: readonly (readonly [unknown, string, string])[] = [
    ["x", "filter", "must be an object"],
    [{}, "filter", "must have at least one field"],
    [{ detail: {} }, "filter.detail", "is not a field of messages; headers and body are"],
    [{ body: { a: "x" } }, "filter.body.a", "must be an array of alternatives or an object"],
    [{ body: { a: [] } }, "filter.body.a", "must have at least one alternative"],
    [{ headers: { a: { b: ["x"] } } }, "filter.headers.a", "must be an array of alternatives"],
    [
      { headers: { a: [5] } },
      "filter.headers.a[0]",
      'must be a string or an operator, for headers are text: "5"',
    ],
    [
      { body: { a: ["x", ["y"]] } },
      "filter.body.a[1]",
      "must be a value or an object of one operator",
    ],
    [
      { body: { a: [{ like: "y" }] } },
      "filter.body.a[0]",
      "has an operator that is not known: like",
    ],
    [
      { body: { a: [{ prefix: "x", suffix: "y" }] } },
      "filter.body.a[0]",
      "must be a value or an object of one operator",
    ],
    [
      { body: { a: [{ prefix: 5 }] } },
      "filter.body.a[0].prefix",
      "must be a value or an object of one operator",
    ],
    [{ body: { a: [{ exists: "yes" }] } }, "filter.body.a[0].exists", "must be true or false"],
    [
      { body: { a: [{ numeric: [">"] }] } },
      "filter.body.a[0].numeric",
      'must be one or two comparisons, as in [">", 0, "<=", 5]',
    ],
    [
      { body: { a: [{ numeric: ["~", 1] }] } },
      "filter.body.a[0].numeric[0]",
      "must be one of = > >= < <=",
    ],
    [{ body: { a: [{ numeric: [">", "1"] }] } }, "filter.body.a[0].numeric[1]", "must be a number"],
    [
      { body: { a: [{ numeric: ["<", 1, ">", 0] }] } },
      "filter.body.a[0].numeric",
      "must have a lower bound first and then an upper one",
    ],
    [
      { body: { a: [{ numeric: [">", 1, "<", 1] }] } },
      "filter.body.a[0].numeric",
      "must have a lower bound below the upper one",
    ],
    [
      { body: { a: [{ wildcard: "a**b" }] } },
      "filter.body.a[0].wildcard",
      "must not have one * right behind another",
    ],
    [
      { body: { a: [{ wildcard: "a\\b" }] } },
      "filter.body.a[0].wildcard",
      "must have \\ only before * or another \\",
    ],
    [
      { body: { a: [{ "anything-but": { numeric: [">", 1] } }] } },
      "filter.body.a[0].anything-but",
      "has an operator that is not known here: numeric",
    ],
    [
      { body: { a: [{ "anything-but": ["x", {}] }] } },
      "filter.body.a[0].anything-but[1]",
      "must be a value, not an object or an array",
    ],
    [{ $or: {} }, "filter.$or", "must be an array of objects"],
    [{ body: nested(20) }, "filter.body.a.a.a.a.a.a.a.a.a.a.a.a", "is nested more than 12 deep"],
    [
      { body: { a: Array.from({ length: 200 }, (_, index) => index) } },
      "filter.body.a",
      "brings the pattern to more than 128 alternatives",
    ],
    [
      { body: { a: [{ "anything-but": Array.from({ length: 200 }, (_, index) => index) }] } },
      "filter.body.a",
      "brings the pattern to more than 128 alternatives",
    ],
    [{ body: { a: ["x".repeat(5_000)] } }, "filter", "must have at most 4096 bytes as JSON"],
  ];

  it.each(bad.map(([pattern, path, message]) => [path, message, pattern] as const))(
    "%s %s",
    (path, message, pattern) => {
      try {
        parsePattern(pattern);
      } catch (error) {
        if (!isLaneError(error, "invalid-request")) throw error;
        expect(error.errors).toEqual([{ path, message }]);
        return;
      }
      expect.unreachable("it was taken");
    },
  );
});

/** Few names and values, so that patterns meet messages. */
const names = fc.constantFrom("a", "b", "__proto__", "toString");
const strings = fc.string({
  unit: fc.constantFrom("a", "B", "b", "1", "*", "\\", "é"),
  maxLength: 3,
});
const numbers = fc.integer({ min: -1, max: 2 });
const scalars = fc.oneof(strings, numbers, fc.boolean(), fc.constant(null));
const wildcards = fc
  .array(fc.constantFrom("a", "b", "B", "*", "\\*", "\\\\"), { maxLength: 5 })
  .map((pieces) => pieces.join(""))
  .filter((text) => !/(^|[^\\])(\\\\)*\*\*/.test(text));

const jsonValues = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalars,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(names, tie("value"), { maxKeys: 3 }),
  ),
})).value;

const textOperators = fc.oneof(
  strings.map((prefix) => ({ prefix })),
  strings.map((suffix) => ({ suffix })),
  strings.map((text) => ({ prefix: { "equals-ignore-case": text } })),
  strings.map((text) => ({ suffix: { "equals-ignore-case": text } })),
  strings.map((text) => ({ "equals-ignore-case": text })),
  wildcards.map((wildcard) => ({ wildcard })),
);
const signs = fc.constantFrom("=", ">", ">=", "<", "<=");
const operators = fc.oneof(
  textOperators,
  fc.boolean().map((exists) => ({ exists })),
  fc.tuple(signs, numbers).map((numeric) => ({ numeric })),
  fc
    .tuple(
      fc.constantFrom(">", ">="),
      numbers,
      fc.constantFrom("<", "<="),
      fc.integer({ min: 4, max: 6 }),
    )
    .map((numeric) => ({ numeric })),
  textOperators.map((inner) => ({ "anything-but": inner })).filter(isNotNested),
);
const excluded = <T>(values: fc.Arbitrary<T>) =>
  fc.oneof(values, fc.array(values, { minLength: 1, maxLength: 3 })).map((one) => ({
    "anything-but": one,
  }));
const alternatives = <T>(values: fc.Arbitrary<T>) =>
  fc.array(fc.oneof(values, operators, excluded(values)), { minLength: 1, maxLength: 5 });

function isNotNested(one: { "anything-but": object }): boolean {
  return Object.values(one["anything-but"]).every((value) => typeof value === "string");
}

const leaf = alternatives(scalars);
const flat = fc.dictionary(names, leaf, { minKeys: 1, maxKeys: 2 });
const bodyPatterns = fc.letrec((tie) => ({
  object: fc.oneof(
    fc.dictionary(names, tie("field"), { minKeys: 1, maxKeys: 2 }),
    fc.record({ a: leaf, $or: fc.array(flat, { minLength: 1, maxLength: 2 }) }, some("$or")),
  ),
  field: fc.oneof({ maxDepth: 2 }, leaf, tie("object")),
})).field;
const messageFields = {
  headers: fc.dictionary(names, alternatives(strings), { minKeys: 1, maxKeys: 2 }),
  body: bodyPatterns,
};
const parts = fc.oneof(
  fc.record(messageFields, some("headers")),
  fc.record(messageFields, some("body")),
);
const patterns = fc.oneof(
  parts,
  fc.record(
    { ...messageFields, $or: fc.array(parts, { minLength: 1, maxLength: 2 }) },
    some("$or"),
  ),
);

function some<Key extends string>(key: Key) {
  return { requiredKeys: [key] as [Key], noNullPrototype: true };
}

describe("over random patterns and messages", () => {
  it("the compiled matcher agrees with a naive one", () => {
    let matched = 0;
    let runs = 0;
    fc.assert(
      fc.property(
        patterns,
        fc.record({
          headers: fc.dictionary(names, strings, { minKeys: 2, maxKeys: 5 }),
          body: fc.oneof(fc.dictionary(names, jsonValues, { minKeys: 2 }), jsonValues),
        }),
        (pattern, subject) => {
          const found = matches(parsePattern(pattern), subject);
          runs += 1;
          if (found) matched += 1;
          expect(found).toBe(matchesNaively(pattern, subject));
        },
      ),
      { numRuns: 5_000 },
    );
    // The generator is worth nothing if hardly anything matches.
    expect(matched / runs).toBeGreaterThan(0.05);
  });
});
