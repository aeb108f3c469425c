/**
 * What keeps order: which lane a key's messages stand in, and the short tag by which a segment knows a key.
 *
 * O1  All messages of a key stand in one lane of a lane set, in the order of their sends.
 * O2  A tag may stand for several keys, which are then ordered as one: never too little order, now and
 *     then too much.
 */
import { createHash } from "node:crypto";
import { invariant } from "./errors.ts";
import type { OutgoingMessage } from "./message.ts";
import type { Order } from "./queue.ts";
import type { LaneId } from "./types.ts";

/** Sorts keys over lanes: the first 48 bits of their SHA-256. */
const hashOf = (key: string): Buffer => createHash("sha256").update(key, "utf8").digest();

/** O1. `open` in the order of the queue's record. */
export function laneOfKey(key: string, open: readonly LaneId[]): LaneId {
  const lane = open[hashOf(key).readUIntBE(0, 6) % open.length];
  invariant(lane !== undefined, "O1: a queue that keeps order has an open lane");
  return lane;
}

/** O2: three characters of 64, which keys of one lane seldom share. */
const tagOfKey = (key: string): string =>
  hashOf(key).subarray(6, 9).toString("base64url").slice(0, 3);

/** What a message is ordered with: its key, or where lanes are ordered as a whole, all of its lane. */
export const tagOf = (order: Order, message: Pick<OutgoingMessage, "key">): string =>
  order === "key" ? tagOfKey(message.key ?? "") : "";
