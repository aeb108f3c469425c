/**
 * When timers are due: what an instance knows of each shard, and the promotion that follows.
 *
 * T7  A queue to which nothing was ever scheduled costs nothing here. Of the others a shard is looked at
 *     once a second at most, by its first timer alone, and when that is due.
 */
import { isLaneError } from "../core/errors.ts";
import type { QueueRecord } from "../core/queue.ts";
import { epochMs } from "../core/types.ts";
import type { EpochMs, QueueId } from "../core/types.ts";
import { FIRST_TIMER, timerOfKey, timersKey } from "../store/keys.ts";
import { boundedCache } from "./cache.ts";
import type { Deps } from "./deps.ts";
import type { Promoter } from "./promoter.ts";

const LOOK_EVERY_MS = 1_000;
/** After an error of the store: others may have more luck. */
const TROUBLED_MS = 1_000;

interface Known {
  /** When the shard has something to promote, as far as is known; Infinity: it is empty. */
  readonly dueAt: number;
  readonly seenAt: EpochMs;
}

export class DueTimers {
  readonly #deps: Deps;
  readonly #promoter: Promoter;
  readonly #known = boundedCache<Known>(4_000);
  readonly #running = new Map<string, Promise<number>>();

  constructor(deps: Deps, promoter: Promoter) {
    this.#deps = deps;
    this.#promoter = promoter;
  }

  /** A timer was put by this instance. */
  note(queue: QueueId, shard: number, at: EpochMs): void {
    const key = timersKey(queue, shard);
    const known = this.#known.get(key);
    if (known !== undefined && at < known.dueAt) this.#known.set(key, { ...known, dueAt: at });
  }

  /**
   * Promotes at most an entry on each shard that has something due, and gives when the next is due, as
   * far as it is known. Never throws: what fails is gone on with by whoever comes next.
   */
  async promote(record: QueueRecord): Promise<EpochMs | undefined> {
    if (record.timerShards === 0) return undefined;
    const next = await Promise.all(
      Array.from({ length: record.timerShards }, (_, shard) => this.#once(record, shard)),
    );
    const dueAt = Math.min(...next);
    return Number.isFinite(dueAt) ? epochMs(dueAt) : undefined;
  }

  /** Promotes all that is due, until the deadline. */
  async promoteAll(record: QueueRecord, deadline: EpochMs): Promise<void> {
    const { clock } = this.#deps;
    for (;;) {
      const dueAt = await this.promote(record);
      if (dueAt === undefined || dueAt > clock.now() || clock.now() >= deadline) return;
    }
  }

  /** Callers of one process that ask at the same time share one go. */
  #once(record: QueueRecord, shard: number): Promise<number> {
    const key = timersKey(record.queueId, shard);
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const run = this.#look(record, shard, key).finally(() => this.#running.delete(key));
    this.#running.set(key, run);
    return run;
  }

  async #look(record: QueueRecord, shard: number, key: string): Promise<number> {
    const { clock } = this.#deps;
    try {
      const dueAt = await this.#dueAt(key);
      if (dueAt > clock.now()) return dueAt;
      const { againAt } = await this.#promoter.promote(record, shard);
      // What is due and yet is not promoted is a cancelled one's mark, which stays for a while (T6).
      const soonest = clock.now() + LOOK_EVERY_MS;
      return this.#knows(key, againAt ?? Math.max(await this.#first(key, true), soonest));
    } catch (error) {
      if (!isLaneError(error)) throw error;
      this.#deps.onEvent?.({ type: "promotionFailed", queue: record.name, error });
      return this.#knows(key, clock.now() + TROUBLED_MS);
    }
  }

  async #dueAt(key: string): Promise<number> {
    const now = this.#deps.clock.now();
    const known = this.#known.get(key);
    const age = known === undefined ? -1 : now - known.seenAt;
    const isKnown =
      known !== undefined && (known.dueAt <= now || (age >= 0 && age < LOOK_EVERY_MS));
    return isKnown ? known.dueAt : this.#knows(key, await this.#first(key, false));
  }

  #knows(key: string, dueAt: number): number {
    this.#known.set(key, { dueAt, seenAt: this.#deps.clock.now() });
    return dueAt;
  }

  async #first(pk: string, consistent: boolean): Promise<number> {
    const range = { from: FIRST_TIMER, limit: 1, consistent };
    const [first] = (await this.#deps.store.query("lanes", pk, range)).items;
    return first === undefined ? Number.POSITIVE_INFINITY : timerOfKey(first.sk).at;
  }
}
