/**
 * Message ids and receipts: what callers hold of a message.
 *
 * R1  A receipt names everything that ack needs, so that ack reads nothing first (C7).
 * R2  It ends with a truncated HMAC-SHA256 over the rest, keyed by the queue's secret: a forged or
 *     foreign one is refused before any read of `lanes`.
 * R3  An id is the message's first place, encoded; it needs no index and no secret.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { Decoder, Encoder } from "@msgpack/msgpack";
import { LIMITS } from "./limits.ts";
import { epochMs, groupId, laneId, offset, queueId } from "./types.ts";
import type { EpochMs, GroupId, LaneId, Offset, QueueId } from "./types.ts";

export interface Place {
  readonly queueId: QueueId;
  readonly lane: LaneId;
  readonly offset: Offset;
}

export interface Receipt extends Place {
  readonly group: GroupId;
  readonly generation: number;
  /** Start of the segment that holds the lease. */
  readonly segment: Offset;
  readonly lease: string;
  /** What the lease's pending members count from. */
  readonly entry: Offset;
  /** Where order is kept: what the member ends with (O2). */
  readonly tag?: string;
  /** When the attempt began; receipts of the first version do not say. */
  readonly claimedAt?: EpochMs;
  /** The lease that the attempt began with, where `lease` is a later one (F1). */
  readonly attempt?: string;
}

const encoder = new Encoder();
const decoder = new Decoder();

const VERSION = 2;
/** It says nothing of the attempt. */
const FIRST_VERSION = 1;
const MAC_BYTES = 16;
const PLACE = /^([a-z0-9]{12})-([0-9a-z]{1,7})-([0-9a-z]{1,11})$/;

export const messageId = (place: Place): string =>
  `${place.queueId}-${place.lane.toString(36)}-${place.offset.toString(36)}`;

/** `undefined`: not an id that LaneMQ issues. */
export function parseMessageId(text: string): Place | undefined {
  const match = PLACE.exec(text);
  const [, queue, lane, at] = match ?? [];
  if (queue === undefined || lane === undefined || at === undefined) return undefined;
  const value = Number.parseInt(at, 36);
  if (!Number.isSafeInteger(value)) return undefined;
  return {
    queueId: queueId(queue),
    lane: laneId(Number.parseInt(lane, 36)),
    offset: offset(value),
  };
}

export function sealReceipt(receipt: Receipt, secret: Uint8Array): string {
  const content = encoder.encodeSharedRef([
    VERSION,
    receipt.queueId,
    receipt.lane,
    receipt.group,
    receipt.generation,
    receipt.segment,
    receipt.lease,
    receipt.entry,
    receipt.offset - receipt.entry,
    receipt.tag ?? null,
    receipt.claimedAt ?? null,
    receipt.attempt ?? null,
  ]);
  return Buffer.concat([content, mac(content, secret)]).toString("base64url");
}

/** `undefined`: forged, truncated, or of another queue. */
export function openReceipt(text: string, queue: QueueId, secret: Uint8Array): Receipt | undefined {
  if (text.length > LIMITS.receiptChars || !/^[\w-]+$/.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64url");
  if (bytes.length <= MAC_BYTES || bytes.toString("base64url") !== text) return undefined;
  const content = bytes.subarray(0, -MAC_BYTES);
  if (!timingSafeEqual(mac(content, secret), bytes.subarray(-MAC_BYTES))) return undefined;
  const [version, ofQueue, lane, group, generation, segment, lease, entry, distance, ...more] =
    decoder.decode(content) as [
      number,
      string,
      number,
      string,
      number,
      number,
      string,
      number,
      number,
      (string | null)?,
      (number | null)?,
      (string | null)?,
    ];
  const isKnown = version === VERSION || version === FIRST_VERSION;
  if (!isKnown || ofQueue !== queue) return undefined;
  const [tag, claimedAt, attempt] = more;
  return {
    queueId: queue,
    lane: laneId(lane),
    group: groupId(group),
    generation,
    segment: offset(segment),
    lease,
    entry: offset(entry),
    offset: offset(entry + distance),
    ...(isSaid(tag) ? { tag } : {}),
    ...(isSaid(claimedAt) ? { claimedAt: epochMs(claimedAt) } : {}),
    ...(isSaid(attempt) ? { attempt } : {}),
  };
}

const isSaid = <T>(value: T | null | undefined): value is T =>
  value !== undefined && value !== null;

const mac = (content: Uint8Array, secret: Uint8Array): Buffer =>
  createHmac("sha256", secret).update(content).digest().subarray(0, MAC_BYTES);
