/**
 * ChangeMessageVisibility and ChangeMessageVisibilityBatch.
 *
 * V1  A timeout runs from now on, alone for its message, and the handle stays good; 0 gives the message
 *     back at once. In all an attempt lasts 12 hours at most, from its receive.
 * V2  On a standard queue an old handle changes the message whoever has it by now, as in AWS; also when its
 *     timeout is over: AWS documents MessageNotInflight for that, but does not answer it.
 */
import * as v from "valibot";
import { LIMITS } from "../core/limits.ts";
import type { QueueName } from "../core/types.ts";
import { action, demand } from "./action.ts";
import type { SqsCall } from "./action.ts";
import { batchAnswer, entriesOf } from "./batch.ts";
import { invalidValue, missing, SqsError } from "./errors.ts";
import { isFifo } from "./fifo.ts";
import { wholeNumberSchema } from "./inputs.ts";
import { queueOfUrl } from "./queue-url.ts";
import { handleOf, invalidHandle, notIssued, statusesOf } from "./receipt-handles.ts";

const ENTRY = "ChangeMessageVisibilityBatchRequestEntry";

const NOT_AVAILABLE = "Message does not exist or is not available for visibility timeout change.";
const BEYOND_LIMIT = `Total VisibilityTimeout for the message is beyond the limit [${LIMITS.leaseSecondsMax} seconds]`;

const optionalText = v.optional(v.string());
const CHANGE = {
  ReceiptHandle: optionalText,
  VisibilityTimeout: v.optional(wholeNumberSchema),
};

interface Change {
  readonly handle: string;
  readonly seconds: number;
}

export const changeMessageVisibility = action(
  v.object({ QueueUrl: optionalText, ...CHANGE }),
  async (call, input) => {
    const queue = queueOfUrl(input.QueueUrl);
    demand(call, "receive", queue);
    const change = changeOf(input, "");
    const [outcome] = await apply(call, queue, [change]);
    if (outcome instanceof SqsError) throw outcome;
  },
);

export const changeMessageVisibilityBatch = action(
  v.object({
    QueueUrl: optionalText,
    Entries: v.optional(v.array(v.object({ Id: optionalText, ...CHANGE }))),
  }),
  async (call, input) => {
    const queue = queueOfUrl(input.QueueUrl);
    demand(call, "receive", queue);
    const entries = entriesOf(input.Entries, ENTRY);
    const changes = entries.map((entry, index) => changeOf(entry, `${ENTRY}.${index + 1}.`));
    return batchAnswer(entries, await apply(call, queue, changes));
  },
);

interface Given {
  readonly ReceiptHandle?: string | undefined;
  readonly VisibilityTimeout?: number | undefined;
}

/** `prefix`: of the names of parameters in errors. */
function changeOf({ ReceiptHandle, VisibilityTimeout }: Given, prefix: string): Change {
  const handle = handleOf(ReceiptHandle, `${prefix}ReceiptHandle`);
  if (VisibilityTimeout === undefined) throw missing(`${prefix}VisibilityTimeout`);
  return { handle, seconds: VisibilityTimeout };
}

const isInRange = ({ seconds }: Change): boolean =>
  seconds >= 0 && seconds <= LIMITS.leaseSecondsMax;

/** Of each change, nothing to say or its error; those to one timeout go together. */
async function apply(
  call: SqsCall,
  queue: QueueName,
  changes: readonly Change[],
): Promise<readonly (object | SqsError)[]> {
  const { settings } = await call.service.describeQueue(queue, { cached: true });
  const outcomes = new Map<Change, object | SqsError>();
  for (const change of changes) if (!isInRange(change)) outcomes.set(change, outOfRange(change));
  const bySeconds = new Map<number, Change[]>();
  for (const change of changes.filter(isInRange))
    bySeconds.set(change.seconds, [...(bySeconds.get(change.seconds) ?? []), change]);
  for (const [leaseSeconds, some] of bySeconds) {
    const handles = some.map(({ handle }) => handle);
    const request = {
      leaseSeconds,
      withinSeconds: LIMITS.leaseSecondsMax,
      ...(isFifo(settings) ? {} : { stale: "accept" as const }),
    };
    const statuses = await statusesOf(handles, call.service.extend(queue, handles, request));
    for (const [index, change] of some.entries())
      outcomes.set(change, outcomeOf(change, statuses[index]));
  }
  return changes.map((change) => outcomes.get(change) ?? {});
}

function outcomeOf(
  { handle, seconds }: Change,
  status: Awaited<ReturnType<typeof statusesOf>>[number] | undefined,
): object | SqsError {
  if (status === "invalid") return notIssued(handle);
  if (status === "gone") return invalidHandle(handle, NOT_AVAILABLE);
  return status === "tooLong" ? invalidValue(seconds, "VisibilityTimeout", BEYOND_LIMIT) : {};
}

const outOfRange = ({ seconds }: Change): SqsError =>
  invalidValue(
    seconds,
    "VisibilityTimeout",
    `Must be >= 0 and <= ${LIMITS.leaseSecondsMax}, if provided.`,
  );
