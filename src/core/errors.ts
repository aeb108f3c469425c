/**
 * The one error class and the one table of codes.
 *
 * Owns: every stable code, its HTTP status, whether a caller may retry, and the sentence that titles
 * it. The HTTP face, the OpenAPI document, the docs and the clients derive from `CODES`; no code is
 * ever renamed. A failed condition in the store is a decision, not an error: adapters return unions.
 */

interface CodeRow {
  readonly status: number;
  /** `true`: the same request may succeed later and repeating it is safe. */
  readonly retryable: boolean;
  readonly title: string;
}

export const CODES = {
  "invalid-request": { status: 400, retryable: false, title: "The request is not valid." },
  "receipt-invalid": {
    status: 400,
    retryable: false,
    title: "No receipt of the request is one that this queue issued.",
  },
  unauthorized: { status: 401, retryable: false, title: "The request carries no valid API key." },
  forbidden: { status: 403, retryable: false, title: "The API key does not allow this." },
  "not-found": { status: 404, retryable: false, title: "There is no such route." },
  "queue-not-found": { status: 404, retryable: false, title: "The queue does not exist." },
  "message-not-found": { status: 404, retryable: false, title: "The message does not exist." },
  "group-not-found": { status: 404, retryable: false, title: "The consumer group does not exist." },
  "exchange-not-found": { status: 404, retryable: false, title: "The exchange does not exist." },
  "binding-not-found": { status: 404, retryable: false, title: "The binding does not exist." },
  "schedule-not-found": { status: 404, retryable: false, title: "The schedule does not exist." },
  "key-not-found": { status: 404, retryable: false, title: "The API key does not exist." },
  "queue-recently-deleted": {
    status: 409,
    retryable: true,
    title: "A queue of this name was deleted less than 60 s ago.",
  },
  "queue-conflict": {
    status: 409,
    retryable: false,
    title: "The queue is in a state that does not allow this.",
  },
  "group-recently-deleted": {
    status: 409,
    retryable: true,
    title: "A consumer group of this name was deleted less than 60 s ago.",
  },
  "group-conflict": {
    status: 409,
    retryable: false,
    title: "The consumer group is in a state that does not allow this.",
  },
  "exchange-conflict": {
    status: 409,
    retryable: false,
    title: "The exchange is in a state that does not allow this.",
  },
  "not-cancellable": {
    status: 409,
    retryable: false,
    title: "The message can no longer be cancelled.",
  },
  "message-too-large": {
    status: 413,
    retryable: false,
    title: "A message is larger than the queue allows.",
  },
  "request-too-large": { status: 413, retryable: false, title: "The request body is too large." },
  "idempotency-key-reused": {
    status: 422,
    retryable: false,
    title: "The idempotency key was used for another request.",
  },
  "unsupported-media-type": {
    status: 415,
    retryable: false,
    title: "The content type or encoding is not supported.",
  },
  "too-many-leases": {
    status: 429,
    retryable: true,
    title: "Too many messages of this queue are leased.",
  },
  throttled: {
    status: 503,
    retryable: true,
    title: "The storage engine throttled the request; nothing was changed.",
  },
  "engine-unavailable": {
    status: 503,
    retryable: true,
    title: "The storage engine did not answer; nothing was changed.",
  },
  "outcome-unknown": {
    status: 503,
    retryable: false,
    title: "The storage engine did not confirm a write: it may have been applied.",
  },
  "publish-incomplete": {
    status: 503,
    retryable: false,
    title: "Some of the queues that a message was routed to have it, others do not.",
  },
  internal: { status: 500, retryable: false, title: "LaneMQ failed." },
} as const satisfies Record<string, CodeRow>;

export type Code = keyof typeof CODES;

/** A place in the request and what is wrong there; `path` as in `messages[3].headers`. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

export class LaneError extends Error {
  readonly code: Code;
  readonly errors: readonly FieldError[];

  constructor(
    code: Code,
    detail: string,
    options?: { errors?: readonly FieldError[]; cause?: unknown },
  ) {
    super(detail, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = "LaneError";
    this.code = code;
    this.errors = options?.errors ?? [];
  }

  get status(): number {
    return CODES[this.code].status;
  }

  get retryable(): boolean {
    return CODES[this.code].retryable;
  }
}

export const isLaneError = (error: unknown, code?: Code): error is LaneError =>
  error instanceof LaneError && (code === undefined || error.code === code);

/** An error of the store after a first change: it may no longer say that nothing was changed. */
export function afterChange(error: unknown, detail: string): unknown {
  const saysUnchanged = isLaneError(error, "throttled") || isLaneError(error, "engine-unavailable");
  return saysUnchanged ? new LaneError("outcome-unknown", detail, { cause: error }) : error;
}

/** States what the code relies on; a failure is a bug of ours, never of the caller's. */
export function invariant(condition: unknown, rule: string): asserts condition {
  if (!condition) throw new LaneError("internal", `invariant broken: ${rule}`);
}
