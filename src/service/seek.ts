/**
 * Seek: moves a group to another place on every lane. What stands there is delivered anew, acked or
 * in flight or not; what lies before it is passed over.
 *
 * Y5  Each seek has a number, greater than those before it; a lane takes no seek older than its own.
 *     So of seeks at once the one with the greatest number wins on every lane, whoever comes last.
 * U2  The number is odd while the seek is under way and for ever if it ends half-way: until the next
 *     one has ended, no lane counts as drained, for its messages may have come back.
 */
import { afterChange, LaneError } from "../core/errors.ts";
import { asSeenBy, asSeenByDefault } from "../core/group.ts";
import type { GroupQueue } from "../core/group.ts";
import { setsOf } from "../core/queue.ts";
import { offset } from "../core/types.ts";
import type { GroupName, QueueName } from "../core/types.ts";
import type { Begins, StartFrom } from "./api.ts";
import type { Bell } from "./bell.ts";
import type { Catalog } from "./catalog.ts";
import type { Cursors } from "./cursor.ts";
import type { Deps } from "./deps.ts";
import { isDefault } from "./group-catalog.ts";
import type { Groups } from "./group-catalog.ts";
import type { Start, Starts } from "./starts.ts";

const ATTEMPTS = 5;
const LANES_AT_ONCE = 8;

export class Seeker {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #groups: Groups;
  readonly #starts: Starts;
  readonly #cursors: Cursors;
  readonly #bell: Bell;

  constructor(
    deps: Deps,
    catalog: Catalog,
    groups: Groups,
    starts: Starts,
    cursors: Cursors,
    bell: Bell,
  ) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#groups = groups;
    this.#starts = starts;
    this.#cursors = cursors;
    this.#bell = bell;
  }

  /** @throws LaneError those of `Starts.of`, `group-not-found`, `queue-conflict`, and the store's. */
  async seek(
    name: QueueName,
    group: GroupName,
    from: StartFrom,
  ): Promise<{ queue: GroupQueue; begins: Begins }> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const found = await this.#read(name, group);
      if (found.settings.eraseOnAck) {
        throw new LaneError(
          "queue-conflict",
          `The queue "${name}" erases what is acked (eraseOnAck): there is nothing to go back to.`,
        );
      }
      const start = await this.#starts.of(found, from);
      const begun = await this.#number(found, this.#next(found));
      if (begun === undefined) continue;
      try {
        await this.#move(begun, start);
        const queue = await this.#end(name, group, begun);
        this.#bell.ring(queue.queueId);
        return { queue, begins: start.begins };
      } catch (error) {
        throw afterChange(
          error,
          `The group "${group}" may have been moved on some lanes of the queue "${name}"; seek again.`,
        );
      }
    }
    throw new LaneError("group-conflict", `The group "${group}" is being changed; seek again.`);
  }

  /** By the clock, so that it is greater than any before even where the catalog was restored from a backup. */
  #next({ group: { seeks } }: GroupQueue): number {
    return Math.max(seeks + (seeks % 2 === 0 ? 1 : 2), Math.floor(this.#deps.clock.now()) * 2 + 1);
  }

  async #read(name: QueueName, group: GroupName): Promise<GroupQueue> {
    const record = await this.#catalog.fresh(name);
    return isDefault(group)
      ? asSeenByDefault(record)
      : asSeenBy(record, await this.#groups.fresh(record, group));
  }

  /** Older sets first (Q3): so nothing of a later one comes again before what comes again of them. */
  async #move({ queueId, lanes, group }: GroupQueue, start: Start): Promise<void> {
    const starts = new Map(start.lanes.map((one) => [one.lane, one.start]));
    for (const set of setsOf(lanes, [...starts.keys()])) {
      for (let index = 0; index < set.length; index += LANES_AT_ONCE) {
        await Promise.all(
          set.slice(index, index + LANES_AT_ONCE).map((lane) => {
            const stand = { queue: queueId, lane, group: group.groupId };
            return this.#cursors.seekTo(stand, starts.get(lane) ?? offset(0), group.seeks);
          }),
        );
      }
    }
  }

  /** Unless a later one has begun, which then ends both. */
  async #end(name: QueueName, group: GroupName, begun: GroupQueue): Promise<GroupQueue> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const found = await this.#read(name, group);
      const isOurs = found.group.groupId === begun.group.groupId && found.queueId === begun.queueId;
      if (!isOurs || found.group.seeks !== begun.group.seeks) return found;
      const ended = await this.#number(found, begun.group.seeks + 1);
      if (ended !== undefined) return ended;
    }
    throw new LaneError("group-conflict", `The group "${group}" is being changed; seek again.`);
  }

  /** Of the default group the queue's record keeps what other groups have in records of their own. */
  async #number(queue: GroupQueue, seeks: number): Promise<GroupQueue | undefined> {
    const { group, ...record } = queue;
    if (!isDefault(group.name)) {
      const changed = await this.#groups.change(queue.queueId, group, {
        seeks,
        drained: new Set(),
      });
      return changed === undefined ? undefined : asSeenBy(record, changed);
    }
    const ended = queue.lanes.ended.map(({ lane, until, set }) => ({
      lane,
      until,
      ...(set === undefined ? {} : { set }),
    }));
    const changed = await this.#catalog.change(record, { lanes: { ...queue.lanes, ended, seeks } });
    return changed === undefined ? undefined : asSeenByDefault(changed);
  }
}
