/** A request body of any other content type: as it is, one message. */
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import type { FieldError } from "../core/errors.ts";
import type { OutgoingMessage } from "../core/message.ts";
import { fieldNamed, fieldsOf } from "./message-fields.ts";
import type { Fields } from "./message-fields.ts";
import { checkHeaders, contentTypeError, sizeWithin } from "./message-rules.ts";
import { bodyOf, isUtf8, textOf } from "./request-body.ts";
import type { MediaType } from "./request-body.ts";
import { invalid, joinPath } from "./validate.ts";

export const LANE_HEADER = "x-lane-header-";

export function rawMessage(
  event: APIGatewayProxyEventV2,
  type: MediaType,
  known: Fields,
): OutgoingMessage {
  const errors: FieldError[] = [];
  const fields: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(event.queryStringParameters ?? {})) {
    const field = fieldNamed(known, name);
    if (field !== undefined) fields[name] = field.read(text ?? "");
    const message = field ? field.error(fields[name]) : "is not a known parameter";
    if (message !== undefined) errors.push({ path: joinPath("query", name), message });
  }
  const contentType = type.whole === "" ? "application/octet-stream" : type.whole;
  const typeError = contentTypeError(contentType);
  if (typeError !== undefined) errors.push({ path: "headers.content-type", message: typeError });
  const headers = laneHeaders(event.headers);
  checkHeaders(headers, "headers", errors);
  if (errors.length > 0) throw invalid(errors);

  const given = bodyOf(event);
  if (typeof given === "string" && !given.isWellFormed()) {
    throw invalid([{ path: "body", message: "is not valid UTF-8" }]);
  }
  const isText = isTextual(type) && textOf(given) !== undefined;
  const body = typeof given === "string" ? Buffer.from(given, "utf8") : given;
  const kind = isText ? "text" : "bytes";
  const message: OutgoingMessage = { kind, body, contentType, headers, ...fieldsOf(fields, known) };
  sizeWithin(message, "");
  return message;
}

function laneHeaders(
  headers: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const found: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(LANE_HEADER) && value !== undefined) {
      found.push([name.slice(LANE_HEADER.length), value]);
    }
  }
  // Not by assignment: `__proto__` would vanish before it can be refused.
  return Object.fromEntries(found);
}

const isTextual = (type: MediaType): boolean =>
  isUtf8(type) &&
  (type.type.startsWith("text/") ||
    type.type.endsWith("+xml") ||
    type.type.endsWith("+json") ||
    type.type === "application/xml" ||
    type.type === "application/x-www-form-urlencoded");
