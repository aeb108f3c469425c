/**
 * The messages of a send request: JSON (one, or `messages`), NDJSON (one a line), or the raw body as
 * one message.
 *
 * M1  A JSON body is stored as the text that the sender wrote.
 * M3  All or nothing: one message that is not valid refuses the request, and every finding names its
 *     message.
 * M4  Messages are checked by hand, for speed; a property test holds this to `outgoingMessage` of the
 *     schemas.
 */
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { LaneError } from "../core/errors.ts";
import type { FieldError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { OutgoingMessage } from "../core/message.ts";
import { elementMemberTexts, memberText } from "../core/json-span.ts";
import { bodyOf, isUtf8, mediaType, parseJson, strictText } from "./request-body.ts";
import { fieldNamed, fieldsOf, MESSAGE_FIELDS, RECURRING_FIELDS } from "./message-fields.ts";
import type { Fields } from "./message-fields.ts";
import { checkHeaders, contentTypeError, isObject, sizeWithin } from "./message-rules.ts";
import { LANE_HEADER, rawMessage } from "./raw-message.ts";
import { invalid, joinPath } from "./validate.ts";

/** `fields`: what a message may have beside its content. */
export function messagesOf(
  event: APIGatewayProxyEventV2,
  fields: Fields = MESSAGE_FIELDS,
): OutgoingMessage[] {
  const type = mediaType(event);
  const isJson = type.type === "application/json";
  if (!isJson && type.type !== "application/x-ndjson") return [rawMessage(event, type, fields)];
  refuseRawOnly(event);
  if (!isUtf8(type)) {
    throw new LaneError("unsupported-media-type", `${type.type} must be in UTF-8.`);
  }
  const text = strictText(bodyOf(event));
  return isJson ? jsonMessages(text, fields) : lineMessages(text, fields);
}

/** The message of a recurring schedule: what stands at `message` in the request. */
export function recurringMessageOf(event: APIGatewayProxyEventV2): OutgoingMessage {
  const text = strictText(bodyOf(event));
  const value = parseJson(text) as { message?: unknown };
  const [message] = checked(
    [value.message],
    RECURRING_FIELDS,
    () => "message",
    () => memberText(memberText(text, "message") ?? "", "body"),
  );
  if (message === undefined) throw invalid([{ path: "message", message: "is required" }]);
  return message;
}

function jsonMessages(text: string, fields: Fields): OutgoingMessage[] {
  const value = parseJson(text);
  const isBatch = isObject(value) && Object.hasOwn(value, "messages");
  if (!isBatch) {
    return checked(
      [value],
      fields,
      () => "",
      () => memberText(text, "body"),
    );
  }
  for (const field of Object.keys(value)) {
    if (field !== "messages") {
      throw invalid([
        { path: joinPath("", field), message: "is not a known field beside messages" },
      ]);
    }
  }
  const { messages } = value;
  if (!Array.isArray(messages)) throw invalid([{ path: "messages", message: "must be an array" }]);
  let bodies: (string | undefined)[] | undefined;
  return checked(
    messages,
    fields,
    (index) => `messages[${index}]`,
    (index) => (bodies ??= elementMemberTexts(text, "messages", "body"))[index],
  );
}

function lineMessages(text: string, fields: Fields): OutgoingMessage[] {
  const lines = text.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
  while (lines.length > 0 && lines.at(-1)?.trim() === "") lines.pop();
  countWithin(lines.length);
  const values = lines.map((line, index) => parseJson(line, `messages[${index}]`));
  return checked(
    values,
    fields,
    (index) => `messages[${index}]`,
    (index) => memberText(lines[index] ?? "", "body"),
  );
}

const REPORTED = 20;

function checked(
  values: readonly unknown[],
  fields: Fields,
  pathAt: (index: number) => string,
  bodyTextAt: (index: number) => string | undefined,
): OutgoingMessage[] {
  countWithin(values.length);
  const errors: FieldError[] = [];
  const messages: OutgoingMessage[] = [];
  for (const [index, value] of values.entries()) {
    const message = checkMessage(value, index, fields, pathAt, bodyTextAt, errors);
    if (message !== undefined) messages.push(message);
    if (errors.length >= REPORTED) break;
  }
  if (errors.length > 0) throw invalid(errors);
  for (const [index, message] of messages.entries()) sizeWithin(message, pathAt(index));
  return messages;
}

function countWithin(count: number): void {
  if (count === 0) {
    throw invalid([{ path: "messages", message: "must have at least one message" }]);
  }
  if (count > LIMITS.messagesPerSend) {
    throw invalid([
      { path: "messages", message: `must have at most ${LIMITS.messagesPerSend} messages` },
    ]);
  }
}

/** Adds to `errors` what is wrong; gives the message if nothing was. */
function checkMessage(
  value: unknown,
  index: number,
  fields: Fields,
  pathAt: (index: number) => string,
  bodyTextAt: (index: number) => string | undefined,
  errors: FieldError[],
): OutgoingMessage | undefined {
  const before = errors.length;
  const fail = (field: string, message: string): void => {
    errors.push({ path: field === "" ? pathAt(index) : joinPath(pathAt(index), field), message });
  };
  if (!isObject(value)) {
    fail("", "must be an object with a body");
    return undefined;
  }
  for (const field of Object.keys(value)) {
    if (field === "body" || field === "headers" || field === "contentType" || field === "encoding")
      continue;
    const known = fieldNamed(fields, field);
    const message = known ? known.error(value[field]) : "is not a known field";
    if (message !== undefined) fail(field, message);
  }
  if (!Object.hasOwn(value, "body")) fail("body", "is required");
  const { body, contentType, encoding, headers } = value;
  if (encoding !== undefined && encoding !== "base64") fail("encoding", 'must be "base64"');
  const typeError = contentType === undefined ? undefined : contentTypeError(contentType);
  if (typeError !== undefined) fail("contentType", typeError);
  if (headers !== undefined) checkHeaders(headers, joinPath(pathAt(index), "headers"), errors);
  const decoded = decodeBody(body, encoding, () => bodyTextAt(index));
  if (typeof decoded === "string") fail("body", decoded);
  if (errors.length > before || typeof decoded === "string") return undefined;
  return {
    kind: decoded.kind,
    body: decoded.bytes,
    contentType: typeof contentType === "string" ? contentType : DEFAULT_TYPE[decoded.kind],
    headers: (headers ?? NO_HEADERS) as Readonly<Record<string, string>>,
    ...fieldsOf(value, fields),
  };
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

const DEFAULT_TYPE = {
  text: "text/plain; charset=utf-8",
  json: "application/json",
  bytes: "application/octet-stream",
} as const;

function decodeBody(
  body: unknown,
  encoding: unknown,
  bodyText: () => string | undefined,
): { kind: OutgoingMessage["kind"]; bytes: Uint8Array } | string {
  if (typeof body !== "string") {
    if (encoding !== undefined) return "must be a string where encoding is given";
    return { kind: "json", bytes: Buffer.from(bodyText() ?? "null", "utf8") };
  }
  if (encoding === undefined) return { kind: "text", bytes: Buffer.from(body, "utf8") };
  const bytes = Buffer.from(body, "base64");
  return bytes.toString("base64") === body ? { kind: "bytes", bytes } : "is not valid base64";
}

/** What makes the whole request repeatable; `undefined`: nothing. */
export function idempotencyKeyOf({ headers }: APIGatewayProxyEventV2): string | undefined {
  const key = headers["idempotency-key"];
  const path = "headers.idempotency-key";
  if (key === undefined) return undefined;
  if (key.length < 1 || key.length > LIMITS.idempotencyKeyChars)
    throw invalid([{ path, message: `must have 1 to ${LIMITS.idempotencyKeyChars} characters` }]);
  if (!/^[\x20-\x7e]+$/.test(key))
    throw invalid([{ path, message: "must be printable ASCII characters" }]);
  return key;
}

/** What only a raw message takes would be lost silently here. */
function refuseRawOnly(event: APIGatewayProxyEventV2): void {
  const errors = [
    ...Object.keys(event.queryStringParameters ?? {}).map((name) => joinPath("query", name)),
    ...Object.keys(event.headers)
      .filter((name) => name.startsWith(LANE_HEADER))
      .map((name) => joinPath("headers", name)),
  ].map((path) => ({ path, message: "is only for a raw body; set it in the message" }));
  if (errors.length > 0) throw invalid(errors);
}
