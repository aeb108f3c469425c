/** The rules of a message that hold however it came: its size, its content type, its headers. */
import { LaneError } from "../core/errors.ts";
import type { FieldError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { OutgoingMessage } from "../core/message.ts";
import { joinPath } from "./validate.ts";

/** The hard limit of every queue; a queue's own, smaller one is the service's to check. */
export function sizeWithin(message: OutgoingMessage, at: string): void {
  if (message.body.length <= LIMITS.messageBytes) return;
  const path = joinPath(at, "body");
  throw new LaneError(
    "message-too-large",
    `${path} has ${message.body.length} bytes; a message has at most ${LIMITS.messageBytes}.`,
    { errors: [{ path, message: `must have at most ${LIMITS.messageBytes} bytes` }] },
  );
}

/** What is wrong with a content type, given or of a raw body. */
export function contentTypeError(value: unknown): string | undefined {
  if (typeof value !== "string") return "must be a string";
  if (value.length < 1) return "must have at least 1 characters";
  if (value.length > LIMITS.contentTypeBytes) {
    return `must have at most ${LIMITS.contentTypeBytes} characters`;
  }
  return /^[\x20-\x7e]+$/.test(value) ? undefined : "must be printable ASCII characters";
}

/** `__proto__` is refused: as a key of an object it would be lost on the way. */
export function checkHeaders(headers: unknown, at: string, errors: FieldError[]): void {
  if (!isObject(headers)) {
    errors.push({ path: at, message: "must be an object" });
    return;
  }
  const names = Object.keys(headers);
  if (names.length > LIMITS.headersPerMessage) {
    errors.push({ path: at, message: `must have at most ${LIMITS.headersPerMessage} headers` });
    return;
  }
  let bytes = 0;
  for (const name of names) {
    const value = headers[name];
    const message = typeof value === "string" ? headerNameError(name) : "must be a string";
    if (message !== undefined) errors.push({ path: joinPath(at, name), message });
    if (typeof value === "string") bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  if (bytes > LIMITS.headerBytesTotal) {
    const message = `must have at most ${LIMITS.headerBytesTotal} bytes, names and values together`;
    errors.push({ path: at, message });
  }
}

/** What is wrong with a header's name; `undefined`: nothing. */
export function headerNameError(name: string): string | undefined {
  if (name === "") return "is a header without a name";
  if (name === "__proto__") return "is not allowed as a header name";
  return Buffer.byteLength(name) > LIMITS.headerNameBytes
    ? `is a header name of more than ${LIMITS.headerNameBytes} bytes`
    : undefined;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
