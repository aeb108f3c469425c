/**
 * `held`: what the head of a lane that keeps order has passed by, because its key was in flight.
 *
 * H1  A tag's held place is the first offset below the head that may hold an unclaimed message of its
 *     keys; every one of theirs before it has been claimed or has expired. No held place: nothing of
 *     theirs below the head is unclaimed.
 * H2  One place a tag, so the state grows with the keys that were in flight, not with the backlog.
 */
import type { OutgoingMessage } from "./message.ts";
import { tagOf } from "./order.ts";
import { offset } from "./types.ts";
import type { Offset } from "./types.ts";

export interface Held {
  /** Of the entry to go on reading at; below it nothing is left. */
  readonly entry: Offset;
  /** Messages of that entry to pass over. */
  readonly index: number;
  /** How many were passed by, less those claimed since: for depth. */
  readonly count: number;
}

export type HeldByTag = ReadonlyMap<string, Held>;

export const heldOffset = (held: Held): Offset => offset(held.entry + held.index);

/** `tag:entry.index.count`, base 36, by space; tags have no such characters. */
export const encodeHeld = (held: HeldByTag): string =>
  [...held]
    .map(([tag, { entry, index, count }]) => {
      const numbers = [entry, index, count].map((number) => number.toString(36));
      return `${tag}:${numbers.join(".")}`;
    })
    .join(" ");

export function decodeHeld(text: string): Map<string, Held> {
  const held = new Map<string, Held>();
  for (const part of text === "" ? [] : text.split(" ")) {
    const at = part.indexOf(":");
    const [entry = 0, index = 0, count = 0] = part
      .slice(at + 1)
      .split(".")
      .map((number) => Number.parseInt(number, 36));
    held.set(part.slice(0, at), { entry: offset(entry), index, count });
  }
  return held;
}

/** What of it stands at or behind `from`, the beginning of an entry, and so below the head. */
export function heldFrom(held: HeldByTag, from: Offset, head: Offset): Map<string, Held> {
  if (head <= from) return new Map();
  return new Map(
    [...held].map(([tag, one]) => [
      tag,
      heldOffset(one) >= from
        ? one
        : { entry: from, index: 0, count: Math.min(one.count, head - from) },
    ]),
  );
}

/** An upper bound of what one more tag adds to the item: its tag, an offset of a late run, counts. */
export const HELD_BYTES = 24;

export const heldBytes = (held: HeldByTag): number => held.size * HELD_BYTES;

/** Whether a message below the head is unclaimed. Only keys are held, never a whole lane. */
export function isHeld(
  held: HeldByTag,
  message: Pick<OutgoingMessage, "key">,
  at: Offset,
): boolean {
  const one = held.size === 0 ? undefined : held.get(tagOf("key", message));
  return one !== undefined && heldOffset(one) <= at;
}
