/**
 * Page cursors: where a listing goes on.
 *
 * K1  A cursor ends with a check over its content and what it was made for (route, queue, filters), so
 *     that one that was changed, cut or taken from another listing is refused, not misread. It is no
 *     secret and grants nothing: whoever made one up would only begin at a place of their choice.
 */
import { createHash } from "node:crypto";
import { invalid } from "./validate.ts";

const CHECK_BYTES = 9;
const PREFIX = "c.";

export function sealCursor(content: string, madeFor: readonly string[]): string {
  const bytes = Buffer.from(content, "utf8");
  return PREFIX + Buffer.concat([bytes, check(content, madeFor)]).toString("base64url");
}

export const isCursor = (text: string): boolean => text.startsWith(PREFIX);

/** @throws LaneError `invalid-request` at `path` */
export function openCursor(text: string, madeFor: readonly string[], path: string): string {
  const bytes = Buffer.from(text.slice(PREFIX.length), "base64url");
  const content = bytes.subarray(0, -CHECK_BYTES).toString("utf8");
  if (!isCursor(text) || sealCursor(content, madeFor) !== text) {
    throw invalid([{ path, message: "is not a cursor that this listing gave" }]);
  }
  return content;
}

const check = (content: string, madeFor: readonly string[]): Buffer =>
  createHash("sha256")
    .update(JSON.stringify([content, ...madeFor]))
    .digest()
    .subarray(0, CHECK_BYTES);
