/**
 * How large a message is in the JSON of an answer, and which form its body takes there.
 *
 * W1  `wireBytes` is never less than what a face writes for the message, so that a receive which
 *     stays within `LIMITS.responseBytes` by it can always be answered.
 * W2  A text body that JSON escaping would make larger than base64 does goes out as base64: no body
 *     grows by more than a third.
 */
import { LIMITS } from "./limits.ts";
import type { OutgoingMessage } from "./message.ts";

/** Field names, id, place, times, counts and why it was dead-lettered, at their longest; the receipt apart. */
const FRAME_BYTES = 900;
const ENCODING_FIELD_BYTES = `,"encoding":"base64"`.length;
const KEY_FIELD_BYTES = `,"key":`.length;
const TENANT_FIELD_BYTES = `,"tenant":`.length;
const PRIORITY_FIELD_BYTES = `,"priority":9`.length;
const ORIGIN_FIELD_BYTES = `,"exchange":,"routingKey":`.length;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export function wireBytes(
  message: Pick<
    OutgoingMessage,
    | "kind"
    | "body"
    | "headers"
    | "contentType"
    | "key"
    | "tenant"
    | "priority"
    | "exchange"
    | "routingKey"
  >,
): number {
  let headers = 0;
  for (const name in message.headers) {
    headers += stringBytes(name) + stringBytes(message.headers[name] ?? "") + 2;
  }
  return (
    FRAME_BYTES +
    LIMITS.receiptChars +
    headers +
    (message.key === undefined ? 0 : KEY_FIELD_BYTES + stringBytes(message.key)) +
    (message.tenant === undefined ? 0 : TENANT_FIELD_BYTES + stringBytes(message.tenant)) +
    (message.priority === undefined ? 0 : PRIORITY_FIELD_BYTES) +
    (message.exchange === undefined
      ? 0
      : ORIGIN_FIELD_BYTES +
        stringBytes(message.exchange) +
        stringBytes(message.routingKey ?? "")) +
    stringBytes(message.contentType) +
    bodyBytes(message.kind, message.body)
  );
}

/** Whether `body`, UTF-8, is shorter as base64 than as a JSON string (W2). */
export const goesAsBase64 = (body: Uint8Array): boolean =>
  // Below this, escaping costs a few bytes at most, which is not worth an unreadable answer.
  body.length > 256 && escapedBytes(body) > base64Bytes(body.length) + ENCODING_FIELD_BYTES;

function bodyBytes(kind: OutgoingMessage["kind"], body: Uint8Array): number {
  if (kind === "json") return body.length;
  const asBase64 = base64Bytes(body.length) + ENCODING_FIELD_BYTES + 2;
  return kind === "text" && !goesAsBase64(body) ? escapedBytes(body) + 2 : asBase64;
}

const base64Bytes = (length: number): number => Math.ceil(length / 3) * 4;

/** Bytes of UTF-8 text inside a JSON string, as `JSON.stringify` writes it. */
function escapedBytes(text: Uint8Array): number {
  let bytes = text.length;
  // By index: iterating over a Buffer is ten times slower.
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] ?? 0;
    if (byte === QUOTE || byte === BACKSLASH) bytes += 1;
    else if (byte < 0x20) bytes += isShortEscape(byte) ? 1 : 5;
  }
  return bytes;
}

/** \b \t \n \f \r */
const isShortEscape = (byte: number): boolean => byte >= 8 && byte <= 13 && byte !== 11;

/** An upper bound: every UTF-16 unit of a short string is 6 bytes at most. */
const stringBytes = (text: string): number => {
  let bytes = 2;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    bytes += unit < 0x20 ? 6 : unit < 0x80 ? (unit === QUOTE || unit === BACKSLASH ? 2 : 1) : 3;
  }
  return bytes;
};
