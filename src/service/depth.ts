/**
 * Depth without counters: what is unclaimed between heads and tails, and what is pending.
 *
 * C8  Counted within the lane's last run: offsets leap between runs, and whatever is left of an earlier
 *     one has expired (its last entry was about to go when the new run began, L5).
 * Z1  What has surely expired is found by bisection over the entries' ttl, which never falls (L4), and a
 *     short way on by looking. So an expired message counts only behind one that lives longer, or after
 *     retention was lowered, until a claim has passed it. Messages become visible in the order of the log.
 */
import { heldOffset } from "../core/held.ts";
import { claimableAt } from "../core/backoff.ts";
import type { Retry } from "../core/backoff.ts";
import { LIMITS } from "../core/limits.ts";
import type { LogEntry } from "../core/plan.ts";
import { receivableLanes } from "../core/group.ts";
import type { GroupQueue } from "../core/group.ts";
import { isExpired, parseSegment, pendingOffsets } from "../core/segment.ts";
import type { Segment } from "../core/segment.ts";
import { offset } from "../core/types.ts";
import type { EpochMs, Offset } from "../core/types.ts";
import type { StoredMessage } from "../core/message.ts";
import type { Depth } from "./api.ts";
import type { Cursors, Stand } from "./cursor.ts";
import type { Deps } from "./deps.ts";
import type { LogReader } from "./log.ts";
import type { Tails } from "./tail.ts";
import { retryOf } from "./view.ts";

export interface Measured {
  readonly depth: Depth;
  readonly oldestReadyAgeSeconds: number;
  /** When the newest message was sent; undefined: none is left. */
  readonly newestSentAt: EpochMs | undefined;
}

interface LaneView {
  readonly stand: Stand;
  readonly retry: Retry;
}

interface Count {
  ready: number;
  leased: number;
  delayed: number;
  oldest: number;
  newest: number;
}

const LANES_AT_ONCE = 8;
/** Entries behind what has surely expired in which the first live message is looked for. */
const LOOKED_AT = 32;

export class Gauge {
  readonly #deps: Deps;
  readonly #tails: Tails;
  readonly #cursors: Cursors;
  readonly #log: LogReader;

  constructor(deps: Deps, tails: Tails, cursors: Cursors, log: LogReader) {
    this.#deps = deps;
    this.#tails = tails;
    this.#cursors = cursors;
    this.#log = log;
  }

  async measure(queue: GroupQueue): Promise<Measured> {
    const now = this.#deps.clock.now();
    const count: Count = {
      ready: 0,
      leased: 0,
      delayed: 0,
      oldest: Number.POSITIVE_INFINITY,
      newest: 0,
    };
    const lanes = receivableLanes(queue, this.#deps.clock.now());
    const { queueId, group } = queue;
    // By one clock, as depth has it, no margin is waited for.
    const retry = { skewMarginMs: 0, ...retryOf(queue.settings) };
    for (let index = 0; index < lanes.length; index += LANES_AT_ONCE) {
      await Promise.all(
        lanes.slice(index, index + LANES_AT_ONCE).map((lane) => {
          const stand = { queue: queueId, lane, group: group.groupId };
          return this.#lane({ stand, retry }, now, count);
        }),
      );
    }
    const { ready, leased, delayed, oldest, newest } = count;
    return {
      depth: { ready, leased, delayed },
      oldestReadyAgeSeconds: ready === 0 ? 0 : Math.max(0, Math.floor((now - oldest) / 1000)),
      newestSentAt: newest === 0 ? undefined : (newest as EpochMs),
    };
  }

  async #lane(view: LaneView, now: EpochMs, count: Count): Promise<void> {
    const { stand } = view;
    const cursor = await this.#cursors.refresh(stand);
    const tail = await this.#tails.peek(stand.queue, stand.lane);
    if (tail.last !== undefined && tail.last["end"] !== true)
      count.newest = Math.max(count.newest, tail.last["sentAt"] as number);
    for (const [start, item] of await this.#cursors.readSegments(stand, cursor)) {
      const segment = parseSegment(start, item);
      if (segment.closed) continue;
      await this.#pending(view, segment, now, count);
      await this.#held(stand, segment, count);
      const low = offset(Math.max(segment.head, tail.base));
      // Behind the last listed one nothing is claimed, though it be cut and its successor not listed yet.
      const end = start === cursor.segments.at(-1) ? undefined : segment.end;
      const high = offset(Math.min(end ?? tail.end, tail.end));
      if (low < high) await this.#unclaimed(stand, low, high, now, count);
    }
  }

  async #pending(
    { stand, retry }: LaneView,
    segment: Segment,
    now: EpochMs,
    count: Count,
  ): Promise<void> {
    for (const lease of segment.leases.values()) {
      const offsets = pendingOffsets(lease);
      const entries = await this.#log.stretch(
        stand.queue,
        stand.lane,
        lease.entry,
        offsets.at(-1) ?? lease.entry,
      );
      for (const at of offsets) {
        const message = messageAt(entries, at);
        if (message === undefined || message.expiresAt <= now) continue;
        if (!isExpired(lease, now, 0)) count[lease.waiting ? "delayed" : "leased"] += 1;
        else if (lease.leaving !== undefined) count.leased += 1;
        else if (claimableAt(lease, retry) > now) count.delayed += 1;
        else ready(count, message);
      }
    }
  }

  /** Where order is kept: below the head, and unclaimed. What of it has expired is known when it is come to. */
  async #held(stand: Stand, segment: Segment, count: Count): Promise<void> {
    if (segment.held.size === 0) return;
    const first = offset(Math.min(...[...segment.held.values()].map(heldOffset)));
    for (const held of segment.held.values()) count.ready += held.count;
    const entry = await this.#log.holding(stand.queue, stand.lane, first);
    if (entry !== undefined)
      count.oldest = Math.min(count.oldest, messageAt([entry], first)?.visibleAt ?? entry.sentAt);
  }

  async #unclaimed(
    stand: Stand,
    from: Offset,
    high: Offset,
    now: EpochMs,
    count: Count,
  ): Promise<void> {
    const { queue, lane } = stand;
    const low = await this.#firstLive(stand, from, high, now);
    const visibleUntil = await this.#first(
      stand,
      low,
      high,
      (entry, at) => (messageAt([entry], at)?.visibleAt ?? 0) > now,
    );
    count.ready += visibleUntil - low;
    count.delayed += high - visibleUntil;
    if (visibleUntil === low) return;
    const oldest = await this.#log.holding(queue, lane, low);
    if (oldest !== undefined)
      count.oldest = Math.min(count.oldest, messageAt([oldest], low)?.visibleAt ?? oldest.sentAt);
  }

  /** The first message that may still be alive, or `high`. */
  async #firstLive(stand: Stand, from: Offset, high: Offset, now: EpochMs): Promise<Offset> {
    let low = await this.#first(
      stand,
      from,
      high,
      ({ ttl }) => ttl * 1000 - LIMITS.entryTtlAfterExpiryMs > now,
    );
    if (low >= high) return high;
    const { entries } = await this.#log.query(stand.queue, stand.lane, {
      from: (await this.#log.holding(stand.queue, stand.lane, low))?.offset ?? low,
      to: offset(high - 1),
      limit: LOOKED_AT,
    });
    for (const entry of entries) {
      const end = Math.min(high, entry.offset + entry.count);
      for (low = offset(Math.max(low, entry.offset)); low < end; low = offset(low + 1))
        if ((messageAt([entry], low)?.expiresAt ?? 0) > now) return low;
    }
    return low;
  }

  /** The first offset in [low, high) whose entry is as asked, or `high`; what is gone counts as not. */
  async #first(
    { queue, lane }: Stand,
    low: Offset,
    high: Offset,
    is: (entry: LogEntry, at: Offset) => boolean,
  ): Promise<Offset> {
    const test = async (at: Offset): Promise<boolean> => {
      const entry = await this.#log.holding(queue, lane, at);
      return entry !== undefined && is(entry, at);
    };
    if (low >= high || (await test(low))) return low;
    if (!(await test(offset(high - 1)))) return high;
    let no: number = low;
    let yes: number = high - 1;
    while (yes - no > 1) {
      const middle = Math.floor((no + yes) / 2);
      if (await test(offset(middle))) yes = middle;
      else no = middle;
    }
    return offset(yes);
  }
}

function ready(count: Count, message: StoredMessage): void {
  count.ready += 1;
  count.oldest = Math.min(count.oldest, message.visibleAt);
}

function messageAt(entries: readonly LogEntry[], at: Offset): StoredMessage | undefined {
  const entry = entries.find((one) => one.offset <= at && at < one.offset + one.count);
  return entry?.messages?.[at - entry.offset];
}
