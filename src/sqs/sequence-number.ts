/**
 * SequenceNumber of a message of a FIFO queue.
 *
 * N1  It rises within a group: it is made of lane and offset, a group keeps its lane within a lane set
 *     (O1), offsets rise along a lane, and the lanes of a later set have greater ids (Q1, Q3).
 */
import { parseMessageId } from "../core/receipt.ts";

/** So that it has 20 digits: 4 of the lane, which the first 9,000 of a queue leave as they are, and 16 of the offset. */
const LANES_FROM = 1_000;
const OFFSET_DIGITS = 16;

/** `place`: where the message stands, as its id or its `place`; `undefined`: not in a log yet. */
export function sequenceNumber(place: string): string | undefined {
  const parsed = parseMessageId(place);
  return parsed === undefined
    ? undefined
    : `${LANES_FROM + parsed.lane}${String(parsed.offset).padStart(OFFSET_DIGITS, "0")}`;
}
