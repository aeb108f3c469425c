/**
 * RedrivePolicy and RedriveAllowPolicy: JSON in attributes, checked in AWS's order and words.
 *
 * J10  Of an ARN the queue's name counts (J3), here as everywhere: what a client has copied from AWS,
 *      with another account in it, goes on naming the queue.
 */
import { LIMITS } from "../core/limits.ts";
import type { QueueSettings } from "../core/queue.ts";
import type { QueueName } from "../core/types.ts";
import { isObject } from "../http/message-rules.ts";
import { invalidValue, SqsError } from "./errors.ts";
import { queueArn, queueOfArn } from "./queue-url.ts";
import type { Where } from "./queue-url.ts";

export interface RedrivePolicy {
  readonly target: QueueName;
  readonly maxReceives: number;
}

const REDRIVE = "RedrivePolicy";
const ALLOW = "RedriveAllowPolicy";

/** @throws SqsError `InvalidAttributeValue`, `InvalidParameterValue` */
export function parseRedrivePolicy(text: string): RedrivePolicy {
  const policy = objectOf(text);
  if (policy === undefined)
    throw new SqsError(
      "InvalidAttributeValue",
      `Invalid value for the parameter ${REDRIVE}. Reason: Redrive policy is not a valid JSON map.`,
    );
  const { maxReceiveCount, deadLetterTargetArn, ...others } = policy;
  for (const name of ["maxReceiveCount", "deadLetterTargetArn"])
    if (policy[name] === undefined)
      throw invalidRedrive(text, `Redrive policy does not contain mandatory attribute: ${name}.`);
  const maxReceives = countOf(maxReceiveCount);
  if (maxReceives === undefined)
    throw invalidRedrive(
      text,
      `Invalid value for maxReceiveCount: ${shown(maxReceiveCount)}, valid values are from 1 to ${LIMITS.maxReceivesMax} both inclusive.`,
    );
  const target = targetOf(text, deadLetterTargetArn);
  if (Object.keys(others).length > 0)
    throw invalidRedrive(
      text,
      "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].",
    );
  return { target, maxReceives };
}

/** As AWS writes it; `undefined`: it dead-letters in a way that SQS has no words for, or not at all. */
export function redrivePolicyText(
  where: Omit<Where, "endpoint">,
  { deadLetter, maxReceives, onPoison }: QueueSettings,
): string | undefined {
  if (deadLetter?.queue === undefined || maxReceives === null || onPoison !== "deadLetter")
    return undefined;
  return JSON.stringify({
    deadLetterTargetArn: queueArn(where, deadLetter.queue),
    maxReceiveCount: maxReceives,
  });
}

/** @throws SqsError `InvalidAttributeValue`, `InvalidParameterValue` */
export function checkRedriveAllowPolicy(text: string): void {
  const policy = objectOf(text);
  const { redrivePermission, sourceQueueArns, ...others } = policy ?? {};
  const isKnown = ["allowAll", "denyAll", "byQueue"].includes(String(redrivePermission));
  const areArns =
    sourceQueueArns === undefined ||
    (Array.isArray(sourceQueueArns) && sourceQueueArns.every((arn) => typeof arn === "string"));
  if (policy === undefined || !isKnown || !areArns || Object.keys(others).length > 0)
    throw new SqsError(
      "InvalidAttributeValue",
      `Invalid value for the parameter ${ALLOW}. Reason: ${CANNOT}, as it’s in an unsupported format.`,
    );
  const count = sourceQueueArns?.length ?? 0;
  if (redrivePermission !== "byQueue" && sourceQueueArns !== undefined)
    throw invalidAllow(
      text,
      "To specify one or more source queue ARNs, you must set redrivePermission to byQueue.",
    );
  if (redrivePermission !== "byQueue") return;
  if (count === 0)
    throw invalidAllow(
      text,
      "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.",
    );
  if (count > LIMITS.redriveSourcesMax)
    throw invalidAllow(
      text,
      `The maximum number of source queue ARNs you can specify is ${LIMITS.redriveSourcesMax}.`,
    );
}

/** Whether a queue's RedriveAllowPolicy lets another one dead-letter to it. */
export function allowsRedrive(policy: string | undefined, source: QueueName): boolean {
  if (policy === undefined) return true;
  const { redrivePermission, sourceQueueArns } = objectOf(policy) ?? {};
  if (redrivePermission !== "byQueue") return redrivePermission !== "denyAll";
  return (sourceQueueArns as readonly string[]).some((arn) => queueOfArn(arn) === source);
}

export const invalidRedrive = (text: string, reason: string): SqsError =>
  invalidValue(text, REDRIVE, reason);

const CANNOT = "Amazon SQS can't create the redrive allow policy";

const invalidAllow = (text: string, reason: string): SqsError =>
  invalidValue(text, ALLOW, `${CANNOT}. ${reason}`);

function targetOf(text: string, arn: unknown): QueueName {
  const target = typeof arn === "string" ? queueOfArn(arn) : undefined;
  if (target !== undefined) return target;
  const isOther = typeof arn === "string" && /^arn:(?:[^:]*:){4}./.test(arn);
  throw invalidRedrive(
    text,
    isOther && !arn.includes(":sqs:")
      ? "Only SQS queues are valid resources for deadLetterTargetArn."
      : "Dead-letter target ARN should be fully qualified ARN.",
  );
}

/** SDKs of some languages write it as text. */
function countOf(value: unknown): number | undefined {
  const isNumeric =
    typeof value === "number" || (typeof value === "string" && /^\d{1,4}$/.test(value));
  const count = isNumeric ? Number(value) : Number.NaN;
  return Number.isInteger(count) && count >= 1 && count <= LIMITS.maxReceivesMax
    ? count
    : undefined;
}

const shown = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value);

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
