/** Where messages go that do not fit their queue's schema. */
import type { FieldError } from "../core/errors.ts";
import type { Message, OutgoingMessage } from "./message.ts";

export interface Misfit {
  readonly message: Message;
  readonly errors: readonly FieldError[];
}

const REASON_CHARS = 1_000;

/** The message as it is put aside; its id makes that happen once, however often it comes. */
export function asideOf(queue: string, { message, errors }: Misfit): OutgoingMessage {
  const { id, body, contentType, headers } = message;
  return {
    body,
    contentType,
    headers: {
      ...headers,
      "lanemq-invalid": JSON.stringify(errors).slice(0, REASON_CHARS),
      "lanemq-invalid-queue": queue,
      "lanemq-invalid-id": id,
    },
    dedupId: `invalid:${id}`,
  };
}
