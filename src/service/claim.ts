/**
 * One claim on one segment: loads what the planner needs, applies what it decides as one conditional
 * update, and says what is to be done about the segment next.
 *
 * C1  A refused claim that finds its own new lease id in the item has succeeded.
 * C7  After two conflicts in a row the segment is cut ahead, so that two heads serve the lane.
 */
import { invariant, isLaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { cutAhead } from "../core/claim-fresh.ts";
import { leavingOf } from "../core/reclaim.ts";
import { plan } from "../core/planner.ts";
import type {
  ClaimRequest,
  DeadLetter,
  DeadLetterRule,
  Delivery,
  LogEntry,
  Plan,
  PlanInput,
} from "../core/plan.ts";
import type { GroupQueue } from "../core/group.ts";
import { isExpired, leaseName, parseSegment, pendingOffsets } from "../core/segment.ts";
import type { Segment } from "../core/segment.ts";
import type { EpochMs, Offset, QueueName } from "../core/types.ts";
import { segmentKey } from "../store/keys.ts";
import { all } from "../store/port.ts";
import type { Item, Key } from "../store/port.ts";
import type { Catalog } from "./catalog.ts";
import type { Stand } from "./cursor.ts";
import { newLeaseId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { LogReader } from "./log.ts";
import { boundedCache } from "./cache.ts";

/** A claim that others keep refusing leaves the lane to them; there are mostly other lanes. */
const ATTEMPTS = 2;
const CUT_AHEAD_AFTER = 2;
/** The share of claims on a segment with leases that look at fresh messages first. */
const FRESH_FIRST = 0.2;
const ABSENT_BELIEVED_MS = LIMITS.closedSegmentTtlMs / 2;
/** About what one claim may take before its segment is cut: reading further ahead is wasted. */
const WANTED_MAX = 450;
/** Entries of a page that nobody asked messages of: enough to pass over what has expired. */
const TIDY_ENTRIES = 8;
const ENTRIES_MAX = 64;
/** Of a page that goes over what has expired; 1 MB ends it anyway. */
const STRIDE_MAX = 1_024;

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
      readonly nextEventAt: EpochMs | undefined;
      /** L9: its head stands at the lane's end entry, and nothing is pending. */
      readonly finished: boolean;
    };

export interface Look {
  readonly item: Item | undefined;
  readonly view: View | undefined;
}

/** `isPartial`: fresh entries were not read, as run-out leases seemed to meet the need. */
type View = { readonly isPartial: boolean } & Pick<
  PlanInput,
  "fresh" | "exhausted" | "lookUp" | "deadLetter" | "missing" | "freshFirst"
>;

const nameOf = (key: Key): string => `${key.pk}/${key.sk}`;

const keyOf = (place: SegmentPlace) =>
  segmentKey(place.queue, place.lane, place.group, place.generation, place.start);

export class Claims {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #log: LogReader;
  /** Messages per entry as last seen, by lane: how many entries a page should have. */
  readonly #density = boundedCache<number>(2_000);
  /** Claims refused in a row, by segment. */
  readonly #refused = boundedCache<number>(2_000);

  constructor(deps: Deps, catalog: Catalog, log: LogReader) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#log = log;
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
      view: segment.closed ? undefined : await this.#view(record, place, segment, requests, 1),
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
      // C7: closed segments vanish an hour after they left the list that this visit began with.
      if (segment.absent && Math.abs(clock.now() - startedAt) > ABSENT_BELIEVED_MS)
        return { is: "contended" };
      const view =
        (attempt === 0 ? seen?.view : undefined) ??
        (await this.#viewFor(record, place, segment, options));
      if (await this.#isCutAhead(key, segment, view)) {
        current = await store.get("lanes", key, { consistent: true });
        continue;
      }
      const planned = this.#plan(segment, view, options);
      if (planned.edits.length === 0) return claimed(segment, planned, view.isPartial);
      const applied = await this.#apply(key, planned);
      if (applied === "applied") {
        this.#refused.delete(nameOf(key));
        if (planned.cutAt !== undefined) this.#deps.onEvent?.({ type: "segmentCut" });
        return claimed(segment, planned, view.isPartial);
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
      ...view,
      segment,
      requests,
      startedAt,
      skewMarginMs,
      now: clock.now(),
      newLeaseId: newId,
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
    if (requests.length > 0 && segment.leases.size > 0 && this.#deps.random() < FRESH_FIRST) {
      const view = await this.#view(record, place, segment, requests, stride, true);
      if (this.#plan(segment, view, options).deliveries.some((given) => given.length > 0))
        return view;
    }
    return this.#view(record, place, segment, requests, stride);
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

  async #view(
    record: GroupQueue,
    place: SegmentPlace,
    segment: Segment,
    requests: readonly ClaimRequest[],
    stride: number,
    freshFirst = false,
  ): Promise<View> {
    const now = this.#deps.clock.now();
    const { skewMarginMs } = this.#deps;
    const wanted = Math.min(
      WANTED_MAX,
      requests.reduce((sum, request) => sum + request.max, 0),
    );
    const laneKey = `${place.queue}#${place.lane}`;
    const density = this.#density.get(laneKey) ?? 1;
    const usual =
      wanted === 0 ? TIDY_ENTRIES : Math.min(ENTRIES_MAX, Math.max(1, Math.ceil(wanted / density)));
    const entries = Math.min(STRIDE_MAX, usual * stride);
    const expired = new Map<Offset, LogEntry | "gone">();
    let room = wanted;
    const deadLetter = ruleOf(record);
    const due = [...segment.leases.values()]
      .filter((lease) => isExpired(lease, now, skewMarginMs))
      .sort((a, b) => a.until - b.until);
    const missing = await this.#missing(
      new Set(
        due
          .flatMap((lease) => leavingOf(lease, deadLetter, NONE))
          .flatMap((one) => (one?.why === "deadLetter" ? [one.to] : [])),
      ),
    );
    for (const lease of due) {
      const isDead = leavingOf(lease, deadLetter, missing) !== undefined;
      if ((room <= 0 || freshFirst) && !isDead) continue;
      const offsets = pendingOffsets(lease);
      const lastOffset = offsets.at(-1);
      invariant(lastOffset !== undefined, "a parsed lease has something pending");
      const stretch = await this.#log.stretch(place.queue, place.lane, lease.entry, lastOffset);
      for (const at of offsets) {
        const entry = stretch.find((one) => one.offset <= at && at < one.offset + one.count);
        expired.set(at, entry ?? "gone");
        // What is past its expiry meets no need, and must not keep a claim from what is fresh.
        const message = entry?.messages?.[at - entry.offset];
        if (!isDead && message !== undefined && message.expiresAt > now) room -= 1;
      }
    }
    const lookUp: PlanInput["lookUp"] = (at) => {
      const entry = expired.get(at);
      if (entry === undefined) return "notLoaded";
      return entry === "gone" ? "gone" : (entry.messages?.[at - entry.offset] ?? "gone");
    };
    if (wanted > 0 && room <= 0)
      return {
        isPartial: true,
        fresh: [],
        exhausted: false,
        lookUp,
        deadLetter,
        missing,
        freshFirst,
      };
    const fresh = await this.#log.fresh(place.queue, place.lane, segment, {
      messages: Math.max(1, room),
      entries,
    });
    const last = fresh.entries.at(-1);
    if (last !== undefined && last.count > 0) this.#density.set(laneKey, last.count);
    return {
      isPartial: false,
      fresh: fresh.entries,
      exhausted: fresh.exhausted,
      lookUp,
      deadLetter,
      missing,
      freshFirst,
    };
  }

  /** C6: which of the dead-letter queues that matter now do not exist. */
  async #missing(targets: ReadonlySet<string>): Promise<ReadonlySet<string>> {
    const missing = new Set<string>();
    for (const target of targets) {
      try {
        await this.#catalog.get(target as QueueName);
      } catch (error) {
        if (!isLaneError(error, "queue-not-found")) throw error;
        missing.add(target);
      }
    }
    return missing;
  }
}

const NONE: ReadonlySet<string> = new Set();

const ruleOf = ({ settings: { maxReceives, deadLetter } }: GroupQueue): DeadLetterRule | null =>
  maxReceives === null || deadLetter === null ? null : { maxReceives, queue: deadLetter.queue };

function claimed(segment: Segment, planned: Plan, isPartial: boolean): Claim {
  const end = planned.cutAt ?? segment.end;
  const isHolding = segment.leases.size > 0 || planned.deliveries.some((given) => given.length > 0);
  return {
    is: "claimed",
    deliveries: planned.deliveries,
    dead: planned.dead,
    end,
    passed: end !== undefined && planned.head >= end,
    drained: end !== undefined && planned.head >= end && !isHolding,
    advanced:
      planned.head > segment.head || ((isPartial || planned.more) && planned.edits.length > 0),
    more: planned.more && planned.edits.length > 0,
    nextEventAt: planned.nextEventAt,
    finished: planned.ended && !isHolding,
  };
}
