/**
 * `eraseOnAck`: really deletes what has been acked, for queues of one group that must.
 *
 * X1  An entry is erased once no message of it is unclaimed, held or pending. Only its body and parts go:
 *     count, writer, ttl, dedup and timer ids stay, for the log's order and exactly-once rest on them.
 * X2  What is claimed never becomes unclaimed, and what is not pending never becomes pending again,
 *     so that a state once seen erasable stays so.
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
    const entries = new Map<Offset, LogEntry>();
    for (const at of offsets) {
      if (
        [...entries.values()].some((entry) => entry.offset <= at && at < entry.offset + entry.count)
      )
        continue;
      const entry = await this.#log.holding(place.queue, place.lane, at);
      if (entry?.messages !== undefined) entries.set(entry.offset, entry);
    }
    for (const entry of entries.values()) {
      if (await this.#isDone(place, entry)) await this.#erase(place, entry);
    }
  }

  /** X1, by the listed segments that overlap the entry, read after the entry was known. */
  async #isDone(place: Stand, entry: LogEntry): Promise<boolean> {
    const cursor = await this.#cursors.refresh(place);
    const entryEnd = entry.offset + entry.count;
    const starts = cursor.segments.filter((start, index) => {
      const next = cursor.segments[index + 1] ?? Number.POSITIVE_INFINITY;
      return start < entryEnd && next > entry.offset;
    });
    const segments = await Promise.all(
      starts.map(async (start) => {
        const key = segmentKey(place.queue, place.lane, place.group, cursor.generation, start);
        return parseSegment(start, await this.#deps.store.get("lanes", key, { consistent: true }));
      }),
    );
    // What lies behind the end of the last listed one belongs to a successor that is not listed yet.
    const last = cursor.segments.at(-1) === starts.at(-1) ? segments.at(-1) : undefined;
    if (last?.end !== undefined && last.end < entryEnd) return false;
    return segments.every((segment) => isDone(segment, entry));
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
