/**
 * From an answer to what Lambda returns.
 *
 * A1  A result stays within Lambda's 6 MB: escaping a JSON answer again inside the result may double
 *     it, and then base64, which adds a third, is taken instead.
 * A2  Errors are `application/problem+json`, made from the table of codes; what is not a LaneError
 *     says nothing of what happened inside.
 */
import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { CODES } from "../core/errors.ts";
import type { LaneError } from "../core/errors.ts";

export type Answer = APIGatewayProxyStructuredResultV2 & {
  readonly headers: Record<string, string>;
};

export const json = (statusCode: number, body: string): Answer => ({
  statusCode,
  headers: { "content-type": "application/json" },
  ...payload(body),
});

export const noContent = (): Answer => ({ statusCode: 204, headers: {} });

export function problem(error: LaneError, more: Readonly<Record<string, unknown>> = {}): Answer {
  const { status, retryable, title } = CODES[error.code];
  const headers: Record<string, string> = { "content-type": "application/problem+json" };
  if (status === 429 || status === 503) headers["retry-after"] = "1";
  if (status === 401) headers["www-authenticate"] = "Bearer";
  const body = {
    type: `urn:lanemq:problem:${error.code}`,
    title,
    status,
    detail: error.code === "internal" ? title : error.message,
    code: error.code,
    retryable,
    ...(error.errors.length > 0 && error.code !== "internal" ? { errors: error.errors } : {}),
    ...more,
  };
  return { statusCode: status, headers, ...payload(JSON.stringify(body)) };
}

/** Twice this, at the worst, still fits. */
const SURELY_FITS = 2_000_000;

export function payload(body: string): { body: string; isBase64Encoded: boolean } {
  const bytes = body.length <= SURELY_FITS / 3 ? 0 : Buffer.byteLength(body);
  if (bytes <= SURELY_FITS || bytes + escapes(body) <= (bytes * 4) / 3) {
    return { body, isBase64Encoded: false };
  }
  return { body: Buffer.from(body, "utf8").toString("base64"), isBase64Encoded: true };
}

/** What `JSON.stringify` adds to text that is JSON already, and so has no bare control characters but white space. */
function escapes(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 0x22 || unit === 0x5c || unit < 0x20) count++;
  }
  return count;
}
