/**
 * C6: from a dead lease to the dead-letter queue.
 *
 * The planner has moved the messages to a lease marked dead, so that no late ack or extension meets
 * them. Here they are appended to the dead-letter queue under a dedup id made of their place, and only
 * then removed from the source. A crash in between is resumed when the dead lease expires.
 */
import type { DeadLetterInfo, StoredMessage } from "../core/message.ts";
import type { DeadLetter } from "../core/planner.ts";
import type { QueueRecord } from "../core/queue.ts";
import { messageId } from "../core/receipt.ts";
import { pendingName } from "../core/segment.ts";
import { epochMs } from "../core/types.ts";
import type { EpochMs, QueueName } from "../core/types.ts";
import { LIMITS } from "../core/limits.ts";
import { segmentKey } from "../store/keys.ts";
import { discard, exists } from "../store/port.ts";
import type { OnceAppender, OnceMessage } from "./append-once.ts";
import type { Bell } from "./bell.ts";
import type { Catalog } from "./catalog.ts";
import type { SegmentPlace } from "./claim.ts";
import type { Deps } from "./deps.ts";
import type { LogReader } from "./log.ts";
import { chunksOf, writeParts } from "./send.ts";

export class DeadLetters {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #once: OnceAppender;
  readonly #log: LogReader;
  readonly #bell: Bell;
  #moved = 0;

  constructor(deps: Deps, catalog: Catalog, once: OnceAppender, log: LogReader, bell: Bell) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#once = once;
    this.#log = log;
    this.#bell = bell;
  }

  /** Messages dead-lettered by this instance so far. */
  get moved(): number {
    return this.#moved;
  }

  /** Never throws: what fails is resumed when its dead lease expires. */
  async move(record: QueueRecord, place: SegmentPlace, dead: readonly DeadLetter[]): Promise<void> {
    for (const one of dead) {
      try {
        await this.#move(record, place, one);
      } catch (error) {
        this.#deps.onEvent?.({ type: "deadLetterFailed", queue: record.name, error });
      }
    }
  }

  async #move(
    record: QueueRecord,
    place: SegmentPlace,
    { lease, queue, messages }: DeadLetter,
  ): Promise<void> {
    const name = queue as QueueName;
    const target = await this.#catalog.get(name);
    const now = this.#deps.clock.now();
    const moved: OnceMessage[] = [];
    for (const { offset, message } of messages) {
      const body = await this.#log.body(record.queueId, message);
      if (body === undefined) continue;
      const info: DeadLetterInfo = {
        reason: "maxReceives",
        queue: record.name,
        queueId: record.queueId,
        group: place.group,
        lane: place.lane,
        offset,
        receives: lease.receives,
        firstReceivedAt: lease.firstAt,
        deadLetteredAt: now,
      };
      const id = message.id ?? messageId({ queueId: record.queueId, lane: place.lane, offset });
      const dedupId = `dead#${record.queueId}#${place.lane}#${place.group}#${offset}`;
      const copy = carry(message, { id, dedupId, body, target, now });
      moved.push({
        ...(await writeParts(this.#deps, target.queueId, { ...copy, deadLetter: info })),
        dedupId,
      });
    }
    // The record outlives every attempt to dead-letter the same message again: those end with its expiry.
    const last = Math.max(now, ...messages.map(({ message }) => message.expiresAt));
    const ttl = Math.ceil((last + LIMITS.entryTtlAfterExpiryMs) / 1000);
    for (const chunk of chunksOf(moved)) await this.#once.append(name, chunk as OnceMessage[], ttl);
    await this.#deps.store.update(
      "lanes",
      segmentKey(place.queue, place.lane, place.group, place.generation, place.start),
      [discard(pendingName(lease.id), lease.pending)],
      exists(pendingName(lease.id)),
    );
    this.#moved += messages.length;
    this.#bell.ring(target.queueId);
  }
}

/** A message as it goes on to another queue: its id and sent time stay, its life begins anew. */
export function carry(
  message: StoredMessage,
  to: { id: string; dedupId: string; body: Uint8Array; target: QueueRecord; now: EpochMs },
): OnceMessage {
  return {
    kind: message.kind,
    body: to.body,
    contentType: message.contentType,
    headers: message.headers,
    sentAt: message.sentAt,
    expiresAt: epochMs(to.now + to.target.settings.retentionSeconds * 1000),
    visibleAt: to.now,
    id: to.id,
    dedupId: to.dedupId,
  };
}
