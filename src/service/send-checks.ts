/** What a queue does not take, by field: one message that is refused refuses its request (M3). */
import { LaneError } from "../core/errors.ts";
import type { FieldError } from "../core/errors.ts";
import { messageBytes } from "../core/message.ts";
import type { OutgoingMessage } from "../core/message.ts";
import type { QueueRecord } from "../core/queue.ts";
import { scheduleError } from "../core/timer.ts";
import type { EpochMs } from "../core/types.ts";
import type { Stamped } from "./send.ts";

/** A timer is not yet stored exactly once. */
export function checkDedup(stamped: readonly Stamped[], idempotencyKey: string | undefined): void {
  const errors = stamped.flatMap(({ message, stamp }, index) => {
    const isRepeatable = message.dedupId !== undefined || idempotencyKey !== undefined;
    if (!isRepeatable || stamp.promoteAt === undefined) return [];
    const path =
      message.dedupId === undefined ? "headers.idempotency-key" : `messages[${index}].dedupId`;
    return [{ path, message: "is not supported yet for a message that is delayed" }];
  });
  const [first] = errors;
  if (first !== undefined)
    throw new LaneError("invalid-request", `${first.path} ${first.message}.`, { errors });
}

export function checkSchedules(messages: readonly OutgoingMessage[], now: EpochMs): void {
  const errors = messages.flatMap((message, index) => {
    const error = scheduleError(message, now);
    return error === undefined
      ? []
      : [{ path: `messages[${index}].${error.field}`, message: error.message }];
  });
  const [first] = errors;
  if (first !== undefined)
    throw new LaneError("invalid-request", `${first.path} ${first.message}.`, { errors });
}

export function checkSizes(record: QueueRecord, messages: readonly OutgoingMessage[]): void {
  const max = record.settings.maxMessageBytes;
  const errors = messages.flatMap((message, index) => {
    const bytes = messageBytes(message);
    return bytes <= max
      ? []
      : [
          {
            path: `messages[${index}]`,
            message: `is ${bytes} bytes with its headers; the queue takes ${max}`,
          },
        ];
  });
  if (errors.length > 0)
    throw new LaneError(
      "message-too-large",
      `A message is larger than the ${max} bytes that the queue "${record.name}" takes.`,
      { errors },
    );
}

/** O1: where order is kept, a message's place in it is that of its send, and by key it needs one. */
export function checkOrder(record: QueueRecord, messages: readonly OutgoingMessage[]): void {
  const { order } = record.settings;
  if (order === "none") return;
  const errors = messages.flatMap((message, index) => {
    const found: FieldError[] = [];
    if (order === "key" && message.key === undefined)
      found.push({ path: `messages[${index}].key`, message: "is required" });
    for (const field of ["delaySeconds", "deliverAt"] as const)
      if (message[field] !== undefined)
        found.push({ path: `messages[${index}].${field}`, message: "does not go with order" });
    return found;
  });
  if (errors.length > 0)
    throw new LaneError(
      "invalid-request",
      `The queue "${record.name}" keeps order${order === "key" ? " by key" : ""}: ${errors[0]?.path} ${errors[0]?.message}.`,
      { errors },
    );
}

/** Of a published message these are its publisher's wishes, which not every queue can heed. */
export function checkSharing(record: QueueRecord, messages: readonly OutgoingMessage[]): void {
  const { priorities, order } = record.settings;
  const errors = messages.flatMap((message, index) => {
    const found: FieldError[] = [];
    const at = `messages[${index}]`;
    const isSent = message.exchange === undefined;
    if (isSent && message.priority !== undefined && priorities === false)
      found.push({ path: `${at}.priority`, message: "needs a queue with priorities" });
    if (isSent && message.tenant !== undefined && order !== "none")
      found.push({ path: `${at}.tenant`, message: "does not go with order" });
    for (const field of ["delaySeconds", "deliverAt"] as const)
      if (message[field] !== undefined && priorities !== false)
        found.push({ path: `${at}.${field}`, message: "does not go with priorities" });
    return found;
  });
  const [first] = errors;
  if (first !== undefined)
    throw new LaneError("invalid-request", `${first.path} ${first.message}.`, { errors });
}
