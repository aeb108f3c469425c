/**
 * Finds the raw text of values inside JSON that `JSON.parse` has already accepted, so that a body can
 * be stored as its sender wrote it: no digit lost, no key reordered.
 *
 * S1  The input is valid JSON: this skips, it does not check.
 * S2  Of duplicate keys the last one wins, as in `JSON.parse`; keys are compared after unescaping.
 * S3  No recursion: nesting is counted, whatever its depth.
 */

/** The raw text of member `name` of the object whose text is `text`; `undefined`: it has none. */
export function memberText(text: string, name: string, start = 0): string | undefined {
  const span = memberSpan(text, name, start);
  return span.from === -1 ? undefined : text.slice(span.from, span.to);
}

/** The raw texts of member `inner` of each object in the array that is member `outer` of `text`. */
export function elementMemberTexts(
  text: string,
  outer: string,
  inner: string,
): (string | undefined)[] {
  const array = memberSpan(text, outer, 0);
  const found: (string | undefined)[] = [];
  if (array.from === -1) return found;
  let at = skipSpace(text, array.from + 1);
  while (text.charCodeAt(at) !== CLOSE_BRACKET) {
    const span = memberSpan(text, inner, at);
    found.push(span.from === -1 ? undefined : text.slice(span.from, span.to));
    at = skipSpace(text, span.end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return found;
}

/** The raw text of the element at `index` of the array whose text is `text`; `undefined`: there is none. */
export function elementText(text: string, index: number): string | undefined {
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== OPEN_BRACKET) return undefined;
  at = skipSpace(text, at + 1);
  for (let left = index; text.charCodeAt(at) !== CLOSE_BRACKET; left--) {
    const end = skipValue(text, at);
    if (left === 0) return text.slice(at, end);
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return undefined;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

interface Span {
  /** -1: there is no such member. */
  from: number;
  to: number;
  /** Past the value that was searched. */
  end: number;
}

function memberSpan(text: string, name: string, start: number): Span {
  let at = skipSpace(text, start);
  const span: Span = { from: -1, to: -1, end: at };
  if (text.charCodeAt(at) !== OPEN_BRACE) {
    span.end = skipValue(text, at);
    return span;
  }
  at = skipSpace(text, at + 1);
  while (text.charCodeAt(at) !== CLOSE_BRACE) {
    const keyEnd = skipString(text, at);
    const isMember = keyIs(text, at, keyEnd, name);
    const from = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const to = skipValue(text, from);
    if (isMember) {
      span.from = from;
      span.to = to;
    }
    at = skipSpace(text, to);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  span.end = at + 1;
  return span;
}

function keyIs(text: string, from: number, to: number, name: string): boolean {
  if (to - from - 2 === name.length) return text.startsWith(name, from + 1);
  const raw = text.slice(from, to);
  return raw.includes("\\") && JSON.parse(raw) === name;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    const unit = text.charCodeAt(at);
    if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return at;
    at++;
  }
}

function skipValue(text: string, from: number): number {
  const first = text.charCodeAt(from);
  if (first === QUOTE) return skipString(text, from);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return skipScalar(text, from);
  let depth = 0;
  let at = from;
  for (;;) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) {
      at = skipString(text, at);
      continue;
    }
    at++;
    if (unit === OPEN_BRACE || unit === OPEN_BRACKET) depth++;
    else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) {
      depth--;
      if (depth === 0) return at;
    }
  }
}

function skipString(text: string, from: number): number {
  let at = from + 1;
  for (;;) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) return at + 1;
    at += unit === BACKSLASH ? 2 : 1;
  }
}

/** A number, `true`, `false` or `null`: up to what ends it. */
function skipScalar(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const unit = text.charCodeAt(at);
    if (unit === COMMA || unit === CLOSE_BRACE || unit === CLOSE_BRACKET || unit <= 0x20) break;
    at++;
  }
  return at;
}
