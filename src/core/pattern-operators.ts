/**
 * The alternatives of one field of an event pattern: literal values, and objects of one operator.
 *
 * O1  Headers are text. `numeric` reads one that is a plain decimal number as that number; literals
 *     that no header can equal are refused.
 * O2  `exists: false` is the only alternative that an absent field matches.
 */
import { invalid, joinPath } from "./invalid.ts";

interface Alternatives {
  /** One of them matches a value that is neither object nor array. */
  readonly test: (leaf: unknown) => boolean;
  /** One of them matches a field that has no such value. */
  readonly absent: boolean;
}

type LeafTest = (leaf: unknown) => boolean;
type TextTest = (text: string) => boolean;

/** `count` is told of alternatives that stand within one. */
export function parseAlternatives(
  values: readonly unknown[],
  at: string,
  kind: "json" | "text",
  count: (alternatives: number) => void,
): Alternatives {
  if (values.length === 0) throw wrong(at, "must have at least one alternative");
  const literals = new Set<unknown>();
  const tests: LeafTest[] = [];
  let absent = false;
  for (const [index, value] of values.entries()) {
    const path = joinPath(at, index);
    if (isLiteral(value)) {
      literals.add(literal(value, path, kind));
      continue;
    }
    const [name, operand] = operator(value, path);
    const place = joinPath(path, name);
    if (name === "exists") {
      if (typeof operand !== "boolean") throw wrong(place, "must be true or false");
      if (operand) tests.push(() => true);
      else absent = true;
    } else if (name === "numeric") {
      tests.push(numeric(operand, place, kind));
    } else if (name === "anything-but") {
      tests.push(anythingBut(operand, place, kind, count));
    } else {
      if (!TEXT_OPERATORS.has(name))
        throw wrong(path, `has an operator that is not known: ${name}`);
      const test = textOperator(name, operand, place);
      tests.push((leaf) => typeof leaf === "string" && test(leaf));
    }
  }
  if (tests.length === 0) return { test: (leaf) => literals.has(leaf), absent };
  return { test: (leaf) => literals.has(leaf) || tests.some((test) => test(leaf)), absent };
}

const isLiteral = (value: unknown): boolean => value === null || typeof value !== "object";

function literal(value: unknown, at: string, kind: "json" | "text"): unknown {
  if (kind === "json" || typeof value === "string") return value;
  throw wrong(at, `must be a string or an operator, for headers are text: "${String(value)}"`);
}

function operator(value: unknown, at: string): readonly [string, unknown] {
  const entries =
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.entries(value)
      : [];
  const [first] = entries;
  if (first === undefined || entries.length > 1) {
    throw wrong(at, "must be a value or an object of one operator");
  }
  return first;
}

const TEXT_OPERATORS: ReadonlySet<string> = new Set([
  "prefix",
  "suffix",
  "equals-ignore-case",
  "wildcard",
]);

function textOperator(name: string, operand: unknown, at: string): TextTest {
  if (name === "wildcard") return wildcard(string(operand, at), at);
  if (name === "equals-ignore-case") {
    const folded = fold(string(operand, at));
    return (leaf) => fold(leaf) === folded;
  }
  const test = name === "prefix" ? startsWith : endsWith;
  if (typeof operand === "string") return test(operand);
  const [inner, text] = operator(operand, at);
  if (inner !== "equals-ignore-case") {
    throw wrong(at, "must be a string or an object of equals-ignore-case");
  }
  const folded = test(fold(string(text, joinPath(at, inner))));
  return (leaf) => folded(fold(leaf));
}

const startsWith =
  (prefix: string): TextTest =>
  (text) =>
    text.startsWith(prefix);

const endsWith =
  (suffix: string): TextTest =>
  (text) =>
    text.endsWith(suffix);

const fold = (text: string): string => text.toLowerCase();

/** `*` stands for any run of characters, none included; `\*` and `\\` for themselves. */
function wildcard(pattern: string, at: string): TextTest {
  const pieces = [""];
  for (let index = 0; index < pattern.length; index++) {
    let character = pattern.charAt(index);
    if (character === "*") {
      if (pattern.charAt(index - 1) === "*" && pieces.at(-1) === "") {
        throw wrong(at, "must not have one * right behind another");
      }
      pieces.push("");
      continue;
    }
    if (character === "\\") {
      character = pattern.charAt(++index);
      if (character !== "*" && character !== "\\") {
        throw wrong(at, "must have \\ only before * or another \\");
      }
    }
    pieces.push(`${pieces.pop() ?? ""}${character}`);
  }
  const [first = "", ...others] = pieces;
  const last = others.pop();
  if (last === undefined) return (text) => text === first;
  return (text) => {
    if (!text.startsWith(first) || !text.endsWith(last)) return false;
    // The leftmost place of each piece leaves the most room for those behind it: none is tried twice.
    let from = first.length;
    for (const piece of others) {
      const found = text.indexOf(piece, from);
      if (found < 0) return false;
      from = found + piece.length;
    }
    return from + last.length <= text.length;
  };
}

/** Also `false` and `null` are anything but "x"; an absent field is not. */
function anythingBut(
  operand: unknown,
  at: string,
  kind: "json" | "text",
  count: (alternatives: number) => void,
): LeafTest {
  if (isLiteral(operand) || Array.isArray(operand)) {
    const values = listOf(operand, at, count);
    const excluded = new Set(
      values.map((value, index) => {
        const path = Array.isArray(operand) ? joinPath(at, index) : at;
        if (!isLiteral(value)) throw wrong(path, "must be a value, not an object or an array");
        return literal(value, path, kind);
      }),
    );
    return (leaf) => !excluded.has(leaf);
  }
  const [name, inner] = operator(operand, at);
  const place = joinPath(at, name);
  if (!TEXT_OPERATORS.has(name)) throw wrong(at, `has an operator that is not known here: ${name}`);
  const tests = listOf(inner, place, count).map((one, index) => {
    const path = Array.isArray(inner) ? joinPath(place, index) : place;
    return textOperator(name, string(one, path), path);
  });
  return (leaf) => typeof leaf !== "string" || !tests.some((test) => test(leaf));
}

function listOf(
  value: unknown,
  at: string,
  count: (alternatives: number) => void,
): readonly unknown[] {
  if (!Array.isArray(value)) return [value];
  if (value.length === 0) throw wrong(at, "must have at least one value");
  count(value.length);
  return value;
}

const COMPARE: Readonly<Record<string, (left: number, right: number) => boolean>> = {
  "=": (left, right) => left === right,
  ">": (left, right) => left > right,
  ">=": (left, right) => left >= right,
  "<": (left, right) => left < right,
  "<=": (left, right) => left <= right,
};

/** `["=", n]`, `[">", n]`, or a lower bound and an upper one: `[">", n, "<=", m]`. */
function numeric(operand: unknown, at: string, kind: "json" | "text"): LeafTest {
  const parts: readonly unknown[] = Array.isArray(operand) ? operand : [];
  if (parts.length !== 2 && parts.length !== 4) {
    throw wrong(at, 'must be one or two comparisons, as in [">", 0, "<=", 5]');
  }
  const bounds =
    parts.length === 2 ? [bound(parts, 0, at)] : [bound(parts, 0, at), bound(parts, 2, at)];
  const [lower, upper] = bounds;
  if (
    upper !== undefined &&
    !(lower?.sign.startsWith(">") === true && upper.sign.startsWith("<"))
  ) {
    throw wrong(at, "must have a lower bound first and then an upper one");
  }
  if (upper !== undefined && !((lower?.value ?? 0) < upper.value)) {
    throw wrong(at, "must have a lower bound below the upper one");
  }
  const within = (value: number): boolean => bounds.every((one) => one.compare(value, one.value));
  return kind === "json"
    ? (leaf) => typeof leaf === "number" && within(leaf)
    : (leaf) => typeof leaf === "string" && DECIMAL.test(leaf) && within(Number(leaf));
}

const DECIMAL = /^-?\d{1,30}(\.\d{1,30})?$/;

function bound(parts: readonly unknown[], index: number, at: string) {
  const [sign, value] = parts.slice(index, index + 2);
  const compare =
    typeof sign === "string" && Object.hasOwn(COMPARE, sign) ? COMPARE[sign] : undefined;
  if (typeof sign !== "string" || compare === undefined) {
    throw wrong(joinPath(at, index), "must be one of = > >= < <=");
  }
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw wrong(joinPath(at, index + 1), "must be a number");
  }
  return { sign, value, compare };
}

function string(value: unknown, at: string): string {
  if (typeof value === "string") return value;
  throw wrong(at, "must be a string");
}

const wrong = (path: string, message: string) => invalid([{ path, message }]);
