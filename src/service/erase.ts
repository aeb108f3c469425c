/**
 * `eraseOnAck`: really deletes what has been acked, for queues of one group that must.
 *
 * X1  An entry is erased once no message of it is unclaimed, held or pending. Only its body and parts go:
 *     count, writer, ttl, dedup and timer ids stay, for the log's order and exactly-once rest on them.
 * X2  What is claimed never becomes unclaimed, and what is not pending never becomes pending again,
 *     so that a state once seen erasable stays so, and the segments are read once for many entries.
 */
import { isHeld } from "../core/held.ts";
import type { LogEntry } from "../core/plan.ts";
import { parseSegment, pendingOffsets } from "../core/segment.ts";
import type { Segment } from "../core/segment.ts";
import { parseTimerId } from "../core/timer.ts";
import { offset } from "../core/types.ts";
import type { Offset } from "../core/types.ts";
import { entryKey, partKey, segmentKey } from "../store/keys.ts";
import { exists, remove, set } from "../store/port.ts";
import type { Cursors, Stand } from "./cursor.ts";
import type { Deps } from "./deps.ts";
import type { LogReader } from "./log.ts";

/** Requests under way. */
const AT_ONCE = 16;

export class Eraser {
  readonly #deps: Deps;
  readonly #cursors: Cursors;
  readonly #log: LogReader;

  constructor(deps: Deps, cursors: Cursors, log: LogReader) {
    this.#deps = deps;
    this.#cursors = cursors;
    this.#log = log;
  }

  /**
   * Erases those of the entries holding `offsets` that are done with. Never throws: what was acked or
   * moved stays so, and what could not be erased goes with its entry's ttl.
   */
  async erase(place: Stand, offsets: readonly Offset[]): Promise<void> {
    try {
      await this.#eraseDone(place, offsets);
    } catch (error) {
      this.#deps.onEvent?.({ type: "eraseFailed", error });
    }
  }

  async #eraseDone(place: Stand, offsets: readonly Offset[]): Promise<void> {
    const entries = await this.#holding(place, offsets);
    const done = entries.length === 0 ? [] : await this.#done(place, entries);
    for (let at = 0; at < done.length; at += AT_ONCE) {
      const some = done.slice(at, at + AT_ONCE);
      const erased = await Promise.allSettled(some.map((entry) => this.#erase(place, entry)));
      for (const one of erased) if (one.status === "rejected") throw one.reason;
    }
  }

  /** The entries that hold the offsets: one is looked up, then twice as many, for mostly one holds many of them. */
  async #holding(place: Stand, offsets: readonly Offset[]): Promise<readonly LogEntry[]> {
    const found = new Map<Offset, LogEntry>();
    let open = offsets;
    for (let width = 1; open.length > 0; width = Math.min(2 * width, AT_ONCE)) {
      const entries = await Promise.all(
        open.slice(0, width).map((at) => this.#log.holding(place.queue, place.lane, at)),
      );
      for (const entry of entries) if (entry !== undefined) found.set(entry.offset, entry);
      open = open
        .slice(width)
        .filter(
          (at) => !entries.some((entry) => entry !== undefined && overlaps(entry, at, at + 1)),
        );
    }
    return [...found.values()].filter(({ messages }) => messages !== undefined);
  }

  /** X1, by the listed segments that overlap the entries, read after those were known. */
  async #done(place: Stand, entries: readonly LogEntry[]): Promise<readonly LogEntry[]> {
    const cursor = await this.#cursors.refresh(place);
    const listed = cursor.segments
      .map((start, index) => ({ start, next: cursor.segments[index + 1] ?? Infinity }))
      .filter(({ start, next }) => entries.some((entry) => overlaps(entry, start, next)));
    const segments = await Promise.all(
      listed.map(async ({ start, next }) => {
        const key = segmentKey(place.queue, place.lane, place.group, cursor.generation, start);
        const item = await this.#deps.store.get("lanes", key, { consistent: true });
        return { segment: parseSegment(start, item), next };
      }),
    );
    return entries.filter((entry) => {
      const entryEnd = entry.offset + entry.count;
      const own = segments.filter(({ segment, next }) => overlaps(entry, segment.start, next));
      // What lies behind the end of the last listed one belongs to a successor that is not listed yet.
      const last = own.find(({ next }) => next === Infinity)?.segment;
      if (last?.end !== undefined && last.end < entryEnd) return false;
      return own.every(({ segment }) => isDone(segment, entry));
    });
  }

  async #erase(place: Stand, entry: LogEntry): Promise<void> {
    const ids = entry.messages?.map((message) => message.dedupId ?? "") ?? [];
    const timers =
      entry.messages?.flatMap(({ id }) =>
        id !== undefined && parseTimerId(id) !== undefined ? [id] : [],
      ) ?? [];
    await this.#deps.store.update(
      "lanes",
      entryKey(place.queue, place.lane, entry.offset),
      [
        remove("body"),
        set(["erased"], true),
        ...(ids.some((id) => id !== "") ? [set(["ids"], ids)] : []),
        ...(timers.length > 0 ? [set(["timers"], timers)] : []),
      ],
      exists("count"),
    );
    this.#log.forget(place.queue, place.lane, entry.offset);
    for (const message of entry.messages ?? []) {
      if (message.parts === undefined) continue;
      for (let number = 0; number < message.parts.count; number++) {
        await this.#deps.store.delete("lanes", partKey(place.queue, message.parts.name, number));
      }
    }
  }
}

const overlaps = (entry: LogEntry, from: number, to: number): boolean =>
  from < entry.offset + entry.count && to > entry.offset;

/** X1, as far as one segment goes. */
function isDone(segment: Segment, entry: LogEntry): boolean {
  const low = Math.max(segment.start, entry.offset);
  const high = Math.min(segment.end ?? Number.POSITIVE_INFINITY, entry.offset + entry.count);
  if (low >= high) return true;
  if (segment.head < high) return false;
  const isAnyHeld = entry.messages?.some((message, index) =>
    isHeld(segment.held, message, offset(entry.offset + index)),
  );
  if (isAnyHeld === true) return false;
  return [...segment.leases.values()].every((lease) =>
    pendingOffsets(lease).every((at) => at < low || at >= high),
  );
}
