/**
 * What a claim looks at where order is kept: of leases that have run out the members whose keys are
 * free, then what is held of free keys, and only then the log from the head on.
 *
 * What is not loaded is not given, and blocks its key (T2): looking at less is never wrong.
 */
import { drains } from "../core/plan.ts";
import type { HeldStretch, LogEntry } from "../core/plan.ts";
import { heldOffset } from "../core/held.ts";
import { expiredTo, leavingOf } from "../core/reclaim.ts";
import { memberOffset, memberTag, pendingMembers } from "../core/segment.ts";
import { tagOf } from "../core/order.ts";
import { offset } from "../core/types.ts";
import type { Offset } from "../core/types.ts";
import { lookUpIn } from "./view.ts";
import type { Looking, SeenView } from "./view.ts";

/** Offsets so near each other are read as one stretch. */
const NEAR = 300;
/** Held keys that one claim looks at. */
const HELD_TAGS = 16;
/** Entries to look through for the next message of a held key: it may stand far from the one before. */
const HELD_ENTRIES = 16;
/** T4: how many times as far a claim looks that gives one key after the other. */
const DRAIN_AHEAD = 3;

/** T1: from which offset on a tag's messages wait. */
class Blocked {
  readonly #from = new Map<string, Offset>();
  readonly #drains: boolean;

  constructor(drains: boolean) {
    this.#drains = drains;
  }

  add(tag: string, at: Offset): void {
    const from = this.#drains ? at : 0;
    this.#from.set(tag, offset(Math.min(this.#from.get(tag) ?? from, from)));
  }

  has(tag: string, at: Offset): boolean {
    return (this.#from.get(tag) ?? Number.POSITIVE_INFINITY) <= at;
  }
}

export async function viewInOrder(looking: Looking): Promise<SeenView> {
  const { log, place, segment, rules, wanted, freshFirst, requests } = looking;
  const isDraining = drains(rules.order, requests);
  const blocked = new Blocked(isDraining);
  const due = new Set(looking.due);
  for (const lease of segment.leases.values())
    if (!due.has(lease))
      for (const text of lease.pending) blocked.add(memberTag(text), memberOffset(lease, text));
  const loaded = new Map<Offset, LogEntry | "gone">();
  let room = wanted - (await loadExpired(looking, blocked, loaded));
  const held = new Map<string, HeldStretch>();
  if (room > 0 || expiredTo(rules) !== undefined)
    room -= await loadHeld(looking, blocked, held, Math.max(1, room));
  const seen = {
    lookUp: lookUpIn(loaded),
    heldEntries: (tag: string) => held.get(tag),
    freshFirst,
    ...rules,
  };
  if (wanted > 0 && room <= 0) return { isPartial: true, fresh: [], exhausted: false, ...seen };
  const reach = isDraining ? DRAIN_AHEAD : 1;
  const { entries } = await log.fresh(place.queue, place.lane, segment, {
    messages: Math.max(1, room) * reach,
    entries: looking.entries * reach,
  });
  return { isPartial: false, fresh: entries, exhausted: false, ...seen };
}

/** A pending message, and the entry that its lease counts from: often the one that holds it. */
interface Pending {
  readonly at: Offset;
  readonly from: Offset;
}

/** Gives how many messages a claim may take of them; the keys of what leaves are blocked. */
async function loadExpired(
  looking: Looking,
  blocked: Blocked,
  loaded: Map<Offset, LogEntry | "gone">,
): Promise<number> {
  const { rules, now, due, wanted, freshFirst } = looking;
  const free: Pending[] = [];
  const leaving: Pending[] = [];
  const poisoned = new Set<Offset>();
  for (const lease of due) {
    const isLeaving = leavingOf(lease, rules.deadLetter, rules.missing) !== undefined;
    const isPoison = rules.blocksAfter !== null && lease.receives >= rules.blocksAfter;
    for (const [text, at] of pendingMembers(lease)) {
      const tag = memberTag(text);
      if (isLeaving) {
        leaving.push({ at, from: lease.entry });
        blocked.add(tag, at);
      } else if (!blocked.has(tag, at)) free.push({ at, from: lease.entry });
      if (isPoison) poisoned.add(at);
    }
  }
  await load(looking, leaving.sort(byPlace), loaded);
  free.sort(byPlace);
  let found = 0;
  const keepsExpired = expiredTo(rules) !== undefined;
  const candidates = freshFirst && !keepsExpired ? [] : free;
  for (let first = 0; first < candidates.length; first += NEAR) {
    if (found >= wanted && !keepsExpired) break;
    const some = candidates.slice(first, first + NEAR);
    await load(looking, some, loaded);
    for (const { at } of some) {
      const entry = loaded.get(at);
      const message = entry === "gone" ? undefined : entry?.messages?.[at - entry.offset];
      if (message !== undefined && message.expiresAt > now && !poisoned.has(at)) found += 1;
    }
  }
  return found;
}

const byPlace = (a: Pending, b: Pending): number => a.at - b.at;

async function load(
  { log, place }: Looking,
  pending: readonly Pending[],
  loaded: Map<Offset, LogEntry | "gone">,
): Promise<void> {
  for (const run of runsOf(pending)) {
    const first = run[0];
    const last = run.at(-1);
    if (first === undefined || last === undefined) continue;
    const start =
      first.at - first.from <= NEAR
        ? first.from
        : ((await log.holding(place.queue, place.lane, first.at))?.offset ?? first.at);
    const stretch = await log.stretch(place.queue, place.lane, start, last.at);
    for (const { at } of run) {
      const entry = stretch.find((one) => one.offset <= at && at < one.offset + one.count);
      loaded.set(at, entry ?? "gone");
    }
  }
}

/** What is near each other, to be read as one stretch. */
function runsOf(pending: readonly Pending[]): Pending[][] {
  const runs: Pending[][] = [];
  for (const one of pending) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run !== undefined && last !== undefined && one.at - last.at <= NEAR) run.push(one);
    else runs.push([one]);
  }
  return runs;
}

/** Gives how many messages of held keys a claim may take. */
async function loadHeld(
  { log, place, segment, rules, now, entries }: Looking,
  blocked: Blocked,
  held: Map<string, HeldStretch>,
  wanted: number,
): Promise<number> {
  let found = 0;
  const waiting = [...segment.held].sort(([, a], [, b]) => heldOffset(a) - heldOffset(b));
  for (const [tag, one] of waiting) {
    if (found >= wanted || held.size >= HELD_TAGS) break;
    if (blocked.has(tag, heldOffset(one))) continue;
    const limit = Math.max(HELD_ENTRIES, entries);
    const stretch = await log.below(place.queue, place.lane, one.entry, segment.head, limit);
    held.set(tag, stretch);
    for (const entry of stretch.entries) {
      for (const [index, message] of (entry.messages ?? []).entries()) {
        const at = entry.offset + index;
        if (at < heldOffset(one) || at >= segment.head || message.expiresAt <= now) continue;
        if (tagOf(rules.order, message) === tag) found += 1;
      }
    }
  }
  return found;
}
