/**
 * One claim on one segment: loads what the planner needs, applies what it decides as one conditional
 * update, and says what is to be done about the segment next.
 *
 * C1  A refused claim that finds its own new lease id in the item has succeeded.
 * C7  After two conflicts in a row the segment is cut ahead, so that two heads serve the lane.
 * C9  What was passed over without a write is remembered, so that it is read once.
 */
import { isLaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { cutAhead } from "../core/claim-fresh.ts";
import { plan } from "../core/planner.ts";
import type { ClaimRequest, DeadLetter, Delivery, Plan, Walked } from "../core/plan.ts";
import type { GroupQueue } from "../core/group.ts";
import { leaseName, parseSegment } from "../core/segment.ts";
import type { Segment } from "../core/segment.ts";
import type { EpochMs, Offset } from "../core/types.ts";
import { segmentKey } from "../store/keys.ts";
import { all } from "../store/port.ts";
import type { Item, Key } from "../store/port.ts";
import type { Stand } from "./cursor.ts";
import { newLeaseId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { Routing } from "./routing.ts";
import type { LogReader } from "./log.ts";
import { Views } from "./view.ts";
import type { View } from "./view.ts";
import { boundedCache } from "./cache.ts";

/** A claim that others keep refusing leaves the lane to them; there are mostly other lanes. */
const ATTEMPTS = 2;
const CUT_AHEAD_AFTER = 2;
/** The share of claims on a segment with leases that look at fresh messages first. */
const FRESH_FIRST = 0.2;
const ABSENT_BELIEVED_MS = LIMITS.closedSegmentTtlMs / 2;

export interface ClaimOptions {
  readonly requests: readonly ClaimRequest[];
  /** When the caller's visit began. */
  readonly startedAt: EpochMs;
  /** How many times larger than usual a page may be: doubled while all that it shows has expired. */
  readonly stride: number;
}

export interface SegmentPlace extends Stand {
  readonly generation: number;
  readonly start: Offset;
  /** Number of the group's last seek there (Y5). */
  readonly sought: number;
}

export type Claim =
  | { readonly is: "closed" }
  | { readonly is: "contended" }
  | {
      readonly is: "claimed";
      readonly deliveries: readonly (readonly Delivery[])[];
      readonly dead: readonly DeadLetter[];
      /** Where the segment ends, once cut. */
      readonly end: Offset | undefined;
      /** Its head stands at its end: nothing fresh is left in it. */
      readonly passed: boolean;
      /** C7: passed, with nothing pending: ready to be closed. */
      readonly drained: boolean;
      /** It moved on, or looked at run-out leases only: there may be more behind. */
      readonly advanced: boolean;
      /** More leases have run out than one update may touch. */
      readonly more: boolean;
      /** Where order is kept: the segment holds as much as it may. */
      readonly capped: boolean;
      readonly nextEventAt: EpochMs | undefined;
      /** L9: its head stands at the lane's end entry, and nothing is pending. */
      readonly finished: boolean;
    };

export interface Look {
  readonly item: Item | undefined;
  readonly view: View | undefined;
}

interface Walk extends Walked {
  /** The head as stored, and the version of the group's record. */
  readonly from: Offset;
  readonly version: number;
}

const nameOf = (key: Key): string => `${key.pk}/${key.sk}`;

const keyOf = (place: SegmentPlace) =>
  segmentKey(place.queue, place.lane, place.group, place.generation, place.start);

export class Claims {
  readonly #deps: Deps;
  readonly #views: Views;
  /** C9: what was passed over without a write, by segment. */
  readonly #walks = boundedCache<Walk>(2_000);
  /** Claims refused in a row, by segment. */
  readonly #refused = boundedCache<number>(2_000);

  constructor(deps: Deps, routing: Routing, log: LogReader) {
    this.#deps = deps;
    this.#views = new Views(deps, routing, log);
  }

  /** The reads of a claim alone, so that several places can be looked at in parallel. */
  async look(
    record: GroupQueue,
    place: SegmentPlace,
    requests: readonly ClaimRequest[],
  ): Promise<Look> {
    const item = await this.#deps.store.get("lanes", keyOf(place), { consistent: true });
    const segment = parseSegment(place.start, item);
    return {
      item,
      view: segment.closed
        ? undefined
        : await this.#views.of(record, {
            place,
            segment,
            walked: this.#walkedOn(record, place, segment),
            requests,
            stride: 1,
            freshFirst: false,
          }),
    };
  }

  /** `seen`: what a look showed, or the segment as just read strongly. */
  async claim(
    record: GroupQueue,
    place: SegmentPlace,
    options: ClaimOptions,
    seen?: Look,
  ): Promise<Claim> {
    const { startedAt } = options;
    const { store, clock } = this.#deps;
    const key = keyOf(place);
    let current =
      seen === undefined ? await store.get("lanes", key, { consistent: true }) : seen.item;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const segment = parseSegment(place.start, current);
      if (segment.closed) return { is: "closed" };
      const view =
        (attempt === 0 ? seen?.view : undefined) ??
        (await this.#viewFor(record, place, segment, options));
      // C7: closed segments vanish an hour after they left the list that this visit began with.
      if (segment.absent && Math.abs(clock.now() - startedAt) > ABSENT_BELIEVED_MS)
        return { is: "contended" };
      if (view.order === "none" && (await this.#isCutAhead(key, segment, view))) {
        current = await store.get("lanes", key, { consistent: true });
        continue;
      }
      const planned = this.#plan(segment, view, options);
      if (planned.edits.length === 0) {
        if (planned.head > segment.head) this.#walk(record, key, segment, planned);
        return claimed(segment, planned, view);
      }
      const applied = await this.#apply(key, planned);
      if (applied === "applied") {
        this.#refused.delete(nameOf(key));
        if (planned.cutAt !== undefined) this.#deps.onEvent?.({ type: "segmentCut" });
        return claimed(segment, planned, view);
      }
      this.#refused.set(nameOf(key), (this.#refused.get(nameOf(key)) ?? 0) + 1);
      this.#deps.onEvent?.({ type: "claimConflict" });
      current = applied.found;
    }
    return { is: "contended" };
  }

  #plan(segment: Segment, view: View, { requests, startedAt }: ClaimOptions): Plan {
    const { clock, skewMarginMs } = this.#deps;
    const newId = () => newLeaseId(this.#deps);
    return plan({
      segment,
      requests,
      startedAt,
      skewMarginMs,
      now: clock.now(),
      newLeaseId: newId,
      ...view,
    });
  }

  /** Now and then what is fresh comes first, so that what is released again and again does not keep it waiting. */
  async #viewFor(
    record: GroupQueue,
    place: SegmentPlace,
    segment: Segment,
    options: ClaimOptions,
  ): Promise<View> {
    const { requests, stride } = options;
    const walked = this.#walkedOn(record, place, segment);
    if (requests.length > 0 && segment.leases.size > 0 && this.#deps.random() < FRESH_FIRST) {
      const view = await this.#views.of(record, {
        place,
        segment,
        walked,
        requests,
        stride,
        freshFirst: true,
      });
      if (this.#plan(segment, view, options).deliveries.some((given) => given.length > 0))
        return view;
    }
    return this.#views.of(record, {
      place,
      segment,
      walked,
      requests,
      stride,
      freshFirst: false,
    });
  }

  /** C9: how far this instance has looked past what the group is not to get. */
  #walkedOn({ group }: GroupQueue, place: SegmentPlace, segment: Segment): Walked | undefined {
    const walk = this.#walks.get(nameOf(keyOf(place)));
    const isCurrent =
      walk?.from === segment.head && walk.version === group.version && segment.end === undefined;
    return isCurrent ? walk : undefined;
  }

  #walk({ group }: GroupQueue, key: Key, segment: Segment, planned: Plan): void {
    const { head, headEntry, passed } = planned;
    const { version } = group;
    this.#walks.set(nameOf(key), { from: segment.head, version, head, headEntry, passed });
  }

  /** C7 */
  async #isCutAhead(key: Key, segment: Segment, view: View): Promise<boolean> {
    if ((this.#refused.get(nameOf(key)) ?? 0) < CUT_AHEAD_AFTER) return false;
    const cut = cutAhead(segment, view.fresh);
    if (cut === undefined) return false;
    this.#refused.delete(nameOf(key));
    const { ok } = await this.#deps.store.update("lanes", key, cut.edits, all(...cut.guards));
    if (ok) this.#deps.onEvent?.({ type: "segmentCut" });
    return true;
  }

  async #apply(key: Key, planned: Plan): Promise<"applied" | { found: Item | undefined }> {
    let found: Item | undefined;
    try {
      const result = await this.#deps.store.update(
        "lanes",
        key,
        planned.edits,
        all(...planned.guards),
      );
      if (result.ok) return "applied";
      found = result.found;
    } catch (error) {
      if (!isLaneError(error, "outcome-unknown")) throw error;
      found = await this.#deps.store.get("lanes", key, { consistent: true });
    }
    return planned.ownLease !== undefined && found?.[leaseName(planned.ownLease)] !== undefined
      ? "applied"
      : { found };
  }
}

function claimed(segment: Segment, planned: Plan, { isPartial, walked }: View): Claim {
  const end = planned.cutAt ?? segment.end;
  const isHolding =
    segment.leases.size > 0 ||
    planned.dead.length > 0 ||
    planned.deliveries.some((given) => given.length > 0);
  return {
    is: "claimed",
    deliveries: planned.deliveries,
    dead: planned.dead,
    end,
    passed: end !== undefined && planned.head >= end,
    drained: end !== undefined && planned.head >= end && !isHolding,
    advanced:
      planned.head > (walked?.head ?? segment.head) ||
      ((isPartial || planned.more) && planned.edits.length > 0),
    more: planned.more && planned.edits.length > 0,
    capped: planned.capped,
    nextEventAt: planned.nextEventAt,
    finished: planned.ended && !isHolding,
  };
}
