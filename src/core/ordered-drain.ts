/**
 * The part of the ordered planner for requests that drain: one key after the other, each as far as its
 * messages were loaded and there is room.
 *
 * T4  Of each key, by the first message that may be given of any: what comes back, then what is held,
 *     then what is fresh, as far as a window ahead of the head shows it. The walk then goes past all that
 *     was given so, and holds what it passes by. What several plans gave is sorted so, too.
 * T5  The window ends where passing by what is before would make more keys held than `drainedPast`, and
 *     their room in the segment is set aside before anything is given: so the walk can always pass.
 */
import { HELD_BYTES, heldOffset } from "./held.ts";
import { LIMITS } from "./limits.ts";
import { takeHeldOf } from "./ordered-fresh.ts";
import { give, isBlocked } from "./ordered-plan.ts";
import type { Work } from "./ordered-plan.ts";
import { takeBack } from "./ordered-reclaim.ts";
import type { Member } from "./ordered-reclaim.ts";
import type { Placed } from "./plan.ts";
import { memberTag } from "./segment.ts";
import { offset } from "./types.ts";
import type { Offset } from "./types.ts";

interface Ahead extends Placed {
  readonly entry: Offset;
}

interface Available {
  readonly back: Member[];
  readonly ahead: Ahead[];
  /** The first of what is available. */
  from: Offset;
}

/** T4. `members` by offset. */
export function drain(work: Work, members: readonly Member[]): void {
  const tags = new Map<string, Available>();
  const of = (tag: string, at: Offset): Available => {
    const found = tags.get(tag) ?? { back: [], ahead: [], from: at };
    if (at < found.from) found.from = at;
    tags.set(tag, found);
    return found;
  };
  for (const one of members) of(memberTag(one.text), one.offset).back.push(one);
  for (const [tag, held] of work.held) of(tag, heldOffset(held));
  for (const one of aheadOf(work)) of(work.tagOf(one.message), one.offset).ahead.push(one);
  for (const [tag, { back, ahead }] of [...tags].sort(([, a], [, b]) => a.from - b.from)) {
    for (const one of back) takeBack(work, one);
    if (takeHeldOf(work, tag)) takeAhead(work, tag, ahead);
  }
}

/** T4: those of a key one behind the other, in the order of their first ones. */
export function keyByKey<T>(given: readonly T[], keyOf: (one: T) => string): readonly T[] {
  const keys = new Map<string, T[]>();
  for (const one of given) {
    const same = keys.get(keyOf(one));
    if (same === undefined) keys.set(keyOf(one), [one]);
    else same.push(one);
  }
  return [...keys.values()].flat();
}

/** Fresh messages of a tag, while nothing of it is held or left before them. */
function takeAhead(work: Work, tag: string, ahead: readonly Ahead[]): void {
  if (work.held.has(tag)) return;
  for (const one of ahead) {
    if (isBlocked(work, tag, one.offset) || !give(work, tag, one, one.entry)) return;
    work.picked.add(one.offset);
    work.pickedTo = offset(Math.max(work.pickedTo, one.offset + 1));
  }
}

/** T5: the window, and the room for what the walk may come to hold within it. */
function aheadOf(work: Work): readonly Ahead[] {
  const { input } = work;
  const ahead: Ahead[] = [];
  /** Of these something has to leave first, for it has expired. */
  const waiting = new Set<string>();
  const passed = new Set<string>();
  const room = Math.floor((LIMITS.orderedSegmentBytes - work.bytes) / HELD_BYTES);
  const most = Math.min(LIMITS.drainedPast, room);
  window: for (const entry of input.fresh) {
    if (entry.end) break;
    for (let index = Math.max(0, work.head - entry.offset); index < entry.count; index++) {
      const message = entry.messages?.[index];
      if (message === undefined) continue;
      const hasExpired = message.expiresAt <= input.now;
      if (hasExpired && work.expiredTo === undefined) continue;
      const verdict = input.accepts(message);
      if (verdict === false) continue;
      if (verdict === "notLoaded" || (!hasExpired && message.visibleAt > input.now)) break window;
      const tag = work.tagOf(message);
      if (!work.held.has(tag) && !passed.has(tag)) {
        if (passed.size >= most) break window;
        passed.add(tag);
      }
      if (hasExpired) waiting.add(tag);
      else if (!waiting.has(tag))
        ahead.push({ offset: offset(entry.offset + index), message, entry: entry.offset });
    }
  }
  work.bytes += passed.size * HELD_BYTES;
  return ahead;
}
