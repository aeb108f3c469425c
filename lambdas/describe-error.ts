/**
 * What may be logged of an error. A message of ours or of AWS's names what went wrong; any other may
 * quote what it choked on (as `JSON.parse` does), and that may be a body. Of those, the place is told
 * and the message is not; and no further property of any error is.
 */
import { LaneError } from "../src/core/errors.ts";

export interface ErrorDescription {
  readonly name: string;
  readonly code?: string;
  readonly message?: string;
  readonly at?: readonly string[];
  readonly cause?: ErrorDescription;
}

const FRAMES = 8;
const CAUSES = 4;

export function describeError(error: unknown, depth = 0): ErrorDescription {
  if (!(error instanceof Error)) return { name: typeof error };
  const at = (error.stack ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /^at .*:\d+:\d+\)?$/.test(line))
    .slice(0, FRAMES);
  return {
    name: error.name,
    ...(error instanceof LaneError ? { code: error.code } : {}),
    ...(isQuotable(error) ? { message: error.message } : {}),
    ...(at.length > 0 ? { at } : {}),
    ...(error.cause !== undefined && depth < CAUSES
      ? { cause: describeError(error.cause, depth + 1) }
      : {}),
  };
}

/** The SDK's exceptions have `$metadata`; system errors (connection refused, …) have a `syscall`. */
const isQuotable = (error: Error): boolean =>
  error instanceof LaneError || "$metadata" in error || "syscall" in error;
