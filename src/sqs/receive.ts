/**
 * ReceiveMessage.
 *
 * R1  A message says of itself what was asked for, and no more; its digest of attributes is of those
 *     that go along.
 * R2  A body is text that SQS allows: JSON as it was sent; bytes, and text with other characters, as base64.
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { givenDedupId } from "../core/dedup.ts";
import { LIMITS } from "../core/limits.ts";
import type { QueueSettings } from "../core/queue.ts";
import type { ReceivedMessage } from "../service/api.ts";
import { action, demand } from "./action.ts";
import type { SqsCall } from "./action.ts";
import { refusedCharacter } from "./characters.ts";
import { invalidValue } from "./errors.ts";
import { checkFifoId, isFifo, NOT_FOR_THIS_TYPE } from "./fifo.ts";
import { wholeNumberSchema } from "./inputs.ts";
import { md5, md5OfAttributes } from "./md5.ts";
import { attributeMap, attributesIn, TRACE_HEADER } from "./message-attributes.ts";
import { sqsMessageId } from "./message-id.ts";
import { queueArn, queueOfUrl } from "./queue-url.ts";
import { sequenceNumber } from "./sequence-number.ts";

const names = v.optional(v.array(v.string()));

export const receiveMessage = action(
  v.object({
    QueueUrl: v.optional(v.string()),
    AttributeNames: names,
    MessageSystemAttributeNames: names,
    MessageAttributeNames: names,
    MaxNumberOfMessages: v.optional(wholeNumberSchema),
    VisibilityTimeout: v.optional(wholeNumberSchema),
    WaitTimeSeconds: v.optional(wholeNumberSchema),
    ReceiveRequestAttemptId: v.optional(v.string()),
  }),
  async (call, input) => {
    const queue = queueOfUrl(input.QueueUrl);
    demand(call, "receive", queue);
    const {
      MaxNumberOfMessages: max = 1,
      VisibilityTimeout: leaseSeconds,
      WaitTimeSeconds: waitSeconds,
      ReceiveRequestAttemptId: attempt,
    } = input;
    if (max < 1 || max > LIMITS.sqsBatchEntries)
      throw invalidValue(max, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.");
    checkRange("VisibilityTimeout", leaseSeconds, LIMITS.leaseSecondsMax);
    checkRange("WaitTimeSeconds", waitSeconds, LIMITS.waitSecondsMax);
    const { settings } = await call.service.describeQueue(queue, { cached: true });
    if (attempt !== undefined) {
      if (!isFifo(settings))
        throw invalidValue(attempt, "ReceiveRequestAttemptId", NOT_FOR_THIS_TYPE);
      checkFifoId(attempt, "ReceiveRequestAttemptId");
    }
    const messages = await call.service.receive(queue, {
      max,
      group: "default",
      maxBytes: LIMITS.sqsReceiveBytes,
      drain: isFifo(settings),
      ...(leaseSeconds === undefined ? {} : { leaseSeconds }),
      ...(waitSeconds === undefined ? {} : { waitSeconds }),
      ...(attempt === undefined ? {} : { attempt }),
      // V3: also where none is to be waited for, as rounds gather callers for a moment.
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
    const asked = {
      attributes: filterOf(input.MessageAttributeNames ?? []),
      system: new Set([
        ...(input.AttributeNames ?? []),
        ...(input.MessageSystemAttributeNames ?? []),
      ]),
    };
    return { Messages: messages.map((message) => messageOf(call, settings, message, asked)) };
  },
);

interface Asked {
  readonly attributes: (name: string) => boolean;
  readonly system: ReadonlySet<string>;
}

function messageOf(
  call: SqsCall,
  settings: QueueSettings,
  message: ReceivedMessage,
  asked: Asked,
): object {
  const body = bodyOf(message);
  const attributes = attributesIn(message, asked.attributes);
  return {
    MessageId: sqsMessageId(message.id),
    ReceiptHandle: message.receipt,
    MD5OfBody: md5(body),
    Body: body,
    Attributes: systemAttributes(call, settings, message, asked.system),
    MD5OfMessageAttributes: md5OfAttributes(attributes),
    MessageAttributes: attributeMap(attributes),
  };
}

/** R2 */
function bodyOf({ kind, body }: ReceivedMessage): string {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (kind === "bytes") return bytes.toString("base64");
  const text = bytes.toString("utf8");
  return refusedCharacter(text) === undefined ? text : bytes.toString("base64");
}

/** R1: which names of message attributes are asked for: `All`, `.*`, `*`, `prefix.*`, or each by its name. */
function filterOf(asked: readonly string[]): (name: string) => boolean {
  if (asked.length === 0) return () => false;
  if (asked.some((name) => name === "All" || name === ".*" || name === "*")) return () => true;
  const names = new Set(asked);
  const prefixes = asked.filter((name) => name.endsWith(".*")).map((name) => name.slice(0, -2));
  return (name) => names.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

type SystemAttribute = (
  message: ReceivedMessage,
  call: SqsCall,
  settings: QueueSettings,
) => string | number | undefined;

const SYSTEM_ATTRIBUTES: Readonly<Record<string, SystemAttribute>> = {
  SenderId: (_message, { account }) => account,
  SentTimestamp: ({ sentAt }) => sentAt,
  // Those in the queue that it was dead-lettered from count on.
  ApproximateReceiveCount: ({ receives, deadLetter }) => receives + (deadLetter?.receives ?? 0),
  ApproximateFirstReceiveTimestamp: ({ firstReceivedAt, deadLetter }) =>
    deadLetter?.firstReceivedAt ?? firstReceivedAt,
  SequenceNumber: ({ id, place }, _call, settings) =>
    isFifo(settings) ? sequenceNumber(place ?? id) : undefined,
  MessageDeduplicationId: (message, _call, settings) =>
    isFifo(settings) ? dedupIdOf(message) : undefined,
  MessageGroupId: ({ key, tenant }, _call, settings) => (isFifo(settings) ? key : tenant),
  [TRACE_HEADER]: ({ sqs }) => sqs?.trace,
  DeadLetterQueueSourceArn: ({ deadLetter }, call) =>
    deadLetter === undefined ? undefined : queueArn(call, queueOfUrl(deadLetter.queue)),
};

function systemAttributes(
  call: SqsCall,
  settings: QueueSettings,
  message: ReceivedMessage,
  asked: ReadonlySet<string>,
): Readonly<Record<string, string>> | undefined {
  if (asked.size === 0) return undefined;
  const attributes: Record<string, string> = {};
  for (const [name, valueOf] of Object.entries(SYSTEM_ATTRIBUTES)) {
    if (!asked.has("All") && !asked.has(name)) continue;
    const value = valueOf(message, call, settings);
    if (value !== undefined) attributes[name] = String(value);
  }
  return attributes;
}

/** As it was sent, or of the content, as AWS makes it: SHA-256. A dead letter's is its own id. */
function dedupIdOf({ id, sentAs, body, deadLetter }: ReceivedMessage): string | undefined {
  if (deadLetter !== undefined) return sqsMessageId(id);
  const given = sentAs === undefined ? undefined : givenDedupId(sentAs);
  if (given !== "content") return given?.id;
  return createHash("sha256").update(body).digest("hex");
}

function checkRange(parameter: string, value: number | undefined, max: number): void {
  if (value === undefined || (value >= 0 && value <= max)) return;
  throw invalidValue(value, parameter, `Must be >= 0 and <= ${max}, if provided.`);
}
