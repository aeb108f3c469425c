/**
 * Who dead-letters to whom.
 *
 * D3  A queue that others dead-letter to is not deleted: each of them, a queue or a group of one, first
 *     adds itself to `sources` of that queue's record, and deletion is conditional on there being none.
 *     What a crash left in `sources` is recognised by the source's own settings, and taken out. SQS may
 *     delete it all the same: its tombstone then stays as long as others name it, and who uses its name
 *     again has them as sources.
 */
import { afterChange, isLaneError, LaneError } from "../core/errors.ts";
import type { QueueRecord, QueueSettings } from "../core/queue.ts";
import { DEFAULT_EXCHANGE } from "../core/types.ts";
import type { ExchangeName, GroupName, QueueName } from "../core/types.ts";
import { queueKey } from "../store/keys.ts";
import { absent, add, all, discard, exists } from "../store/port.ts";
import type { Catalog } from "./catalog.ts";
import type { Deps } from "./deps.ts";
import type { Groups } from "./group-catalog.ts";
import { noExchange, readExchange } from "./routing.ts";

const CHAIN_MAX = 100;

type Target = QueueSettings["deadLetter"] | undefined;
type Rule = Pick<QueueSettings, "maxReceives" | "deadLetter" | "onPoison">;

/** A queue, or a group of one. */
export interface Source {
  readonly queue: QueueName;
  readonly group?: GroupName;
}

export class Sources {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #groups: Groups;

  constructor(deps: Deps, catalog: Catalog, groups: Groups) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#groups = groups;
  }

  /** Checks the dead-letter queue that the settings name, and adds the source to its sources. */
  async link(source: Source, rule: Rule, before: Target): Promise<void> {
    if (rule.maxReceives !== null && rule.deadLetter === null && rule.onPoison !== "block") {
      throw new LaneError(
        "invalid-request",
        "maxReceives needs a deadLetter queue or exchange to move messages to.",
        {
          errors: [{ path: "maxReceives", message: "needs deadLetter" }],
        },
      );
    }
    const exchange = rule.deadLetter?.exchange;
    if (exchange !== undefined && exchange !== before?.exchange) await this.#demand(exchange);
    const target = rule.deadLetter?.queue;
    if (target === undefined || target === before?.queue) return;
    if (target === source.queue) {
      throw new LaneError("invalid-request", "A queue cannot be its own dead-letter queue.", {
        errors: [{ path: "deadLetter.queue", message: "is the queue itself" }],
      });
    }
    await this.#checkChain(source.queue, target);
    if (!(await this.#add(source, target))) throw missing(target);
  }

  /** Again once the settings name it, for a deletion in between took this source for a leftover. */
  async confirm(source: Source, rule: Rule, before: Target): Promise<void> {
    const target = rule.deadLetter?.queue;
    if (target === undefined || target === before?.queue) return;
    const detail = `The settings of "${nameOf(source)}" have been changed, but its dead-letter queue "${target}" may have been deleted meanwhile.`;
    try {
      if (!(await this.#add(source, target))) throw new LaneError("queue-conflict", detail);
    } catch (error) {
      throw afterChange(error, detail);
    }
  }

  /** An exchange knows nothing of those that dead-letter to it: when it goes, messages go on being delivered. */
  async #demand(exchange: ExchangeName): Promise<void> {
    if (exchange === DEFAULT_EXCHANGE || (await readExchange(this.#deps, exchange)) !== undefined)
      return;
    throw noExchange(exchange, "deadLetter.exchange");
  }

  /** Best effort: a name left behind is recognised by the source's own settings. */
  async unlink(target: QueueName | undefined, source: Source): Promise<void> {
    if (target === undefined) return;
    const edits = [discard("sources", new Set([nameOf(source)]))];
    try {
      await this.#deps.store.update("catalog", queueKey(target), edits, exists("queueId"));
    } catch (error) {
      if (!isLaneError(error)) throw error;
    }
  }

  /** @throws LaneError `queue-conflict` while others dead-letter to the queue. */
  async checkNone(record: QueueRecord): Promise<void> {
    const live = await this.live(record);
    if (live.length > 0) {
      throw new LaneError(
        "queue-conflict",
        `Other queues dead-letter to "${record.name}": ${live.slice(0, 10).map(nameOf).join(", ")}.`,
      );
    }
    for (const name of record.sources) await this.unlink(record.name, sourceOf(name));
  }

  /** Those of its sources that dead-letter to the queue, and not only once did. */
  async live(record: QueueRecord): Promise<readonly Source[]> {
    const live: Source[] = [];
    for (const source of [...record.sources].map(sourceOf))
      if (await this.#isLive(source, record.name)) live.push(source);
    return live;
  }

  async #isLive({ queue, group }: Source, target: QueueName): Promise<boolean> {
    const found = await this.#catalog.find(queue);
    if (found === undefined || found.deletedAt !== undefined) return false;
    if (group === undefined) return found.settings.deadLetter?.queue === target;
    const record = await this.#groups.find(found.queueId, group);
    return record?.deletedAt === undefined && record?.settings.deadLetter?.queue === target;
  }

  async #add(source: Source, target: QueueName): Promise<boolean> {
    const edits = [add("sources", new Set([nameOf(source)]))];
    const guard = all(exists("queueId"), absent("deletedAt"));
    const { ok } = await this.#deps.store.update("catalog", queueKey(target), edits, guard);
    return ok;
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
}

/** As it stands in `sources`; `/` is in no name. */
const nameOf = ({ queue, group }: Source): string =>
  group === undefined ? queue : `${queue}/${group}`;

function sourceOf(name: string): Source {
  const [queue, group] = name.split("/") as [QueueName, GroupName | undefined];
  return group === undefined ? { queue } : { queue, group };
}

const missing = (name: QueueName): LaneError =>
  new LaneError("queue-not-found", `There is no queue "${name}" to dead-letter to.`, {
    errors: [{ path: "deadLetter.queue", message: "does not exist" }],
  });
