/**
 * The life of a queue: create, update, read, list, delete.
 *
 * D4  Deleting is one catalog write: a tombstone for 60 s, longer than any cache of settings. The
 *     janitor clears the rest; a name that is used again before leaves a grave for it.
 */
import { afterChange, isLaneError, LaneError } from "../core/errors.ts";
import { asSeenByDefault } from "../core/group.ts";
import { LIMITS } from "../core/limits.ts";
import { DEFAULT_SETTINGS } from "../core/queue.ts";
import type { QueueRecord, QueueSettings, SqsPart } from "../core/queue.ts";
import { queueId } from "../core/types.ts";
import type { QueueName } from "../core/types.ts";
import { graveKey, QUEUES, queueKey } from "../store/keys.ts";
import { absent, all, equal, exists, set } from "../store/port.ts";
import type { QueueChange, QueueDetails, QueueSummary, QueueView } from "./api.ts";
import { parseRecord, recordItem } from "./catalog.ts";
import type { Catalog } from "./catalog.ts";
import type { Gauge } from "./depth.ts";
import { randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { Groups } from "./group-catalog.ts";
import { adjustLanes, firstLanes } from "./lanes.ts";
import type { LaneKeeper } from "./lanes.ts";
import { checkFixed, checkSettings } from "./queue-rules.ts";
import type { Sources } from "./sources.ts";

const ATTEMPTS = 5;

export class Queues {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #groups: Groups;
  readonly #sources: Sources;
  readonly #gauge: Gauge;
  readonly #lanes: LaneKeeper;

  constructor(
    deps: Deps,
    catalog: Catalog,
    groups: Groups,
    sources: Sources,
    gauge: Gauge,
    lanes: LaneKeeper,
  ) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#groups = groups;
    this.#sources = sources;
    this.#gauge = gauge;
    this.#lanes = lanes;
  }

  /** Creates the queue, or makes its settings these; absent ones take their defaults. */
  async put(
    name: QueueName,
    given: Partial<QueueSettings>,
  ): Promise<{ created: boolean; queue: QueueView }> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const found = await this.#catalog.find(name);
      if (found !== undefined && found.deletedAt === undefined) {
        const record = await this.#update(found, { ...DEFAULT_SETTINGS, ...given });
        if (record !== undefined) return { created: false, queue: await this.#viewChanged(record) };
        continue;
      }
      const record = await this.#create(name, { ...DEFAULT_SETTINGS, ...given }, {}, found);
      if (record !== undefined) return { created: true, queue: await this.#viewChanged(record) };
    }
    throw conflict(name);
  }

  /** Changes the settings given. */
  async patch(name: QueueName, given: Partial<QueueSettings>): Promise<QueueView> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const found = await this.#catalog.fresh(name);
      const record = await this.#update(found, { ...found.settings, ...given });
      if (record !== undefined) return this.#viewChanged(record);
    }
    throw conflict(name);
  }

  /** Creates the queue where there is none; absent settings take their defaults. */
  async create(
    name: QueueName,
    { settings, sqs }: QueueChange,
  ): Promise<{ created: boolean; queue: QueueDetails }> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const found = await this.#catalog.find(name);
      if (found !== undefined && found.deletedAt === undefined)
        return { created: false, queue: detailsOf(found) };
      const all = { ...DEFAULT_SETTINGS, ...settings };
      const record = await this.#create(name, all, sqs ?? {}, found);
      if (record !== undefined) return { created: true, queue: detailsOf(record) };
    }
    throw conflict(name);
  }

  /** Changes the queue to what `decide` says of it, which is asked again where others have changed it. */
  async change(
    name: QueueName,
    decide: (queue: QueueDetails) => QueueChange | Promise<QueueChange>,
  ): Promise<QueueDetails> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const found = await this.#catalog.fresh(name);
      const { settings, sqs } = await decide(detailsOf(found));
      const record = await this.#update(found, { ...found.settings, ...settings }, sqs);
      if (record !== undefined) return detailsOf(record);
    }
    throw conflict(name);
  }

  async get(name: QueueName): Promise<QueueView> {
    return this.#view(await this.#catalog.fresh(name));
  }

  /** Without its depth; `cached`: as it was at most 10 s ago (D1). */
  async describe(name: QueueName, { cached = false } = {}): Promise<QueueDetails> {
    return detailsOf(await (cached ? this.#catalog.get(name) : this.#catalog.fresh(name)));
  }

  /** The queues that dead-letter to it, themselves or by a group, in the order of their names. */
  async deadLetterSources(name: QueueName): Promise<readonly QueueName[]> {
    const live = await this.#sources.live(await this.#catalog.fresh(name));
    return [...new Set(live.map(({ queue }) => queue))].toSorted();
  }

  async list(request: {
    prefix?: string;
    limit: number;
    after?: QueueName;
  }): Promise<{ queues: readonly QueueSummary[]; next?: QueueName }> {
    const prefix = request.prefix ?? "";
    const queues: QueueSummary[] = [];
    let from =
      request.after !== undefined && request.after >= prefix ? `${request.after}\0` : prefix;
    for (;;) {
      const page = await this.#deps.store.query("catalog", QUEUES, {
        ...(from === "" ? {} : { from }),
        to: `${prefix}\uffff`,
        limit: request.limit + 1 - queues.length,
        consistent: true,
      });
      for (const item of page.items) {
        const { name, settings, createdAt, deletedAt } = parseRecord(item);
        if (deletedAt === undefined) queues.push({ name, settings, createdAt });
      }
      const last = page.items.at(-1);
      if (queues.length > request.limit) {
        const shown = queues.slice(0, request.limit);
        const next = shown.at(-1)?.name;
        return next === undefined ? { queues: shown } : { queues: shown, next };
      }
      if (!page.more || last === undefined) return { queues };
      from = `${last.sk}\0`;
    }
  }

  /** `evenIfNamed`: although others dead-letter to it, whose messages then go on being delivered (C6). */
  async delete(name: QueueName, { evenIfNamed = false } = {}): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const record = await this.#catalog.fresh(name);
      if (!evenIfNamed) await this.#sources.checkNone(record);
      const { ok } = await this.#deps.store.update(
        "catalog",
        queueKey(name),
        [set(["deletedAt"], this.#deps.clock.now()), set(["version"], record.version + 1)],
        all(
          equal(["queueId"], record.queueId),
          absent("deletedAt"),
          ...(evenIfNamed ? [] : [absent("sources")]),
        ),
      );
      if (!ok) continue;
      this.#catalog.forget(name);
      await this.#sources.unlink(record.settings.deadLetter?.queue, { queue: name });
      return;
    }
    throw conflict(name);
  }

  async #create(
    name: QueueName,
    settings: QueueSettings,
    sqs: SqsPart,
    tombstone: QueueRecord | undefined,
  ): Promise<QueueRecord | undefined> {
    const now = this.#deps.clock.now();
    if (tombstone?.deletedAt !== undefined) {
      const age = now - tombstone.deletedAt;
      if (!this.#deps.relaxed && age < LIMITS.deletedNameMs) {
        throw new LaneError(
          "queue-recently-deleted",
          `The queue "${name}" was deleted ${Math.max(0, Math.floor(age / 1000))} s ago; its name is free after 60 s.`,
        );
      }
      await dig(this.#deps, tombstone);
    }
    checkSettings(settings);
    await this.#sources.link({ queue: name }, settings, undefined);
    const record: QueueRecord = {
      name,
      queueId: queueId(randomId(this.#deps, 12)),
      settings,
      lanes: firstLanes(settings),
      secret: this.#deps.randomBytes(32),
      createdAt: now,
      modifiedAt: now,
      sqs,
      clearedAt: undefined,
      version: 1,
      timerShards: 0,
      sources: tombstone?.sources ?? new Set(),
      groups: new Set(),
      deletedAt: undefined,
    };
    const guard =
      tombstone === undefined
        ? absent("pk")
        : all(equal(["queueId"], tombstone.queueId), exists("deletedAt"));
    const result = await this.#deps.store.put("catalog", recordItem(record), guard);
    if (!result.ok && result.found?.["queueId"] !== record.queueId) return undefined;
    this.#catalog.forget(name);
    await this.#sources.confirm({ queue: name }, settings, undefined);
    return record;
  }

  async #update(
    record: QueueRecord,
    settings: QueueSettings,
    sqs: SqsPart = record.sqs,
  ): Promise<QueueRecord | undefined> {
    const before = record.settings.deadLetter;
    const source = { queue: record.name };
    checkFixed(record, settings);
    checkSettings(settings);
    await this.#checkErase(record, settings);
    await this.#sources.link(source, settings, before);
    const lanes = adjustLanes(record.lanes, settings);
    const isSame =
      lanes === record.lanes &&
      JSON.stringify(settings) === JSON.stringify(record.settings) &&
      JSON.stringify(sqs) === JSON.stringify(record.sqs);
    const change = { settings, lanes, ...(sqs === record.sqs ? {} : { sqs }) };
    const changed = isSame ? record : await this.#catalog.change(record, change);
    if (changed !== undefined) await this.#completeLanes(changed);
    if (changed !== undefined) await this.#sources.confirm(source, settings, before);
    if (changed !== undefined && before?.queue !== settings.deadLetter?.queue)
      await this.#sources.unlink(before?.queue, source);
    return changed;
  }

  /** Q3: what fails here is gone on with by senders and the janitor. */
  async #completeLanes(record: QueueRecord): Promise<void> {
    try {
      await this.#lanes.complete(record);
    } catch (error) {
      if (!isLaneError(error)) throw error;
    }
  }

  /** What is erased once one group has acked it would be lost to the others. */
  async #checkErase(record: QueueRecord, settings: QueueSettings): Promise<void> {
    if (!settings.eraseOnAck || record.groups.size === 0) return;
    const { live } = await this.#groups.list(record);
    if (live.length === 0) return;
    const names = live.slice(0, 10).map((group) => group.name);
    throw new LaneError(
      "queue-conflict",
      `The queue "${record.name}" has groups, which must go first: ${names.join(", ")}.`,
      { errors: [{ path: "eraseOnAck", message: "is for queues of one group only" }] },
    );
  }

  /** After a change no error may say that nothing was changed. */
  async #viewChanged(record: QueueRecord): Promise<QueueView> {
    try {
      return await this.#view(record);
    } catch (error) {
      throw afterChange(
        error,
        `The queue "${record.name}" was changed, but its depth could not be read.`,
      );
    }
  }

  async #view(record: QueueRecord): Promise<QueueView> {
    const { depth, oldestReadyAgeSeconds } = await this.#gauge.measure(asSeenByDefault(record));
    return {
      ...detailsOf(record),
      depth,
      oldestReadyAgeSeconds,
      lanes: record.lanes.opening ?? record.lanes.open.length,
    };
  }
}

const detailsOf = (record: QueueRecord): QueueDetails => ({
  name: record.name,
  settings: record.settings,
  createdAt: record.createdAt,
  modifiedAt: record.modifiedAt,
  sqs: record.sqs,
  clearedAt: record.clearedAt,
});

/** D4: remembers what is left of a deleted queue, for the janitor. Safe to repeat. */
export async function dig(deps: Deps, tombstone: QueueRecord): Promise<void> {
  await deps.store.put("catalog", {
    ...graveKey(tombstone.queueId),
    lanes: tombstone.lanes.next,
    timerShards: tombstone.timerShards,
    deletedAt: tombstone.deletedAt ?? deps.clock.now(),
  });
}

const conflict = (name: QueueName): LaneError =>
  new LaneError("queue-conflict", `The queue "${name}" is being changed by others; try again.`);
