/**
 * From an event to the bytes, the text or the JSON of its body.
 *
 * B1  Nothing is parsed before its size is known, packed and unpacked, to be within
 *     `LIMITS.requestBytes`; inflating stops there (compression bombs).
 * B2  Text is valid UTF-8 and has no lone surrogates, not even as escapes in JSON.
 */
/// <reference lib="es2024.string" />
import { gunzipSync } from "node:zlib";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { invalid, joinPath } from "./validate.ts";

export interface MediaType {
  /** Lower case, without parameters; "" where the request names none. */
  readonly type: string;
  readonly charset: string | undefined;
  /** As it came. */
  readonly whole: string;
}

export function mediaType(event: APIGatewayProxyEventV2): MediaType {
  const whole = (event.headers["content-type"] ?? "").trim();
  const [type = "", ...parameters] = whole.split(";");
  const charset = parameters
    .map((parameter) => /^\s*charset\s*=\s*"?([^"]*?)"?\s*$/i.exec(parameter)?.[1])
    .find((value) => value !== undefined);
  return { type: type.trim().toLowerCase(), charset: charset?.toLowerCase(), whole };
}

export const isUtf8 = ({ charset }: MediaType): boolean =>
  charset === undefined || charset === "utf-8" || charset === "utf8";

/** The body, unpacked. A string is left as API Gateway gave it, unless it has to be unpacked. */
export function bodyOf(event: APIGatewayProxyEventV2): string | Buffer {
  const encoding = (event.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  if (encoding !== "gzip" && encoding !== "identity") {
    throw new LaneError("unsupported-media-type", "Content-Encoding must be gzip, or absent.");
  }
  const given = event.body ?? "";
  // Base64 is never smaller than what it stands for, and UTF-8 never smaller than UTF-16 units.
  if (given.length > (event.isBase64Encoded ? base64Cap : LIMITS.requestBytes)) throw tooLarge();
  const body = event.isBase64Encoded ? Buffer.from(given, "base64") : given;
  if (Buffer.byteLength(body) > LIMITS.requestBytes) throw tooLarge();
  if (encoding === "identity" || body.length === 0) return body;
  return inflate(typeof body === "string" ? Buffer.from(body, "latin1") : body);
}

const base64Cap = Math.ceil(LIMITS.requestBytes / 3) * 4 + 4;

function inflate(packed: Buffer): Buffer {
  try {
    return gunzipSync(packed, { maxOutputLength: LIMITS.requestBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge();
    throw new LaneError("invalid-request", "The body is not valid gzip.", { cause: error });
  }
}

const tooLarge = (): LaneError =>
  new LaneError(
    "request-too-large",
    `A request body is at most ${LIMITS.requestBytes} bytes, before and after decompression.`,
  );

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** `undefined`: not valid UTF-8. */
export function textOf(body: string | Buffer): string | undefined {
  if (typeof body === "string") return body.isWellFormed() ? body : undefined;
  try {
    return utf8.decode(body);
  } catch {
    return undefined;
  }
}

export function strictText(body: string | Buffer): string {
  const text = textOf(body);
  if (text === undefined) throw new LaneError("invalid-request", "The body is not valid UTF-8.");
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

/** Parses JSON strictly (B2). `at` is the path that findings start with. */
export function parseJson(text: string, at = ""): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.toWellFormed() : "";
    throw new LaneError("invalid-request", `The body is not valid JSON: ${why}`.slice(0, 300), {
      errors: [{ path: at, message: "is not valid JSON" }],
    });
  }
  if (hasLoneEscape(text)) {
    throw invalid([{ path: loneSurrogatePath(value, at) ?? at, message: LONE_SURROGATE }]);
  }
  return value;
}

const LONE_SURROGATE = "has half of a surrogate pair, which is no character";

/** Whether a `\uD…` escape of valid JSON stands without its other half. */
export function hasLoneEscape(json: string): boolean {
  if (!json.includes("\\u")) return false;
  const half = /\\u[dD][89a-fA-F]/g;
  for (let match = half.exec(json); match !== null; match = half.exec(json)) {
    const at = match.index;
    // After an odd number of backslashes this one is itself escaped.
    if (backslashesBefore(json, at) % 2 === 1) continue;
    const isHigh = /[89abAB]/.test(json.charAt(at + 3));
    if (!isHigh || !/^\\u[dD][c-fC-F]/.test(json.slice(at + 6, at + 10))) return true;
    half.lastIndex = at + 12;
  }
  return false;
}

function backslashesBefore(text: string, at: number): number {
  let from = at;
  while (text.charAt(from - 1) === "\\") from--;
  return at - from;
}

/** Walks without recursion, for JSON may be nested very deep. */
function loneSurrogatePath(root: unknown, at: string): string | undefined {
  const open: { value: unknown; path: string; depth: number }[] = [
    { value: root, path: at, depth: 0 },
  ];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, path, depth } = next;
    if (typeof value === "string" && !value.isWellFormed()) return path;
    if (typeof value !== "object" || value === null || depth > 8) continue;
    for (const [key, member] of Object.entries(value)) {
      const to = joinPath(path, Array.isArray(value) ? Number(key) : key);
      if (!key.isWellFormed()) return to;
      open.push({ value: member, path: to, depth: depth + 1 });
    }
  }
  return undefined;
}
