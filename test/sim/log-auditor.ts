/**
 * Judges the log itself: every entry that was ever put, also those long deleted.
 *
 * L1  Offsets of a lane never overlap; a new entry stands right behind another, or at an anchor's base.
 * L2  What an entry holds never changes, but for erasure.
 * L4  An entry outlives its predecessor, and goes on doing so when that is touched.
 * And nothing but TTL deletes an entry.
 */
import { isDeepStrictEqual } from "node:util";
import type { Item, Key, TableName } from "../../src/store/port.ts";
import { Violation } from "./violation.ts";

interface Span {
  readonly start: number;
  readonly end: number;
}

interface Change {
  readonly table: TableName;
  readonly key: Key;
  readonly before: Item | undefined;
  readonly after: Item | undefined;
  readonly byTtl: boolean;
}

interface Lane {
  /** By start. */
  readonly spans: Span[];
  readonly bases: Set<number>;
}

export class LogAuditor {
  readonly #lanes = new Map<string, Lane>();
  readonly #live: (key: Key) => Item | undefined;
  #failure: Violation | undefined;

  constructor(live: (key: Key) => Item | undefined) {
    this.#live = live;
  }

  get failure(): Violation | undefined {
    return this.#failure;
  }

  wrote({ table, key, before, after, byTtl }: Change): void {
    if (table !== "lanes") return;
    if (key.pk.startsWith("anchor#") && after !== undefined)
      this.#lane(key.pk.slice("anchor#".length)).bases.add(after["base"] as number);
    if (!key.pk.startsWith("log#")) return;
    const lane = this.#lane(key.pk.slice("log#".length));
    if (after === undefined) {
      if (!byTtl) this.#fail(`${key.pk} ${key.sk} was deleted, and not by TTL`);
    } else if (before === undefined) {
      this.#added(lane, key, after);
    } else {
      this.#changed(key, before, after);
    }
  }

  #added(lane: Lane, key: Key, entry: Item): void {
    const start = Number(key.sk);
    const end = start + (entry["count"] as number);
    const at = lane.spans.findLastIndex((span) => span.start <= start) + 1;
    const previous = lane.spans[at - 1];
    const next = lane.spans[at];
    if (previous !== undefined && previous.end > start)
      this.#fail(`L1: ${name(key, end)} overlaps ${previous.start}..${previous.end}`);
    if (next !== undefined && next.start < end)
      this.#fail(`L1: ${name(key, end)} overlaps ${next.start}..${next.end}`);
    lane.spans.splice(at, 0, { start, end });
    if (previous?.end !== start) {
      if (!lane.bases.has(start))
        this.#fail(`L1: ${name(key, end)} follows no entry and is no base`);
      return;
    }
    const predecessor = this.#entry(key, previous.start);
    if (predecessor === undefined) return;
    if (predecessor["sealed"] === true)
      this.#fail(`L5: ${name(key, end)} was put behind a sealed entry`);
    if (ttlOf(predecessor) > ttlOf(entry)) {
      this.#fail(
        `L4: ${name(key, end)} with ttl ${ttlOf(entry)} goes before its predecessor with ${ttlOf(predecessor)}`,
      );
    }
  }

  #changed(key: Key, before: Item, after: Item): void {
    for (const field of ["count", "writer", "sentAt"]) {
      if (!isDeepStrictEqual(before[field], after[field]))
        this.#fail(`L2: ${field} of ${key.pk} ${key.sk} changed`);
    }
    if (after["body"] !== undefined && !isDeepStrictEqual(before["body"], after["body"]))
      this.#fail(`L2: body of ${key.pk} ${key.sk} changed`);
    if (ttlOf(before) === ttlOf(after)) return;
    const end = Number(key.sk) + (after["count"] as number);
    const successor = this.#entry(key, end);
    if (successor === undefined || ttlOf(successor) >= ttlOf(after)) return;
    this.#fail(
      `L4: the ttl of ${name(key, end)} was set to ${ttlOf(after)}, and its successor goes at ${ttlOf(successor)}`,
    );
  }

  #entry({ pk, sk }: Key, start: number): Item | undefined {
    return this.#live({ pk, sk: String(start).padStart(sk.length, "0") });
  }

  #lane(id: string): Lane {
    let lane = this.#lanes.get(id);
    if (lane === undefined) this.#lanes.set(id, (lane = { spans: [], bases: new Set([0]) }));
    return lane;
  }

  #fail(detail: string): void {
    this.#failure ??= new Violation("log", detail);
  }
}

const ttlOf = (entry: Item): number => entry["ttl"] as number;
const name = (key: Key, end: number): string => `${key.pk} ${Number(key.sk)}..${end}`;
