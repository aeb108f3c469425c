/**
 * The one error class of the client.
 *
 * E1  A code is one of the service's table (src/core/errors.ts), or one of the few that only a client
 *     can have; both tables say whether repeating is safe.
 * E2  What has no code of the service's (API Gateway's own answers) gets one by its status, and never
 *     one that promises more than is known: a 5xx of a gateway is `outcome-unknown`.
 */
import { CODES } from "../core/errors.ts";
import type { Code, FieldError } from "../core/errors.ts";
import type { SendResult } from "./wire.ts";

/** Codes that no answer carries. */
const CLIENT_CODES = {
  unreachable: {
    retryable: false,
    title: "The service did not answer; whether it acted is unknown.",
  },
  "invalid-body": { retryable: false, title: "The body does not fit the queue's schema." },
  "lease-lost": { retryable: false, title: "The message's lease is over; others may have it." },
  "producer-full": {
    retryable: true,
    title: "The producer holds as many messages as it may; nothing was sent.",
  },
  "producer-closed": { retryable: false, title: "The producer is closed; nothing was sent." },
} as const;

export type ClientCode = Code | keyof typeof CLIENT_CODES;

export interface ErrorDetails {
  readonly status?: number | undefined;
  /** Absent: what the code's table says. */
  readonly retryable?: boolean | undefined;
  readonly errors?: readonly FieldError[] | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly results?: readonly SendResult[] | undefined;
  readonly cause?: unknown;
}

export class LaneMQError extends Error {
  /** Stable: none is ever renamed. */
  readonly code: ClientCode;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** The same request may succeed later, and repeating it is safe. */
  readonly retryable: boolean;
  /** Where in the request, and what is wrong there. */
  readonly errors: readonly FieldError[];
  /** Name this when you ask about a failure. */
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** Of a send of several messages that stored none: one result a message. */
  readonly results: readonly SendResult[] | undefined;

  constructor(code: ClientCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "LaneMQError";
    this.code = code;
    this.status = details.status ?? 0;
    this.retryable = details.retryable ?? rowOf(code).retryable;
    this.errors = details.errors ?? [];
    this.requestId = details.requestId;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.results = details.results;
  }
}

export const isLaneMQError = (error: unknown, code?: ClientCode): error is LaneMQError =>
  error instanceof LaneMQError && (code === undefined || error.code === code);

/** A write may have happened although it failed: only a call that may be repeated is tried again. */
export const isOutcomeUnknown = ({ code }: LaneMQError): boolean =>
  code === "outcome-unknown" || code === "unreachable";

/** @param text the body of an answer that is no success */
export function errorOfAnswer(
  status: number,
  header: (name: string) => string | null,
  text: string,
): LaneMQError {
  const problem = objectOf(text);
  const retryAfter = Number(header("retry-after") ?? Number.NaN);
  const details = {
    status,
    requestId: header("x-request-id") ?? header("apigw-requestid") ?? undefined,
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
  };
  const { code, detail, title, retryable, errors, messages, message } = problem;
  if (typeof code !== "string") {
    const what = typeof message === "string" ? message : `HTTP status ${status}`;
    return new LaneMQError(codeOfStatus(status), what, details);
  }
  return new LaneMQError(code as Code, textOf(detail) ?? textOf(title) ?? code, {
    ...details,
    // Of a code that is newer than this client, the answer alone says it.
    retryable: retryable === true,
    errors: Array.isArray(errors) ? (errors as FieldError[]) : undefined,
    results: Array.isArray(messages) ? (messages as SendResult[]) : undefined,
  });
}

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" ? value : undefined;

/** E2 */
function codeOfStatus(status: number): Code {
  if (status === 429) return "throttled";
  if (status >= 502 && status <= 504) return "outcome-unknown";
  if (status >= 500) return "internal";
  const code = BY_STATUS[status];
  return code ?? "invalid-request";
}

const BY_STATUS: Readonly<Record<number, Code>> = {
  401: "unauthorized",
  403: "forbidden",
  404: "not-found",
  413: "request-too-large",
  415: "unsupported-media-type",
};

const rowOf = (code: ClientCode): { readonly retryable: boolean } =>
  ({ ...CODES, ...CLIENT_CODES })[code] ?? { retryable: false };

function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
