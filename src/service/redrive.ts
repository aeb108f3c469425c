/**
 * Redrive: dead letters back to where they came from, or to a queue of one's choice.
 *
 * A batch at a time: claimed as a lease that leaves for the target (C6), appended there exactly once,
 * then removed. A crash in between is resumed by whoever finds the lease run out, and no receive
 * delivers the message from the dead-letter queue meanwhile. One call moves what there is within its
 * time; move tasks (`move-tasks.ts`) go the same way by slices.
 */
import { afterChange, LaneError } from "../core/errors.ts";
import { asSeenByDefault } from "../core/group.ts";
import type { GroupQueue } from "../core/group.ts";
import { noProgress } from "../core/move-task.ts";
import type { MoveProgress } from "../core/move-task.ts";
import { LEAVING_LEASE_MS } from "../core/reclaim.ts";
import type { DeadLetter } from "../core/plan.ts";
import { readableLanes, setsOf } from "../core/queue.ts";
import { parseSegment } from "../core/segment.ts";
import type { Leaving } from "../core/segment.ts";
import { DEFAULT_GROUP, epochMs } from "../core/types.ts";
import type { EpochMs, LaneId, QueueName } from "../core/types.ts";
import type { Catalog } from "./catalog.ts";
import type { SegmentPlace } from "./claim.ts";
import type { Cursors, Stand } from "./cursor.ts";
import type { DeadLetters } from "./dead-letter.ts";
import type { Gauge } from "./depth.ts";
import type { Deps } from "./deps.ts";
import type { Given, Visits } from "./visit.ts";

const BATCH = 100;
const BATCH_BYTES = 4 * 1024 * 1024;
/** One call ends well within HTTP API's 30 s; `remaining` says whether to call again. */
const CALL_MS = 15_000;

export interface MoveRequest {
  /** Absent: each message to the queue that it came from. */
  readonly to?: QueueName;
  readonly max: number;
  readonly deadline: EpochMs;
  /** No batch is begun once it has fired. */
  readonly signal?: AbortSignal;
}

export class Redriver {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #cursors: Cursors;
  readonly #visits: Visits;
  readonly #deadLetters: DeadLetters;
  readonly #gauge: Gauge;

  constructor(
    deps: Deps,
    catalog: Catalog,
    cursors: Cursors,
    visits: Visits,
    deadLetters: DeadLetters,
    gauge: Gauge,
  ) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#cursors = cursors;
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
    const progress = noProgress();
    try {
      const deadline = epochMs(this.#deps.clock.now() + CALL_MS);
      const { max = Number.POSITIVE_INFINITY } = request;
      await this.move(record, { ...request, max, deadline }, progress);
      if (progress.moved === 0 && progress.stuck > 0) {
        throw new LaneError(
          "queue-not-found",
          `The queues that the messages of "${name}" came from do not exist; name one with "to".`,
        );
      }
      const { depth } = await this.#gauge.measure(record);
      return { moved: progress.moved, remaining: depth.ready + depth.leased + depth.delayed };
    } catch (error) {
      throw afterChange(
        error,
        "Some messages may have been moved; redrive again, which goes on where this ended.",
      );
    }
  }

  /** @throws LaneError the store's; `progress` says what had been done by then. */
  async move(record: GroupQueue, request: MoveRequest, progress: MoveProgress): Promise<void> {
    const { max, deadline, signal } = request;
    const leaving: Leaving = { why: "redrive", to: request.to ?? "" };
    let isSure = true;
    for (const lane of lanesOf(record)) {
      // What is released for want of a queue comes up again at once: a lane that shows only such is done.
      for (let isGoing = true; isGoing;) {
        const left = max - progress.moved;
        if (left <= 0 || this.#deps.clock.now() >= deadline || signal?.aborted === true) return;
        const need = {
          place: 0,
          max: Math.min(BATCH, left),
          maxBytes: BATCH_BYTES,
          leaseMs: LEAVING_LEASE_MS,
          leaving,
        };
        const visit = await this.#visits.visit(record, standOf(record, lane), [need]);
        if (visit.given.length === 0 && visit.error !== undefined) throw visit.error;
        const before = progress.moved;
        for (const { place, batch } of byLease(visit.given)) {
          const { moved, stuck } = await this.#deadLetters.move(record, place, {
            ...batch,
            leaving,
          });
          progress.moved += moved;
          progress.stuck += stuck;
          if (moved + stuck < batch.messages.length) isSure = false;
          if (leaving.to === "") progress.strays += batch.messages.filter(isStray).length;
        }
        isGoing = progress.moved > before;
        if (!isGoing && (visit.unsure || visit.error !== undefined)) isSure = false;
      }
    }
    progress.isThrough = isSure;
  }

  /** Whether messages are on their way that nobody may be moving any more. */
  async isUnderWay(record: GroupQueue): Promise<boolean> {
    for (const lane of lanesOf(record)) {
      const stand = standOf(record, lane);
      const cursor = await this.#cursors.refresh(stand);
      for (const [start, item] of await this.#cursors.readSegments(stand, cursor))
        for (const { leaving } of parseSegment(start, item).leases.values())
          if (leaving?.why === "redrive") return true;
    }
    return false;
  }
}

const lanesOf = ({ lanes }: GroupQueue): LaneId[] => setsOf(lanes, readableLanes(lanes)).flat();

const standOf = ({ queueId }: GroupQueue, lane: LaneId): Stand => ({
  queue: queueId,
  lane,
  group: DEFAULT_GROUP,
});

const isStray = ({ message }: Pick<Given["delivery"], "message">): boolean =>
  message.deadLetter === undefined;

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
