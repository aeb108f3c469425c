/**
 * What an error of the SDK says about the write it answered (port rule P3).
 *
 * - `throttled`, `unreached`: surely not applied, and worth repeating.
 * - `invalid`: surely not applied; the engine will refuse it again.
 * - `unknown`: a time-out, a reset, a 5xx, or anything else after the request may have left.
 */
import { DynamoDBServiceException } from "@aws-sdk/client-dynamodb";

export type Fault = "throttled" | "unreached" | "invalid" | "unknown";

const THROTTLED = new Set([
  "ProvisionedThroughputExceededException",
  "ThrottlingException",
  "Throttling",
  "ThrottledException",
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "TooManyRequestsException",
]);

/** Refused for the time in the signature; the SDK has corrected its clock by the refusal's. */
const CLOCK_SKEWED = new Set([
  "InvalidSignatureException",
  "RequestExpired",
  "RequestTimeTooSkewed",
  "RequestInTheFuture",
]);

const NEVER_CONNECTED = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

export function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return "unknown";
  if (THROTTLED.has(error.name)) return "throttled";
  if (CLOCK_SKEWED.has(error.name)) return "unreached";
  if (error.name === "CredentialsProviderError") return "invalid";
  const { $metadata, code, syscall } = error as {
    $metadata?: { httpStatusCode?: number };
    code?: unknown;
    syscall?: unknown;
  };
  const status = $metadata?.httpStatusCode;
  if (status === 429) return "throttled";
  if (status !== undefined && status >= 400 && status < 500)
    // A refusal that was cut off on its way does not say of what.
    return error instanceof DynamoDBServiceException ? "invalid" : "unreached";
  if (syscall === "connect" || syscall === "getaddrinfo") return "unreached";
  if (typeof code === "string" && NEVER_CONNECTED.has(code)) return "unreached";
  if (error.message.includes("did not establish a connection")) return "unreached";
  return "unknown";
}
