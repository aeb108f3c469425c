/**
 * The life of a consumer group: create, update, read, list, delete.
 *
 * C8  A group's cursors stand on every lane where it does not begin at 0 before its record does: lanes
 *     opened later begin at 0 for it, for all that they hold was sent since.
 * Y3  A group's name stands in its queue's record before the group does, and is looked for there again
 *     afterwards: so their number is bounded, a queue that erases has none, and the janitor finds them.
 * Y4  Deleting is one catalog write: a tombstone for 60 s, longer than any cache of group records. The
 *     janitor clears its cursors an hour later.
 */
import { afterChange, LaneError } from "../core/errors.ts";
import { asSeenBy, patternOf } from "../core/group.ts";
import type { GroupQueue, GroupRecord, GroupSettings } from "../core/group.ts";
import { LIMITS } from "../core/limits.ts";
import type { QueueRecord } from "../core/queue.ts";
import { groupId } from "../core/types.ts";
import type { GroupName, QueueName } from "../core/types.ts";
import type { Begins, GroupSummary, GroupView, StartFrom } from "./api.ts";
import type { Catalog } from "./catalog.ts";
import type { Cursors } from "./cursor.ts";
import { randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { Gauge } from "./depth.ts";
import { isDefault } from "./group-catalog.ts";
import type { Groups } from "./group-catalog.ts";
import type { Seeker } from "./seek.ts";
import type { Sources } from "./sources.ts";
import type { Starts } from "./starts.ts";

const ATTEMPTS = 5;

export interface GroupRequest {
  /** Where a new group begins; an existing one stays where it is. */
  readonly from: StartFrom;
  readonly settings: GroupSettings;
}

export class ConsumerGroups {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #groups: Groups;
  readonly #sources: Sources;
  readonly #starts: Starts;
  readonly #cursors: Cursors;
  readonly #gauge: Gauge;
  readonly #seeker: Seeker;

  constructor(
    deps: Deps,
    catalog: Catalog,
    groups: Groups,
    sources: Sources,
    starts: Starts,
    cursors: Cursors,
    gauge: Gauge,
    seeker: Seeker,
  ) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#groups = groups;
    this.#sources = sources;
    this.#starts = starts;
    this.#cursors = cursors;
    this.#gauge = gauge;
    this.#seeker = seeker;
  }

  /** Creates the group, or makes its settings these. */
  async put(
    queue: QueueName,
    name: GroupName,
    request: GroupRequest,
  ): Promise<{ group: GroupView; begins?: Begins }> {
    refuseDefault(name, "is set by its queue's settings");
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const record = await this.#catalog.fresh(queue);
      const found = await this.#groups.find(record.queueId, name);
      if (found !== undefined && found.deletedAt === undefined) {
        const group = await this.#update(record, found, request.settings);
        if (group !== undefined) return { group: await this.#viewChanged(record, group) };
        continue;
      }
      const created = await this.#create(record, name, request, found);
      if (created === undefined) continue;
      const { group, begins } = created;
      return { group: await this.#viewChanged(record, group), begins };
    }
    throw conflict(name);
  }

  async get(queue: QueueName, name: GroupName): Promise<GroupView> {
    const record = await this.#catalog.fresh(queue);
    return this.#view(await this.#groups.get(record, name, 0));
  }

  /** The default one first, then by name. */
  async list(queue: QueueName): Promise<readonly GroupSummary[]> {
    const record = await this.#catalog.fresh(queue);
    return (await this.#groups.all(record)).map(({ group }) => summaryOf(group));
  }

  async delete(queue: QueueName, name: GroupName): Promise<void> {
    refuseDefault(name, "is deleted with its queue only");
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const record = await this.#catalog.fresh(queue);
      const group = await this.#groups.fresh(record, name);
      const deletedAt = this.#deps.clock.now();
      if ((await this.#groups.change(record.queueId, group, { deletedAt })) === undefined) continue;
      await this.#sources.unlink(group.settings.deadLetter?.queue, { queue, group: name });
      return;
    }
    throw conflict(name);
  }

  async seek(
    queue: QueueName,
    name: GroupName,
    from: StartFrom,
  ): Promise<{ group: GroupView; begins: Begins }> {
    const sought = await this.#seeker.seek(queue, name, from);
    return {
      group: await this.#viewChanged(sought.queue, sought.queue.group),
      begins: sought.begins,
    };
  }

  async #update(
    record: QueueRecord,
    group: GroupRecord,
    settings: GroupSettings,
  ): Promise<GroupRecord | undefined> {
    const before = group.settings.deadLetter;
    const source = { queue: record.name, group: group.name };
    const rule = asSeenBy(record, { ...group, settings }).settings;
    await this.#sources.link(source, rule, before);
    const pattern = patternOf(settings);
    const isSame = JSON.stringify(settings) === JSON.stringify(group.settings);
    const changed = isSame
      ? group
      : await this.#groups.change(record.queueId, group, { settings, pattern });
    if (changed === undefined) return undefined;
    await this.#sources.confirm(source, rule, before);
    if (before?.queue !== rule.deadLetter?.queue) await this.#sources.unlink(before?.queue, source);
    return changed;
  }

  async #create(
    record: QueueRecord,
    name: GroupName,
    { from, settings }: GroupRequest,
    tombstone: GroupRecord | undefined,
  ): Promise<{ group: GroupRecord; begins: Begins } | undefined> {
    const pattern = patternOf(settings);
    this.#checkFree(record, name, tombstone);
    await this.#checkRoom(record, name);
    const group: GroupRecord = {
      name,
      groupId: groupId(randomId(this.#deps, 12)),
      settings,
      pattern,
      createdAt: this.#deps.clock.now(),
      version: 1,
      seeks: 0,
      drained: new Set(),
      deletedAt: undefined,
    };
    const source = { queue: record.name, group: name };
    const rule = asSeenBy(record, group).settings;
    await this.#sources.link(source, rule, undefined);
    const announced = record.groups.has(name) ? record : await this.#announce(record, name);
    if (announced === undefined) return undefined;
    const { lanes, begins } = await this.#starts.of(announced, from);
    await this.#cursors.place(record.queueId, group.groupId, lanes);
    if (!(await this.#groups.create(record.queueId, group, tombstone))) return undefined;
    try {
      await this.#confirm(record.name, group);
      await this.#sources.confirm(source, rule, undefined);
    } catch (error) {
      throw afterChange(error, `The group "${name}" may have been created; put it again.`);
    }
    return { group, begins };
  }

  #checkFree(record: QueueRecord, name: GroupName, tombstone: GroupRecord | undefined): void {
    if (tombstone?.deletedAt === undefined || this.#deps.relaxed) return;
    const age = this.#deps.clock.now() - tombstone.deletedAt;
    if (age >= LIMITS.deletedNameMs) return;
    throw new LaneError(
      "group-recently-deleted",
      `The group "${name}" of the queue "${record.name}" was deleted ${Math.max(0, Math.floor(age / 1000))} s ago; its name is free after 60 s.`,
    );
  }

  /** Y3. What is left of a creation that failed counts for none. */
  async #checkRoom(record: QueueRecord, name: GroupName): Promise<void> {
    if (record.settings.eraseOnAck) {
      throw new LaneError(
        "queue-conflict",
        `The queue "${record.name}" erases what is acked (eraseOnAck), so it can have no second group.`,
      );
    }
    const { live } = await this.#groups.list(record);
    if (live.length < LIMITS.groupsPerQueue || live.some((group) => group.name === name)) return;
    throw new LaneError(
      "group-conflict",
      `The queue "${record.name}" has ${LIMITS.groupsPerQueue} groups, which is the most.`,
    );
  }

  /** Y3. `undefined`: the queue has changed meanwhile. */
  #announce(record: QueueRecord, name: GroupName): Promise<QueueRecord | undefined> {
    return this.#catalog.change(record, { groups: new Set([...record.groups, name]) });
  }

  /**
   * Y3: a creation that took long may have been taken for one that failed. The record is changed even
   * if it has the name: whoever saw the queue without this group would change it from what it was.
   */
  async #confirm(queue: QueueName, group: GroupRecord): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const record = await this.#catalog.fresh(queue);
      if (record.settings.eraseOnAck) {
        await this.#groups.change(record.queueId, group, { deletedAt: this.#deps.clock.now() });
        await this.#checkRoom(record, group.name);
      }
      if ((await this.#announce(record, group.name)) !== undefined) return;
    }
    throw conflict(group.name);
  }

  async #viewChanged(record: QueueRecord, group: GroupRecord): Promise<GroupView> {
    try {
      return await this.#view(asSeenBy(record, group));
    } catch (error) {
      throw afterChange(
        error,
        `The group "${group.name}" was changed, but its depth could not be read.`,
      );
    }
  }

  async #view(queue: GroupQueue): Promise<GroupView> {
    const { depth, oldestReadyAgeSeconds } = await this.#gauge.measure(queue);
    return { ...summaryOf(queue.group), depth, oldestReadyAgeSeconds };
  }
}

const summaryOf = ({ name, settings, createdAt }: GroupRecord): GroupSummary => ({
  name,
  settings,
  createdAt,
});

function refuseDefault(name: GroupName, why: string): void {
  if (!isDefault(name)) return;
  throw new LaneError("group-conflict", `The group "${name}" ${why}.`);
}

const conflict = (name: GroupName): LaneError =>
  new LaneError("group-conflict", `The group "${name}" is being changed by others; try again.`);
