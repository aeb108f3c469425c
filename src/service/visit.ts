/**
 * A visit: what one look at one lane gives to those who ask, across the segments that the group has
 * there, and the upkeep that it finds due.
 *
 * C2  Segments whose leases are known to have run out come first; by turns one older segment is looked at.
 * C7  A cut segment gets its successor, a drained one is closed, a closed one that is still listed leaves.
 * C8  Who meets another generation begins anew with its segments: an old one, absent there, would be
 *     taken for unclaimed.
 * V1  A lane counts as empty only when every segment that its cursor lists has been looked at, the
 *     last of them uncut, and no claim there was refused; otherwise the visit says that it is unsure.
 */
import { LIMITS } from "../core/limits.ts";
import { deliveredBytes } from "../core/plan.ts";
import type { ClaimRequest, Delivery } from "../core/plan.ts";
import type { GroupQueue } from "../core/group.ts";
import type { EpochMs, Offset } from "../core/types.ts";
import { offset } from "../core/types.ts";
import type { Item } from "../store/port.ts";
import type { Claim, Claims, Look, SegmentPlace } from "./claim.ts";
import { standKey } from "./cursor.ts";
import type { Cursor, Cursors, Stand } from "./cursor.ts";
import type { DeadLetters } from "./dead-letter.ts";
import type { Deps } from "./deps.ts";
import { boundedCache } from "./cache.ts";

/** Every so many visits an older segment is looked at though nothing is known to be due there. */
const OLDER_EVERY = 8;
/** API Gateway ends a call after 30 s: what a visit has found by then must get out, and what it passed stays passed. */
const VISIT_MS = 8_000;
/** More segments than this are read by one query instead of singly. */
const QUERY_FROM = 3;

export interface Need extends ClaimRequest {
  readonly place: number;
}

interface Open extends Need {
  max: number;
  maxBytes: number;
  isStarted: boolean;
}

export interface Given {
  readonly place: number;
  readonly stand: Stand;
  readonly generation: number;
  readonly segment: Offset;
  readonly sought: number;
  readonly delivery: Delivery;
}

export interface VisitResult {
  readonly given: readonly Given[];
  readonly nextEventAt: EpochMs | undefined;
  /** The hard cap of segments was met, or where order is kept, that of one segment's size. */
  readonly capped: boolean;
  /** Others were claiming there, or time ran out: the lane may hold more than was seen. */
  readonly unsure: boolean;
  /** L9: a retired lane that the group is through with for good. */
  readonly finished: boolean;
  /** Number of the last seek on the lane (Y5). */
  readonly sought: number;
  /** What ended the visit early; what had been leased by then is given all the same. */
  readonly error?: unknown;
}

/** A visit under way. */
interface Tour {
  readonly stand: Stand;
  readonly startedAt: EpochMs;
  readonly asOf: number;
  cursor: Cursor;
  queue: readonly Offset[];
  /** Those of the queue that are only looked at where nothing else gave enough. */
  rest: ReadonlySet<Offset>;
  readonly visited: Set<Offset>;
  /** Segments read ahead by one query, each used once. */
  items: Map<Offset, Item | undefined> | undefined;
  readonly open: Open[];
  readonly given: Given[];
  readonly drained: Offset[];
  nextEventAt: EpochMs | undefined;
  /** Pages in a row that showed only what has expired. */
  fruitless: number;
  unsure: boolean;
  finished: boolean;
  capped: boolean;
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
  readonly #known = boundedCache<Known>(4_000);
  #turn = 0;

  constructor(deps: Deps, cursors: Cursors, claims: Claims, deadLetters: DeadLetters) {
    this.#deps = deps;
    this.#cursors = cursors;
    this.#claims = claims;
    this.#deadLetters = deadLetters;
  }

  /** The reads of the first claim of a visit, to be made for several lanes in parallel. */
  async look(
    record: GroupQueue,
    stand: Stand,
    needs: readonly Need[],
  ): Promise<{ place: SegmentPlace; seen: Look }> {
    const cursor = await this.#cursors.get(stand);
    const place = this.#placeOf(stand, cursor, this.#order(stand, cursor).queue[0] ?? offset(0));
    return { place, seen: await this.#claims.look(record, place, needs) };
  }

  /**
   * `needs` empty: upkeep alone. Stops as soon as all needs are met. `asOf`: the seek that the caller
   * knows of; where a later one has been, it must look again at what it took for finished.
   */
  async visit(
    record: GroupQueue,
    stand: Stand,
    needs: readonly Need[],
    first?: { place: SegmentPlace; seen: Look },
    asOf: number = record.group.seeks,
  ): Promise<VisitResult> {
    // Before the list is read: what it lists may be gone an hour later (C7).
    const startedAt = this.#deps.clock.now();
    const cursor = await this.#cursors.get(stand);
    const state: Tour = {
      stand,
      asOf,
      startedAt,
      cursor,
      ...this.#order(stand, cursor),
      visited: new Set(),
      items: undefined,
      open: needs.map((need) => ({ ...need, isStarted: need.isStarted ?? false })),
      given: [],
      drained: [],
      nextEventAt: undefined,
      fruitless: 0,
      unsure: false,
      finished: false,
      capped: false,
    };
    let error: unknown;
    try {
      let seen = first;
      while (await this.#step(record, state, seen)) seen = undefined;
      if (state.drained.length > 0) await this.#cursors.close(stand, state.cursor, state.drained);
    } catch (cause) {
      error = cause;
    }
    const { given, nextEventAt, unsure, finished } = state;
    const capped = state.capped || state.cursor.segments.length >= LIMITS.segmentsPerLane;
    return {
      given,
      nextEventAt,
      capped,
      unsure,
      finished,
      sought: state.cursor.sought,
      ...(error === undefined ? {} : { error }),
    };
  }

  /** One claim on the next segment of the tour; false: there is nothing more to do. */
  async #step(
    record: GroupQueue,
    state: Tour,
    first: { place: SegmentPlace; seen: Look } | undefined,
  ): Promise<boolean> {
    const { stand, visited } = state;
    const unmet = state.open.filter((need) => need.max > 0);
    if (state.open.length > 0 && unmet.length === 0) return false;
    const start = state.queue.find((one) => !visited.has(one));
    if (start === undefined) return false;
    const isLate = this.#deps.clock.now() - state.startedAt > VISIT_MS;
    if (isLate || state.cursor.sought > state.asOf) {
      state.unsure = true;
      state.finished = false;
      return false;
    }
    if (state.items === undefined && state.rest.has(start) && state.rest.size >= QUERY_FROM) {
      state.items = await this.#cursors.readSegments(stand, state.cursor);
    }
    const { generation } = state.cursor;
    const place = this.#placeOf(stand, state.cursor, start);
    const isLookedAt = first?.place.start === start && first.place.generation === generation;
    const seen = isLookedAt ? first.seen : look(state.items, start);
    state.items = without(state.items, start);
    const options = { requests: unmet, startedAt: state.startedAt, stride: 2 ** state.fruitless };
    const claim = await this.#claims.claim(record, place, options, seen);
    if (claim.is === "contended") {
      visited.add(start);
      state.unsure = true;
      this.#cursors.forget(stand);
    } else if (claim.is === "closed") await this.#leaveClosed(state, start);
    else await this.#take(record, state, place, unmet, claim);
    return true;
  }

  async #leaveClosed(state: Tour, start: Offset): Promise<void> {
    const { generation } = state.cursor;
    state.visited.add(start);
    state.cursor = await this.#cursors.refresh(state.stand);
    if (state.cursor.generation === generation && state.cursor.segments.includes(start))
      state.cursor = await this.#cursors.close(state.stand, state.cursor, [start]);
    if (state.cursor.generation !== generation) return this.#beginAnew(state);
    state.items = undefined;
    return void Object.assign(state, this.#order(state.stand, state.cursor));
  }

  /** C8 */
  #beginAnew(state: Tour): void {
    state.visited.clear();
    state.drained.length = 0;
    state.items = undefined;
    Object.assign(state, this.#order(state.stand, state.cursor));
  }

  async #take(
    record: GroupQueue,
    state: Tour,
    place: SegmentPlace,
    unmet: readonly Open[],
    claim: Extract<Claim, { is: "claimed" }>,
  ): Promise<void> {
    const { stand, cursor } = state;
    const { generation, start, sought } = place;
    claim.deliveries.forEach((deliveries, index) => {
      const need = unmet[index];
      if (need === undefined) return;
      for (const delivery of deliveries) {
        state.given.push({
          place: need.place,
          stand,
          generation,
          segment: start,
          sought,
          delivery,
        });
        need.max -= 1;
        need.maxBytes -= deliveredBytes(delivery.message);
        need.isStarted = true;
      }
    });
    this.#known.set(knownKey(stand, generation, start), {
      passed: claim.passed,
      nextEventAt: claim.nextEventAt,
    });
    state.nextEventAt = earlier(state.nextEventAt, claim.nextEventAt);
    const isFruitless =
      claim.advanced && claim.deliveries.every((deliveries) => deliveries.length === 0);
    state.fruitless = isFruitless ? Math.min(10, state.fruitless + 1) : 0;
    const isOnly = cursor.segments.length === 1;
    state.finished = claim.finished && isOnly;
    state.capped ||= claim.capped;
    // One that moved on without giving enough may have more behind what it passed.
    if ((claim.passed && !claim.more) || !claim.advanced) state.visited.add(start);
    if (claim.drained) state.drained.push(start);
    if (claim.dead.length > 0) await this.#deadLetters.resume(record, place, claim.dead);
    const isLast = start === cursor.segments.at(-1);
    if (claim.end !== undefined && isLast && cursor.segments.length < LIMITS.segmentsPerLane) {
      state.cursor = await this.#cursors.addSuccessor(stand, cursor, claim.end);
      if (state.cursor.generation !== generation) return this.#beginAnew(state);
      if (!cursor.segments.includes(claim.end) && state.cursor.segments.at(-1) === claim.end) {
        // It has just been listed: nobody has claimed there yet, or the guards will tell.
        state.items = new Map([...(state.items ?? []), [claim.end, undefined]]);
      }
      state.queue = [...new Set([...state.queue, ...state.cursor.segments])];
    }
  }

  /** Segments in the order to look at them. */
  #order(stand: Stand, cursor: Cursor): Pick<Tour, "queue" | "rest"> {
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
    return { queue: [...turn, ...due, ...serving, ...others], rest: new Set(others) };
  }

  #placeOf(stand: Stand, cursor: Cursor, start: Offset): SegmentPlace {
    return { generation: cursor.generation, start, sought: cursor.sought, ...stand };
  }
}

const knownKey = (stand: Stand, generation: number, start: Offset): string =>
  `${standKey(stand)}#${generation}#${start}`;

const look = (
  items: ReadonlyMap<Offset, Item | undefined> | undefined,
  start: Offset,
): Look | undefined =>
  items?.has(start) === true ? { item: items.get(start), view: undefined } : undefined;

const without = (items: Map<Offset, Item | undefined> | undefined, start: Offset) => {
  items?.delete(start);
  return items;
};

export const earlier = (a: EpochMs | undefined, b: EpochMs | undefined): EpochMs | undefined =>
  a === undefined || (b !== undefined && b < a) ? b : a;

function rotate(list: Offset[], by: number): void {
  list.push(...list.splice(0, by));
}
