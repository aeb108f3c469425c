/**
 * Purging a queue: what has been sent so far is passed over by every group; clearing it, as SQS does,
 * also ends what is scheduled, and forgets dedup ids.
 *
 * K1  Timers go first: those that are not about to be due are cancelled, the others are promoted, and
 *     promoters are fenced (F1), so that the purge that follows passes over all of them. A timer is cancelled
 *     only while it is surely not due on any clock.
 * K2  Ids are forgotten last. So a repeat of what was passed over may be passed over, too, but is not
 *     refused once the call has answered: by this instance at once, by others when they next read the
 *     queue's settings (D1).
 */
import { afterChange, LaneError } from "../core/errors.ts";
import { readableLanes } from "../core/queue.ts";
import type { QueueRecord } from "../core/queue.ts";
import { epochMs } from "../core/types.ts";
import type { EpochMs, QueueName } from "../core/types.ts";
import { FIRST_TIMER, timerOfKey, timersKey } from "../store/keys.ts";
import type { Item } from "../store/port.ts";
import type { Catalog } from "./catalog.ts";
import type { Cursors } from "./cursor.ts";
import { randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { DueTimers } from "./due.ts";
import type { Groups } from "./group-catalog.ts";
import type { PromoterFence } from "./promoter-state.ts";
import type { Tails } from "./tail.ts";
import { cancellation } from "./timers.ts";

/** A timer that is due sooner is waited for. */
const SOON_MS = 1_000;
const LOOK_EVERY_MS = 250;
/** Longer than a promoter that has died keeps the others waiting. */
const PROMOTED_WITHIN_MS = 12_000;
const CANCELS_AT_ONCE = 32;
const CLEAR_ATTEMPTS = 5;

export class Purger {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #groups: Groups;
  readonly #tails: Tails;
  readonly #cursors: Cursors;
  readonly #due: DueTimers;
  readonly #fence: PromoterFence;

  constructor(
    deps: Deps,
    catalog: Catalog,
    groups: Groups,
    tails: Tails,
    cursors: Cursors,
    due: DueTimers,
    fence: PromoterFence,
  ) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#groups = groups;
    this.#tails = tails;
    this.#cursors = cursors;
    this.#due = due;
    this.#fence = fence;
  }

  /** Passes over everything sent so far; on a lane that it has not come to, what is sent meanwhile, too. */
  async purge(name: QueueName): Promise<void> {
    const record = await this.#catalog.fresh(name);
    try {
      await this.#purgeLanes(record);
    } catch (error) {
      throw inPart(error, name);
    }
  }

  async clear(name: QueueName): Promise<void> {
    let record = await this.#catalog.fresh(name);
    try {
      await this.#clearTimers(record);
      await this.#purgeLanes(record);
      for (let attempt = 0; attempt < CLEAR_ATTEMPTS; attempt++) {
        const now = this.#deps.clock.now();
        // Each clearing has a time of its own, for it names what is remembered since.
        const clearedAt = epochMs(Math.max(now, (record.clearedAt ?? 0) + 1));
        if ((await this.#catalog.change(record, { clearedAt })) !== undefined) return;
        record = await this.#catalog.fresh(name);
      }
      throw new LaneError("throttled", `The queue "${name}" is being changed by others.`);
    } catch (error) {
      throw inPart(error, name);
    }
  }

  async #purgeLanes(record: QueueRecord): Promise<void> {
    const groups = await this.#groups.all(record);
    for (const lane of readableLanes(record.lanes)) {
      const { end } = await this.#tails.peek(record.queueId, lane);
      for (const { group } of end > 0 ? groups : []) {
        const stand = { queue: record.queueId, lane, group: group.groupId };
        await this.#cursors.purgeTo(stand, end);
      }
    }
  }

  /** K1 */
  async #clearTimers(record: QueueRecord): Promise<void> {
    const { clock, sleep, skewMarginMs } = this.#deps;
    const deadline = epochMs(clock.now() + PROMOTED_WITHIN_MS);
    while (clock.now() < deadline) {
      const left = await this.#cancelTimers(record);
      if (left === undefined) return this.#fence.raise(record);
      await sleep(Math.max(LOOK_EVERY_MS, left + skewMarginMs - clock.now()));
      await this.#due.promoteAll(record, deadline);
    }
    throw new LaneError("throttled", `Scheduled messages of "${record.name}" go on becoming due.`);
  }

  /** Gives when the last of those is due that were not cancelled, for they are due soon. */
  async #cancelTimers({ queueId, timerShards }: QueueRecord): Promise<EpochMs | undefined> {
    const { clock, store, skewMarginMs } = this.#deps;
    let left: EpochMs | undefined;
    for (let shard = 0; shard < timerShards; shard++) {
      const pk = timersKey(queueId, shard);
      let from: string | undefined = FIRST_TIMER;
      while (from !== undefined) {
        const page = await store.query("lanes", pk, { from, consistent: true });
        const waiting = page.items.filter((item) => item["body"] !== undefined);
        const soon = clock.now() + SOON_MS + skewMarginMs;
        const isSoon = ({ sk }: Item) => timerOfKey(sk).at < soon;
        const lastSoon = waiting.findLast(isSoon);
        if (lastSoon !== undefined) left = epochMs(Math.max(left ?? 0, timerOfKey(lastSoon.sk).at));
        await this.#cancelAll(waiting.filter((item) => !isSoon(item)));
        const last = page.items.at(-1);
        from = page.more && last !== undefined ? `${last.sk}\0` : undefined;
      }
    }
    return left;
  }

  async #cancelAll(items: readonly Item[]): Promise<void> {
    const { clock, store, skewMarginMs } = this.#deps;
    for (let at = 0; at < items.length; at += CANCELS_AT_ONCE) {
      await Promise.all(
        items.slice(at, at + CANCELS_AT_ONCE).map(async ({ pk, sk }) => {
          const { edits, guard } = cancellation(randomId(this.#deps, 12));
          // Refused: somebody else has cancelled it.
          await store.update("lanes", { pk, sk }, edits, guard);
          if (clock.now() >= timerOfKey(sk).at - skewMarginMs)
            throw new LaneError("outcome-unknown", "A message became due while it was cancelled.");
        }),
      );
    }
  }
}

const inPart = (error: unknown, name: QueueName): unknown =>
  afterChange(error, `The queue "${name}" may be purged in part; purge it again.`);
