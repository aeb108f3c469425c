/**
 * What a claim looks at before it plans: the messages of leases that have run out, and what the log
 * shows from the head on. It changes nothing.
 */
import { invariant } from "../core/errors.ts";
import { claimableAt } from "../core/backoff.ts";
import type { GroupQueue } from "../core/group.ts";
import type { ClaimRequest, LogEntry, PlanInput, Walked } from "../core/plan.ts";
import { leavingTo } from "../core/queue.ts";
import type { QueueSettings } from "../core/queue.ts";
import { expiredTo, leavingOf } from "../core/reclaim.ts";
import { pendingOffsets } from "../core/segment.ts";
import type { Lease, Segment } from "../core/segment.ts";
import { offset } from "../core/types.ts";
import type { EpochMs, Offset } from "../core/types.ts";
import type { SegmentPlace } from "./claim.ts";
import type { Deps } from "./deps.ts";
import { Filters } from "./filters.ts";
import type { Routing } from "./routing.ts";
import type { LogReader } from "./log.ts";
import { viewInOrder } from "./ordered-view.ts";
import { boundedCache } from "./cache.ts";

/** About what one claim may take before its segment is cut: reading further ahead is wasted. */
const WANTED_MAX = 450;
/** Entries of a page that nobody asked messages of: enough to pass over what has expired. */
const TIDY_ENTRIES = 8;
const ENTRIES_MAX = 64;
/** Of a page of which a group is to get only some. */
const FILTERED_MAX = 256;
/** C9: so many are read again at most, by an instance that has not seen them passed. */
const PASS_FREELY = 1_000;
/** Of a page that goes over what has expired; 1 MB ends it anyway. */
const STRIDE_MAX = 1_024;

/** `isPartial`: fresh entries were not read, as what was to come before them seemed to meet the need. */
export type View = SeenView & Pick<PlanInput, "accepts" | "walked" | "passFreely">;

export type SeenView = { readonly isPartial: boolean } & Rules &
  Pick<PlanInput, "fresh" | "exhausted" | "lookUp" | "heldEntries" | "freshFirst">;

/** What the queue's settings say of claims. */
export type Rules = Pick<PlanInput, "deadLetter" | "backoff" | "missing" | "order" | "blocksAfter">;

export interface ViewRequest {
  readonly place: SegmentPlace;
  readonly segment: Segment;
  /** C9 */
  readonly walked: Walked | undefined;
  readonly requests: readonly ClaimRequest[];
  /** How many times larger than usual a page may be. */
  readonly stride: number;
  readonly freshFirst: boolean;
}

/** A view in the making. */
export interface Looking extends ViewRequest {
  readonly log: LogReader;
  readonly rules: Rules;
  readonly now: EpochMs;
  /** The leases that have run out, the longest run out first. */
  readonly due: readonly Lease[];
  /** Messages that the requests may take. */
  readonly wanted: number;
  /** Entries of a page that hold about as many. */
  readonly entries: number;
  /** What share of messages the group is to get. */
  readonly share: number;
}

export class Views {
  readonly #deps: Deps;
  readonly #routing: Routing;
  readonly #log: LogReader;
  readonly #filters: Filters;
  /** Messages per entry as last seen, by lane: how many entries a page should have. */
  readonly #density = boundedCache<number>(2_000);

  constructor(deps: Deps, routing: Routing, log: LogReader) {
    this.#deps = deps;
    this.#routing = routing;
    this.#log = log;
    this.#filters = new Filters(log);
  }

  async of(record: GroupQueue, request: ViewRequest): Promise<View> {
    const { segment, requests, stride, place, walked } = request;
    const { accepts, share } = this.#filters.of(record);
    const now = this.#deps.clock.now();
    const { skewMarginMs } = this.#deps;
    const retry = { skewMarginMs, ...retryOf(record.settings) };
    const due = [...segment.leases.values()]
      .filter((lease) => claimableAt(lease, retry) <= now)
      .sort((a, b) => a.until - b.until);
    const wanted = Math.min(
      WANTED_MAX,
      requests.reduce((sum, { max }) => sum + max, 0),
    );
    const laneKey = `${place.queue}#${place.lane}`;
    const density = this.#density.get(laneKey) ?? 1;
    const usual =
      wanted === 0
        ? TIDY_ENTRIES
        : Math.min(
            share === 1 ? ENTRIES_MAX : FILTERED_MAX,
            Math.max(1, Math.ceil(wanted / density / share)),
          );
    const looking: Looking = {
      log: this.#log,
      rules: await this.#rules(record, due),
      now,
      due,
      wanted,
      share,
      entries: Math.min(STRIDE_MAX, usual * stride),
      ...request,
    };
    const view: SeenView = await (record.settings.order === "none"
      ? viewFreely(looking)
      : viewInOrder(looking));
    const last = view.fresh.at(-1);
    if (last !== undefined && last.count > 0) this.#density.set(laneKey, last.count);
    const held = [...segment.held.keys()].flatMap((tag) => view.heldEntries(tag)?.entries ?? []);
    await this.#filters.load(record, held, offset(0));
    await this.#filters.load(record, view.fresh, walked?.head ?? segment.head);
    // Upkeep writes the head down in any case, so that what was passed does not count as waiting.
    const passFreely = requests.length === 0 ? 0 : PASS_FREELY;
    return { accepts, walked, passFreely, ...view };
  }

  /** C6: which of the dead-letter queues and exchanges that matter now do not exist. */
  async #rules({ settings }: GroupQueue, due: readonly Lease[]): Promise<Rules> {
    const { maxReceives, order } = settings;
    const { deadLetter: rule, backoff } = retryOf(settings);
    const targets = new Set(
      due
        .flatMap((lease) => leavingOf(lease, rule, NONE))
        .flatMap((one) => (one === undefined || one.why === "redrive" ? [] : [one.to])),
    );
    if (rule?.onExpired === "deadLetter") targets.add(rule.queue);
    const missing = new Set<string>();
    for (const target of targets) {
      if (!(await this.#routing.isThere(target))) missing.add(target);
    }
    const blocksAfter = blocks(settings) ? maxReceives : null;
    return { deadLetter: rule, backoff, missing, order, blocksAfter };
  }
}

const NONE: ReadonlySet<string> = new Set();

const blocks = ({ order, onPoison }: QueueSettings): boolean =>
  order !== "none" && onPoison === "block";

/** What a queue's settings say of leases that have run out. */
export function retryOf(settings: QueueSettings): Pick<PlanInput, "deadLetter" | "backoff"> {
  const { deadLetter, backoff, onExpired } = settings;
  const maxReceives = blocks(settings) ? null : settings.maxReceives;
  const isUsed = deadLetter !== null && (maxReceives !== null || onExpired === "deadLetter");
  return {
    backoff,
    deadLetter: isUsed ? { maxReceives, onExpired, queue: leavingTo(deadLetter) } : null,
  };
}

async function viewFreely(looking: Looking): Promise<SeenView> {
  const { log, place, segment, rules, now, due, wanted, freshFirst, walked, share } = looking;
  const expired = new Map<Offset, LogEntry | "gone">();
  let room = wanted;
  const keepsExpired = expiredTo(rules) !== undefined;
  for (const lease of due) {
    const isDead = leavingOf(lease, rules.deadLetter, rules.missing) !== undefined;
    if ((room <= 0 || freshFirst) && !isDead && !keepsExpired) continue;
    const offsets = pendingOffsets(lease);
    const lastOffset = offsets.at(-1);
    invariant(lastOffset !== undefined, "a parsed lease has something pending");
    const stretch = await log.stretch(place.queue, place.lane, lease.entry, lastOffset);
    for (const at of offsets) {
      const entry = stretch.find((one) => one.offset <= at && at < one.offset + one.count);
      expired.set(at, entry ?? "gone");
      // What is past its expiry meets no need, and must not keep a claim from what is fresh.
      const message = entry?.messages?.[at - entry.offset];
      if (!isDead && message !== undefined && message.expiresAt > now) room -= 1;
    }
  }
  const seen = { lookUp: lookUpIn(expired), heldEntries: () => undefined, freshFirst, ...rules };
  if (wanted > 0 && room <= 0) return { isPartial: true, fresh: [], exhausted: false, ...seen };
  const from = walked === undefined ? segment : { ...segment, ...walked };
  const fresh = await log.fresh(place.queue, place.lane, from, {
    messages: Math.max(1, Math.ceil(room / share)),
    entries: looking.entries,
  });
  return { isPartial: false, fresh: fresh.entries, exhausted: fresh.exhausted, ...seen };
}

export const lookUpIn =
  (entries: ReadonlyMap<Offset, LogEntry | "gone">): PlanInput["lookUp"] =>
  (at) => {
    const entry = entries.get(at);
    if (entry === undefined) return "notLoaded";
    return entry === "gone" ? "gone" : (entry.messages?.[at - entry.offset] ?? "gone");
  };
