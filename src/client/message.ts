/**
 * Messages as programs have them: bytes are bytes, and not base64.
 *
 * B1  What is sent is fixed when it is handed over: its JSON is made at once, so that what the caller
 *     changes afterwards is not sent.
 */
import type { Headers } from "./tracing.ts";
import type {
  BrowsedJson,
  LookedUpJson,
  OutgoingJson,
  ReceivedJson,
  ScheduledJson,
} from "./wire.ts";

/** Of a message beside its body: headers, content type, and whatever else the service takes. */
export type SendOptions = Omit<OutgoingJson, "body" | "encoding">;

/** `body`: text, bytes, or any other JSON value. */
export type OutgoingMessage<T = unknown> = SendOptions & { readonly body: T | Uint8Array };

/** A message under a lease. `body` is text, bytes (a `Uint8Array`) or a JSON value. */
export type Message<T = unknown> = WithBody<ReceivedJson, T>;

/** A message that was looked at, and not leased. */
export type BrowsedMessage<T = unknown> = WithBody<BrowsedJson, T>;
export type LookedUpMessage<T = unknown> = WithBody<LookedUpJson, T>;

export type ScheduledMessage<T = unknown> = WithBody<ScheduledJson, T>;

type WithBody<J, T> = Omit<J, "body" | "encoding"> & { readonly body: T };

/** The members of a message that are its body. */
export const bodyMembers = (
  body: unknown,
): { readonly body: unknown; readonly encoding?: "base64" } =>
  body instanceof Uint8Array ? { body: toBase64(body), encoding: "base64" } : { body };

/** The same as JSON (B1). */
export function encodeBody(body: unknown): string {
  if (body instanceof Uint8Array) return `"body":"${toBase64(body)}","encoding":"base64"`;
  const text = JSON.stringify(body) as string | undefined;
  if (text === undefined) throw new TypeError(`A body is text, bytes or JSON, not ${typeof body}.`);
  return `"body":${text}`;
}

/** The message's JSON; `extra` headers give way to its own. */
export function encodeMessage(body: string, options: SendOptions, extra: Headers): string {
  const { body: _, ...rest } = options as OutgoingMessage;
  const hasExtra = Object.keys(extra).length > 0;
  const all = hasExtra ? { ...rest, headers: { ...extra, ...rest.headers } } : rest;
  const text = JSON.stringify(all);
  return text === "{}" ? `{${body}}` : `{${body},${text.slice(1)}`;
}

export function decodeMessage<J extends { readonly body?: unknown; readonly encoding?: "base64" }>(
  json: J,
): WithBody<J, unknown> {
  const { encoding, body, ...rest } = json;
  return { ...rest, body: encoding === "base64" ? fromBase64(String(body)) : body };
}

/** Arguments of one call are limited in number. */
const CHUNK = 0x8000;

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(text);
}

const fromBase64 = (text: string): Uint8Array =>
  Uint8Array.from(atob(text), (unit) => unit.charCodeAt(0));

/** An upper bound of the UTF-8 bytes of a text, without encoding it. */
export const bytesAtMost = (text: string): number => text.length * 3;

const UTF8 = new TextEncoder();

export const bytesOf = (text: string): number => UTF8.encode(text).length;
