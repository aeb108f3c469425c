/** What has become of a message in each group: a message's life as `lookUp` tells it. */
import { claimableAt } from "../core/backoff.ts";
import type { GroupQueue } from "../core/group.ts";
import { isHeld } from "../core/held.ts";
import type { StoredMessage } from "../core/message.ts";
import { matches, subjectOf } from "../core/pattern.ts";
import { messageId } from "../core/receipt.ts";
import type { Place } from "../core/receipt.ts";
import { isExpired, parseSegment, pendingOffsets } from "../core/segment.ts";
import { epochMs, isQueueName, laneId, offset } from "../core/types.ts";
import { dedupKey, segmentKey } from "../store/keys.ts";
import { isLaneError } from "../core/errors.ts";
import type { MessageState } from "./api.ts";
import type { Catalog } from "./catalog.ts";
import type { Cursors } from "./cursor.ts";
import { nameOf } from "./dead-letter-routes.ts";
import type { Deps } from "./deps.ts";
import type { LogReader } from "./log.ts";
import { retryOf } from "./view.ts";

export class Lives {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #cursors: Cursors;
  readonly #log: LogReader;

  constructor(deps: Deps, catalog: Catalog, cursors: Cursors, log: LogReader) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#cursors = cursors;
    this.#log = log;
  }

  /** `body`: the whole of it, wherever it stands. */
  async of(
    queue: GroupQueue,
    place: Place,
    message: StoredMessage,
    body: Uint8Array,
  ): Promise<MessageState> {
    const { group } = queue;
    const now = this.#deps.clock.now();
    const stand = { queue: place.queueId, lane: place.lane, group: group.groupId };
    const cursor = await this.#cursors.refresh(stand);
    const start = cursor.segments.filter((one) => one <= place.offset).at(-1);
    const isForIt =
      (message.group === undefined || message.group === group.groupId) &&
      (group.pattern === undefined || matches(group.pattern, subjectOf({ ...message, body })));
    const done = async (): Promise<MessageState> => {
      if (!isForIt) return { state: "filtered" };
      const dead = await this.#deadLetter(queue, { ...stand, sought: cursor.sought }, place);
      if (dead !== undefined) return dead;
      return { state: message.expiresAt <= now ? "expired" : "acked" };
    };
    if (start === undefined) return done();
    const key = segmentKey(stand.queue, stand.lane, stand.group, cursor.generation, start);
    const item = await this.#deps.store.get("lanes", key, { consistent: true });
    const segment = parseSegment(start, item);
    const isLast = start === cursor.segments.at(-1);
    if (segment.end !== undefined && place.offset >= segment.end && !isLast) return done();
    const isFresh = place.offset >= segment.head;
    if (isFresh && !isForIt) return { state: "filtered" };
    if (message.expiresAt <= now) return isFresh ? { state: "expired" } : done();
    if (isFresh)
      return message.visibleAt > now
        ? { state: "delayed", visibleAt: message.visibleAt }
        : { state: "ready" };
    for (const lease of segment.leases.values()) {
      if (!pendingOffsets(lease).includes(place.offset)) continue;
      const at = claimableAt(lease, { skewMarginMs: 0, ...retryOf(queue.settings) });
      if (at <= now) return { state: "ready" };
      if (isExpired(lease, now, 0)) return { state: "delayed", visibleAt: at };
      if (lease.waiting) return { state: "delayed", visibleAt: epochMs(lease.until) };
      return { state: "leased", leaseExpiresAt: epochMs(lease.until), receives: lease.receives };
    }
    return isHeld(segment.held, message, place.offset) ? { state: "ready" } : done();
  }

  /** Where the dead-letter queue of today holds it, under the name that its move was done once by. */
  async #deadLetter(
    { settings: { deadLetter } }: GroupQueue,
    stand: Parameters<typeof nameOf>[0],
    place: Place,
  ): Promise<MessageState | undefined> {
    const name = deadLetter?.queue;
    if (name === undefined || !isQueueName(name)) return undefined;
    try {
      const { queueId } = await this.#catalog.get(name);
      const dedupId = `deadLetter#${nameOf(stand, place.offset)}`;
      const key = dedupKey(queueId, dedupId);
      const record = await this.#deps.store.get("lanes", key, { consistent: true });
      if (record === undefined) return undefined;
      const lane = laneId(record["lane"] as number);
      const at = offset(record["offset"] as number);
      const entry = await this.#log.holding(queueId, lane, at);
      const index = (entry?.messages ?? []).findIndex((one) => one.dedupId === dedupId);
      if (index < 0) return undefined;
      const there = messageId({ queueId, lane, offset: offset(at + index) });
      return { state: "deadLettered", queue: name, place: there };
    } catch (error) {
      if (isLaneError(error, "queue-not-found")) return undefined;
      throw error;
    }
  }
}
