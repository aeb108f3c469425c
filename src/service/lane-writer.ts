/**
 * From messages to entries on lanes (`lane-choice.ts` says which): what goes there together.
 *
 * What one process stores on a lane at the same time is one entry (group commit). Senders that keep
 * meeting double the queue's lanes.
 *
 * O1  Where order is kept a message goes to the lane of its key, in the order of its call. Behind one that
 *     may not have been stored nothing of its lane is, so that a repeated send cannot come after what
 *     was sent behind it.
 * G3  An entry holds an id once: of units with one id that meet here, one is stored, and the others are
 *     its repeats (E2).
 */
import { runsOf } from "../core/chunks.ts";
import { isLaneError, LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { StoredMessage } from "../core/message.ts";
import { ttlOf } from "../core/queue.ts";
import type { QueueRecord } from "../core/queue.ts";
import { offset } from "../core/types.ts";
import type { LaneId, QueueName } from "../core/types.ts";
import type { OnceAppender } from "./append-once.ts";
import type { Appender } from "./append.ts";
import type { Catalog } from "./catalog.ts";
import { Combiner } from "./combiner.ts";
import { backoffMs } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { OnceOutcome, OnceUnit } from "./intents.ts";
import type { LaneChooser } from "./lane-choice.ts";
import type { LaneKeeper } from "./lanes.ts";

/** Conflicts of one append after which the queue gets more lanes, and the sender tries another. */
const PATIENCE = 3;
const LANE_ATTEMPTS = 12;

/** What is stored in one piece: a message, or a unit that is stored exactly once. */
export interface Parcel {
  /** What decides the lane; of a unit, its first. */
  readonly message: StoredMessage;
  readonly unit: OnceUnit | undefined;
  readonly count: number;
  /** Of the packed messages. */
  readonly bytes: number;
  outcome: OnceOutcome | undefined;
}

/** At most one entry's worth for one lane, all units or all plain. */
interface Chunk {
  readonly record: QueueRecord;
  readonly lane: LaneId;
  readonly parcels: readonly Parcel[];
  /** No other lane will be tried: conflicts are followed for longer. */
  readonly isLastTry: boolean;
}

type Result = "settled" | "ended" | "crowded";

export class LaneWriter {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #appender: Appender;
  readonly #once: OnceAppender;
  readonly #lanes: LaneKeeper;
  readonly #chooser: LaneChooser;
  readonly #appends: Combiner<Chunk, Result>;

  constructor(
    deps: Deps,
    catalog: Catalog,
    appender: Appender,
    once: OnceAppender,
    lanes: LaneKeeper,
    chooser: LaneChooser,
  ) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#appender = appender;
    this.#once = once;
    this.#lanes = lanes;
    this.#chooser = chooser;
    this.#appends = new Combiner((chunks) => this.#run(chunks), {
      weigh: share,
      maxWeight: 1,
      gather: deps.gather,
    });
  }

  /** Gives every parcel its outcome. */
  async store(name: QueueName, first: QueueRecord, parcels: readonly Parcel[]): Promise<void> {
    let record = first;
    for (let attempt = 0; attempt < LANE_ATTEMPTS; attempt++) {
      const isLastTry = attempt === LANE_ATTEMPTS - 1;
      let groups: ReadonlyMap<LaneId, Parcel[]>;
      try {
        if (attempt > 0) record = await this.#lanes.complete(await this.#catalog.fresh(name));
        record = await this.#chooser.ready(record, messagesOf(parcels.filter(isOpen)));
        groups = await this.#byLane(record, parcels.filter(isOpen));
      } catch (error) {
        failOpen(parcels, error);
        return;
      }
      const results = await Promise.all(
        [...groups].map(([lane, group]) => this.#storeOn(record, lane, group, isLastTry)),
      );
      if (!parcels.some(isOpen)) return;
      if (results.includes("crowded") || groups.size === 0)
        await this.#deps.sleep(backoffMs(this.#deps, Math.min(attempt, 5), 8, 200));
    }
    failOpen(
      parcels,
      new LaneError(
        "throttled",
        `The lanes of the queue "${name}" are changing; nothing was stored.`,
      ),
    );
  }

  async #storeOn(
    record: QueueRecord,
    lane: LaneId,
    group: readonly Parcel[],
    isLastTry: boolean,
  ): Promise<Result> {
    const submit = (parcels: readonly Parcel[]): Promise<Result> =>
      this.#appends.submit(`${record.queueId}#${lane}`, { record, lane, parcels, isLastTry });
    if (record.settings.order !== "none") return storeInOrder(group, submit);
    const results = await Promise.all(chunksOf(group).map(submit));
    return results.find((result) => result !== "settled") ?? "settled";
  }

  /** What would go together where, as things are now; empty where a queue that keeps order has no lanes (Q3). */
  async plan(
    name: QueueName,
    first: QueueRecord,
    parcels: readonly Parcel[],
  ): Promise<readonly { readonly lane: LaneId; readonly parcels: readonly Parcel[] }[]> {
    const some =
      first.lanes.open.length > 0
        ? first
        : await this.#lanes.complete(await this.#catalog.fresh(name));
    const record = await this.#chooser.ready(some, messagesOf(parcels));
    return [...(await this.#byLane(record, parcels))].flatMap(([lane, group]) =>
      (record.settings.order === "none" ? chunksOf(group) : chunksInOrder(group)).map((chunk) => ({
        lane,
        parcels: chunk,
      })),
    );
  }

  /** Where the lanes of a queue that keeps order are changing, there may be none for now (Q3). */
  async #byLane(
    record: QueueRecord,
    parcels: readonly Parcel[],
  ): Promise<ReadonlyMap<LaneId, Parcel[]>> {
    const lanes = new Map<LaneId, Parcel[]>();
    if (record.lanes.open.length === 0) return lanes;
    const chosen = await this.#chooser.choose(record, messagesOf(parcels));
    for (const [index, parcel] of parcels.entries()) {
      const lane = chosen[index] as LaneId;
      const group = lanes.get(lane);
      if (group === undefined) lanes.set(lane, [parcel]);
      else group.push(parcel);
    }
    return lanes;
  }

  /** All chunks are for one lane of one queue. */
  async #run(chunks: readonly Chunk[]): Promise<readonly Result[]> {
    const [first] = chunks;
    if (first === undefined) return [];
    const { record, lane } = first;
    const patience = chunks.some((chunk) => chunk.isLastTry) ? undefined : PATIENCE;
    const all = chunks.flatMap(({ parcels }) => parcels);
    const plain = await this.#settle(all.filter(isPlain), (parcels) =>
      this.#append(first, parcels, patience),
    );
    const once = await this.#settle(all.filter(isOnce), (parcels) =>
      this.#appendOnce(first, parcels, patience),
    );
    if (plain === "crowded" || once === "crowded")
      await this.#lanes.grow(record, lane).catch(() => undefined);
    if (plain !== "settled" || once !== "settled") this.#chooser.leave(record, lane);
    return chunks.map(({ parcels }) => (parcels.some(isOnce) ? once : plain));
  }

  async #settle<P extends Parcel>(
    parcels: readonly P[],
    append: (parcels: readonly P[]) => Promise<Result>,
  ): Promise<Result> {
    if (parcels.length === 0) return "settled";
    try {
      return await append(parcels);
    } catch (error) {
      failOpen(parcels, error);
      return "settled";
    }
  }

  async #append(
    { record, lane }: Chunk,
    parcels: readonly Parcel[],
    patience: number | undefined,
  ): Promise<Result> {
    const { queueId } = record;
    const messages = messagesOf(parcels);
    const minTtl = ttlOf(messages, record.settings);
    const appended = await this.#appender.append(queueId, lane, messages, { patience, minTtl });
    if (appended === "ended" || appended === "crowded") return appended;
    if (appended.conflicts > 0) this.#chooser.leave(record, lane);
    for (const [index, parcel] of parcels.entries()) {
      const place = { queueId, lane, offset: offset(appended.at + index) };
      parcel.outcome = { place, isRepeat: false };
    }
    return "settled";
  }

  /** G3 */
  async #appendOnce(
    { record, lane }: Chunk,
    parcels: readonly OnceParcel[],
    patience: number | undefined,
  ): Promise<Result> {
    const firsts = new Map<string, OnceUnit>();
    for (const { unit } of parcels) if (!firsts.has(unit.id)) firsts.set(unit.id, unit);
    try {
      return await this.#once.appendOn(record, lane, [...firsts.values()], patience);
    } finally {
      for (const parcel of parcels) {
        const first = firsts.get(parcel.unit.id) ?? parcel.unit;
        parcel.unit.isDoubtful ||= first.isDoubtful;
        parcel.outcome = parcel.unit === first ? first.outcome : repeatOf(first.outcome);
      }
    }
  }
}

type OnceParcel = Parcel & { readonly unit: OnceUnit };

const messagesOf = (parcels: readonly Parcel[]): StoredMessage[] =>
  parcels.map(({ message }) => message);

const isOpen = ({ outcome }: Parcel): boolean => outcome === undefined;
const isPlain = ({ unit }: Parcel): boolean => unit === undefined;
const isOnce = (parcel: Parcel): parcel is OnceParcel => parcel.unit !== undefined;

const repeatOf = (outcome: OnceOutcome | undefined): OnceOutcome | undefined =>
  outcome !== undefined && "place" in outcome ? { ...outcome, isRepeat: true } : outcome;

/** S2: what was left open failed with the error, unless a put of it may have been applied. */
function failOpen(parcels: readonly Parcel[], error: unknown): void {
  if (!isLaneError(error)) throw error;
  for (const parcel of parcels.filter(isOpen)) {
    const isDoubtful = parcel.unit?.isDoubtful === true && error.code !== "outcome-unknown";
    parcel.outcome = {
      error: isDoubtful
        ? new LaneError("outcome-unknown", "The message may have been stored.", { cause: error })
        : error,
    };
  }
}

/** What a chunk takes of an entry's room, by messages or by bytes. */
const share = ({ parcels }: Chunk): number => {
  let count = 0;
  let bytes = 0;
  for (const parcel of parcels) {
    count += parcel.count;
    bytes += parcel.bytes;
  }
  return Math.max(count / LIMITS.entryMessages, bytes / LIMITS.entryRawBytes);
};

/** O1: one entry after the other; behind one that may not have been stored nothing of its lane is. */
async function storeInOrder(
  parcels: readonly Parcel[],
  submit: (chunk: readonly Parcel[]) => Promise<Result>,
): Promise<Result> {
  for (const chunk of chunksInOrder(parcels)) {
    const result = await submit(chunk);
    if (result !== "settled") return result;
    if (chunk.every(({ outcome }) => outcome !== undefined && "place" in outcome)) continue;
    for (const parcel of parcels.filter(isOpen)) parcel.outcome = { error: BEHIND };
    break;
  }
  return "settled";
}

const BEHIND = new LaneError(
  "throttled",
  "A message before it on its lane may not have been stored; this one was not.",
);

/** In runs that one entry takes each, all units or all plain. */
function chunksInOrder(parcels: readonly Parcel[]): Parcel[][] {
  const kinds: Parcel[][] = [];
  for (const parcel of parcels) {
    const kind = kinds.at(-1);
    if (kind !== undefined && kind.every(isOnce) === isOnce(parcel)) kind.push(parcel);
    else kinds.push([parcel]);
  }
  return kinds.flatMap((kind) => runsOf<Parcel>(kind, (parcel) => parcel));
}

/** In runs that one entry takes each, plain ones before those that are stored once. */
const chunksOf = (parcels: readonly Parcel[]): Parcel[][] =>
  parcels.length === 1
    ? [[...parcels]]
    : [parcels.filter(isPlain), parcels.filter(isOnce)].flatMap((kind) =>
        runsOf<Parcel>(kind, (parcel) => parcel),
      );
