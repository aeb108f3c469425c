/**
 * The life of a queue: create, update, read, list, delete, purge.
 *
 * D3  A queue that others dead-letter to is not deleted: each of them first adds itself to `sources`
 *     of that queue's record, and deletion is conditional on there being none. What a crash left in
 *     `sources` is recognised by the source's own settings, and taken out.
 * D4  Deleting is one catalog write: a tombstone for 60 s, longer than any cache of settings. The
 *     janitor clears the rest; a name that is used again before leaves a grave for it.
 */
import { afterChange, isLaneError, LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { DEFAULT_SETTINGS, openLanes, readableLanes } from "../core/queue.ts";
import type { QueueRecord, QueueSettings } from "../core/queue.ts";
import { DEFAULT_GROUP, queueId } from "../core/types.ts";
import type { QueueName } from "../core/types.ts";
import { graveKey, QUEUES, queueKey } from "../store/keys.ts";
import { absent, add, all, discard, equal, exists, set } from "../store/port.ts";
import type { QueueSummary, QueueView } from "./api.ts";
import { parseRecord, recordItem } from "./catalog.ts";
import type { Catalog } from "./catalog.ts";
import type { Cursors } from "./cursor.ts";
import type { Gauge } from "./depth.ts";
import { randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import { adjustLanes } from "./lanes.ts";
import type { Tails } from "./tail.ts";

const ATTEMPTS = 5;
const CHAIN_MAX = 100;

export class Queues {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #tails: Tails;
  readonly #cursors: Cursors;
  readonly #gauge: Gauge;

  constructor(deps: Deps, catalog: Catalog, tails: Tails, cursors: Cursors, gauge: Gauge) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#tails = tails;
    this.#cursors = cursors;
    this.#gauge = gauge;
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
      const record = await this.#create(name, { ...DEFAULT_SETTINGS, ...given }, found);
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

  async get(name: QueueName): Promise<QueueView> {
    return this.#view(await this.#catalog.fresh(name));
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

  async delete(name: QueueName): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const record = await this.#catalog.fresh(name);
      await this.#checkSources(record);
      const { ok } = await this.#deps.store.update(
        "catalog",
        queueKey(name),
        [set(["deletedAt"], this.#deps.clock.now()), set(["version"], record.version + 1)],
        all(equal(["queueId"], record.queueId), absent("sources"), absent("deletedAt")),
      );
      if (!ok) continue;
      this.#catalog.forget(name);
      await this.#unlink(record.settings.deadLetter?.queue, name);
      return;
    }
    throw conflict(name);
  }

  /** Passes over everything sent so far; on a lane that it has not come to, what is sent meanwhile, too. */
  async purge(name: QueueName): Promise<void> {
    const record = await this.#catalog.fresh(name);
    try {
      for (const lane of readableLanes(record.lanes)) {
        const { end } = await this.#tails.peek(record.queueId, lane);
        const stand = { queue: record.queueId, lane, group: DEFAULT_GROUP };
        if (end > 0) await this.#cursors.moveTo(stand, end);
      }
    } catch (error) {
      throw afterChange(error, `The queue "${name}" may be purged in part; purge it again.`);
    }
  }

  async #create(
    name: QueueName,
    settings: QueueSettings,
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
    await this.#link(name, settings, undefined);
    const record: QueueRecord = {
      name,
      queueId: queueId(randomId(this.#deps, 12)),
      settings,
      lanes: openLanes(
        { open: [], ended: [], next: 0 },
        settings.lanes === "auto" ? 1 : settings.lanes,
      ),
      secret: this.#deps.randomBytes(32),
      createdAt: now,
      version: 1,
      timerShards: 0,
      sources: new Set(),
      deletedAt: undefined,
    };
    const guard =
      tombstone === undefined
        ? absent("pk")
        : all(equal(["queueId"], tombstone.queueId), exists("deletedAt"));
    const result = await this.#deps.store.put("catalog", recordItem(record), guard);
    if (!result.ok && result.found?.["queueId"] !== record.queueId) return undefined;
    this.#catalog.forget(name);
    await this.#confirm(name, settings, undefined);
    return record;
  }

  async #update(record: QueueRecord, settings: QueueSettings): Promise<QueueRecord | undefined> {
    await this.#link(record.name, settings, record.settings.deadLetter?.queue);
    const lanes = adjustLanes(record.lanes, settings);
    const isSame =
      lanes === record.lanes && JSON.stringify(settings) === JSON.stringify(record.settings);
    const changed = isSame ? record : await this.#catalog.change(record, { settings, lanes });
    const before = record.settings.deadLetter?.queue;
    if (changed !== undefined) await this.#confirm(record.name, settings, before);
    if (changed !== undefined && before !== settings.deadLetter?.queue)
      await this.#unlink(before, record.name);
    return changed;
  }

  /** D3: checks the dead-letter queue that the settings name, and adds this queue to its sources. */
  async #link(
    name: QueueName,
    settings: QueueSettings,
    before: QueueName | undefined,
  ): Promise<void> {
    const path = "deadLetter.queue";
    if (settings.maxReceives !== null && settings.deadLetter === null) {
      throw new LaneError(
        "invalid-request",
        "maxReceives needs a deadLetter queue to move messages to.",
        {
          errors: [{ path: "maxReceives", message: "needs deadLetter" }],
        },
      );
    }
    if (settings.delaySeconds >= settings.retentionSeconds) {
      throw new LaneError("invalid-request", "Messages would expire before they are delivered.", {
        errors: [{ path: "delaySeconds", message: "must be less than retentionSeconds" }],
      });
    }
    const target = settings.deadLetter?.queue;
    if (target === undefined || target === before) return;
    if (target === name) {
      throw new LaneError("invalid-request", "A queue cannot be its own dead-letter queue.", {
        errors: [{ path, message: "is the queue itself" }],
      });
    }
    await this.#checkChain(name, target);
    if (!(await this.#addSource(name, target))) throw missing(target);
  }

  /** D3: again once the settings name it, for a deletion in between took this queue for a leftover. */
  async #confirm(
    name: QueueName,
    settings: QueueSettings,
    before: QueueName | undefined,
  ): Promise<void> {
    const target = settings.deadLetter?.queue;
    if (target === undefined || target === before) return;
    const detail = `The settings of "${name}" have been changed, but its dead-letter queue "${target}" may have been deleted meanwhile.`;
    try {
      if (!(await this.#addSource(name, target))) throw new LaneError("queue-conflict", detail);
    } catch (error) {
      throw afterChange(error, detail);
    }
  }

  async #addSource(name: QueueName, target: QueueName): Promise<boolean> {
    const edits = [add("sources", new Set([name]))];
    const guard = all(exists("queueId"), absent("deletedAt"));
    const { ok } = await this.#deps.store.update("catalog", queueKey(target), edits, guard);
    return ok;
  }

  /** Best effort: a name left behind is recognised by the source's own settings (D3). */
  async #unlink(target: QueueName | undefined, name: QueueName): Promise<void> {
    if (target === undefined) return;
    const edits = [discard("sources", new Set([name]))];
    try {
      await this.#deps.store.update("catalog", queueKey(target), edits, exists("queueId"));
    } catch (error) {
      if (!isLaneError(error)) throw error;
    }
  }

  async #checkChain(name: QueueName, target: QueueName): Promise<void> {
    let next: QueueName | undefined = target;
    for (let steps = 0; next !== undefined && steps < CHAIN_MAX; steps++) {
      const record: QueueRecord | undefined = await this.#catalog.find(next);
      if (record === undefined || record.deletedAt !== undefined) {
        if (next === target) throw missing(target);
        return;
      }
      next = record.settings.deadLetter?.queue;
      if (next === name) {
        throw new LaneError(
          "queue-conflict",
          `Dead letters would go in a circle: "${target}" leads back to "${name}".`,
          {
            errors: [{ path: "deadLetter.queue", message: `leads back to "${name}"` }],
          },
        );
      }
    }
  }

  async #checkSources(record: QueueRecord): Promise<void> {
    const live: string[] = [];
    for (const source of record.sources) {
      const found = await this.#catalog.find(source as QueueName);
      if (
        found !== undefined &&
        found.deletedAt === undefined &&
        found.settings.deadLetter?.queue === record.name
      )
        live.push(source);
      else await this.#unlink(record.name, source as QueueName);
    }
    if (live.length > 0) {
      throw new LaneError(
        "queue-conflict",
        `Other queues dead-letter to "${record.name}": ${live.slice(0, 10).join(", ")}.`,
      );
    }
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
    const { depth, oldestReadyAgeSeconds } = await this.#gauge.measure(record);
    return {
      name: record.name,
      settings: record.settings,
      createdAt: record.createdAt,
      depth,
      oldestReadyAgeSeconds,
      lanes: record.lanes.open.length,
    };
  }
}

/** D4: remembers what is left of a deleted queue, for the janitor. Safe to repeat. */
export async function dig(deps: Deps, tombstone: QueueRecord): Promise<void> {
  await deps.store.put("catalog", {
    ...graveKey(tombstone.queueId),
    lanes: tombstone.lanes.next,
    timerShards: tombstone.timerShards,
    deletedAt: tombstone.deletedAt ?? deps.clock.now(),
  });
}

const missing = (name: QueueName): LaneError =>
  new LaneError("queue-not-found", `There is no queue "${name}" to dead-letter to.`, {
    errors: [{ path: "deadLetter.queue", message: "does not exist" }],
  });

const conflict = (name: QueueName): LaneError =>
  new LaneError("queue-conflict", `The queue "${name}" is being changed by others; try again.`);
