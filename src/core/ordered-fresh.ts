/** The part of the ordered planner that gives what was not claimed yet: what is held, then from the head on (T3). */
import { HELD_BYTES, heldOffset } from "./held.ts";
import { LIMITS } from "./limits.ts";
import { block, give, hasRoom, isBlocked, letExpire } from "./ordered-plan.ts";
import type { Work } from "./ordered-plan.ts";
import type { LogEntry, Placed } from "./plan.ts";
import { offset } from "./types.ts";
import type { Offset } from "./types.ts";

/** Held keys that are free again, those that wait longest first. */
export function takeHeld(work: Work): void {
  const waiting = [...work.held].sort(([, a], [, b]) => heldOffset(a) - heldOffset(b));
  for (const [tag] of waiting) {
    if (!takeHeldOf(work, tag)) return;
  }
}

/** False: nothing more can be taken, of any tag. Without room there may still be something that has expired. */
export function takeHeldOf(work: Work, tag: string): boolean {
  if ((!hasRoom(work) && work.expiredTo === undefined) || work.full) return false;
  const held = work.held.get(tag);
  if (held !== undefined && !isBlocked(work, tag, heldOffset(held))) follow(work, tag);
  return true;
}

/** From a tag's held place on, as far as it was loaded and requests have room (H1). */
function follow(work: Work, tag: string): void {
  const { input } = work;
  const held = work.held.get(tag);
  const stretch = input.heldEntries(tag);
  if (held === undefined) return;
  if (stretch === undefined) {
    work.more = true;
    return;
  }
  let { count } = held;
  let next: Offset = held.entry;
  for (const entry of stretch.entries) {
    for (let index = 0; index < entry.count; index++) {
      const at = offset(entry.offset + index);
      if (at < heldOffset(held)) continue;
      if (at >= input.segment.head) break;
      const message = entry.messages?.[index];
      if (message === undefined || work.tagOf(message) !== tag) continue;
      const counts = message.expiresAt > input.now || work.expiredTo !== undefined;
      const verdict = input.accepts(message);
      if (counts && verdict === "notLoaded") {
        work.held.set(tag, { entry: entry.offset, index, count });
        block(work, tag, at);
        work.more = true;
        return;
      }
      if (verdict === false) continue;
      if (!settles(work, tag, { offset: at, message }, entry.offset)) {
        work.held.set(tag, { entry: entry.offset, index, count });
        return;
      }
      count = Math.max(0, count - 1);
    }
    next = offset(entry.offset + entry.count);
  }
  if (stretch.complete) {
    work.held.delete(tag);
    work.bytes -= HELD_BYTES;
    return;
  }
  work.held.set(tag, { entry: next, index: 0, count });
  work.more = true;
}

/** Whether a held message is given, leaves because it has expired, or is dropped for that. */
function settles(work: Work, tag: string, placed: Placed, entry: Offset): boolean {
  if (placed.message.expiresAt > work.input.now) return give(work, tag, placed, entry);
  return work.expiredTo === undefined || letExpire(work, tag, placed, entry);
}

export function walk(work: Work): void {
  const { input } = work;
  for (const entry of input.fresh) {
    if (entry.offset > work.head) work.head = entry.offset;
    if (entry.end) {
      work.headEntry = entry.offset;
      work.ended = true;
      return;
    }
    const end = offset(entry.offset + entry.count);
    work.headEntry = work.head < end ? entry.offset : end;
    while (work.head < end) {
      if (!passes(work, entry)) return;
      work.head = offset(work.head + 1);
      if (work.head === end) work.headEntry = end;
    }
  }
}

/** Whether the walk goes on behind the message at the head: it was given, is held, or has expired. */
function passes(work: Work, entry: LogEntry): boolean {
  const { input } = work;
  const index = work.head - entry.offset;
  const message = entry.messages?.[index];
  if (message === undefined || work.picked.has(work.head)) return true;
  const isPassed = work.head < work.pickedTo;
  const hasExpired = message.expiresAt <= input.now;
  if (hasExpired && work.expiredTo === undefined) {
    passExpired(work, message);
    return true;
  }
  const verdict = input.accepts(message);
  if (verdict !== true) return verdict === false;
  if (hasExpired) {
    const placed = { offset: work.head, message };
    const leaves = letExpire(work, work.tagOf(message), placed, entry.offset);
    if (leaves || !isPassed) return leaves;
  } else if (message.visibleAt > input.now) {
    work.nextEventAt = earlier(work.nextEventAt, message.visibleAt);
    return false;
  }
  if (!hasRoom(work) && !isPassed) return false;
  const tag = work.tagOf(message);
  const held = work.held.get(tag);
  if (
    !isPassed &&
    held === undefined &&
    give(work, tag, { offset: work.head, message }, entry.offset)
  )
    return true;
  // One key for the whole lane: behind it there is nothing else to give.
  if (input.order === "lane" || ((work.capped || work.full) && !isPassed)) return false;
  if (held === undefined && !isPassed) {
    if (work.bytes + HELD_BYTES > LIMITS.orderedSegmentBytes) {
      work.capped = true;
      return false;
    }
    work.bytes += HELD_BYTES;
  }
  work.held.set(
    tag,
    held === undefined
      ? { entry: entry.offset, index, count: 1 }
      : { ...held, count: held.count + 1 },
  );
  return true;
}

/** Behind a held place it is come to once more, and counts until then. */
function passExpired(work: Work, message: Placed["message"]): void {
  const tag = work.tagOf(message);
  const held = work.held.get(tag);
  if (held !== undefined && work.input.accepts(message) !== false)
    work.held.set(tag, { ...held, count: held.count + 1 });
}

const earlier = <T extends number>(a: T | undefined, b: T): T => (a === undefined || b < a ? b : a);
