/**
 * The cursor: which segments a group has on a lane.
 *
 * Owns the list, its cache and its changes; what stands in a segment is not its business.
 *
 * C7  Successors are only ever added at the end of the list, for only its last segment is uncut; a
 *     segment leaves the list only once it is closed, and gets a ttl only once it has left. A cached
 *     list (10 min at most) does no harm, because the guards refuse cut and closed segments.
 * C8  An absent cursor means one segment at offset 0 of generation 0. Purge and seek write `next`,
 *     close every listed segment, creating absent ones as closed, then switch; whoever meets `next`
 *     finishes it, however late. A purge carries over what stands at or behind `start`, so that nothing
 *     sent after it began is passed over; a seek carries over nothing, so that all of it comes again.
 * Y5  A lane takes no seek whose number is not greater than that of its last one.
 */
import { LIMITS } from "../core/limits.ts";
import { offset } from "../core/types.ts";
import type { EpochMs, GroupId, LaneId, Offset, QueueId } from "../core/types.ts";
import { cursorKey, segmentKey } from "../store/keys.ts";
import { absent, equal, exists, remove, set } from "../store/port.ts";
import type { Edit, Item } from "../store/port.ts";
import { carryOver, parseSegment, segmentAttributes } from "../core/segment.ts";
import type { Deps } from "./deps.ts";
import { boundedCache } from "./cache.ts";

/** A group's claim on a lane, named. */
export interface Stand {
  readonly queue: QueueId;
  readonly lane: LaneId;
  readonly group: GroupId;
}

export interface Cursor {
  readonly absent: boolean;
  readonly generation: number;
  /** Starts, ascending. Never empty. */
  readonly segments: readonly Offset[];
  readonly version: number;
  /** Number of the last seek; what dead letters and redriven messages are named by, for they may come again. */
  readonly sought: number;
  readonly next: Next | undefined;
}

interface Next {
  readonly generation: number;
  readonly start: Offset;
  /** Set: a seek of that number. */
  readonly seek?: number;
}

interface Cached {
  readonly cursor: Cursor;
  readonly readAt: EpochMs;
}

const LANES_AT_ONCE = 16;

export class Cursors {
  readonly #deps: Deps;
  readonly #cache = boundedCache<Cached>(2_000);

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async get(stand: Stand): Promise<Cursor> {
    const cached = this.#cache.get(standKey(stand));
    const age = cached === undefined ? -1 : this.#deps.clock.now() - cached.readAt;
    return cached !== undefined && age >= 0 && age < LIMITS.cursorCachedMs
      ? cached.cursor
      : this.refresh(stand);
  }

  /** Strongly read; a purge or seek that is under way is finished first. */
  async refresh(stand: Stand): Promise<Cursor> {
    for (;;) {
      const readAt = this.#deps.clock.now();
      const cursor = await this.peek(stand);
      if (cursor.next === undefined) {
        this.#cache.set(standKey(stand), { cursor, readAt });
        return cursor;
      }
      await this.#switch(stand, cursor, cursor.next);
    }
  }

  /** Strongly read, and left as it is: a purge or seek may be under way (`next`). */
  async peek({ queue, lane, group }: Stand): Promise<Cursor> {
    const key = cursorKey(queue, lane, group);
    return parseCursor(await this.#deps.store.get("lanes", key, { consistent: true }));
  }

  /** C7: lists the segment that begins where the last one was cut. */
  async addSuccessor(stand: Stand, cursor: Cursor, cutAt: Offset): Promise<Cursor> {
    let current = cursor;
    while (current.generation === cursor.generation && (current.segments.at(-1) ?? cutAt) < cutAt) {
      current = await this.#replace(stand, current, [...current.segments, cutAt]);
    }
    return current;
  }

  /**
   * C7: closes drained segments, takes them off the list, then lets them expire. The caller saw each
   * of them cut, with its head at its end, nothing pending and a successor listed: that cannot change.
   */
  async close(stand: Stand, cursor: Cursor, drained: readonly Offset[]): Promise<Cursor> {
    const leaving = new Set(
      drained.filter(
        (start) => cursor.segments.includes(start) && start !== cursor.segments.at(-1),
      ),
    );
    if (leaving.size === 0) return cursor;
    for (const start of leaving) {
      await this.#deps.store.update(
        "lanes",
        this.#segment(stand, cursor.generation, start),
        [set(["closed"], true)],
        exists("end"),
      );
    }
    const next = await this.#replace(
      stand,
      cursor,
      cursor.segments.filter((start) => !leaving.has(start)),
    );
    for (const start of leaving) {
      if (next.generation === cursor.generation && next.segments.includes(start)) continue;
      await this.#expire(this.#segment(stand, cursor.generation, start));
    }
    return next;
  }

  /** C8: where a group that is being made begins; nobody else knows its id yet. */
  async place(
    queue: QueueId,
    group: GroupId,
    starts: readonly { readonly lane: LaneId; readonly start: Offset }[],
  ): Promise<void> {
    const places = starts.filter(({ start }) => start > 0);
    for (let index = 0; index < places.length; index += LANES_AT_ONCE) {
      await Promise.all(
        places.slice(index, index + LANES_AT_ONCE).map(({ lane, start }) => {
          const edits = this.#edits(parseCursor(undefined), [start]);
          const key = cursorKey(queue, lane, group);
          return this.#deps.store.update("lanes", key, edits, absent("version"));
        }),
      );
    }
  }

  /** C8: everything before `start`, the beginning of an entry, is passed over; nothing else changes. */
  purgeTo(stand: Stand, start: Offset): Promise<void> {
    return this.#moveTo(stand, { start });
  }

  /** C8, Y5: the group begins anew at `start`, which may be within an entry. */
  seekTo(stand: Stand, start: Offset, seek: number): Promise<void> {
    return this.#moveTo(stand, { start, seek });
  }

  async #moveTo(stand: Stand, to: Omit<Next, "generation">): Promise<void> {
    for (;;) {
      const cursor = await this.refresh(stand);
      if (to.seek !== undefined && cursor.sought >= to.seek) return;
      const next = { ...to, generation: cursor.generation + 1 };
      const { ok } = await this.#deps.store.update(
        "lanes",
        cursorKey(stand.queue, stand.lane, stand.group),
        [...this.#edits(cursor, cursor.segments), set(["next"], next)],
        versionGuard(cursor),
      );
      if (!ok) continue;
      await this.#switch(
        stand,
        { ...cursor, absent: false, version: cursor.version + 1, next },
        next,
      );
      return;
    }
  }

  /** The items of all listed segments, strongly read by one query a page; `undefined`: absent. */
  async readSegments(stand: Stand, cursor: Cursor): Promise<Map<Offset, Item | undefined>> {
    const keys = cursor.segments.map((start) => this.#segment(stand, cursor.generation, start));
    const items = new Map<string, Item>();
    const { pk } = cursorKey(stand.queue, stand.lane, stand.group);
    let from = keys[0]?.sk;
    while (from !== undefined) {
      const range = { from, to: keys.at(-1)?.sk ?? from, consistent: true };
      const page = await this.#deps.store.query("lanes", pk, range);
      for (const item of page.items) items.set(item.sk, item);
      const end = page.items.at(-1);
      from = page.more && end !== undefined ? `${end.sk}+` : undefined;
    }
    return new Map(
      cursor.segments.map((start, index) => [start, items.get(keys[index]?.sk ?? "")]),
    );
  }

  forget(stand: Stand): void {
    this.#cache.delete(standKey(stand));
  }

  async #switch(stand: Stand, cursor: Cursor, next: Next): Promise<void> {
    const { store } = this.#deps;
    for (const start of cursor.segments) {
      const key = this.#segment(stand, cursor.generation, start);
      const closed = await store.update("lanes", key, [set(["closed"], true)], exists("version"));
      if (!closed.ok) {
        const created = await store.update(
          "lanes",
          key,
          [
            set(["closed"], true),
            set(["head"], start),
            set(["headEntry"], start),
            set(["version"], 0),
          ],
          absent("version"),
        );
        // A first claim came between: it exists now, and closing it is all that is left.
        if (!created.ok)
          await store.update("lanes", key, [set(["closed"], true)], exists("version"));
      }
    }
    // Closed segments no longer move: every finisher sees the same, and carries over the same.
    const closed = await Promise.all(
      cursor.segments.map(async (start) => {
        const key = this.#segment(stand, cursor.generation, start);
        return parseSegment(start, await store.get("lanes", key, { consistent: true }));
      }),
    );
    const carried = next.seek === undefined ? carryOver(closed, next.start) : [];
    const starts = carried.length === 0 ? [next.start] : carried.map((segment) => segment.start);
    for (const segment of carried) {
      if (segment.absent) continue;
      const key = this.#segment(stand, next.generation, segment.start);
      await store.put("lanes", { ...key, ...segmentAttributes(segment) }, absent("version"));
    }
    const switched = await store.update(
      "lanes",
      cursorKey(stand.queue, stand.lane, stand.group),
      [
        set(["generation"], next.generation),
        set(["segments"], encodeStarts(starts)),
        set(["version"], cursor.version + 1),
        ...(next.seek === undefined ? [] : [set(["sought"], next.seek)]),
        remove("next"),
      ],
      versionGuard(cursor),
    );
    this.forget(stand);
    if (!switched.ok) return;
    for (const start of cursor.segments)
      await this.#expire(this.#segment(stand, cursor.generation, start));
  }

  /** Conditional on the version as read; on a conflict the caller goes on with what stands there now. */
  async #replace(stand: Stand, cursor: Cursor, segments: readonly Offset[]): Promise<Cursor> {
    const readAt = this.#deps.clock.now();
    const { ok } = await this.#deps.store.update(
      "lanes",
      cursorKey(stand.queue, stand.lane, stand.group),
      this.#edits(cursor, segments),
      versionGuard(cursor),
    );
    if (!ok) return this.refresh(stand);
    const next: Cursor = { ...cursor, absent: false, segments, version: cursor.version + 1 };
    this.#cache.set(standKey(stand), { cursor: next, readAt });
    return next;
  }

  #edits(cursor: Cursor, segments: readonly Offset[]): Edit[] {
    return [
      set(["generation"], cursor.generation),
      set(["segments"], encodeStarts(segments)),
      set(["version"], cursor.version + 1),
    ];
  }

  #segment(stand: Stand, generation: number, start: Offset) {
    return segmentKey(stand.queue, stand.lane, stand.group, generation, start);
  }

  async #expire(key: { pk: string; sk: string }): Promise<void> {
    const ttl = Math.floor((this.#deps.clock.now() + LIMITS.closedSegmentTtlMs) / 1000);
    await this.#deps.store.update("lanes", key, [set(["ttl"], ttl)], exists("closed"));
  }
}

/** What an instance remembers of a stand is named by. */
export const standKey = (stand: Stand): string => `${stand.queue}#${stand.lane}#${stand.group}`;

const versionGuard = (cursor: Cursor) =>
  cursor.absent ? absent("version") : equal(["version"], cursor.version);

/** Ascending offsets as text: the first, then distances, in base 36. */
export const encodeStarts = (starts: readonly Offset[]): string =>
  starts.map((start, index) => (start - (starts[index - 1] ?? 0)).toString(36)).join(" ");

export function decodeStarts(text: string): Offset[] {
  let at = 0;
  return text.split(" ").map((distance) => offset((at += Number.parseInt(distance, 36))));
}

export function parseCursor(item: Item | undefined): Cursor {
  if (item === undefined)
    return {
      absent: true,
      generation: 0,
      segments: [offset(0)],
      version: 0,
      sought: 0,
      next: undefined,
    };
  const next = item["next"] as { generation: number; start: number; seek?: number } | undefined;
  return {
    absent: false,
    generation: item["generation"] as number,
    segments: decodeStarts(item["segments"] as string),
    version: item["version"] as number,
    sought: (item["sought"] as number | undefined) ?? 0,
    next: next === undefined ? undefined : { ...next, start: offset(next.start) },
  };
}
