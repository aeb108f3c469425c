/**
 * What a message is: as it is sent, as it is stored in an entry, as it is delivered.
 *
 * M1  A body is bytes of a declared kind and comes back as exactly those bytes. `json` is the text of
 *     the JSON value as the sender wrote it, never parsed and printed again, so that no number loses
 *     digits and no key order changes.
 * M2  `expiresAt` and `visibleAt` are fixed when the message is appended and never change.
 */
import type { EpochMs, GroupId } from "./types.ts";

/** `text`: UTF-8. `json`: UTF-8, one JSON value. `bytes`: anything. */
export type BodyKind = "text" | "json" | "bytes";

/** What SQS knows of a message beside its headers, which are its message attributes there. */
export interface SqsDetails {
  /** Data types of the headers that are no plain `String`; the value of a `Binary` is base64. */
  readonly types?: Readonly<Record<string, string>>;
  /** The system attribute AWSTraceHeader. */
  readonly trace?: string;
}

/** A message that a caller asks to send, validated. */
export interface OutgoingMessage {
  readonly kind: BodyKind;
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Ordering key: messages of one key are delivered in order where the queue keeps order. */
  readonly key?: string;
  /** 0–9, where the queue has priorities; 9 comes first. */
  readonly priority?: number;
  /** On whose behalf it is sent: one tenant's backlog does not delay the others' messages. */
  readonly tenant?: string;
  /** 0–31,536,000: from its send on. */
  readonly delaySeconds?: number;
  /** At most 365 days ahead; instead of `delaySeconds`. */
  readonly deliverAt?: EpochMs;
  /** As the sender gave it: a repeat within the window is stored once. */
  readonly dedupId?: string;
  /** 1–31,536,000, from when it is visible on; the queue's retention where that is shorter. */
  readonly ttlSeconds?: number;
  /** Of a published message: the exchange, and what that routed by. */
  readonly exchange?: string;
  readonly routingKey?: string;
  /** One for all copies that a publish makes of it. */
  readonly id?: string;
  readonly sqs?: SqsDetails;
}

/** Why and from where a message came into a dead-letter queue. */
export interface DeadLetterInfo {
  readonly reason: "maxReceives" | "expired";
  /** Name of the queue it was dead-lettered from. */
  readonly queue: string;
  readonly queueId: string;
  readonly group: string;
  readonly lane: number;
  readonly offset: number;
  readonly receives: number;
  /** Absent: never received. */
  readonly firstReceivedAt?: EpochMs;
  readonly deadLetteredAt: EpochMs;
}

/** A message as an entry holds it; its offset is the entry's plus its index. */
export interface StoredMessage extends Omit<
  OutgoingMessage,
  "delaySeconds" | "deliverAt" | "ttlSeconds"
> {
  readonly sentAt: EpochMs;
  readonly expiresAt: EpochMs;
  readonly visibleAt: EpochMs;
  /** The id issued at send, when this is not its first place: another place, its timer, or one for several copies. */
  readonly id?: string;
  /** Exactly-once appends: the id that the entry holds, made by `core/dedup.ts` or of a place. */
  readonly dedupId?: string;
  /** The `dedupId` of its send, where it has moved on under another one. */
  readonly sentAs?: string;
  readonly deadLetter?: DeadLetterInfo;
  /** Redriven for one group, whose dead letter it was: others pass it over. */
  readonly group?: GroupId;
  /** The body stands in parts of its own (`part#` items); `body` is empty. */
  readonly parts?: { readonly name: string; readonly count: number; readonly bytes: number };
}

/** What a published message keeps of how it came. */
export const originOf = ({
  exchange,
  routingKey,
}: Pick<OutgoingMessage, "exchange" | "routingKey">): Pick<
  OutgoingMessage,
  "exchange" | "routingKey"
> =>
  exchange !== undefined && routingKey !== undefined
    ? { exchange, routingKey }
    : {
        ...(exchange === undefined ? {} : { exchange }),
        ...(routingKey === undefined ? {} : { routingKey }),
      };

/** What says how a message shares its queue with others. */
export const sharingOf = ({
  priority,
  tenant,
}: Pick<OutgoingMessage, "priority" | "tenant">): Pick<OutgoingMessage, "priority" | "tenant"> => ({
  ...(priority === undefined ? {} : { priority }),
  ...(tenant === undefined ? {} : { tenant }),
});

/** A header's data type in SQS; `undefined`: a plain `String`. */
export const headerType = (sqs: SqsDetails | undefined, name: string): string | undefined =>
  sqs?.types !== undefined && Object.hasOwn(sqs.types, name) ? sqs.types[name] : undefined;

/** Whether values of a data type are base64. */
export const isBinaryType = (type: string | undefined): boolean =>
  type === "Binary" || type?.startsWith("Binary.") === true;

type Weighed = Pick<OutgoingMessage, "body" | "headers" | "sqs">;

/** What `maxMessageBytes` limits: body, headers and their data types, in UTF-8 bytes; of base64 what it stands for. */
export function messageBytes({ body, headers, sqs }: Weighed): number {
  let bytes = body.length;
  for (const name in headers) {
    const type = headerType(sqs, name);
    const encoding = isBinaryType(type) ? "base64" : "utf8";
    bytes += Buffer.byteLength(name) + Buffer.byteLength(headers[name] ?? "", encoding);
    if (type !== undefined) bytes += Buffer.byteLength(type);
  }
  return bytes;
}

/** Headers and what goes with them as an entry holds them: they never stand in parts, as a body may. */
export function headerBytes({ headers, sqs }: Omit<Weighed, "body">): number {
  let bytes = sqs?.trace === undefined ? 0 : Buffer.byteLength(sqs.trace);
  for (const texts of sqs?.types === undefined ? [headers] : [headers, sqs.types])
    for (const name in texts)
      bytes += Buffer.byteLength(name) + Buffer.byteLength(texts[name] ?? "");
  return bytes;
}
