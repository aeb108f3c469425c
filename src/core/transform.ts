/**
 * What a binding does to a message that passes through: headers set or removed, a part of the JSON
 * body taken. No code.
 *
 * X1  Of the body goes on the text that its sender wrote (M1): no number loses digits.
 * X2  A message that has no such part does not pass.
 */
import type { FieldError } from "./errors.ts";
import type { Transform } from "./exchange.ts";
import { elementText, memberText } from "./json-span.ts";
import { LIMITS } from "./limits.ts";
import type { OutgoingMessage } from "./message.ts";
import { isJson } from "./pattern.ts";

/** What transforms change of a message. */
export type Content = Pick<OutgoingMessage, "kind" | "body" | "contentType" | "headers">;

/** `undefined`: the message does not pass (X2). */
export type Transformer = (content: Content) => Content | undefined;

export function transformer(transform: Transform): Transformer {
  const { setHeaders = {}, removeHeaders = [] } = transform;
  const tokens = transform.body === undefined ? undefined : (pointerTokens(transform.body) ?? []);
  const removed = new Set(removeHeaders);
  const changesHeaders = removed.size > 0 || Object.keys(setHeaders).length > 0;
  return (content) => {
    const part = tokens === undefined ? content : partOf(content, tokens);
    if (part === undefined || !changesHeaders) return part;
    const kept = Object.entries(part.headers).filter(([name]) => !removed.has(name));
    const headers = Object.fromEntries([...kept, ...Object.entries(setHeaders)]);
    return { ...part, headers };
  };
}

/** What is wrong with a JSON pointer; `undefined`: nothing. */
export const pointerError = (pointer: string): string | undefined =>
  pointerTokens(pointer) === undefined
    ? "must be a JSON pointer, as in /order/lines/0, with ~0 for ~ and ~1 for /"
    : undefined;

/** What headers that transforms set would make of a message: too many, or too large. */
export function contentErrors(content: Content): FieldError[] {
  const names = Object.keys(content.headers);
  const bytes = names.reduce(
    (sum, name) => sum + Buffer.byteLength(name) + Buffer.byteLength(content.headers[name] ?? ""),
    0,
  );
  return [
    ...(names.length > LIMITS.headersPerMessage
      ? [{ path: "headers", message: `would be more than ${LIMITS.headersPerMessage}` }]
      : []),
    ...(bytes > LIMITS.headerBytesTotal
      ? [{ path: "headers", message: `would have more than ${LIMITS.headerBytesTotal} bytes` }]
      : []),
  ];
}

/** RFC 6901. `undefined`: not a pointer. */
function pointerTokens(pointer: string): string[] | undefined {
  if (pointer === "") return [];
  if (!pointer.startsWith("/") || /~(?![01])/.test(pointer)) return undefined;
  return pointer
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function partOf(content: Content, tokens: readonly string[]): Content | undefined {
  if (!isJson(content)) return undefined;
  const { body } = content;
  const whole = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
  // Text only claims to be JSON, and what takes it apart relies on it.
  if (content.kind === "text" && !parses(whole)) return undefined;
  let text: string | undefined = whole;
  for (const token of tokens) {
    if (text === undefined) return undefined;
    text = /^(0|[1-9]\d{0,8})$/.test(token)
      ? (elementText(text, Number(token)) ?? memberText(text, token))
      : memberText(text, token);
  }
  if (text === undefined) return undefined;
  return {
    kind: "json",
    body: Buffer.from(text, "utf8"),
    contentType: "application/json",
    headers: content.headers,
  };
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
