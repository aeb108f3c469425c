/**
 * C6: from a leaving lease to another queue, for dead-lettering and redrive.
 *
 * The planner has moved the messages to a lease that leaves, so that no late ack or extension meets
 * them and no receive delivers them. Here they are appended to the other queue under a dedup id made of
 * their place, and only then removed from the source. A crash in between is resumed by whoever finds
 * the lease run out, and who slept until then leaves it to them: what the others did may be long over, the
 * dedup record, too. A redriven message whose queue is gone is released where it is.
 *
 * Through an exchange, each queue that it routes to gets its copy; where it routes a message nowhere, or
 * only to queues in which it has died before, the message goes on being delivered: one more receive
 * for every attempt.
 */
import { isSentName } from "../core/dedup.ts";
import { LIMITS } from "../core/limits.ts";
import { isLaneError } from "../core/errors.ts";
import { originOf, sharingOf } from "../core/message.ts";
import type { DeadLetterInfo, StoredMessage } from "../core/message.ts";
import { planMove } from "../core/moves.ts";
import type { DeadLetter } from "../core/plan.ts";
import type { GroupQueue } from "../core/group.ts";
import { leavingThrough } from "../core/queue.ts";
import type { QueueRecord } from "../core/queue.ts";
import { ttlOf } from "../core/queue.ts";
import { messageId } from "../core/receipt.ts";
import { membersAt, pendingName } from "../core/segment.ts";
import type { Lease, Leaving } from "../core/segment.ts";
import { DEFAULT_GROUP, epochMs, isQueueName } from "../core/types.ts";
import type { EpochMs, ExchangeName, GroupId, GroupName, Offset } from "../core/types.ts";
import { segmentKey } from "../store/keys.ts";
import { all, discard, exists } from "../store/port.ts";
import type { OnceAppender, OnceMessage } from "./append-once.ts";
import type { Bell } from "./bell.ts";
import type { Catalog } from "./catalog.ts";
import type { SegmentPlace } from "./claim.ts";
import { newLeaseId } from "./deps.ts";
import { nameOf } from "./dead-letter-routes.ts";
import type { DeadLetterRoutes } from "./dead-letter-routes.ts";
import type { Deps } from "./deps.ts";
import type { Eraser } from "./erase.ts";
import { isDefault } from "./group-catalog.ts";
import type { Groups } from "./group-catalog.ts";
import type { LogReader } from "./log.ts";
import { writeParts } from "./parts.ts";
import { chunksOf } from "./send.ts";

type Leaver = DeadLetter["messages"][number];

export class DeadLetters {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #groups: Groups;
  readonly #once: OnceAppender;
  readonly #log: LogReader;
  readonly #routes: DeadLetterRoutes;
  readonly #eraser: Eraser;
  readonly #bell: Bell;
  #moved = 0;

  constructor(
    deps: Deps,
    catalog: Catalog,
    groups: Groups,
    once: OnceAppender,
    log: LogReader,
    routes: DeadLetterRoutes,
    eraser: Eraser,
    bell: Bell,
  ) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#groups = groups;
    this.#once = once;
    this.#log = log;
    this.#routes = routes;
    this.#eraser = eraser;
    this.#bell = bell;
  }

  /** Messages dead-lettered by this instance so far. */
  get moved(): number {
    return this.#moved;
  }

  /** Never throws: what fails is resumed when its lease has run out. */
  async resume(
    record: GroupQueue,
    place: SegmentPlace,
    leaving: readonly DeadLetter[],
  ): Promise<void> {
    for (const one of leaving) {
      try {
        await this.move(record, place, one);
      } catch (error) {
        this.#deps.onEvent?.({ type: "deadLetterFailed", queue: record.name, error });
      }
    }
  }

  /**
   * Moves what one lease holds; what has no queue to go to is released. Fewer than that: the lease ran out
   * meanwhile, and somebody else goes on with it.
   */
  async move(
    record: GroupQueue,
    place: SegmentPlace,
    dead: DeadLetter,
  ): Promise<{ moved: number; stuck: number }> {
    const batches = new Map<string, { to: string; group: string; messages: Leaver[] }>();
    for (const one of dead.messages) {
      const { queue: to, group } = goesBack(dead.leaving, one.message);
      const batch = batches.get(`${to}/${group}`) ?? { to, group, messages: [] };
      batch.messages.push(one);
      batches.set(`${to}/${group}`, batch);
    }
    const result = { moved: 0, stuck: 0 };
    for (const { to, group, messages } of batches.values()) {
      // The dedup ids are remembered from this time on, which is before anybody else's.
      const now = this.#deps.clock.now();
      if (now >= dead.lease.until) break;
      const exchange = leavingThrough(to);
      if (exchange !== undefined) {
        const stuck = await this.#through(exchange, record, place, dead, messages, now);
        result.stuck += stuck;
        result.moved += messages.length - stuck;
        continue;
      }
      const target = await this.#find(to);
      const only = target === undefined ? "missing" : await this.#onlyFor(target, group);
      if (target === undefined || only === "missing") {
        await this.#release(place, dead.lease, messages, true);
        result.stuck += messages.length;
      } else {
        await this.#append(record, place, dead, messages, { target, only, now });
        await this.#remove(record, place, dead.lease, messages);
        result.moved += messages.length;
        this.#bell.ring(target.queueId);
      }
    }
    if (dead.leaving.why !== "redrive") this.#moved += result.moved;
    return result;
  }

  /** Gives how many messages had no queue to go to. */
  async #through(
    exchange: ExchangeName,
    record: GroupQueue,
    place: SegmentPlace,
    dead: DeadLetter,
    messages: readonly Leaver[],
    now: EpochMs,
  ): Promise<number> {
    const why = dead.leaving.why === "expired" ? "expired" : "deadLetter";
    const from = { record, place, why } as const;
    const { copies, stuck } = await this.#routes.route(exchange, from, messages);
    for (const [queue, leavers] of copies) {
      const target = await this.#catalog.get(queue);
      await this.#append(record, place, dead, leavers, { target, only: undefined, now });
      this.#bell.ring(target.queueId);
    }
    // What has expired is delivered no more: it is dropped.
    const left = why === "expired" ? [] : stuck;
    const kept = new Set(left.map(({ offset }) => offset));
    const moved = messages.filter(({ offset }) => !kept.has(offset));
    // This first: it is guarded by what the lease holds, as read.
    if (left.length > 0) await this.#release(place, dead.lease, left, false);
    if (moved.length > 0) await this.#remove(record, place, dead.lease, moved);
    return stuck.length;
  }

  async #append(
    record: GroupQueue,
    place: SegmentPlace,
    { lease, leaving }: DeadLetter,
    messages: readonly Leaver[],
    { target, only, now }: { target: QueueRecord; only: GroupId | undefined; now: EpochMs },
  ): Promise<void> {
    const copies: OnceMessage[] = [];
    for (const { offset, message } of messages) {
      const body = await this.#log.body(record.queueId, message);
      if (body === undefined) continue;
      const id = message.id ?? messageId({ queueId: record.queueId, lane: place.lane, offset });
      // One name for all ways to a dead-letter queue: at one place a message dies once.
      const way = leaving.why === "redrive" ? "redrive" : "deadLetter";
      const dedupId = `${way}#${nameOf(place, offset)}`;
      const carried = carry(message, { id, dedupId, body, target, now });
      const copy = only === undefined ? carried : { ...carried, group: only };
      const info =
        leaving.why === "redrive"
          ? undefined
          : infoOf(record, { place, lease, offset, why: leaving.why }, now);
      const whole = info === undefined ? copy : { ...copy, deadLetter: info };
      copies.push({ ...(await writeParts(this.#deps, target, whole)), dedupId });
    }
    // The record outlives every attempt to move the same message again: those end with its entry.
    const kept = leaving.why === "expired" ? "deadLetter" : record.settings.onExpired;
    const ttl = Math.max(
      Math.ceil((now + LIMITS.entryTtlAfterExpiryMs) / 1000),
      ttlOf(
        messages.map(({ message }) => message),
        { onExpired: kept },
      ),
    );
    for (const chunk of chunksOf(copies))
      await this.#once.append(target.name, chunk as OnceMessage[], ttl);
  }

  async #remove(
    record: GroupQueue,
    place: SegmentPlace,
    lease: Lease,
    messages: readonly Leaver[],
  ): Promise<void> {
    const pending = pendingName(lease.id);
    await this.#deps.store.update(
      "lanes",
      keyOf(place),
      [discard(pending, membersOf(lease, messages))],
      exists(pending),
    );
    if (record.settings.eraseOnAck)
      await this.#eraser.erase(
        place,
        messages.map(({ offset }) => offset),
      );
  }

  async #release(
    place: SegmentPlace,
    lease: Lease,
    messages: readonly Leaver[],
    countAttempt: boolean,
  ): Promise<void> {
    const change = { to: "release", until: 0, countAttempt } as const;
    const { edits, guards } = planMove(lease, membersOf(lease, messages), change, () =>
      newLeaseId(this.#deps),
    );
    await this.#deps.store.update("lanes", keyOf(place), edits, all(...guards));
  }

  /** What one group's consumers could not handle is not sent to the others again. */
  async #onlyFor(target: QueueRecord, group: string): Promise<GroupId | "missing" | undefined> {
    if (group === "" || target.groups.size === 0)
      return group === "" || isDefault(group as GroupName) ? undefined : "missing";
    if (isDefault(group as GroupName)) return DEFAULT_GROUP;
    const found = await this.#groups.find(target.queueId, group as GroupName);
    return found === undefined || found.deletedAt !== undefined ? "missing" : found.groupId;
  }

  async #find(name: string): Promise<QueueRecord | undefined> {
    if (!isQueueName(name)) return undefined;
    try {
      return await this.#catalog.get(name);
    } catch (error) {
      if (isLaneError(error, "queue-not-found")) return undefined;
      throw error;
    }
  }
}

/** To the queue, and for the group, that a dead letter came from; `group` empty: for all of them. */
const goesBack = (
  { to }: Leaving,
  { deadLetter }: StoredMessage,
): { queue: string; group: string } =>
  to === ""
    ? { queue: deadLetter?.queue ?? "", group: deadLetter?.group ?? "" }
    : { queue: to, group: "" };

const keyOf = (place: SegmentPlace) =>
  segmentKey(place.queue, place.lane, place.group, place.generation, place.start);

const membersOf = (lease: Lease, messages: readonly Leaver[]): Set<string> =>
  membersAt(lease, new Set(messages.map(({ offset }) => offset)));

const infoOf = (
  record: GroupQueue,
  {
    place,
    lease,
    offset,
    why,
  }: { place: SegmentPlace; lease: Lease; offset: Offset; why: "deadLetter" | "expired" },
  now: EpochMs,
): DeadLetterInfo => ({
  reason: why === "expired" ? "expired" : "maxReceives",
  queue: record.name,
  queueId: record.queueId,
  group: record.group.name,
  lane: place.lane,
  offset,
  receives: lease.receives,
  ...(lease.receives === 0 ? {} : { firstReceivedAt: lease.firstAt }),
  deadLetteredAt: now,
});

/** A message as it goes on to another queue: its id and sent time stay, its life begins anew. */
function carry(
  message: StoredMessage,
  to: { id: string; dedupId: string; body: Uint8Array; target: QueueRecord; now: EpochMs },
): OnceMessage {
  // Where order is kept by key, what comes without one is ordered with nothing else.
  const key = message.key ?? (to.target.settings.order === "key" ? to.id : undefined);
  return {
    kind: message.kind,
    body: to.body,
    contentType: message.contentType,
    headers: message.headers,
    ...sharingOf(message),
    ...(key === undefined ? {} : { key }),
    ...originOf(message),
    ...(message.sqs === undefined ? {} : { sqs: message.sqs }),
    ...sentAs(message),
    sentAt: message.sentAt,
    expiresAt: epochMs(to.now + to.target.settings.retentionSeconds * 1000),
    visibleAt: to.now,
    id: to.id,
    dedupId: to.dedupId,
  };
}

/** What it was sent as stays known, for its new dedup id is made of its place. */
function sentAs({ sentAs: before, dedupId }: StoredMessage): Pick<StoredMessage, "sentAs"> {
  if (before !== undefined) return { sentAs: before };
  return dedupId !== undefined && isSentName(dedupId) ? { sentAs: dedupId } : {};
}
