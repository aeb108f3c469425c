/**
 * Event patterns: which messages a filter lets through, in the syntax of EventBridge's event patterns,
 * over `{ headers, body }`.
 *
 * A pattern is parsed once, into closures, and then asked for every message.
 *
 * P1  Fields of one object must all match; alternatives of one field, one of them; `$or`, one of its
 *     objects. In an array, one element has to match, and of an array of objects one and the same for
 *     all fields asked of it.
 * P2  The body is looked at only where the pattern asks for it and the headers match.
 * P3  Work is bounded: by the size, depth and number of alternatives of a pattern, and for a message by
 *     its size times that; nothing backtracks, and no recursion follows the message.
 * P4  Only a message's own fields are seen, never what objects inherit.
 */
import { invalid, joinPath } from "./invalid.ts";
import { LIMITS } from "./limits.ts";
import type { OutgoingMessage } from "./message.ts";
import { parseAlternatives } from "./pattern-operators.ts";

/** What a pattern looks at. */
export interface Subject {
  readonly headers: Readonly<Record<string, string>>;
  /** The JSON value of the body; `undefined`: it is not JSON. */
  readonly body: unknown;
}

export interface Pattern {
  readonly test: (subject: Subject) => boolean;
  /** False: it looks at headers only. */
  readonly readsBody: boolean;
}

export const matches = (pattern: Pattern, subject: Subject): boolean => pattern.test(subject);

type Content = Pick<OutgoingMessage, "kind" | "body" | "contentType" | "headers">;

class MessageSubject implements Subject {
  readonly headers: Readonly<Record<string, string>>;
  readonly #message: Content;
  #parsed: { readonly value: unknown } | undefined;

  constructor(message: Content) {
    this.headers = message.headers;
    this.#message = message;
  }

  get body(): unknown {
    const message = this.#message;
    this.#parsed ??= { value: isJson(message) ? jsonOf(message.body) : undefined };
    return this.#parsed.value;
  }
}

/**
 * A message as patterns see it; its body is parsed when one asks, and once. Text counts as JSON where
 * its content type says so.
 */
export const subjectOf = (message: Content): Subject => new MessageSubject(message);

/** @throws LaneError `invalid-request`, which names the place below `at`. */
export function parsePattern(value: unknown, at = "filter"): Pattern {
  const parser = new Parser();
  const test = parser.message(value, at, 0);
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > LIMITS.patternBytes) {
    throw invalid([
      { path: at, message: `must have at most ${LIMITS.patternBytes} bytes as JSON` },
    ]);
  }
  return { test, readsBody: parser.readsBody };
}

/** Tests the value of a field; `undefined` stands for a field that is absent. */
type Test = (value: unknown) => boolean;

const OR = "$or";
const NOTHING: Readonly<Record<string, unknown>> = Object.freeze({});

class Parser {
  readsBody = false;
  #alternatives = 0;

  message(value: unknown, at: string, depth: number): (subject: Subject) => boolean {
    const fields = this.#fields(value, at, depth);
    const tests: ((subject: Subject) => boolean)[] = [];
    const bodyTests: ((subject: Subject) => boolean)[] = [];
    for (const [name, field] of fields) {
      const path = joinPath(at, name);
      if (name === OR) {
        const any = this.#or(field, path, (one, place) => this.message(one, place, depth + 1));
        (this.readsBody ? bodyTests : tests).push((subject) => any.some((test) => test(subject)));
      } else if (name === "headers") {
        const test = this.#object(field, path, depth + 1, "headers");
        tests.push((subject) => test(subject.headers));
      } else if (name === "body") {
        this.readsBody = true;
        const test = this.#field(field, path, depth + 1);
        bodyTests.push((subject) => test(subject.body));
      } else {
        throw invalid([{ path, message: "is not a field of messages; headers and body are" }]);
      }
    }
    const all = [...tests, ...bodyTests];
    return (subject) => all.every((test) => test(subject));
  }

  #field(value: unknown, at: string, depth: number): Test {
    return Array.isArray(value)
      ? this.#leaf(value, at, "json")
      : this.#object(value, at, depth, "body");
  }

  #object(value: unknown, at: string, depth: number, within: "headers" | "body"): Test {
    const tests = this.#fields(value, at, depth).map(([name, field]) => {
      const path = joinPath(at, name);
      if (name === OR) {
        const any = this.#or(field, path, (one, place) =>
          this.#object(one, place, depth + 1, within),
        );
        return (object: Readonly<Record<string, unknown>>) => any.some((test) => test(object));
      }
      const test =
        within === "body" ? this.#field(field, path, depth + 1) : this.#leaf(field, path, "text");
      return (object: Readonly<Record<string, unknown>>) =>
        test(Object.hasOwn(object, name) ? object[name] : undefined);
    });
    return (value) => someObject(value, (object) => tests.every((test) => test(object)));
  }

  #leaf(value: unknown, at: string, kind: "json" | "text"): Test {
    if (!Array.isArray(value)) {
      throw invalid([{ path: at, message: "must be an array of alternatives" }]);
    }
    this.#count(value.length, at);
    const { test, absent } = parseAlternatives(value, at, kind, (count) => this.#count(count, at));
    return (found) => someLeaf(found, test) ?? absent;
  }

  #or<T>(value: unknown, at: string, parse: (value: unknown, at: string) => T): T[] {
    if (!Array.isArray(value) || value.length === 0) {
      throw invalid([{ path: at, message: "must be an array of objects" }]);
    }
    this.#count(value.length, at);
    return value.map((one, index) => parse(one, joinPath(at, index)));
  }

  #fields(value: unknown, at: string, depth: number): [string, unknown][] {
    if (depth > LIMITS.patternDepth) {
      throw invalid([{ path: at, message: `is nested more than ${LIMITS.patternDepth} deep` }]);
    }
    if (!isObject(value)) {
      const message =
        depth === 0 ? "must be an object" : "must be an array of alternatives or an object";
      throw invalid([{ path: at, message }]);
    }
    const fields = Object.entries(value);
    if (fields.length === 0) {
      throw invalid([{ path: at, message: "must have at least one field" }]);
    }
    return fields;
  }

  #count(alternatives: number, at: string): void {
    this.#alternatives += alternatives;
    if (this.#alternatives <= LIMITS.patternAlternatives) return;
    const message = `brings the pattern to more than ${LIMITS.patternAlternatives} alternatives`;
    throw invalid([{ path: at, message }]);
  }
}

/** The object itself, or one of an array; what is neither has no fields. */
function someObject(
  value: unknown,
  test: (object: Readonly<Record<string, unknown>>) => boolean,
): boolean {
  if (isObject(value)) return test(value);
  if (!Array.isArray(value)) return test(NOTHING);
  const objects = [...elements(value)].filter(isObject);
  return objects.length === 0 ? test(NOTHING) : objects.some(test);
}

/** Of a value that is neither object nor array, or of those in an array. `undefined`: there is none. */
function someLeaf(value: unknown, test: Test): boolean | undefined {
  if (value === undefined || isObject(value)) return undefined;
  if (!Array.isArray(value)) return test(value);
  let found: false | undefined;
  for (const element of elements(value)) {
    if (isObject(element)) continue;
    if (test(element)) return true;
    found = false;
  }
  return found;
}

/** What stands in an array and the arrays in it. */
function* elements(array: readonly unknown[]): Generator {
  const open: Iterator<unknown>[] = [array.values()];
  for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
    const next = last.next();
    if (next.done === true) open.pop();
    else if (Array.isArray(next.value)) open.push((next.value as unknown[]).values());
    else yield next.value;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const JSON_TYPE = /^application\/([\w.-]+\+)?json *(;|$)/i;

export const isJson = ({
  kind,
  contentType,
}: Pick<OutgoingMessage, "kind" | "contentType">): boolean =>
  kind === "json" || (kind === "text" && JSON_TYPE.test(contentType));

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"));
  } catch {
    // Erased, or what no sender of ours wrote: a filter is no place to fail on it.
    return undefined;
  }
}
