/**
 * Redrive: dead letters back to where they came from, or to a queue of one's choice.
 *
 * A batch at a time: claimed as a lease that leaves for the target (C6), appended there exactly once,
 * then removed. A crash in between is resumed by whoever finds the lease run out, and no receive
 * delivers the message from the dead-letter queue meanwhile.
 */
import { afterChange, LaneError } from "../core/errors.ts";
import { asSeenByDefault } from "../core/group.ts";
import type { GroupQueue } from "../core/group.ts";
import { LEAVING_LEASE_MS } from "../core/reclaim.ts";
import type { DeadLetter } from "../core/plan.ts";
import { readableLanes, setsOf } from "../core/queue.ts";
import type { Leaving } from "../core/segment.ts";
import { DEFAULT_GROUP } from "../core/types.ts";
import type { QueueName } from "../core/types.ts";
import type { Catalog } from "./catalog.ts";
import type { SegmentPlace } from "./claim.ts";
import type { DeadLetters } from "./dead-letter.ts";
import type { Gauge } from "./depth.ts";
import type { Deps } from "./deps.ts";
import type { Given, Visits } from "./visit.ts";

const BATCH = 100;
const BATCH_BYTES = 4 * 1024 * 1024;
/** One call ends well within HTTP API's 30 s; `remaining` says whether to call again. */
const CALL_MS = 15_000;

export class Redriver {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #visits: Visits;
  readonly #deadLetters: DeadLetters;
  readonly #gauge: Gauge;

  constructor(
    deps: Deps,
    catalog: Catalog,
    visits: Visits,
    deadLetters: DeadLetters,
    gauge: Gauge,
  ) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#visits = visits;
    this.#deadLetters = deadLetters;
    this.#gauge = gauge;
  }

  /** @throws LaneError `queue-not-found` where no message has a queue to go to; the store's. */
  async redrive(
    name: QueueName,
    request: { to?: QueueName; max?: number },
  ): Promise<{ moved: number; remaining: number }> {
    const record = asSeenByDefault(await this.#catalog.fresh(name));
    if (request.to === name) {
      throw new LaneError("invalid-request", "A queue cannot be redriven to itself.", {
        errors: [{ path: "to", message: "is the queue itself" }],
      });
    }
    if (request.to !== undefined) await this.#catalog.fresh(request.to);
    try {
      const { moved, stuck } = await this.#moveAll(
        record,
        { why: "redrive", to: request.to ?? "" },
        request.max ?? Number.POSITIVE_INFINITY,
      );
      if (moved === 0 && stuck > 0) {
        throw new LaneError(
          "queue-not-found",
          `The queues that the messages of "${name}" came from do not exist; name one with "to".`,
        );
      }
      const { depth } = await this.#gauge.measure(record);
      return { moved, remaining: depth.ready + depth.leased + depth.delayed };
    } catch (error) {
      throw afterChange(
        error,
        "Some messages may have been moved; redrive again, which goes on where this ended.",
      );
    }
  }

  async #moveAll(
    record: GroupQueue,
    leaving: Leaving,
    max: number,
  ): Promise<{ moved: number; stuck: number }> {
    const deadline = this.#deps.clock.now() + CALL_MS;
    const result = { moved: 0, stuck: 0 };
    for (const lane of setsOf(record.lanes, readableLanes(record.lanes)).flat()) {
      // What is released for want of a queue comes up again at once: a lane that shows only such is done.
      for (let isGoing = true; isGoing;) {
        const left = max - result.moved;
        if (left <= 0 || this.#deps.clock.now() >= deadline) return result;
        const stand = { queue: record.queueId, lane, group: DEFAULT_GROUP };
        const need = {
          place: 0,
          max: Math.min(BATCH, left),
          maxBytes: BATCH_BYTES,
          leaseMs: LEAVING_LEASE_MS,
          leaving,
        };
        const { given, error } = await this.#visits.visit(record, stand, [need]);
        if (given.length === 0 && error !== undefined) throw error;
        const before = result.moved;
        for (const { place, batch } of byLease(given)) {
          const { moved, stuck } = await this.#deadLetters.move(record, place, {
            ...batch,
            leaving,
          });
          result.moved += moved;
          result.stuck += stuck;
        }
        isGoing = result.moved > before;
      }
    }
    return result;
  }
}

/** What a visit gave, as the leases that it took. */
function byLease(
  given: readonly Given[],
): { place: SegmentPlace; batch: Omit<DeadLetter, "leaving"> }[] {
  const leases = new Map<
    string,
    {
      place: SegmentPlace;
      batch: { lease: Given["delivery"]["lease"]; messages: Given["delivery"][] };
    }
  >();
  for (const { stand, generation, segment, sought, delivery } of given) {
    const one = leases.get(delivery.lease.id) ?? {
      place: { ...stand, generation, start: segment, sought },
      batch: { lease: delivery.lease, messages: [] },
    };
    one.batch.messages.push(delivery);
    leases.set(delivery.lease.id, one);
  }
  return [...leases.values()];
}
