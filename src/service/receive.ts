/**
 * Receive: leases messages of a queue to a caller, now or within a wait.
 *
 * Lanes are looked at in random order in small parallel waves, those that had messages lately first;
 * a caller who has something is kept for one more wave at most. Callers of one process that ask for
 * the same queue and group share one round (group commit).
 *
 * V2  "Empty" is answered only when every segment of every lane has been looked at and no look was
 *     unsure (V1), or the call's time has run out.
 * V5  Once tenants have sent to a queue its lanes are taken by turns.
 * V3  After the caller's signal has fired nothing more is leased for it.
 */
import { afterChange, LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { keyByKey } from "../core/ordered-drain.ts";
import { claimedAt, deliveredBytes } from "../core/plan.ts";
import { isSeeking, receivableSets } from "../core/group.ts";
import type { GroupQueue } from "../core/group.ts";
import type { QueueRecord } from "../core/queue.ts";
import { byPriority, priorityOf } from "../core/priority.ts";
import { groupName } from "../core/types.ts";
import type { EpochMs, GroupName, LaneId, QueueName } from "../core/types.ts";
import type { ReceivedMessage } from "./api.ts";
import type { Attempts } from "./attempts.ts";
import type { Bell } from "./bell.ts";
import type { Catalog } from "./catalog.ts";
import { Combiner } from "./combiner.ts";
import { standKey } from "./cursor.ts";
import type { Stand } from "./cursor.ts";
import { backoffMs } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { DueTimers } from "./due.ts";
import type { Groups } from "./group-catalog.ts";
import type { LogReader } from "./log.ts";
import { receivedView } from "./message-view.ts";
import { sealed } from "./receipts.ts";
import type { Signal } from "../core/signal.ts";
import { earlier } from "./visit.ts";
import type { Given, Need, Visits } from "./visit.ts";
import { boundedCache } from "./cache.ts";

export interface ReceiveRequest {
  readonly max: number;
  readonly waitSeconds?: number;
  readonly leaseSeconds?: number;
  readonly group: string;
  readonly drain?: boolean;
  readonly signal?: Signal;
  readonly maxBytes?: number;
  readonly attempt?: string;
}

interface RoundRequest {
  readonly queue: GroupQueue;
  readonly max: number;
  readonly maxBytes: number;
  readonly leaseMs: number;
  readonly drain: boolean;
  readonly signal: Signal | undefined;
}

interface RoundAnswer {
  readonly given: readonly Given[];
  readonly nextEventAt: EpochMs | undefined;
  /** What ended the round early; of interest to those who got nothing. */
  readonly error: unknown;
  /** Something may be there that the round did not see: it must not be answered as empty (V2). */
  readonly unsure: boolean;
  /** The greatest number of a seek that it met (Y5). */
  readonly sought: number;
}

/** Lanes of the first wave, then of the next ones: the first mostly satisfies. */
const WAVES = [1, 3, 8, 16];
/** Small enough that answers of one round are written while the next one asks the store. */
const ROUND_MESSAGES = 1_000;
const LOOK_FIRST_MS = 50;
const LOOK_MAX_MS = 1_000;
/** How often a look is made again at once because others were claiming where it looked. */
const UNSURE_LOOKS = 20;
/** So that not every waiter of a fleet comes in the same moment for what a lease gives back. */
const EVENT_JITTER_MS = 50;
/** "Empty" is said of the lanes there were no longer ago. */
const EMPTY_SETTINGS_MS = 1_000;
/** Who waits in vain reads the settings afresh this often, for senders may have opened lanes. */
const WAITING_SETTINGS_MS = 2_000;

export class Receiver {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #groups: Groups;
  readonly #visits: Visits;
  readonly #log: LogReader;
  readonly #bell: Bell;
  readonly #due: DueTimers;
  readonly #attempts: Attempts;
  readonly #rounds: Combiner<RoundRequest, RoundAnswer>;
  /** Retired lanes that a group is through with, by stand: as of which seek (U2). */
  readonly #finished = boundedCache<{ readonly seeks: number }>(4_000);
  /** The lane that gave something last, by queue and group, and by priority. */
  readonly #fruitful = boundedCache<LaneId>(1_000);

  constructor(
    deps: Deps,
    catalog: Catalog,
    groups: Groups,
    visits: Visits,
    log: LogReader,
    bell: Bell,
    due: DueTimers,
    attempts: Attempts,
  ) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#groups = groups;
    this.#visits = visits;
    this.#log = log;
    this.#bell = bell;
    this.#due = due;
    this.#attempts = attempts;
    this.#rounds = new Combiner((requests) => this.#round(requests), {
      weigh: (request) => request.max,
      maxWeight: ROUND_MESSAGES,
      gather: deps.gather,
    });
  }

  /** @throws LaneError `queue-not-found`, `group-not-found`, `too-many-leases`, and the store's. */
  async receive(name: QueueName, request: ReceiveRequest): Promise<readonly ReceivedMessage[]> {
    const { clock } = this.#deps;
    const group = groupName(request.group);
    const drain = request.drain ?? false;
    let queue = await this.#queue(name, group);
    const { attempt } = request;
    if (attempt !== undefined) {
      const again = await this.#attempts.recall(queue, attempt, leaseMsOf(request, queue));
      if (again !== undefined) return again;
    }
    const deadline = clock.now() + (request.waitSeconds ?? queue.settings.waitSeconds) * 1000;
    let unsureLooks = 0;
    for (let look = 0; request.signal?.aborted !== true; look++) {
      const timerAt = await this.#due.promote(queue);
      const leaseMs = leaseMsOf(request, queue);
      // What one plan gives goes by one rule (T4).
      const round = `${nameOf(queue)}${drain ? "#drain" : ""}`;
      // What is to be given again must be whole leases, which nobody shares (Z2, C10).
      const own = attempt === undefined ? "" : `#${attempt}`;
      const answer = await this.#rounds.submit(`${round}${own}`, {
        queue,
        max: request.max,
        drain,
        maxBytes: request.maxBytes ?? LIMITS.responseBytes,
        leaseMs,
        signal: request.signal,
      });
      if (answer.given.length === 0 && answer.error !== undefined) throw answer.error;
      if (answer.given.length > 0) {
        const given = drain ? keyByKey(answer.given, chainOf) : answer.given;
        const messages = await this.#received(queue, given, leaseMs);
        if (attempt !== undefined) await this.#attempts.remember(queue, attempt, messages);
        return messages;
      }
      const now = clock.now();
      if (answer.unsure && unsureLooks < UNSURE_LOOKS) {
        unsureLooks += 1;
        await this.#deps.sleep(backoffMs(this.#deps, unsureLooks, 4, 60), request.signal);
        if (answer.sought > queue.group.seeks)
          queue = knowing(await this.#queue(name, group, 0), answer.sought);
        continue;
      }
      unsureLooks = 0;
      if (now >= deadline) {
        const newest = await this.#queue(name, group, EMPTY_SETTINGS_MS);
        if (isSame(newest, queue)) break;
        queue = newest;
        continue;
      }
      const pause = Math.min(
        backoffMs(this.#deps, look, LOOK_FIRST_MS, LOOK_MAX_MS),
        deadline - now,
      );
      const eventAt = earlier(answer.nextEventAt, timerAt);
      const due =
        eventAt === undefined
          ? pause
          : Math.max(1, eventAt - now + this.#deps.random() * EVENT_JITTER_MS);
      await this.#bell.wait(queue.queueId, Math.min(pause, due), request.signal);
      queue = await this.#queue(name, group, WAITING_SETTINGS_MS);
    }
    return [];
  }

  async #queue(name: QueueName, group: GroupName, maxAgeMs?: number): Promise<GroupQueue> {
    return this.#groups.get(await this.#catalog.get(name, maxAgeMs), group, maxAgeMs);
  }

  async #round(requests: readonly RoundRequest[]): Promise<readonly RoundAnswer[]> {
    const [first] = requests;
    if (first === undefined) return [];
    const { queue } = first;
    const stand = (lane: LaneId) => ({ queue: queue.queueId, lane, group: queue.group.groupId });
    const given: Given[][] = requests.map(() => []);
    const open = new Map<number, Need>();
    requests.forEach((request, place) => {
      if (request.signal?.aborted === true) return;
      open.set(place, {
        place,
        max: request.max,
        maxBytes: request.maxBytes,
        leaseMs: request.leaseMs,
        drain: request.drain,
        isStarted: false,
      });
    });
    let nextEventAt: EpochMs | undefined;
    let isCapped = false;
    let unsure = false;
    let sought = 0;
    let error: unknown;
    let wave = 0;
    let asOf = queue.group.seeks;
    for (const set of receivableSets(queue, this.#deps.clock.now())) {
      const through = new Map<LaneId, number>();
      let lanes = this.#inTurn(queue, set);
      for (; lanes.length > 0 && open.size > 0 && error === undefined; wave++) {
        const size = WAVES[Math.min(wave, WAVES.length - 1)] ?? 1;
        const needs = [...open.values()];
        const started = needs.filter((need) => need.isStarted === true);
        const stands = lanes.slice(0, size).map(stand);
        lanes = lanes.slice(size);
        try {
          const looks =
            size === 1
              ? []
              : await Promise.all(stands.map((stand) => this.#visits.look(queue, stand, needs)));
          for (const [index, stand] of stands.entries()) {
            if (open.size === 0) break;
            const needs = [...open.values()];
            const visit = await this.#visits.visit(queue, stand, needs, looks[index], asOf);
            sought = Math.max(sought, visit.sought);
            nextEventAt = earlier(nextEventAt, visit.nextEventAt);
            isCapped ||= visit.capped;
            unsure ||= visit.unsure;
            if (visit.finished) through.set(stand.lane, visit.sought);
            if (visit.finished) this.#finish(queue, stand);
            error ??= visit.error;
            if (visit.given.length > 0) this.#fruitful.set(turnKey(queue, stand.lane), stand.lane);
            for (const one of visit.given) this.#hand(one, given, open);
          }
        } catch (cause) {
          error ??= cause;
        }
        for (const need of started) open.delete(need.place);
      }
      // L9: where order is kept, the next set waits until the group is through with every lane of this one.
      if (!set.every((lane) => through.has(lane) || this.#isFinished(queue, lane))) break;
      // A seek moves older sets first: where it has been, it has been on the lanes just left, too.
      asOf = Math.min(asOf, ...through.values());
    }
    if (isCapped) error ??= tooMany(queue);
    return given.map((list) => ({ given: list, nextEventAt, error, unsure, sought }));
  }

  #hand(one: Given, given: Given[][], open: Map<number, Need>): void {
    given[one.place]?.push(one);
    const need = open.get(one.place);
    if (need === undefined) return;
    const left = {
      ...need,
      max: need.max - 1,
      maxBytes: need.maxBytes - deliveredBytes(one.delivery.message),
      isStarted: true,
    };
    if (left.max <= 0 || left.maxBytes <= 0) open.delete(one.place);
    else open.set(one.place, left);
  }

  #isFinished({ queueId, group }: GroupQueue, lane: LaneId): boolean {
    const key = standKey({ queue: queueId, lane, group: group.groupId });
    return this.#finished.get(key)?.seeks === group.seeks;
  }

  /** The lanes of a set that may hold something, in the order to look at them (Y2). */
  #inTurn(queue: GroupQueue, set: readonly LaneId[]): LaneId[] {
    const lanes = set.filter((lane) => !this.#isFinished(queue, lane));
    const { priorities } = queue.settings;
    const sets =
      priorities === false ? [lanes] : byPriority(priorities, lanes, () => this.#deps.random());
    return sets.flatMap((some) =>
      queue.lanes.isShared === true ? this.#rotated(queue, some) : this.#shuffled(queue, some),
    );
  }

  /** V5: those behind the one that gave last come first, so that a deep lane takes no more turns than others. */
  #rotated(queue: GroupQueue, some: readonly LaneId[]): LaneId[] {
    const lanes = some.toSorted((a, b) => a - b);
    const last = this.#fruitful.get(turnKey(queue, lanes[0]));
    const next =
      last === undefined
        ? Math.floor(this.#deps.random() * lanes.length)
        : lanes.findIndex((lane) => lane > last);
    return next < 0 ? lanes : [...lanes.slice(next), ...lanes.slice(0, next)];
  }

  /** The one that gave last, then the others in random order. */
  #shuffled(queue: GroupQueue, some: readonly LaneId[]): LaneId[] {
    const lanes = [...some];
    for (let index = lanes.length - 1; index > 0; index--) {
      const other = Math.floor(this.#deps.random() * (index + 1));
      [lanes[index], lanes[other]] = [lanes[other] as LaneId, lanes[index] as LaneId];
    }
    // Most of the time only: always the same lane first would starve the others of small receives.
    const fruitful =
      this.#deps.random() < 0.75 ? this.#fruitful.get(turnKey(queue, some[0])) : undefined;
    return fruitful === undefined || !lanes.includes(fruitful)
      ? lanes
      : [fruitful, ...lanes.filter((lane) => lane !== fruitful)];
  }

  /** L9. While a seek is under way, it may come back to lanes that this look has seen before it did. */
  #finish({ group }: GroupQueue, stand: Stand): void {
    if (!isSeeking(group)) this.#finished.set(standKey(stand), { seeks: group.seeks });
  }

  async #received(
    record: GroupQueue,
    given: readonly Given[],
    leaseMs: number,
  ): Promise<ReceivedMessage[]> {
    const messages: ReceivedMessage[] = [];
    let failure: unknown;
    /** Where order is kept, what is behind one that cannot be read comes back with it. */
    const unread = new Set<string>();
    for (const one of given) {
      const { stand, generation, segment, delivery } = one;
      const { lease, offset, message, tag } = delivery;
      const chain = tag === undefined ? undefined : chainOf(one);
      if (chain !== undefined && unread.has(chain)) continue;
      // A body that cannot be read now comes back with its lease; the others must not wait for it.
      const body =
        message.parts === undefined
          ? message.body
          : await this.#log.body(record.queueId, message).catch((error: unknown) => {
              failure = error;
              return undefined;
            });
      if (body === undefined) {
        if (chain !== undefined) unread.add(chain);
        continue;
      }
      const place = { queueId: record.queueId, lane: stand.lane, offset };
      const receipt = sealed(
        {
          queueId: record.queueId,
          lane: stand.lane,
          offset,
          group: stand.group,
          generation,
          segment,
          lease: lease.id,
          entry: lease.entry,
          ...(tag === undefined ? {} : { tag }),
          claimedAt: claimedAt(lease, leaseMs),
        },
        record.secret,
      );
      messages.push(receivedView(place, message, body, { receipt, lease }));
    }
    if (messages.length === 0 && failure !== undefined) {
      throw afterChange(
        failure,
        "Messages were leased, but could not be read; they come back when their leases end.",
      );
    }
    return messages;
  }
}

const leaseMsOf = (
  { leaseSeconds }: ReceiveRequest,
  { settings }: Pick<QueueRecord, "settings">,
): number => (leaseSeconds ?? settings.leaseSeconds) * 1000;

/** Where order is kept: what must come one after the other. */
const chainOf = ({ stand, delivery }: Given): string => `${stand.lane}/${delivery.tag ?? ""}`;

const nameOf = ({ queueId, group }: GroupQueue): string => `${queueId}#${group.groupId}`;

/** A catalog restored to an earlier time may know less of seeks than the lanes do. */
const knowing = (queue: GroupQueue, sought: number): GroupQueue =>
  queue.group.seeks >= sought ? queue : { ...queue, group: { ...queue.group, seeks: sought + 1 } };

const isSame = (a: GroupQueue, b: GroupQueue): boolean =>
  a.version === b.version && a.queueId === b.queueId && a.group.version === b.group.version;

/** Each priority has turns of its own. */
const turnKey = (queue: GroupQueue, lane: LaneId | undefined): string =>
  queue.settings.priorities === false || lane === undefined
    ? nameOf(queue)
    : `${nameOf(queue)}#${priorityOf(lane)}`;

const tooMany = (record: QueueRecord): LaneError =>
  new LaneError(
    "too-many-leases",
    `More messages of the queue "${record.name}" are leased than it can hold; ack or release some.`,
  );
