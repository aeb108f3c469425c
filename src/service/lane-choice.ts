/**
 * Which lane a message goes to: its key's, where order is kept (O1); one of its priority's; one that its
 * tenant's fair share allows (F4); else a random one, kept for as long as nobody else appends there, for
 * its tail is then known.
 */
import { laneOfKey } from "../core/order.ts";
import type { StoredMessage } from "../core/message.ts";
import { DEFAULT_PRIORITY, lanesAt, priorityOf } from "../core/priority.ts";
import type { QueueRecord } from "../core/queue.ts";
import type { LaneId } from "../core/types.ts";
import { boundedCache } from "./cache.ts";
import type { Deps } from "./deps.ts";
import type { FairLanes } from "./fair-lanes.ts";
import type { LaneKeeper } from "./lanes.ts";

export class LaneChooser {
  readonly #deps: Deps;
  readonly #lanes: LaneKeeper;
  readonly #fair: FairLanes;
  readonly #kept = boundedCache<LaneId>(1_000);

  constructor(deps: Deps, lanes: LaneKeeper, fair: FairLanes) {
    this.#deps = deps;
    this.#lanes = lanes;
    this.#fair = fair;
  }

  /** The queue with all lanes that messages like these need. */
  async ready(record: QueueRecord, messages: Iterable<StoredMessage>): Promise<QueueRecord> {
    if (record.settings.order !== "none") return record;
    const hasPriorities = record.settings.priorities !== false;
    const needs = new Map<number, boolean>();
    for (const { priority, tenant } of messages) {
      if (!hasPriorities && tenant === undefined) continue;
      const at = hasPriorities ? (priority ?? DEFAULT_PRIORITY) : DEFAULT_PRIORITY;
      needs.set(at, needs.get(at) === true || tenant !== undefined);
    }
    let current = record;
    for (const [priority, isShared] of needs)
      current = await this.#lanes.provide(current, { priority, isShared });
    return current;
  }

  /** The lane of each message; the queue has an open lane. */
  async choose(
    record: QueueRecord,
    messages: readonly StoredMessage[],
  ): Promise<readonly LaneId[]> {
    if (record.lanes.isShared !== true || record.settings.order !== "none")
      return messages.map((message) => this.#laneOf(record, message));
    const chosen = new Map<string, Promise<LaneId>>();
    return Promise.all(
      messages.map((message) => {
        const key = `${message.priority ?? ""}#${message.tenant ?? ""}`;
        const lane =
          chosen.get(key) ?? this.#fair.choose(record, lanesFor(record, message), message.tenant);
        chosen.set(key, lane);
        return lane;
      }),
    );
  }

  /** Somebody else appends to the lane. */
  leave(record: QueueRecord, lane: LaneId): void {
    this.#kept.delete(keptKey(record, lane));
  }

  #laneOf(record: QueueRecord, message: StoredMessage): LaneId {
    const lanes = lanesFor(record, message);
    const [first] = lanes as [LaneId];
    if (record.settings.order !== "none") return first;
    const key = keptKey(record, first);
    const kept = this.#kept.get(key);
    if (kept !== undefined && lanes.includes(kept)) return kept;
    const lane = lanes[Math.floor(this.#deps.random() * lanes.length)] as LaneId;
    this.#kept.set(key, lane);
    return lane;
  }
}

const keptKey = ({ queueId, settings }: QueueRecord, lane: LaneId): string =>
  settings.priorities === false ? queueId : `${queueId}#${priorityOf(lane)}`;

/** The open lanes that a message may go to; a priority that has none yet shares those of the usual one. */
export function lanesFor(
  { settings, lanes: { open } }: QueueRecord,
  { key, priority = DEFAULT_PRIORITY }: Pick<StoredMessage, "key" | "priority">,
): readonly LaneId[] {
  if (settings.order !== "none" && key !== undefined) return [laneOfKey(key, open)];
  if (settings.priorities === false) return open;
  const own = lanesAt(open, priority);
  if (own.length > 0) return own;
  const usual = lanesAt(open, DEFAULT_PRIORITY);
  return usual.length > 0 ? usual : open;
}
