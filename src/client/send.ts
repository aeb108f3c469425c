/**
 * How messages become requests that the service takes, and what is tried again of them.
 *
 * I1  A send has an idempotency key, which all of its repeats share: what one of them stored is not
 *     stored by the next. Without one (switched off, or a message is to come later, for which the
 *     service has none yet) only what is known not to be stored is sent again.
 */
import { LIMITS } from "../core/limits.ts";
import { pauseMs, sleep } from "./effects.ts";
import { LaneMQError } from "./errors.ts";
import { bytesAtMost, bytesOf } from "./message.ts";
import type { CallOptions, Transport } from "./transport.ts";
import type { AnswerOf, OutgoingJson, SendResult } from "./wire.ts";

/** A message as it goes. */
export interface Encoded {
  /** Its JSON. */
  readonly text: string;
  /** To be delivered later. */
  readonly isScheduled: boolean;
}

export interface SendCallOptions extends CallOptions {
  /** Makes the call repeatable by you, too: see the service's `Idempotency-Key`. */
  readonly idempotencyKey?: string | undefined;
}

/** `{"messages":[]}` and commas stand beside the messages. */
export const REQUEST_BYTES = LIMITS.requestBytes - 4_096;

export const isScheduled = ({
  delaySeconds,
  deliverAt,
}: Pick<OutgoingJson, "delaySeconds" | "deliverAt">): boolean =>
  deliverAt !== undefined || (delaySeconds ?? 0) > 0;

/** One request, and its repeats. One result a message, in order. */
export async function sendOnce(
  transport: Transport,
  queue: string,
  messages: readonly Encoded[],
  { idempotencyKey: given, ...options }: SendCallOptions,
): Promise<readonly SendResult[]> {
  const { effects, retries, sendsOnce } = transport;
  const mayHaveKey = sendsOnce && !messages.some((message) => message.isScheduled);
  const idempotencyKey = given ?? (mayHaveKey ? effects.newId() : undefined);
  const send = async (some: readonly Encoded[]): Promise<readonly SendResult[]> => {
    const body = encodeBatch(some.map(({ text }) => text));
    const request = { path: { queue }, body, idempotencyKey };
    const answer = await transport.request("send", request, options);
    return (answer as AnswerOf<"send">).messages;
  };
  const results = [...(await send(messages))];
  for (let failures = 0; failures < (options.retries ?? retries.retries); failures++) {
    const open = [...results.keys()].filter((index) =>
      isOpen(results[index], idempotencyKey !== undefined),
    );
    if (open.length === 0) break;
    await sleep(effects, pauseMs(retries, failures, effects.random()), options.signal);
    options.signal?.throwIfAborted();
    // A key stands for the whole of its request.
    const repeated = idempotencyKey === undefined ? open : [...messages.keys()];
    let again: readonly SendResult[];
    try {
      again = await send(repeated.flatMap((index) => messages[index] ?? []));
    } catch (error) {
      options.signal?.throwIfAborted();
      if (error instanceof LaneMQError && error.results !== undefined) again = error.results;
      else break;
    }
    for (const index of open) {
      const answer = again[repeated.indexOf(index)];
      if (answer !== undefined) results[index] = answer;
    }
  }
  return results;
}

function isOpen(result: SendResult | undefined, hasKey: boolean): boolean {
  if (result === undefined || !("error" in result)) return false;
  return result.error.retryable || (hasKey && result.error.code === "outcome-unknown");
}

export const encodeBatch = (texts: readonly string[]): string => `{"messages":[${texts.join()}]}`;

/** A message that fits in no request is sent all the same, to be refused by the service's own words. */
export function chunksOf<M extends Pick<Encoded, "text">>(messages: readonly M[]): M[][] {
  const chunks: M[][] = [];
  let chunk: M[] = [];
  let bytes = 0;
  for (const message of messages) {
    const more = sizeOf(message.text);
    if (
      chunk.length > 0 &&
      (chunk.length === LIMITS.messagesPerSend || bytes + more > REQUEST_BYTES)
    ) {
      chunks.push(chunk);
      chunk = [];
      bytes = 0;
    }
    chunk.push(message);
    bytes += more;
  }
  if (chunk.length > 0) chunks.push(chunk);
  return chunks;
}

const SMALL = 4_096;

/** Exact where it matters, cheap where it does not. Never too little. */
export const sizeOf = (text: string): number =>
  1 + (text.length <= SMALL ? bytesAtMost(text) : bytesOf(text));
