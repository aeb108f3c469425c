/**
 * Where a tenant's messages go, by how much waits on the lanes and whose it is (F4).
 *
 * V4  What an instance knows of a lane is a few seconds old, or newer where it has appended there itself:
 *     a burst of somebody else's is noticed that late.
 */
import { CROWDED, homesAmong, isMostlyOf, lanesOfTenant, sampleOf } from "../core/fair.ts";
import type { Sample } from "../core/fair.ts";
import { parseSegment } from "../core/segment.ts";
import type { QueueRecord } from "../core/queue.ts";
import { DEFAULT_GROUP, offset } from "../core/types.ts";
import type { EpochMs, LaneId, QueueId } from "../core/types.ts";
import { segmentKey } from "../store/keys.ts";
import { boundedCache } from "./cache.ts";
import type { Cursors } from "./cursor.ts";
import type { Deps } from "./deps.ts";
import type { LogReader } from "./log.ts";
import type { Tails } from "./tail.ts";

const BELIEVED_MS = 2_000;
const SAMPLE_BELIEVED_MS = 10_000;
const SAMPLE_ENTRIES = 2;
/** Lanes looked at for one tenant at a time, the home lanes among them. */
const LOOKS = 5;

interface Backlog {
  readonly end: number;
  readonly waiting: number;
  readonly readAt: EpochMs;
}

export class FairLanes {
  readonly #deps: Deps;
  readonly #tails: Tails;
  readonly #cursors: Cursors;
  readonly #log: LogReader;
  readonly #backlogs = boundedCache<Backlog>(2_000);
  readonly #samples = boundedCache<{ readonly sample: Sample; readonly readAt: EpochMs }>(2_000);
  /** Lanes in a tenant's order, by queue, its version and tenant. */
  readonly #orders = boundedCache<readonly LaneId[]>(5_000);

  constructor(deps: Deps, tails: Tails, cursors: Cursors, log: LogReader) {
    this.#deps = deps;
    this.#tails = tails;
    this.#cursors = cursors;
    this.#log = log;
  }

  /** F4. `lanes`: those that the message may go to; `undefined`: what names no tenant is one by itself. */
  async choose(
    record: QueueRecord,
    lanes: readonly LaneId[],
    tenant: string | undefined,
  ): Promise<LaneId> {
    const order = this.#order(record, lanes, tenant ?? "");
    const homes = homesAmong(order.length);
    const turn = Math.floor(this.#deps.random() * homes);
    const looks = [
      ...order.slice(turn, homes),
      ...order.slice(0, turn),
      ...order.slice(homes),
    ].slice(0, Math.max(LOOKS, homes));
    let best: { lane: LaneId; waiting: number } | undefined;
    for (const lane of looks) {
      const { waiting, end } = await this.#backlog(record.queueId, lane);
      if (waiting <= CROWDED) return lane;
      if (isMostlyOf(tenant, await this.#sample(record.queueId, lane, end - waiting / 2)))
        return lane;
      if (best === undefined || waiting < best.waiting) best = { lane, waiting };
    }
    return best?.lane ?? (lanes[0] as LaneId);
  }

  #order(record: QueueRecord, lanes: readonly LaneId[], tenant: string): readonly LaneId[] {
    const key = `${record.queueId}#${record.version}#${lanes[0] ?? ""}#${tenant}`;
    const known = this.#orders.get(key);
    if (known !== undefined) return known;
    const order = lanesOfTenant(tenant, lanes);
    this.#orders.set(key, order);
    return order;
  }

  /** What waits for the default group on a lane, beyond what it has claimed. */
  async #backlog(queue: QueueId, lane: LaneId): Promise<Backlog> {
    const key = `${queue}#${lane}`;
    const now = this.#deps.clock.now();
    const known = this.#backlogs.get(key);
    const own = this.#tails.known(queue, lane);
    if (known !== undefined && now - known.readAt < BELIEVED_MS) {
      const more = own === undefined ? 0 : Math.max(0, own - known.end);
      if (more <= CROWDED) return { ...known, waiting: known.waiting + more };
    }
    const { base, end } = await this.#tails.peek(queue, lane);
    const stand = { queue, lane, group: DEFAULT_GROUP };
    const cursor = await this.#cursors.get(stand);
    const start = cursor.segments.at(-1) ?? offset(0);
    const item = await this.#deps.store.get(
      "lanes",
      segmentKey(queue, lane, DEFAULT_GROUP, cursor.generation, start),
      { consistent: true },
    );
    const { head } = parseSegment(start, item);
    const backlog = { end, waiting: Math.max(0, end - Math.max(head, base)), readAt: now };
    this.#backlogs.set(key, backlog);
    return backlog;
  }

  async #sample(queue: QueueId, lane: LaneId, middle: number): Promise<Sample> {
    const key = `${queue}#${lane}`;
    const now = this.#deps.clock.now();
    const known = this.#samples.get(key);
    if (known !== undefined && now - known.readAt < SAMPLE_BELIEVED_MS) return known.sample;
    const { entries } = await this.#log.query(queue, lane, {
      to: offset(Math.floor(middle)),
      limit: SAMPLE_ENTRIES,
      reverse: true,
    });
    const sample = sampleOf(entries.flatMap(({ messages }) => messages ?? []));
    this.#samples.set(key, { sample, readAt: now });
    return sample;
  }
}
