/**
 * The codec of entries: messages to the bytes of an entry's `body` and back.
 *
 * Owns the stored format of messages and its version; knows nothing of items or offsets.
 *
 * K1  The first byte names version and compression; what an old version wrote stays readable.
 * K2  Unpacking gives back exactly what was packed (M1).
 * K3  Deflated only where that makes it smaller; inflating is bounded, for stored bytes are not
 *     trusted more than they must be.
 */
import { Decoder, Encoder } from "@msgpack/msgpack";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { invariant } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { BodyKind, DeadLetterInfo, SqsDetails, StoredMessage } from "./message.ts";
import { epochMs, groupId } from "./types.ts";

// One of each for good: making one costs more than most entries do.
const encoder = new Encoder();
const decoder = new Decoder();

const PLAIN = 1;
const DEFLATED = 2;
/** Fewer bytes than this never shrink enough to pay. */
const WORTH_DEFLATING = 120;
/** What an entry may inflate to: its raw target plus one message that overshoots it. */
const INFLATED_MAX = LIMITS.entryRawBytes + 2 * LIMITS.inlineMessageBytes;

const KINDS: readonly BodyKind[] = ["text", "json", "bytes"];
const DEFAULT_TYPES: Readonly<Record<BodyKind, string>> = {
  text: "text/plain; charset=utf-8",
  json: "application/json",
  bytes: "application/octet-stream",
};

/** [sentAt, expiresAt − sentAt, visibleAt − sentAt] of the entry; a message that differs says so. */
type PackedTimes = [number, number, number];
/** [kind, body, contentType or 0, headers or 0, rest or 0] */
type PackedMessage = [
  number,
  string | Uint8Array,
  string | 0,
  Record<string, string> | 0,
  PackedRest | 0,
];
interface PackedRest {
  t?: PackedTimes;
  i?: string;
  q?: string;
  d?: DeadLetterInfo;
  p?: [string, number, number];
  /** Exchange and routing key. */
  s?: [string, string];
  k?: string;
  n?: string;
  y?: number;
  /** The group that it is for. */
  g?: string;
  /** Data types of headers, or 0, and the trace header: what SQS knows of it. */
  a?: [Record<string, string> | 0, string?];
  /** What it was sent as. */
  u?: string;
}

/** @throws nothing; the caller keeps batches within `entryRawBytes` by `packedBytes`. */
export function pack(messages: readonly StoredMessage[]): Uint8Array {
  const first = messages[0];
  invariant(first, "an entry has at least one message");
  const times = timesOf(first);
  const raw = encoder.encodeSharedRef([
    times,
    messages.map((message) => packMessage(message, times)),
  ]);
  if (raw.length >= WORTH_DEFLATING) {
    // Chunks of 16 KB, the default, would be made and thrown away for every small entry.
    const deflated = deflateRawSync(raw, { chunkSize: Math.min(16_384, raw.length) });
    if (deflated.length < raw.length) return withVersion(DEFLATED, deflated);
  }
  return withVersion(PLAIN, raw);
}

export function unpack(body: Uint8Array): StoredMessage[] {
  const raw =
    body[0] === DEFLATED
      ? inflateRawSync(body.subarray(1), {
          maxOutputLength: INFLATED_MAX,
          chunkSize: Math.min(16_384, Math.max(1_024, 4 * body.length)),
        })
      : body.subarray(1);
  invariant(body[0] === DEFLATED || body[0] === PLAIN, `K1: entry of an unknown format ${body[0]}`);
  const [times, messages] = decoder.decode(raw) as [PackedTimes, PackedMessage[]];
  return messages.map((message) => unpackMessage(message, times));
}

/** About how many raw bytes a message adds to its entry; never less than its body and headers. */
export function packedBytes(message: StoredMessage): number {
  let bytes = 24 + message.body.length + (message.dedupId?.length ?? 0) + (message.id?.length ?? 0);
  if (message.key !== undefined) bytes += message.key.length * 3 + 4;
  if (message.tenant !== undefined) bytes += message.tenant.length * 3 + 4;
  if (message.exchange !== undefined)
    bytes += message.exchange.length + (message.routingKey ?? "").length * 3 + 8;
  if (message.contentType !== DEFAULT_TYPES[message.kind]) bytes += message.contentType.length;
  for (const name in message.headers)
    bytes += name.length + (message.headers[name] ?? "").length * 3 + 4;
  if (message.sentAs !== undefined) bytes += message.sentAs.length * 3 + 4;
  if (message.sqs !== undefined) {
    const { types, trace } = message.sqs;
    bytes += (trace?.length ?? 0) * 3 + 8;
    for (const name in types) bytes += name.length + (types[name] ?? "").length * 3 + 4;
  }
  return message.deadLetter === undefined ? bytes : bytes + 300;
}

function packMessage(message: StoredMessage, times: PackedTimes): PackedMessage {
  const rest: PackedRest = {};
  const own = timesOf(message);
  if (own.some((time, index) => time !== times[index])) rest.t = own;
  if (message.exchange !== undefined) rest.s = [message.exchange, message.routingKey ?? ""];
  if (message.id !== undefined) rest.i = message.id;
  if (message.dedupId !== undefined) rest.q = message.dedupId;
  if (message.deadLetter !== undefined) rest.d = message.deadLetter;
  if (message.parts !== undefined)
    rest.p = [message.parts.name, message.parts.count, message.parts.bytes];
  if (message.key !== undefined) rest.k = message.key;
  if (message.tenant !== undefined) rest.n = message.tenant;
  if (message.priority !== undefined) rest.y = message.priority;
  if (message.group !== undefined) rest.g = message.group;
  if (message.sqs !== undefined) {
    const { types, trace } = message.sqs;
    rest.a = trace === undefined ? [types ?? 0] : [types ?? 0, trace];
  }
  if (message.sentAs !== undefined) rest.u = message.sentAs;
  return [
    KINDS.indexOf(message.kind),
    message.body,
    message.contentType === DEFAULT_TYPES[message.kind] ? 0 : message.contentType,
    Object.keys(message.headers).length === 0 ? 0 : message.headers,
    Object.keys(rest).length === 0 ? 0 : rest,
  ];
}

function unpackMessage(
  [kindIndex, body, contentType, headers, packedRest]: PackedMessage,
  times: PackedTimes,
): StoredMessage {
  const kind = KINDS[kindIndex];
  invariant(
    kind !== undefined && body instanceof Uint8Array,
    "K2: a packed message has a known kind and bytes",
  );
  const rest: PackedRest = packedRest === 0 ? {} : packedRest;
  const [sentAt, lives, waits] = rest.t ?? times;
  return {
    kind,
    body,
    contentType: contentType === 0 ? DEFAULT_TYPES[kind] : contentType,
    headers: headers === 0 ? {} : headers,
    sentAt: epochMs(sentAt),
    expiresAt: epochMs(sentAt + lives),
    visibleAt: epochMs(sentAt + waits),
    ...(rest.s === undefined ? {} : { exchange: rest.s[0], routingKey: rest.s[1] }),
    ...(rest.i === undefined ? {} : { id: rest.i }),
    ...(rest.q === undefined ? {} : { dedupId: rest.q }),
    ...(rest.d === undefined ? {} : { deadLetter: rest.d }),
    ...(rest.k === undefined ? {} : { key: rest.k }),
    ...(rest.n === undefined ? {} : { tenant: rest.n }),
    ...(rest.y === undefined ? {} : { priority: rest.y }),
    ...(rest.g === undefined ? {} : { group: groupId(rest.g) }),
    ...(rest.a === undefined ? {} : { sqs: sqsOf(rest.a) }),
    ...(rest.u === undefined ? {} : { sentAs: rest.u }),
    ...(rest.p === undefined
      ? {}
      : { parts: { name: rest.p[0], count: rest.p[1], bytes: rest.p[2] } }),
  };
}

const sqsOf = ([types, trace]: NonNullable<PackedRest["a"]>): SqsDetails => ({
  ...(types === 0 ? {} : { types }),
  ...(trace === undefined ? {} : { trace }),
});

const timesOf = (message: StoredMessage): PackedTimes => [
  message.sentAt,
  message.expiresAt - message.sentAt,
  message.visibleAt - message.sentAt,
];

function withVersion(version: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(content.length + 1);
  bytes[0] = version;
  bytes.set(content, 1);
  return bytes;
}
