/**
 * The errors of the SQS face: AWS's names, codes of the query protocol and statuses in one table.
 *
 * J1  A name of SQS's model stands in `__type` as `com.amazonaws.sqs#…`; where its code in the query
 *     protocol is another one, that goes along in `x-amzn-query-error`. The prefix
 *     `AWS.SimpleQueueService.` is on the codes on which AWS has it, and on no other.
 * J2  Sender faults have a 4xx status, and a client does not repeat them; LaneMQ's own codes come to
 *     one of these by `fromLaneError`, which says nothing of what happened inside.
 */
import { LaneError } from "../core/errors.ts";
import type { Code } from "../core/errors.ts";

interface Row {
  readonly status: number;
  /** Code in the query protocol; absent: the name. */
  readonly queryCode?: string;
  /** What JSON has after the `#`, with its namespace, where it is none of SQS's model. */
  readonly type?: string;
}

const PREFIX = "AWS.SimpleQueueService";
const CORAL = "com.amazon.coral.service";

export const SQS_ERRORS = {
  BatchEntryIdsNotDistinct: { status: 400, queryCode: `${PREFIX}.BatchEntryIdsNotDistinct` },
  BatchRequestTooLong: { status: 400, queryCode: `${PREFIX}.BatchRequestTooLong` },
  EmptyBatchRequest: { status: 400, queryCode: `${PREFIX}.EmptyBatchRequest` },
  InvalidAddress: { status: 404 },
  InvalidAttributeName: { status: 400 },
  InvalidAttributeValue: { status: 400 },
  InvalidBatchEntryId: { status: 400, queryCode: `${PREFIX}.InvalidBatchEntryId` },
  InvalidMessageContents: { status: 400 },
  MessageNotInflight: { status: 400, queryCode: `${PREFIX}.MessageNotInflight` },
  OverLimit: { status: 403 },
  PurgeQueueInProgress: { status: 403, queryCode: `${PREFIX}.PurgeQueueInProgress` },
  QueueDeletedRecently: { status: 400, queryCode: `${PREFIX}.QueueDeletedRecently` },
  QueueDoesNotExist: { status: 400, queryCode: `${PREFIX}.NonExistentQueue` },
  QueueNameExists: { status: 400, queryCode: "QueueAlreadyExists" },
  ReceiptHandleIsInvalid: { status: 404 },
  RequestThrottled: { status: 403 },
  ResourceNotFoundException: { status: 404 },
  TooManyEntriesInBatchRequest: {
    status: 400,
    queryCode: `${PREFIX}.TooManyEntriesInBatchRequest`,
  },
  UnsupportedOperation: { status: 400, queryCode: `${PREFIX}.UnsupportedOperation` },

  AccessDenied: { status: 403, type: `${CORAL}#AccessDeniedException` },
  IncompleteSignature: { status: 400, type: `${CORAL}#IncompleteSignatureException` },
  InternalFailure: { status: 500, type: `${CORAL}#InternalFailure` },
  InvalidAction: { status: 400, type: `${CORAL}#UnknownOperationException` },
  InvalidClientTokenId: { status: 403, type: `${CORAL}#UnrecognizedClientException` },
  InvalidParameterValue: { status: 400, type: `${CORAL}#InvalidParameterValueException` },
  MalformedInput: { status: 400, type: `${CORAL}#SerializationException` },
  MissingAction: { status: 404, type: `${CORAL}#UnknownOperationException` },
  MissingAuthenticationToken: {
    status: 403,
    type: `${CORAL}#MissingAuthenticationTokenException`,
  },
  MissingParameter: { status: 400, type: `${CORAL}#MissingRequiredParameterException` },
  RequestEntityTooLarge: { status: 413, type: `${CORAL}#RequestEntityTooLargeException` },
  RequestExpired: { status: 400 },
  ServiceUnavailable: { status: 503, type: `${CORAL}#ServiceUnavailableException` },
  SignatureDoesNotMatch: { status: 403, type: `${CORAL}#InvalidSignatureException` },
} as const satisfies Record<string, Row>;

export type SqsErrorName = keyof typeof SQS_ERRORS;

export class SqsError extends Error {
  override readonly name: SqsErrorName;

  constructor(name: SqsErrorName, message: string, options?: { cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = name;
  }

  get status(): number {
    return SQS_ERRORS[this.name].status;
  }

  /** Code in the query protocol, in entries of batches, and what SDKs call `Code`. */
  get queryCode(): string {
    const row: Row = SQS_ERRORS[this.name];
    return row.queryCode ?? this.name;
  }

  /** The query protocol's clients look for these words of older days. */
  get queryMessage(): string {
    return this.message === NO_QUEUE
      ? NO_QUEUE.replace(/\.$/, " for this wsdl version.")
      : this.message;
  }

  get isSenderFault(): boolean {
    return this.status < 500;
  }

  /** `__type` in JSON (J1). */
  get type(): string {
    const row: Row = SQS_ERRORS[this.name];
    return row.type ?? `com.amazonaws.sqs#${this.name}`;
  }
}

export const noAction = (name: string): SqsError =>
  name === ""
    ? new SqsError("MissingAction", "The request must contain the parameter Action.")
    : new SqsError(
        "InvalidAction",
        `The action ${name.slice(0, 100)} is not valid for this endpoint.`,
      );

export const missing = (parameter: string): SqsError =>
  new SqsError("MissingParameter", `The request must contain the parameter ${parameter}.`);

/** In AWS's words: `Value … for parameter … is invalid. Reason: ….` */
export const invalidValue = (value: unknown, parameter: string, reason: string): SqsError =>
  new SqsError(
    "InvalidParameterValue",
    `Value ${String(value)} for parameter ${parameter} is invalid. Reason: ${reason}`,
  );

const NO_QUEUE = "The specified queue does not exist.";
const LATER = "The service is busy or its storage did not answer; try again later.";

/** J2: LaneMQ's codes that are SQS's under another name. `message` absent: the error's own. */
const NAMES: Partial<Record<Code, { readonly name: SqsErrorName; readonly message?: string }>> = {
  "queue-not-found": {
    name: "QueueDoesNotExist",
    message: NO_QUEUE,
  },
  "queue-recently-deleted": {
    name: "QueueDeletedRecently",
    message:
      "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
  },
  "queue-conflict": { name: "UnsupportedOperation" },
  "too-many-leases": { name: "OverLimit" },
  "receipt-invalid": {
    name: "ReceiptHandleIsInvalid",
    message: "The input receipt handle is invalid.",
  },
  "invalid-request": { name: "InvalidParameterValue" },
  "message-too-large": { name: "InvalidParameterValue" },
  "request-too-large": { name: "RequestEntityTooLarge" },
  "unsupported-media-type": { name: "MalformedInput" },
  throttled: { name: "ServiceUnavailable", message: LATER },
  "engine-unavailable": { name: "ServiceUnavailable", message: LATER },
};

/** What is an SqsError already stays what it is. */
export function fromLaneError(error: unknown): SqsError {
  if (error instanceof SqsError) return error;
  const row = error instanceof LaneError ? NAMES[error.code] : undefined;
  if (!(error instanceof LaneError) || row === undefined) return internal(error);
  return new SqsError(row.name, row.message ?? error.message, { cause: error });
}

const internal = (cause: unknown): SqsError =>
  new SqsError("InternalFailure", "We encountered an internal error. Please try again.", { cause });
