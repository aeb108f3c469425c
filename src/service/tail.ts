/**
 * Where a lane ends: the offset that its next message gets.
 *
 * Owns the reading of tails, the anchor, and the beliefs about tails; puts no entries.
 *
 * L5  Never append behind an entry that is about to go: touch it, or seal it and restart.
 * L6  A tail is believed for 30 s after the read or the conflict that showed it, by this instance's clock.
 *     So a touch gives an entry less than whatever was put behind it meanwhile has from the beginning.
 * L7  The anchor first, then the log, both strongly: an empty log, or one whose last entry is sealed,
 *     goes on at the anchor's base while that is young, and otherwise at a new one past every offset.
 * L9  An ended lane has no tail.
 */
import { invariant, isLaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { epochMs, offset } from "../core/types.ts";
import type { EpochMs, LaneId, Offset, QueueId } from "../core/types.ts";
import { anchorKey, entryKey, logKey, offsetOfKey } from "../store/keys.ts";
import { absent, all, equal, exists, remove, set } from "../store/port.ts";
import type { Item } from "../store/port.ts";
import { randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import { boundedCache } from "./cache.ts";

export interface Tail {
  readonly offset: Offset;
  /** The entry before it, which a new one must outlive (L4); absent at the start of a run. */
  readonly last: { readonly offset: Offset; readonly ttl: number } | undefined;
  readonly seenAt: EpochMs;
}

/** More than a run can hold: an hour's worth of offsets. */
const RUN_LEAP = 3_600_000 * 1024;

const laneKey = (queue: QueueId, lane: LaneId): string => `${queue}#${lane}`;

export class Tails {
  readonly #deps: Deps;
  readonly #believed = boundedCache<Tail>(2_000);

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** A tail that may be appended at now, or `ended`. */
  async appendable(queue: QueueId, lane: LaneId): Promise<Tail | "ended"> {
    for (;;) {
      const tail = this.#belief(queue, lane) ?? (await this.read(queue, lane));
      if (tail === "ended") return tail;
      // L6: an instance that was suspended while it read must read again: what it took for the last entry may
      // have a successor, and a touch would give it the longer life (L4).
      if (!this.isBelievable(tail)) continue;
      const ready = await this.#outlived(queue, lane, tail);
      // L6: so must one that was suspended while it touched, for the entry may have been sealed since.
      if (ready !== undefined && this.isBelievable(ready)) return ready;
      this.forget(queue, lane);
    }
  }

  /** Where this instance has last seen the lane end, however long ago. */
  known(queue: QueueId, lane: LaneId): Offset | undefined {
    return this.#believed.get(laneKey(queue, lane))?.offset;
  }

  believe(queue: QueueId, lane: LaneId, tail: Tail): void {
    this.#believed.set(laneKey(queue, lane), tail);
  }

  forget(queue: QueueId, lane: LaneId): void {
    this.#believed.delete(laneKey(queue, lane));
  }

  /** L6 */
  isBelievable(tail: Tail): boolean {
    const age = this.#deps.clock.now() - tail.seenAt;
    return age >= 0 && age < LIMITS.tailBelievedMs;
  }

  #belief(queue: QueueId, lane: LaneId): Tail | undefined {
    const tail = this.#believed.get(laneKey(queue, lane));
    return tail !== undefined && this.isBelievable(tail) ? tail : undefined;
  }

  /** L7: reads, and restarts the lane where it must. */
  async read(queue: QueueId, lane: LaneId): Promise<Tail | "ended"> {
    const { store, clock } = this.#deps;
    for (;;) {
      const seenAt = clock.now();
      const anchor = await store.get("lanes", anchorKey(queue, lane), { consistent: true });
      const page = await store.query("lanes", logKey(queue, lane), {
        reverse: true,
        limit: 1,
        consistent: true,
      });
      const last = page.items[0];
      if (anchor?.["ended"] === true || last?.["end"] === true) return "ended";
      const tail =
        last !== undefined && last["sealed"] !== true
          ? tailAfter(last, seenAt)
          : await this.#restart(queue, lane, anchor, seenAt);
      if (tail !== undefined) {
        this.believe(queue, lane, tail);
        return tail;
      }
    }
  }

  /** Where the lane ends and where its run began, by a strong read that changes nothing. */
  async peek(
    queue: QueueId,
    lane: LaneId,
  ): Promise<{ readonly base: Offset; readonly end: Offset; readonly last: Item | undefined }> {
    const { store } = this.#deps;
    const anchor = await store.get("lanes", anchorKey(queue, lane), { consistent: true });
    const page = await store.query("lanes", logKey(queue, lane), {
      reverse: true,
      limit: 1,
      consistent: true,
    });
    const last = page.items[0];
    const base = offset((anchor?.["base"] as number | undefined) ?? 0);
    const behind = last === undefined ? 0 : offsetOfKey(last.sk) + (last["count"] as number);
    return { base, end: offset(Math.max(base, behind)), last };
  }

  async #restart(
    queue: QueueId,
    lane: LaneId,
    anchor: Item | undefined,
    seenAt: EpochMs,
  ): Promise<Tail | undefined> {
    const now = this.#deps.clock.now();
    const base = anchor?.["base"] as number | undefined;
    // As of before the reading: an instance that was suspended behind it knows nothing of what came since.
    const age =
      anchor === undefined ? Number.POSITIVE_INFINITY : seenAt - (anchor["since"] as number);
    // The log of a run that had entries is empty only when all of them have expired, whatever clocks say.
    const isUsed = anchor?.["used"] === true;
    if (base !== undefined && !isUsed && age < LIMITS.anchorTrustedMs)
      return { offset: offset(base), last: undefined, seenAt };
    const isRenewed = base !== undefined && !isUsed && age < LIMITS.anchorRenewableMs;
    const past = (base ?? 0) + (isUsed && now * 1024 <= (base ?? 0) ? RUN_LEAP : 1);
    const next = isRenewed ? base : Math.max(Math.floor(now * 1024), past);
    invariant(Number.isSafeInteger(next), "L7: offsets stay below 2^53");
    const token = anchor?.["token"] as string | undefined;
    const { ok } = await this.#deps.store.update(
      "lanes",
      anchorKey(queue, lane),
      [
        set(["base"], next),
        set(["since"], now),
        set(["token"], randomId(this.#deps, 12)),
        remove("used"),
      ],
      token === undefined ? absent("token") : all(equal(["token"], token), absent("ended")),
    );
    return ok ? { offset: offset(next), last: undefined, seenAt: now } : undefined;
  }

  /** L7: remembers that the run has entries. Best effort: it only matters where clocks step back by an hour. */
  async markUsed(queue: QueueId, lane: LaneId, base: Offset): Promise<void> {
    try {
      await this.#deps.store.update(
        "lanes",
        anchorKey(queue, lane),
        [set(["used"], true)],
        equal(["base"], base),
      );
    } catch (error) {
      if (!isLaneError(error)) throw error;
    }
  }

  /** L5: the tail once the entry before it is sure to outlive an append, or `undefined`: read again. */
  async #outlived(queue: QueueId, lane: LaneId, tail: Tail): Promise<Tail | undefined> {
    if (tail.last === undefined) return tail;
    const { store, clock } = this.#deps;
    const left = tail.last.ttl * 1000 - clock.now();
    if (left > LIMITS.appendTtlMarginMs) return tail;
    const key = entryKey(queue, lane, tail.last.offset);
    if (left >= LIMITS.sealTtlMarginMs) {
      const ttl = Math.floor((clock.now() + LIMITS.touchTtlMs) / 1000);
      const touched = await store.update(
        "lanes",
        key,
        [set(["ttl"], ttl)],
        all(exists("count"), absent("sealed")),
      );
      if (!touched.ok) return undefined;
      const next = { ...tail, last: { offset: tail.last.offset, ttl } };
      this.believe(queue, lane, next);
      return next;
    }
    await store.update("lanes", key, [set(["sealed"], true)], equal(["ttl"], tail.last.ttl));
    return undefined;
  }
}

/** The tail that an entry shows: right behind it. */
export const tailAfter = (entry: Item, seenAt: EpochMs): Tail => {
  const at = offsetOfKey(entry.sk);
  return {
    offset: offset(at + (entry["count"] as number)),
    last: { offset: at, ttl: entry["ttl"] as number },
    seenAt: epochMs(seenAt),
  };
};
