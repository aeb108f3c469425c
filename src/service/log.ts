/**
 * Reading a lane's log.
 *
 * L2  Entries are immutable, so what was decoded once, or stored by this process itself, is kept (by bytes,
 *     least recently used first out). By L1, those that follow each other without a gap need no query:
 *     one begins behind them. Erasure alone changes entries, and an erased one has nothing left that anyone
 *     may still read.
 * L8  A reader jumps a gap only to the first entry shown by a second strongly consistent query from
 *     head, begun after the first one showed the later entry.
 */
import { LRUCache } from "lru-cache";
import { packedBytes, unpack } from "../core/packing.ts";
import type { StoredMessage } from "../core/message.ts";
import type { HeldStretch, LogEntry } from "../core/plan.ts";
import type { Segment } from "../core/segment.ts";
import { epochMs, offset } from "../core/types.ts";
import type { LaneId, Offset, QueueId } from "../core/types.ts";
import { entryKey, logKey, offsetKey, offsetOfKey, partsKey } from "../store/keys.ts";
import type { Item } from "../store/port.ts";
import type { Deps } from "./deps.ts";
import { boundedCache } from "./cache.ts";

const CACHED_BYTES = 24 * 1024 * 1024;
const ENTRY_OVERHEAD_BYTES = 400;
const STRETCH_ENTRIES = 64;
/** What one claim may pass over of what has expired; the next one goes on from there. */
const CHAIN_ENTRIES = 1_024;

export interface LogPage {
  readonly entries: readonly LogEntry[];
  readonly more: boolean;
}

export interface FreshEntries extends LogPage {
  /** A cut segment: nothing is left below its end. */
  readonly exhausted: boolean;
}

/** What is known of the log from some place on, and where that ends. */
interface Chain {
  readonly entries: readonly LogEntry[];
  readonly next: Offset;
  /** So many messages that live as were wanted, or all up to the segment's end. */
  readonly isEnough: boolean;
}

export class LogReader {
  readonly #deps: Deps;
  readonly #cache = new LRUCache<string, LogEntry>({ maxSize: CACHED_BYTES });

  /** The last entry that was read ahead, by lane: a new segment mostly begins in it. */
  readonly #reached = boundedCache<Offset>(2_000);

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Strongly consistent, from `from` up (inclusive, as offsets of entries). */
  async query(
    queue: QueueId,
    lane: LaneId,
    range: { from?: Offset; to?: Offset; limit: number; reverse?: boolean },
  ): Promise<LogPage> {
    const page = await this.#deps.store.query("lanes", logKey(queue, lane), {
      ...(range.from === undefined ? {} : { from: offsetKey(range.from) }),
      ...(range.to === undefined ? {} : { to: offsetKey(range.to) }),
      limit: range.limit,
      reverse: range.reverse ?? false,
      consistent: true,
    });
    return { entries: page.items.map((item) => this.decode(queue, lane, item)), more: page.more };
  }

  /** Entries from the segment's head on, about `limit` of them, as the planner may walk them (L8). */
  async fresh(
    queue: QueueId,
    lane: LaneId,
    segment: Segment,
    wanted: { messages: number; entries: number },
  ): Promise<FreshEntries> {
    const headEntry = await this.#headEntry(queue, lane, segment);
    const chain = this.#chain(queue, lane, headEntry, segment, wanted.messages);
    if (chain.isEnough) {
      this.#reach(queue, lane, chain.entries);
      return { entries: chain.entries, more: true, exhausted: false };
    }
    if (segment.end !== undefined && segment.head >= segment.end)
      return { entries: [], more: false, exhausted: true };
    const range = {
      from: chain.next,
      limit: Math.max(1, wanted.entries - chain.entries.length),
      ...(segment.end === undefined ? {} : { to: offset(segment.end - 1) }),
    };
    const first = await this.query(queue, lane, range);
    // A gap behind what is known is met again as the head.
    const isAtHead = chain.entries.length === 0;
    const page =
      isAtHead && hasGap(first, segment.head) ? await this.query(queue, lane, range) : first;
    const entries = [...chain.entries, ...page.entries];
    this.#reach(queue, lane, entries);
    return {
      entries: withoutHoles(
        entries.filter((entry) => entry.offset + entry.count > segment.head || entry.end),
        segment.head,
      ),
      more: page.more,
      exhausted:
        segment.end !== undefined &&
        entries.every((entry) => entry.offset + entry.count <= segment.head) &&
        !page.more,
    };
  }

  /** L1, L2: the cached entries that follow each other without a gap from `from` on, until they are enough. */
  #chain(
    queue: QueueId,
    lane: LaneId,
    from: Offset,
    { head, end = offset(Number.MAX_SAFE_INTEGER) }: Segment,
    messages: number,
  ): Chain {
    const entries: LogEntry[] = [];
    if (from > head || head >= end) return { entries, next: from, isEnough: false };
    const now = this.#deps.clock.now();
    let next = from;
    for (let left = messages; left > 0 && next < end && entries.length < CHAIN_ENTRIES;) {
      const entry = this.#cache.get(cacheKey(queue, lane, next));
      if (entry?.messages === undefined) return { entries, next, isEnough: false };
      entries.push(entry);
      next = offset(entry.offset + entry.count);
      left -= entry.messages.filter(
        ({ expiresAt }, index) => entry.offset + index >= head && expiresAt > now,
      ).length;
    }
    return { entries, next, isEnough: true };
  }

  #reach(queue: QueueId, lane: LaneId, entries: readonly LogEntry[]): void {
    const last = entries.at(-1);
    if (last !== undefined) this.#reached.set(cacheKey(queue, lane, LANE), last.offset);
  }

  /** A segment begins where the one before it was cut, which may be within an entry. */
  async #headEntry(queue: QueueId, lane: LaneId, segment: Segment): Promise<Offset> {
    const isAtStart = segment.head === segment.start && segment.headEntry === segment.start;
    if (!isAtStart || segment.start === 0) return segment.headEntry;
    const holding = await this.holding(
      queue,
      lane,
      segment.start,
      this.#reached.get(cacheKey(queue, lane, LANE)),
    );
    return holding?.offset ?? segment.headEntry;
  }

  /** The entry that holds an offset, strongly read unless cached; `undefined`: it has expired, or was never there. */
  async holding(
    queue: QueueId,
    lane: LaneId,
    at: Offset,
    hint?: Offset,
  ): Promise<LogEntry | undefined> {
    for (const place of hint === undefined ? [] : [at, hint]) {
      const cached = this.#cache.get(cacheKey(queue, lane, place));
      if (cached !== undefined && holds(cached, at)) return cached;
    }
    const { entries } = await this.query(queue, lane, { to: at, limit: 1, reverse: true });
    const entry = entries[0];
    return entry !== undefined && holds(entry, at) ? entry : undefined;
  }

  /** All entries of a stretch that are still there, strongly read where not cached. */
  async stretch(queue: QueueId, lane: LaneId, from: Offset, to: Offset): Promise<LogEntry[]> {
    const entries: LogEntry[] = [];
    let at = from;
    while (at <= to) {
      const cached = this.#cache.get(cacheKey(queue, lane, at));
      if (cached !== undefined) {
        entries.push(cached);
        at = offset(cached.offset + Math.max(1, cached.count));
        continue;
      }
      const page = await this.query(queue, lane, { from: at, to, limit: STRETCH_ENTRIES });
      entries.push(...page.entries);
      const last = page.entries.at(-1);
      if (!page.more || last === undefined) break;
      at = offset(last.offset + Math.max(1, last.count));
    }
    return entries;
  }

  /** Where order is kept: up to `limit` entries from a held place on, as far as they are below the head. */
  async below(
    queue: QueueId,
    lane: LaneId,
    from: Offset,
    head: Offset,
    limit: number,
  ): Promise<HeldStretch> {
    const entries: LogEntry[] = [];
    let at = from;
    while (at < head && entries.length < limit) {
      const cached = this.#cache.get(cacheKey(queue, lane, at));
      const range = { from: at, to: offset(head - 1), limit: limit - entries.length };
      const page =
        cached === undefined
          ? await this.query(queue, lane, range)
          : { entries: [cached], more: true };
      entries.push(...page.entries);
      const last = page.entries.at(-1);
      if (last === undefined || !page.more) return { entries, complete: true };
      at = offset(last.offset + Math.max(1, last.count));
    }
    return { entries, complete: at >= head };
  }

  /** What this process has just stored, so that it need not be read. */
  learn(queue: QueueId, lane: LaneId, entry: LogEntry): void {
    if (entry.messages !== undefined)
      this.#cache.set(cacheKey(queue, lane, entry.offset), entry, { size: sizeOf(entry.messages) });
  }

  /** One entry by its own offset, strongly read. */
  async entryItem(queue: QueueId, lane: LaneId, at: Offset): Promise<Item | undefined> {
    return this.#deps.store.get("lanes", entryKey(queue, lane, at), { consistent: true });
  }

  forget(queue: QueueId, lane: LaneId, at: Offset): void {
    this.#cache.delete(cacheKey(queue, lane, at));
  }

  decode(queue: QueueId, lane: LaneId, item: Item): LogEntry {
    const at = offsetOfKey(item.sk);
    const key = cacheKey(queue, lane, at);
    const cached = this.#cache.get(key);
    const body = item["body"] as Uint8Array | undefined;
    if (cached !== undefined && body !== undefined) return cached;
    const entry: LogEntry = {
      offset: at,
      count: item["count"] as number,
      sentAt: epochMs(item["sentAt"] as number),
      ttl: item["ttl"] as number,
      messages: body === undefined ? undefined : unpack(body),
      end: item["end"] === true,
    };
    if (entry.messages === undefined) this.#cache.delete(key);
    else this.#cache.set(key, entry, { size: sizeOf(entry.messages) });
    return entry;
  }

  /** A message's body, fetched where it stands in parts; `undefined`: its parts have expired. */
  async body(queue: QueueId, message: StoredMessage): Promise<Uint8Array | undefined> {
    if (message.parts === undefined) return message.body;
    const pieces: Uint8Array[] = [];
    const pk = partsKey(queue, message.parts.name);
    let from: string | undefined;
    for (;;) {
      const page = await this.#deps.store.query("lanes", pk, {
        consistent: true,
        ...(from === undefined ? {} : { from }),
      });
      pieces.push(...page.items.map((item) => item["body"] as Uint8Array));
      const last = page.items.at(-1);
      if (!page.more || last === undefined) break;
      from = `${last.sk}+`;
    }
    const body = Buffer.concat(pieces);
    return body.length === message.parts.bytes ? body : undefined;
  }
}

const LANE = -1;
const cacheKey = (queue: QueueId, lane: LaneId, at: number): string => `${queue}#${lane}#${at}`;

const holds = (entry: LogEntry, at: Offset): boolean =>
  entry.offset <= at && at < entry.offset + entry.count;

/** The first entry that reaches past head begins behind it. */
const hasGap = (page: LogPage, head: Offset): boolean => {
  const next = page.entries.find((entry) => entry.offset + entry.count > head || entry.end);
  return next !== undefined && next.offset > head;
};

/**
 * A page up to its first inner hole: only the gap at its beginning has been confirmed, and a reader
 * that comes to a hole as its head confirms it then.
 */
function withoutHoles(entries: readonly LogEntry[], head: Offset): readonly LogEntry[] {
  for (let index = 1; index < entries.length; index++) {
    const before = entries[index - 1];
    const entry = entries[index];
    if (before === undefined || entry === undefined) break;
    if (before.offset + before.count < entry.offset && entry.offset > head)
      return entries.slice(0, index);
  }
  return entries;
}

const sizeOf = (messages: readonly StoredMessage[]): number =>
  messages.reduce(
    (bytes, message) => bytes + 2 * packedBytes(message) + ENTRY_OVERHEAD_BYTES,
    ENTRY_OVERHEAD_BYTES,
  );
