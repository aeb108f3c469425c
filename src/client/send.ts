/** How messages become requests that the service takes. */
import { LIMITS } from "../core/limits.ts";
import { bytesAtMost, bytesOf } from "./message.ts";

/** `{"messages":[]}` and commas stand beside the messages. */
export const REQUEST_BYTES = LIMITS.requestBytes - 4_096;

export const encodeBatch = (texts: readonly string[]): string => `{"messages":[${texts.join()}]}`;

/** A message that fits in no request is sent all the same, to be refused by the service's own words. */
export function chunksOf(texts: readonly string[]): string[][] {
  const chunks: string[][] = [];
  let chunk: string[] = [];
  let bytes = 0;
  for (const text of texts) {
    const more = sizeOf(text);
    if (
      chunk.length > 0 &&
      (chunk.length === LIMITS.messagesPerSend || bytes + more > REQUEST_BYTES)
    ) {
      chunks.push(chunk);
      chunk = [];
      bytes = 0;
    }
    chunk.push(text);
    bytes += more;
  }
  if (chunk.length > 0) chunks.push(chunk);
  return chunks;
}

const SMALL = 4_096;

/** Exact where it matters, cheap where it does not. Never too little. */
export const sizeOf = (text: string): number =>
  1 + (text.length <= SMALL ? bytesAtMost(text) : bytesOf(text));
