/** The part of the ordered planner that takes from leases that have run out (T1, T2, C2, C6). */
import { claimableAt } from "./backoff.ts";
import { LIMITS } from "./limits.ts";
import { give, letExpire } from "./ordered-plan.ts";
import type { Work } from "./ordered-plan.ts";
import { deliveredBytes } from "./plan.ts";
import { examine, leave, leavingOf, takeFrom } from "./reclaim.ts";
import { leaseEdits, memberTag, pendingMembers } from "./segment.ts";
import type { Lease, Leaving } from "./segment.ts";
import { epochMs } from "./types.ts";
import type { Offset } from "./types.ts";

interface Member {
  readonly lease: Lease;
  readonly text: string;
  readonly offset: Offset;
}

/** What goes from each run-out lease. */
type Gone = Map<Lease, Set<string>>;

export function reclaimInOrder(work: Work): void {
  const { input } = work;
  const { segment, now } = input;
  const gone: Gone = new Map();
  const members: Member[] = [];
  for (const lease of [...segment.leases.values()].sort((a, b) => a.until - b.until)) {
    const at = claimableAt(lease, input);
    if (at > now || lease.until > input.startedAt) {
      work.nextEventAt = epochMs(Math.min(work.nextEventAt ?? at, at));
      block(work, lease);
      continue;
    }
    const leaving = leavingOf(lease, input.deadLetter, input.missing);
    if (leaving === undefined) {
      for (const [text, offset] of pendingMembers(lease)) members.push({ lease, text, offset });
      continue;
    }
    block(work, lease);
    letGo(work, lease, leaving, gone);
  }
  members.sort((a, b) => a.offset - b.offset);
  for (const one of members) takeBack(work, one, gone);
  for (const [lease, texts] of gone) {
    const { edits, guards } = takeFrom(lease, texts);
    work.edits.push(...edits);
    work.guards.push(...guards);
  }
}

function block(work: Work, lease: Lease): void {
  for (const text of lease.pending) work.blocked.add(memberTag(text));
}

/** C6 */
function letGo(work: Work, lease: Lease, leaving: Leaving, gone: Gone): void {
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
  gone.set(lease, texts);
  work.touched += 1;
  if (dead === undefined) return;
  work.dead.push(dead);
  work.edits.push(...leaseEdits(dead.lease));
  for (const { message } of dead.messages) work.deadRoom -= deliveredBytes(message);
}

/** T2 */
function takeBack(work: Work, { lease, text, offset }: Member, gone: Gone): void {
  const { input } = work;
  const tag = memberTag(text);
  const message = input.lookUp(offset);
  if (message === "notLoaded") {
    work.blocked.add(tag);
    return;
  }
  const isNew = !gone.has(lease);
  if (isNew && work.touched >= LIMITS.leasesPerUpdate) {
    work.more = true;
    work.blocked.add(tag);
    return;
  }
  const isPoison = input.blocksAfter !== null && lease.receives >= input.blocksAfter;
  if (message !== "gone" && message.expiresAt > input.now) {
    if (isPoison || input.freshFirst) work.blocked.add(tag);
    if (!give(work, tag, { offset, message }, lease.entry, lease)) return;
  } else if (message !== "gone" && work.expiredTo !== undefined) {
    if (!letExpire(work, tag, { offset, message }, lease.entry, lease)) return;
  }
  if (isNew) work.touched += 1;
  gone.set(lease, (gone.get(lease) ?? new Set()).add(text));
}
