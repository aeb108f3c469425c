/**
 * What a repeated send is recognised by: the names of dedup records, and the fingerprint of a request.
 *
 * U1  Names of different sorts never meet, whatever users choose: each begins with its sort.
 * U2  A content-based id is made of the body's kind and bytes alone: contentType, headers and the rest
 *     may differ in a repeat.
 * U3  Clearing a queue's dedup memory gives the ids sent since other names; requests keep theirs, for a
 *     repeat of a request is no new one.
 */
import { createHash } from "node:crypto";
import { encode } from "@msgpack/msgpack";
import type { OutgoingMessage } from "./message.ts";
import type { QueueSettings } from "./queue.ts";
import type { EpochMs } from "./types.ts";

export interface DedupSettings {
  /** Whether an id names one message of the queue, or one of each `key`. */
  readonly scope: "queue" | "key";
  /** 60–604,800: for how long a repeat is recognised */
  readonly windowSeconds: number;
  /** Messages without a `dedupId` get one made of their content. */
  readonly contentBased: boolean;
}

/** What holds for a `dedupId` on a queue that says nothing. */
export const DEFAULT_DEDUP: DedupSettings = {
  scope: "queue",
  windowSeconds: 300,
  contentBased: false,
};

export const dedupOf = ({ dedup }: Pick<QueueSettings, "dedup">): DedupSettings =>
  dedup ?? DEFAULT_DEDUP;

/**
 * What the message is remembered by; `undefined`: it may be stored any number of times.
 * `clearedAt`: of the queue's record (U3).
 */
export function dedupName(
  message: OutgoingMessage,
  settings: DedupSettings,
  clearedAt?: EpochMs,
): string | undefined {
  const { dedupId } = message;
  if (dedupId === undefined && !settings.contentBased) return undefined;
  const since = clearedAt === undefined ? "" : `.${clearedAt.toString(36)}`;
  const space =
    settings.scope === "key" && message.key !== undefined
      ? `OfKey${since}#${message.key.length}#${message.key}`
      : since;
  return dedupId === undefined
    ? `content${space}#${contentHash(message)}`
    : `send${space}#${dedupId}`;
}

/** Whether a name says what a message was sent as; others are made of a place or a request. */
export const isSentName = (name: string): boolean =>
  /^(send|content)(OfKey)?(\.[0-9a-z]+)?#/.test(name);

/** Of a name: the `dedupId` that its sender gave, or that it was made of the content; else `undefined`. */
export function givenDedupId(name: string): { readonly id: string } | "content" | undefined {
  if (!isSentName(name)) return undefined;
  if (name.startsWith("content")) return "content";
  const given = name.slice(name.indexOf("#") + 1);
  if (!name.startsWith("sendOfKey")) return { id: given };
  const key = given.indexOf("#") + 1;
  return { id: given.slice(key + Number.parseInt(given, 10) + 1) };
}

const contentHash = ({ kind, body }: OutgoingMessage): string =>
  createHash("sha256").update(`${kind}\n`).update(body).digest("base64url");

export const requestName = (key: string): string => `request#${key}`;

/** What the first message of each of a request's entries carries. */
export const slotName = (key: string, slot: number): string => `request${slot}#${key}`;

/** Tells a request from another one that comes under the same idempotency key. */
export const fingerprint = (messages: readonly OutgoingMessage[]): string =>
  createHash("sha256")
    .update(encode(messages, { sortKeys: true }))
    .digest("base64url");
