/** The part of the ordered planner that takes from leases that have run out (T1, T2, C2, C6). */
import { claimableAt } from "./backoff.ts";
import { LIMITS } from "./limits.ts";
import { block, give, letExpire } from "./ordered-plan.ts";
import type { Work } from "./ordered-plan.ts";
import { deliveredBytes } from "./plan.ts";
import { examine, leave, leavingOf, takeFrom } from "./reclaim.ts";
import { leaseEdits, memberOffset, memberTag, pendingMembers } from "./segment.ts";
import type { Lease, Leaving } from "./segment.ts";
import { epochMs } from "./types.ts";
import type { Offset } from "./types.ts";

/** What may be taken back of a run-out lease. */
export interface Member {
  readonly lease: Lease;
  readonly text: string;
  readonly offset: Offset;
}

/** Blocks the keys of what is in flight, lets go what leaves, and gives what may be taken back, by offset. */
export function runOut(work: Work): readonly Member[] {
  const { input } = work;
  const { segment, now } = input;
  const members: Member[] = [];
  for (const lease of [...segment.leases.values()].sort((a, b) => a.until - b.until)) {
    const at = claimableAt(lease, input);
    if (at > now || lease.until > input.startedAt) {
      work.nextEventAt = epochMs(Math.min(work.nextEventAt ?? at, at));
      blockAll(work, lease);
      continue;
    }
    const leaving = leavingOf(lease, input.deadLetter, input.missing);
    if (leaving === undefined) {
      for (const [text, offset] of pendingMembers(lease)) members.push({ lease, text, offset });
      continue;
    }
    blockAll(work, lease);
    letGo(work, lease, leaving);
  }
  return members.sort((a, b) => a.offset - b.offset);
}

/** C2: what was taken back, left or is gone goes from the leases that had it. */
export function takeOut(work: Work): void {
  for (const [lease, texts] of work.gone) {
    const { edits, guards } = takeFrom(lease, texts);
    work.edits.push(...edits);
    work.guards.push(...guards);
  }
}

function blockAll(work: Work, lease: Lease): void {
  for (const text of lease.pending) block(work, memberTag(text), memberOffset(lease, text));
}

/** C6 */
function letGo(work: Work, lease: Lease, leaving: Leaving): void {
  const found = examine(lease, leaving, work.input);
  if (found === undefined) return;
  if (work.touched >= LIMITS.leasesPerUpdate || work.deadRoom <= 0) {
    work.more = true;
    return;
  }
  const dead = leave(lease, leaving, found.live, work.deadRoom, work.input);
  if ((dead?.messages.length ?? 0) < found.live.length) work.more = true;
  const texts = new Set([...found.lost, ...(dead?.lease.pending ?? [])]);
  if (texts.size === 0) return;
  work.gone.set(lease, texts);
  work.touched += 1;
  if (dead === undefined) return;
  work.dead.push(dead);
  work.edits.push(...leaseEdits(dead.lease));
  for (const { message } of dead.messages) work.deadRoom -= deliveredBytes(message);
}

/** T2 */
export function takeBack(work: Work, { lease, text, offset }: Member): void {
  const { input, gone } = work;
  const tag = memberTag(text);
  const message = input.lookUp(offset);
  if (message === "notLoaded") {
    block(work, tag, offset);
    return;
  }
  const isNew = !gone.has(lease);
  if (isNew && work.touched >= LIMITS.leasesPerUpdate) {
    work.more = true;
    block(work, tag, offset);
    return;
  }
  const isPoison = input.blocksAfter !== null && lease.receives >= input.blocksAfter;
  if (message !== "gone" && message.expiresAt > input.now) {
    if (isPoison || input.freshFirst) block(work, tag, offset);
    if (!give(work, tag, { offset, message }, lease.entry, lease)) return;
  } else if (message !== "gone" && work.expiredTo !== undefined) {
    if (!letExpire(work, tag, { offset, message }, lease.entry, lease)) return;
  }
  if (isNew) work.touched += 1;
  gone.set(lease, (gone.get(lease) ?? new Set()).add(text));
}
