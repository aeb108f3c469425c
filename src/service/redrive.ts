/**
 * Redrive: dead letters back to where they came from, or to a queue of one's choice.
 *
 * A batch at a time: leased from the dead-letter queue, appended to the target under a dedup id made
 * of the place in the dead-letter queue, then acked. A crash in between is resumed by the next redrive,
 * and the message still stands in the target once (E1–E4).
 */
import { afterChange, isLaneError, LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { readableLanes } from "../core/queue.ts";
import type { QueueRecord } from "../core/queue.ts";
import { messageId, sealReceipt } from "../core/receipt.ts";
import { DEFAULT_GROUP, isQueueName } from "../core/types.ts";
import type { QueueName } from "../core/types.ts";
import type { Acker } from "./ack.ts";
import type { OnceAppender, OnceMessage } from "./append-once.ts";
import type { Bell } from "./bell.ts";
import type { Catalog } from "./catalog.ts";
import type { LeaseChanger } from "./change-leases.ts";
import { carry } from "./dead-letter.ts";
import type { Gauge } from "./depth.ts";
import type { Deps } from "./deps.ts";
import type { LogReader } from "./log.ts";
import { chunksOf, writeParts } from "./send.ts";
import type { Given, Visits } from "./visit.ts";

const BATCH = 100;
const BATCH_BYTES = 4 * 1024 * 1024;
const LEASE_MS = 120_000;
/** One call ends well within HTTP API's 30 s; `remaining` says whether to call again. */
const CALL_MS = 20_000;

export interface RedriveParts {
  readonly catalog: Catalog;
  readonly visits: Visits;
  readonly once: OnceAppender;
  readonly acker: Acker;
  readonly leases: LeaseChanger;
  readonly log: LogReader;
  readonly gauge: Gauge;
  readonly bell: Bell;
}

export class Redriver {
  readonly #deps: Deps;
  readonly #parts: RedriveParts;

  constructor(deps: Deps, parts: RedriveParts) {
    this.#deps = deps;
    this.#parts = parts;
  }

  /** @throws LaneError `queue-not-found` where no message has a queue to go to; the store's. */
  async redrive(
    name: QueueName,
    request: { to?: QueueName; max?: number },
  ): Promise<{ moved: number; remaining: number }> {
    const { catalog, gauge } = this.#parts;
    const record = await catalog.fresh(name);
    if (request.to === name) {
      throw new LaneError("invalid-request", "A queue cannot be redriven to itself.", {
        errors: [{ path: "to", message: "is the queue itself" }],
      });
    }
    if (request.to !== undefined) await catalog.fresh(request.to);
    try {
      const { moved, stuck } = await this.#moveAll(record, request);
      if (moved === 0 && stuck > 0) {
        throw new LaneError(
          "queue-not-found",
          `The queues that the messages of "${name}" came from do not exist; name one with "to".`,
        );
      }
      const { depth } = await gauge.measure(record);
      return { moved, remaining: depth.ready + depth.leased + depth.delayed };
    } catch (error) {
      throw afterChange(
        error,
        "Some messages may have been moved; redrive again, which goes on where this ended.",
      );
    }
  }

  async #moveAll(
    record: QueueRecord,
    request: { to?: QueueName; max?: number },
  ): Promise<{ moved: number; stuck: number }> {
    const deadline = this.#deps.clock.now() + CALL_MS;
    const stuck: string[] = [];
    let moved = 0;
    for (const lane of readableLanes(record.lanes)) {
      for (;;) {
        const left = (request.max ?? Number.POSITIVE_INFINITY) - moved;
        if (left <= 0 || this.#deps.clock.now() >= deadline) break;
        const stand = { queue: record.queueId, lane, group: DEFAULT_GROUP };
        const need = {
          place: 0,
          max: Math.min(BATCH, left),
          maxBytes: BATCH_BYTES,
          leaseMs: LEASE_MS,
        };
        const { given, error } = await this.#parts.visits.visit(record, stand, [need]);
        if (given.length === 0 && error !== undefined) throw error;
        if (given.length === 0) break;
        const result = await this.#move(record, given, request.to);
        moved += result.moved;
        stuck.push(...result.stuck);
      }
    }
    if (stuck.length > 0)
      await this.#parts.leases.release(record.name, stuck, {
        delaySeconds: 0,
        countAttempt: false,
      });
    return { moved, stuck: stuck.length };
  }

  async #move(
    record: QueueRecord,
    given: readonly Given[],
    to: QueueName | undefined,
  ): Promise<{ moved: number; stuck: string[] }> {
    const groups = new Map<string, Given[]>();
    for (const one of given) {
      const target = to ?? one.delivery.message.deadLetter?.queue ?? "";
      groups.set(target, [...(groups.get(target) ?? []), one]);
    }
    const stuck: string[] = [];
    let moved = 0;
    for (const [target, group] of groups) {
      const goal = isQueueName(target) ? await this.#find(target) : undefined;
      if (goal === undefined) {
        stuck.push(...group.map((one) => receiptOf(record, one)));
        continue;
      }
      await this.#append(record, group, goal);
      await this.#parts.acker.ack(
        record.name,
        group.map((one) => receiptOf(record, one)),
      );
      this.#parts.bell.ring(goal.queueId);
      moved += group.length;
    }
    return { moved, stuck };
  }

  async #append(record: QueueRecord, group: readonly Given[], target: QueueRecord): Promise<void> {
    const now = this.#deps.clock.now();
    const messages: OnceMessage[] = [];
    for (const { stand, delivery } of group) {
      const { message, offset } = delivery;
      const body = await this.#parts.log.body(record.queueId, message);
      if (body === undefined) continue;
      const id = message.id ?? messageId({ queueId: record.queueId, lane: stand.lane, offset });
      const dedupId = `redrive#${record.queueId}#${stand.lane}#${offset}`;
      const copy = carry(message, { id, dedupId, body, target, now });
      messages.push({ ...(await writeParts(this.#deps, target.queueId, copy)), dedupId });
    }
    const last = Math.max(now, ...group.map(({ delivery }) => delivery.message.expiresAt));
    const ttl = Math.ceil((last + LIMITS.entryTtlAfterExpiryMs) / 1000);
    for (const chunk of chunksOf(messages))
      await this.#parts.once.append(target.name, chunk as OnceMessage[], ttl);
  }

  async #find(name: QueueName): Promise<QueueRecord | undefined> {
    try {
      return await this.#parts.catalog.get(name);
    } catch (error) {
      if (isLaneError(error, "queue-not-found")) return undefined;
      throw error;
    }
  }
}

const receiptOf = (record: QueueRecord, { stand, generation, segment, delivery }: Given): string =>
  sealReceipt(
    {
      queueId: record.queueId,
      lane: stand.lane,
      group: stand.group,
      generation,
      segment,
      lease: delivery.lease.id,
      entry: delivery.lease.entry,
      offset: delivery.offset,
    },
    record.secret,
  );
