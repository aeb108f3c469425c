/**
 * SendMessage and SendMessageBatch.
 *
 * S1  A message that AWS would refuse is refused before anything is stored, with AWS's code and text. In a
 *     batch it fails alone; on a FIFO queue it refuses the batch, so that nothing overtakes it.
 */
import * as v from "valibot";
import { isLaneError, LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { OutgoingMessage } from "../core/message.ts";
import type { QueueSettings } from "../core/queue.ts";
import type { QueueName } from "../core/types.ts";
import type { SendResult } from "../service/api.ts";
import { action, demand } from "./action.ts";
import type { SqsCall } from "./action.ts";
import { batchAnswer, entriesOf } from "./batch.ts";
import { ALLOWED, refusedCharacter } from "./characters.ts";
import { fromLaneError, invalidValue, missing, SqsError } from "./errors.ts";
import { checkFifoId, isFifo, NOT_FOR_THIS_TYPE } from "./fifo.ts";
import { attributeMapSchema, textSchema, wholeNumberSchema } from "./inputs.ts";
import { md5, md5OfAttributes } from "./md5.ts";
import {
  attributeBytes,
  attributesOf,
  contentOf,
  TRACE_HEADER,
  traceHeaderOf,
} from "./message-attributes.ts";
import { sqsMessageId } from "./message-id.ts";
import { queueOfUrl } from "./queue-url.ts";
import { sequenceNumber } from "./sequence-number.ts";

const MESSAGE = {
  MessageBody: v.optional(textSchema),
  DelaySeconds: v.optional(wholeNumberSchema),
  MessageAttributes: v.optional(attributeMapSchema),
  MessageSystemAttributes: v.optional(attributeMapSchema),
  MessageDeduplicationId: v.optional(v.string()),
  MessageGroupId: v.optional(v.string()),
};
const messageSchema = v.object(MESSAGE);
type Input = v.InferOutput<typeof messageSchema>;

const ENTRY = "SendMessageBatchRequestEntry";

/** A message that AWS's rules let pass, and what its answer says of what was sent. */
interface Checked {
  readonly message: OutgoingMessage;
  readonly digests: {
    readonly MD5OfMessageBody: string;
    readonly MD5OfMessageAttributes: string | undefined;
    readonly MD5OfMessageSystemAttributes: string | undefined;
  };
  /** As AWS counts them. */
  readonly bytes: number;
}

/** In which words errors are: in an entry of a batch some differ. */
interface Wording {
  /** What stands before the names of parameters that are missing. */
  readonly prefix: string;
  readonly isEntry: boolean;
}

const ALONE: Wording = { prefix: "", isEntry: false };

export const sendMessage = action(
  v.object({ QueueUrl: v.optional(v.string()), ...MESSAGE }),
  async (call, input) => {
    const queue = queueOfUrl(input.QueueUrl);
    demand(call, "send", queue);
    const { settings } = await call.service.describeQueue(queue, { cached: true });
    const { message, digests, bytes } = checked(call, input, settings, ALONE);
    checkSize(bytes, settings, ALONE);
    const [result] = await call.service.send(queue, [message]);
    const outcome = outcomeOf(result, digests, settings);
    if (outcome instanceof SqsError) throw outcome;
    return outcome;
  },
);

export const sendMessageBatch = action(
  v.object({
    QueueUrl: v.optional(v.string()),
    Entries: v.optional(v.array(v.object({ Id: v.optional(v.string()), ...MESSAGE }))),
  }),
  async (call, input) => {
    const queue = queueOfUrl(input.QueueUrl);
    demand(call, "send", queue);
    const entries = entriesOf(input.Entries, ENTRY);
    const { settings } = await call.service.describeQueue(queue, { cached: true });
    const all = entries.map((entry, index) => {
      const wording = { prefix: `${ENTRY}.${index + 1}.`, isEntry: true };
      return failing(() => checked(call, entry, settings, wording));
    });
    checkTotal(all);
    const fitting = all.map((one) =>
      one instanceof SqsError
        ? one
        : failing(() => {
            checkSize(one.bytes, settings, { prefix: "", isEntry: true });
            return one;
          }),
    );
    const wrong = fitting.find((one) => one instanceof SqsError);
    if (wrong !== undefined && isFifo(settings)) throw wrong;
    return batchAnswer(entries, await sent(call, queue, fitting, settings));
  },
);

/** Of each message in turn; those that were refused stay so. */
async function sent(
  { service }: SqsCall,
  queue: QueueName,
  all: readonly (Checked | SqsError)[],
  settings: QueueSettings,
): Promise<readonly (object | SqsError)[]> {
  const good = all.filter((one): one is Checked => !(one instanceof SqsError));
  const results =
    good.length === 0
      ? []
      : await service.send(
          queue,
          good.map(({ message }) => message),
        );
  const byMessage = new Map(good.map((one, index) => [one, results[index]]));
  return all.map((one) =>
    one instanceof SqsError ? one : outcomeOf(byMessage.get(one), one.digests, settings),
  );
}

function outcomeOf(
  result: SendResult | undefined,
  digests: Checked["digests"],
  settings: QueueSettings,
): object | SqsError {
  if (result === undefined) return fromLaneError(new LaneError("internal", ""));
  if ("error" in result)
    return fromLaneError(new LaneError(result.error.code, result.error.detail));
  return {
    MessageId: sqsMessageId(result.id),
    ...digests,
    SequenceNumber: isFifo(settings) ? sequenceNumber(result.id) : undefined,
  };
}

/** S1, but for its size. */
function checked(call: SqsCall, input: Input, settings: QueueSettings, wording: Wording): Checked {
  const { MessageBody: text } = input;
  if (text === undefined || text === "") throw missing(`${wording.prefix}MessageBody`);
  const character = refusedCharacter(text);
  if (character !== undefined)
    throw new SqsError(
      "InvalidMessageContents",
      `Invalid binary character '${character}' was found in the message body, the set of allowed characters is ${ALLOWED}`,
    );
  const attributes = attributesOf(input.MessageAttributes);
  const trace = traceHeaderOf(input.MessageSystemAttributes);
  const body = Buffer.from(text, "utf8");
  return {
    message: {
      kind: "text",
      body,
      contentType: "text/plain; charset=utf-8",
      ...contentOf(attributes, trace ?? call.trace),
      ...(isFifo(settings) ? fifoFields(input, settings, wording) : standardFields(input, wording)),
    },
    digests: {
      MD5OfMessageBody: md5(body),
      MD5OfMessageAttributes: md5OfAttributes(attributes),
      MD5OfMessageSystemAttributes:
        trace === undefined
          ? undefined
          : md5OfAttributes([{ name: TRACE_HEADER, type: "String", value: trace }]),
    },
    bytes: body.length + attributeBytes(attributes),
  };
}

type Fields = Pick<OutgoingMessage, "key" | "tenant" | "dedupId" | "delaySeconds">;

function fifoFields(input: Input, { dedup }: QueueSettings, { isEntry }: Wording): Fields {
  const { MessageGroupId: key, MessageDeduplicationId: dedupId, DelaySeconds: delay } = input;
  if (delay !== undefined && delay !== 0)
    throw invalidValue(delay, "DelaySeconds", NOT_FOR_THIS_TYPE);
  if (key === undefined) {
    const error = missing("MessageGroupId");
    throw isEntry ? new SqsError("InvalidParameterValue", error.message) : error;
  }
  checkFifoId(key, "MessageGroupId");
  if (dedupId !== undefined) checkFifoId(dedupId, "MessageDeduplicationId");
  else if (dedup?.contentBased !== true)
    throw new SqsError(
      "InvalidParameterValue",
      "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    );
  return { key, ...(dedupId === undefined ? {} : { dedupId }) };
}

function standardFields(input: Input, { isEntry }: Wording): Fields {
  const { MessageGroupId: tenant, MessageDeduplicationId: dedupId, DelaySeconds: delay } = input;
  if (delay !== undefined && (delay < 0 || delay > LIMITS.sqsDelaySecondsMax))
    throw invalidValue(
      delay,
      "DelaySeconds",
      `DelaySeconds must be >= 0 and <= ${LIMITS.sqsDelaySecondsMax}.`,
    );
  if (dedupId !== undefined)
    throw new SqsError(
      "InvalidParameterValue",
      `The request include parameter ${isEntry ? "that" : "MessageDeduplicationId which"} is not valid for this queue type`,
    );
  if (tenant !== undefined) checkFifoId(tenant, "MessageGroupId");
  return {
    ...(tenant === undefined ? {} : { tenant }),
    ...(delay === undefined ? {} : { delaySeconds: delay }),
  };
}

function checkSize(bytes: number, { maxMessageBytes }: QueueSettings, { isEntry }: Wording): void {
  if (bytes <= maxMessageBytes) return;
  const are = isEntry ? "cannot be validated" : "are invalid";
  throw new SqsError(
    "InvalidParameterValue",
    `One or more parameters ${are}. Reason: Message must be shorter than ${maxMessageBytes} bytes.`,
  );
}

/** Of a batch: whatever the queue takes of a single message. */
function checkTotal(all: readonly (Checked | SqsError)[]): void {
  const bytes = all.reduce((sum, one) => sum + (one instanceof SqsError ? 0 : one.bytes), 0);
  if (bytes > LIMITS.messageBytes)
    throw new SqsError(
      "BatchRequestTooLong",
      `Batch requests cannot be longer than ${LIMITS.messageBytes} bytes. You have sent ${bytes} bytes.`,
    );
}

function failing<T>(check: () => T): T | SqsError {
  try {
    return check();
  } catch (error) {
    if (error instanceof SqsError || isLaneError(error)) return fromLaneError(error);
    throw error;
  }
}
