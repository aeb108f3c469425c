/**
 * A visit: what one look at one lane gives to those who ask, across the segments that the group has
 * there, and the upkeep that it finds due.
 *
 * C2  Segments whose leases are known to have run out come first; by turns one older segment is looked at.
 * C7  A cut segment gets its successor, a drained one is closed, a closed one that is still listed leaves.
 * V1  A lane counts as empty only when every segment that its cursor lists has been looked at, the
 *     last of them uncut.
 */
import { LRUCache } from "lru-cache";
import { LIMITS } from "../core/limits.ts";
import { deliveredBytes } from "../core/planner.ts";
import type { ClaimRequest, Delivery } from "../core/planner.ts";
import type { QueueRecord } from "../core/queue.ts";
import type { EpochMs, Offset } from "../core/types.ts";
import { offset } from "../core/types.ts";
import { segmentKey } from "../store/keys.ts";
import type { Item } from "../store/port.ts";
import type { Claims, Look, SegmentPlace } from "./claim.ts";
import type { Cursor, Cursors, Stand } from "./cursor.ts";
import type { DeadLetters } from "./dead-letter.ts";
import type { Deps } from "./deps.ts";

/** Every so many visits an older segment is looked at though nothing is known to be due there. */
const OLDER_EVERY = 8;
/** More segments than this are read by one query instead of singly. */
const QUERY_FROM = 3;

export interface Need extends ClaimRequest {
  readonly place: number;
}

type Open = { -readonly [Field in keyof Required<Need>]: Need[Field] & {} };

export interface Given {
  readonly place: number;
  readonly stand: Stand;
  readonly generation: number;
  readonly segment: Offset;
  readonly delivery: Delivery;
}

export interface VisitResult {
  readonly given: readonly Given[];
  readonly nextEventAt: EpochMs | undefined;
  /** The hard cap of segments was met. */
  readonly capped: boolean;
}

interface Known {
  /** Nothing fresh is left in it. */
  readonly passed: boolean;
  readonly nextEventAt: EpochMs | undefined;
}

export class Visits {
  readonly #deps: Deps;
  readonly #cursors: Cursors;
  readonly #claims: Claims;
  readonly #deadLetters: DeadLetters;
  readonly #known = new LRUCache<string, Known>({ max: 20_000 });
  #turn = 0;

  constructor(deps: Deps, cursors: Cursors, claims: Claims, deadLetters: DeadLetters) {
    this.#deps = deps;
    this.#cursors = cursors;
    this.#claims = claims;
    this.#deadLetters = deadLetters;
  }

  /** The reads of the first claim of a visit, to be made for several lanes in parallel. */
  async look(
    record: QueueRecord,
    stand: Stand,
    needs: readonly Need[],
  ): Promise<{ place: SegmentPlace; seen: Look }> {
    const cursor = await this.#cursors.get(stand);
    const place = this.#placeOf(stand, cursor, this.#order(stand, cursor)[0] ?? offset(0));
    return { place, seen: await this.#claims.look(record, place, needs) };
  }

  /** `needs` empty: upkeep alone. Stops as soon as all needs are met. */
  async visit(
    record: QueueRecord,
    stand: Stand,
    needs: readonly Need[],
    first?: { place: SegmentPlace; seen: Look },
  ): Promise<VisitResult> {
    const open: Open[] = needs.map((need) => ({ ...need, isStarted: need.isStarted ?? false }));
    const given: Given[] = [];
    const drained: Offset[] = [];
    const visited = new Set<Offset>();
    let nextEventAt: EpochMs | undefined;
    let cursor = await this.#cursors.get(stand);
    let queue = this.#order(stand, cursor);
    let items: ReadonlyMap<Offset, Item | undefined> | undefined;

    for (;;) {
      const unmet = open.filter((need) => need.max > 0);
      if (needs.length > 0 && unmet.length === 0) break;
      const start = queue.find((one) => !visited.has(one));
      if (start === undefined) break;
      if (items === undefined && visited.size > 0 && queue.length - visited.size >= QUERY_FROM) {
        items = await this.#readAll(stand, cursor);
      }
      const place = this.#placeOf(stand, cursor, start);
      const seen =
        first?.place.start === start && first.place.generation === cursor.generation
          ? first.seen
          : look(items, start);
      first = undefined;
      const claim = await this.#claims.claim(record, place, unmet, seen);
      if (claim.is === "closed") {
        const before = cursor;
        cursor = await this.#cursors.refresh(stand);
        if (cursor.generation === before.generation && cursor.segments.includes(start))
          cursor = await this.#cursors.close(stand, cursor, [start]);
        if (cursor.generation !== before.generation) visited.clear();
        else visited.add(start);
        items = undefined;
        queue = this.#order(stand, cursor);
        continue;
      }
      if (claim.is === "contended") {
        visited.add(start);
        continue;
      }
      claim.deliveries.forEach((deliveries, index) => {
        const need = unmet[index];
        if (need === undefined) return;
        for (const delivery of deliveries) {
          given.push({
            place: need.place,
            stand,
            generation: cursor.generation,
            segment: start,
            delivery,
          });
          need.max -= 1;
          need.maxBytes -= deliveredBytes(delivery.message);
          need.isStarted = true;
        }
      });
      if (claim.dead.length > 0) await this.#deadLetters.move(record, place, claim.dead);
      this.#known.set(knownKey(stand, cursor.generation, start), claim);
      nextEventAt = earlier(nextEventAt, claim.nextEventAt);
      if (claim.drained) drained.push(start);
      if (
        claim.end !== undefined &&
        start === cursor.segments.at(-1) &&
        cursor.segments.length < LIMITS.segmentsPerLane
      ) {
        cursor = await this.#cursors.addSuccessor(stand, cursor, claim.end);
        queue = [...new Set([...queue, ...cursor.segments])];
      }
      // One that moved on without giving enough may have more behind what it passed.
      if (claim.passed || !claim.advanced) visited.add(start);
      items = undefined;
    }
    if (drained.length > 0) await this.#cursors.close(stand, cursor, drained);
    return { given, nextEventAt, capped: cursor.segments.length >= LIMITS.segmentsPerLane };
  }

  /** Segments in the order to look at them. */
  #order(stand: Stand, cursor: Cursor): Offset[] {
    const now = this.#deps.clock.now();
    const due: Offset[] = [];
    const serving: Offset[] = [];
    const others: Offset[] = [];
    for (const start of cursor.segments) {
      const known = this.#known.get(knownKey(stand, cursor.generation, start));
      if (known?.nextEventAt !== undefined && known.nextEventAt <= now) due.push(start);
      else if (known?.passed === true) others.push(start);
      else serving.push(start);
    }
    this.#turn += 1;
    const turn =
      this.#turn % OLDER_EVERY === 0
        ? others.splice(Math.floor(this.#deps.random() * others.length), 1)
        : [];
    rotate(serving, Math.floor(this.#deps.random() * serving.length));
    return [...turn, ...due, ...serving, ...others];
  }

  async #readAll(stand: Stand, cursor: Cursor): Promise<ReadonlyMap<Offset, Item | undefined>> {
    const first = cursor.segments[0] ?? offset(0);
    const last = cursor.segments.at(-1) ?? first;
    const keyAt = (start: Offset) =>
      segmentKey(stand.queue, stand.lane, stand.group, cursor.generation, start);
    const items = new Map<string, Item>();
    let from = keyAt(first).sk;
    for (;;) {
      const page = await this.#deps.store.query("lanes", keyAt(first).pk, {
        from,
        to: keyAt(last).sk,
        consistent: true,
      });
      for (const item of page.items) items.set(item.sk, item);
      const end = page.items.at(-1);
      if (!page.more || end === undefined) break;
      from = `${end.sk}+`;
    }
    return new Map(cursor.segments.map((start) => [start, items.get(keyAt(start).sk)]));
  }

  #placeOf(stand: Stand, cursor: Cursor, start: Offset): SegmentPlace {
    return { ...stand, generation: cursor.generation, start };
  }
}

const knownKey = (stand: Stand, generation: number, start: Offset): string =>
  `${stand.queue}#${stand.lane}#${stand.group}#${generation}#${start}`;

const look = (
  items: ReadonlyMap<Offset, Item | undefined> | undefined,
  start: Offset,
): Look | undefined =>
  items?.has(start) === true ? { item: items.get(start), view: undefined } : undefined;

export const earlier = (a: EpochMs | undefined, b: EpochMs | undefined): EpochMs | undefined =>
  a === undefined || (b !== undefined && b < a) ? b : a;

function rotate<T>(list: T[], by: number): void {
  list.push(...list.splice(0, by));
}
