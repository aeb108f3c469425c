/**
 * Exactly-once appends: sends with a dedup id or an idempotency key, dead-lettering and redrive use them.
 *
 * The dedup record holds the intent: lane and offset of the put that its writer is about to make.
 *
 * E1  Before each put the records of its messages name its place.
 * E2  Done means: the entry at the named place holds the id, whoever wrote it. An entry holds an id once.
 * E3  A retrier appends at the named place. A record is moved, conditional on what was read, only when
 *     that place is occupied by an entry without the id, or can never be written any more: the tail is
 *     past it, and a strong read begun after the tail was read shows nothing there.
 * E4  The entry lives at least as long as every record that names it (L4), so that while a record
 *     lives, an absent entry was never there.
 * E5  A call ends with the window that began with it, and puts only under records that live as long:
 *     what it leaves behind is not stored beside what others store when the window is over.
 *
 * So a message stands at one offset only, whatever crashes in between.
 */
import { isLaneError, LaneError } from "../core/errors.ts";
import type { StoredMessage } from "../core/message.ts";
import { ttlOf } from "../core/queue.ts";
import type { QueueRecord } from "../core/queue.ts";
import type { Place } from "../core/receipt.ts";
import { offset } from "../core/types.ts";
import type { LaneId, Offset, QueueName } from "../core/types.ts";
import type { Item } from "../store/port.ts";
import type { Appender } from "./append.ts";
import { draftEntry } from "./append.ts";
import type { Catalog } from "./catalog.ts";
import { backoffMs } from "./deps.ts";
import type { Deps } from "./deps.ts";
import { Intents, onceUnit } from "./intents.ts";
import type { OnceUnit } from "./intents.ts";
import { lanesFor } from "./lane-choice.ts";
import type { LogReader } from "./log.ts";

const ATTEMPTS = 12;

export interface OnceMessage extends StoredMessage {
  readonly dedupId: string;
}

type Attempted =
  /** Something has been learnt. */
  | "again"
  /** Others were writing at the same place. */
  | "met"
  /** A put may have been applied. */
  | "doubt";

/** What is known of a named place. */
type Verdict =
  | { readonly is: "entry"; readonly item: Item }
  /** Nothing stands there, and the next put of its lane would. */
  | { readonly is: "free" }
  | { readonly is: "closed" };

export class OnceAppender {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #appender: Appender;
  readonly #log: LogReader;
  readonly #intents: Intents;

  constructor(deps: Deps, catalog: Catalog, appender: Appender, log: LogReader) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#appender = appender;
    this.#log = log;
    this.#intents = new Intents(deps);
  }

  /**
   * At most one entry's worth of messages, with distinct ids; `ttl` (seconds since 1970) is how long
   * each id is remembered. Gives each message's place, by id.
   * @throws LaneError `throttled` and the store's; calling again goes on where this ended.
   */
  async append(
    target: QueueName,
    messages: readonly OnceMessage[],
    ttl: number,
  ): Promise<ReadonlyMap<string, Place>> {
    const units = messages.map((message) =>
      onceUnit({ id: message.dedupId, ttl, count: 1, messages: async () => [message] }),
    );
    const byId = new Map(messages.map((message) => [message.dedupId, message]));
    for (let attempt = 0; attempt < ATTEMPTS && units.some(isOpen); attempt++) {
      if (attempt > 0) await this.#pause(attempt);
      const record =
        attempt === 0 ? await this.#catalog.get(target) : await this.#catalog.fresh(target);
      if (record.lanes.open.length === 0) continue;
      const draw = this.#deps.random();
      const laneOf = ({ id }: OnceUnit): LaneId => {
        const lanes = lanesFor(record, byId.get(id) ?? {});
        return lanes[Math.floor(draw * lanes.length)] as LaneId;
      };
      // Where others meet us, another lane is better; where order is kept there is none.
      for (const one of new Set(units.filter(isOpen).map(laneOf))) {
        const some = units.filter((unit) => isOpen(unit) && laneOf(unit) === one);
        await this.appendOn(record, one, some, 1);
      }
    }
    return new Map(units.map((unit) => [unit.id, placeOf(unit)]));
  }

  /**
   * Settles units of distinct ids, at most one entry's worth: new ones go to the lane, others are found
   * where their records say. What is left open at the end needs another lane.
   * @throws LaneError the store's: what has been settled by then stays so.
   */
  async appendOn(
    record: QueueRecord,
    lane: LaneId,
    units: readonly OnceUnit[],
    patience = ATTEMPTS,
  ): Promise<"settled" | "ended" | "crowded"> {
    let conflicts = 0;
    let doubts = 0;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (!units.some(isOpen)) return "settled";
      await this.#pause(conflicts + 3 * doubts);
      const outcome = await this.#attempt(record, lane, units.filter(isOpen));
      if (outcome === "ended") return outcome;
      if (outcome === "met") conflicts += 1;
      if (outcome === "doubt") doubts += 1;
      if (conflicts >= patience && units.some(isOpen)) return "crowded";
    }
    for (const unit of units.filter(isOpen))
      fail(unit, "Too many writers met while appending exactly once.");
    return "settled";
  }

  #pause(step: number): Promise<void> {
    return step === 0
      ? Promise.resolve()
      : this.#deps.sleep(backoffMs(this.#deps, Math.min(step, 5), 5, 400));
  }

  async #attempt(
    record: QueueRecord,
    lane: LaneId,
    open: readonly OnceUnit[],
  ): Promise<Attempted | "ended"> {
    const tail = await this.#appender.tails.appendable(record.queueId, lane);
    if (tail === "ended") return tail;
    const names = ({ intent }: OnceUnit) => intent?.lane === lane && intent.offset === tail.offset;
    const isHere = (unit: OnceUnit) => names(unit) && this.#intents.isLasting(unit);
    // What another call has named is mostly stored by now: a look is cheaper than a put in vain.
    const isElsewhere = (unit: OnceUnit) =>
      unit.intent !== undefined &&
      this.#intents.isAlive(unit.intent) &&
      !unit.isLost &&
      !(unit.isNamed && names(unit));
    await this.#judge(record, open.filter(isElsewhere));
    for (const unit of open.filter(isOpen))
      if (this.#intents.isOver(unit)) fail(unit, "Its window ended before it could be stored.");
    for (const unit of open.filter(isOpen))
      if (unit.onlyOn !== undefined && unit.onlyOn !== lane && !isElsewhere(unit))
        unit.outcome = { error: LANES_CHANGED };
    const here = open.filter(isOpen);
    // Those that are elsewhere come first: they were sent before.
    if (here.length === 0 || here.some(isElsewhere)) return "again";
    const named = await Promise.all(
      here.map(
        async (unit) => isHere(unit) || this.#intents.name(record.queueId, unit, lane, tail.offset),
      ),
    );
    if (named.includes(false)) return "again";
    return this.#put(record, lane, tail.offset, here);
  }

  /** E2, E3: settles those whose place holds them or can be theirs; the others are marked as lost. */
  async #judge(record: QueueRecord, named: readonly OnceUnit[]): Promise<void> {
    const groups = byPlace(named);
    const verdicts = await Promise.all(
      groups.map(({ lane, at }) => this.#verdict(record, lane, at)),
    );
    for (const [index, { lane, at, units }] of groups.entries()) {
      const verdict = verdicts[index];
      if (verdict?.is === "entry") this.#find(record, lane, verdict.item, units);
      else if (verdict?.is === "closed") for (const unit of units) unit.isLost = true;
      else await this.#putNamed(record, lane, at, units);
    }
  }

  async #verdict(record: QueueRecord, lane: LaneId, at: Offset): Promise<Verdict> {
    const { tails } = this.#appender;
    let item = await this.#log.entryItem(record.queueId, lane, at);
    if (item !== undefined) return { is: "entry", item };
    let tail = await tails.appendable(record.queueId, lane);
    if (tail !== "ended" && tail.offset < at) {
      tails.forget(record.queueId, lane);
      tail = await tails.appendable(record.queueId, lane);
    }
    item = await this.#log.entryItem(record.queueId, lane, at);
    if (item !== undefined) return { is: "entry", item };
    return { is: tail === "ended" || tail.offset !== at ? "closed" : "free" };
  }

  /** E2 */
  #find(record: QueueRecord, lane: LaneId, item: Item, units: readonly OnceUnit[]): void {
    const entry = this.#log.decode(record.queueId, lane, item);
    const held =
      entry.messages?.map((one) => one.dedupId) ?? (item["ids"] as string[] | undefined) ?? [];
    for (const unit of units) {
      const index = held.indexOf(unit.id);
      if (index < 0) {
        // No put of ours can be applied there any more.
        unit.isLost = true;
        unit.isDoubtful = false;
        continue;
      }
      const place = { queueId: record.queueId, lane, offset: offset(entry.offset + index) };
      unit.outcome = { place, isRepeat: !unit.writers.has(item["writer"] as string) };
    }
  }

  async #putNamed(
    record: QueueRecord,
    lane: LaneId,
    at: Offset,
    units: readonly OnceUnit[],
  ): Promise<void> {
    const lasting = await Promise.all(
      units.map(
        async (unit) =>
          this.#intents.isLasting(unit) || this.#intents.name(record.queueId, unit, lane, at),
      ),
    );
    const ready = units.filter((_, index) => lasting[index]);
    if (ready.length > 0) await this.#put(record, lane, at, ready);
  }

  /** E1: of units whose records name the place. */
  async #put(
    record: QueueRecord,
    lane: LaneId,
    at: Offset,
    units: readonly OnceUnit[],
  ): Promise<Attempted> {
    const messages = (await Promise.all(units.map((unit) => unit.messages()))).flat();
    // L6: the belief is checked before every attempt, and must still say this place.
    const tail = await this.#appender.tails.appendable(record.queueId, lane);
    if (tail === "ended" || tail.offset !== at) return "again";
    if (units.some((unit) => this.#intents.isOver(unit))) return "again";
    const ttl = Math.max(
      ttlOf(messages, record.settings),
      ...units.map((unit) => Math.max(unit.ttl, unit.intent?.ttl ?? 0)),
    );
    const draft = draftEntry(this.#deps, messages, ttl);
    for (const unit of units) unit.writers.add(draft.writer);
    try {
      const outcome = await this.#appender.put(record.queueId, lane, tail, draft);
      if (outcome.is === "vanished") return "met";
      if (outcome.is === "occupied") {
        this.#deps.onEvent?.({ type: "appendConflict" });
        this.#find(record, lane, outcome.by, units);
        return "met";
      }
    } catch (error) {
      if (!isLaneError(error, "outcome-unknown")) throw error;
      for (const unit of units) unit.isDoubtful = true;
      return "doubt";
    }
    let next: number = at;
    for (const unit of units) {
      const place = { queueId: record.queueId, lane, offset: offset(next) };
      unit.outcome = { place, isRepeat: false };
      next += unit.count;
    }
    return "again";
  }
}

const LANES_CHANGED = new LaneError(
  "queue-conflict",
  "The queue's lanes have changed since the request was first sent, of which this was not stored; send it under another key.",
);

const isOpen = (unit: OnceUnit): boolean => unit.outcome === undefined;

/** Where a unit could not be stored: whether it surely is not. */
function fail(unit: OnceUnit, why: string): void {
  unit.outcome = {
    error: unit.isDoubtful
      ? new LaneError("outcome-unknown", `${why} A put of it may have been applied.`)
      : new LaneError("throttled", `${why} Nothing was stored; it goes on with the next attempt.`),
  };
}

function placeOf({ outcome }: OnceUnit): Place {
  if (outcome !== undefined && "place" in outcome) return outcome.place;
  throw (
    outcome?.error ??
    new LaneError("throttled", "The lanes are changing; it goes on with the next attempt.")
  );
}

/** Units by the place that their records name. */
function byPlace(
  units: readonly OnceUnit[],
): { readonly lane: LaneId; readonly at: Offset; readonly units: OnceUnit[] }[] {
  const groups = new Map<string, { lane: LaneId; at: Offset; units: OnceUnit[] }>();
  for (const unit of units) {
    if (unit.intent === undefined) continue;
    const { lane, offset: at } = unit.intent;
    const group = groups.get(`${lane}#${at}`) ?? { lane, at, units: [] };
    group.units.push(unit);
    groups.set(`${lane}#${at}`, group);
  }
  return [...groups.values()];
}
