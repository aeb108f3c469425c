/**
 * Receives that can be made again: whoever lost the answer of one gets the same messages once more.
 *
 * Z1  An attempt is written down after its claim. Where a crash comes between the two, or the writing
 *     fails, its messages come back when their leases end, as those of any receive.
 * Z2  A repeat gives the same messages under the same receipts, with their leases renewed, while every
 *     one of them is pending under the lease that it was given with, and that runs until when the
 *     attempt, or a repeat of it, left it. Otherwise it is a receive like any other.
 * Z3  Until when a repeat renews leases is written down before it does, so that it can be repeated, too.
 */
import { isLaneError } from "../core/errors.ts";
import type { GroupQueue } from "../core/group.ts";
import { LIMITS } from "../core/limits.ts";
import { planMove } from "../core/moves.ts";
import type { Receipt } from "../core/receipt.ts";
import { parseSegment } from "../core/segment.ts";
import type { Lease } from "../core/segment.ts";
import type { EpochMs } from "../core/types.ts";
import { attemptKey, segmentKey } from "../store/keys.ts";
import { absent, all, equal, set } from "../store/port.ts";
import type { Item, Key } from "../store/port.ts";
import type { ReceivedMessage } from "./api.ts";
import { newLeaseId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { LogReader } from "./log.ts";
import { receivedView } from "./message-view.ts";
import { memberOf, opened } from "./receipts.ts";

/** A receipt, and until when its lease ran when it was given. */
type Given = readonly [receipt: string, until: number];

/** A lease all of whose messages the attempt got. */
interface Held {
  readonly key: Key;
  readonly lease: Lease;
}

const REPEATS_KEPT = 20;

/** Until when repeats renewed the leases, or were about to. */
const repeatsOf = (item: Item): readonly number[] =>
  (item["repeats"] as readonly number[] | undefined) ?? [];

export class Attempts {
  readonly #deps: Deps;
  readonly #log: LogReader;

  constructor(deps: Deps, log: LogReader) {
    this.#deps = deps;
    this.#log = log;
  }

  /** Z1 */
  async remember(
    { queueId, group }: GroupQueue,
    attempt: string,
    messages: readonly ReceivedMessage[],
  ): Promise<void> {
    const at = this.#deps.clock.now();
    const given: Given[] = messages.map(({ receipt, leaseExpiresAt }) => [receipt, leaseExpiresAt]);
    const ttl = Math.ceil((at + LIMITS.attemptMs) / 1000);
    const key = attemptKey(queueId, group.groupId, attempt);
    try {
      await this.#deps.store.put("lanes", { ...key, given: JSON.stringify(given), at, ttl });
    } catch (error) {
      if (!isLaneError(error)) throw error;
    }
  }

  /** Z2. `undefined`: there is nothing to repeat. */
  async recall(
    queue: GroupQueue,
    attempt: string,
    leaseMs: number,
  ): Promise<readonly ReceivedMessage[] | undefined> {
    const { store, clock } = this.#deps;
    const key = attemptKey(queue.queueId, queue.group.groupId, attempt);
    const item = await store.get("lanes", key, { consistent: true });
    const now = clock.now();
    if (item === undefined || (item["at"] as number) + LIMITS.attemptMs <= now) return undefined;
    const given = JSON.parse(item["given"] as string) as readonly Given[];
    const receipts = given.flatMap(([text]) => opened(text, queue) ?? []);
    const leases = await this.#held(given, receipts, repeatsOf(item));
    if (leases === undefined || receipts.length < given.length) return undefined;
    const until = await this.#renew(key, item, [...leases.values()], now + Math.max(1, leaseMs));
    if (until === undefined) return undefined;
    const messages: ReceivedMessage[] = [];
    for (const [index, receipt] of receipts.entries()) {
      const held = leases.get(receipt.lease);
      const text = given[index]?.[0];
      if (held === undefined || text === undefined) return undefined;
      const lease = { ...held.lease, until };
      const message = await this.#read(receipt, { receipt: text, lease }, now);
      if (message === undefined) return undefined;
      messages.push(message);
    }
    return messages;
  }

  /** By id; `undefined`: a message has been deleted or changed, or its lease is over. */
  async #held(
    given: readonly Given[],
    receipts: readonly Receipt[],
    repeats: readonly number[],
  ): Promise<ReadonlyMap<string, Held> | undefined> {
    const byLease = new Map<string, Receipt[]>();
    for (const one of receipts) byLease.set(one.lease, [...(byLease.get(one.lease) ?? []), one]);
    const untils = new Set([...given.map(([, until]) => until), ...repeats]);
    const held = new Map<string, Held>();
    for (const [id, [first, ...others]] of byLease) {
      if (first === undefined) continue;
      const { queueId, lane, group, generation, segment: start } = first;
      const key = segmentKey(queueId, lane, group, generation, start);
      const item = await this.#deps.store.get("lanes", key, { consistent: true });
      const segment = parseSegment(start, item);
      const lease = segment.leases.get(id);
      const isWhole =
        lease?.pending.size === others.length + 1 &&
        [first, ...others].every((receipt) => lease.pending.has(memberOf(receipt)));
      const isRunning = lease !== undefined && lease.until > this.#deps.clock.now();
      if (!isWhole || !isRunning || segment.closed || !untils.has(lease.until)) return undefined;
      held.set(id, { key, lease });
    }
    return held;
  }

  /** Z3. Until when the leases run now; `undefined`: one has changed meanwhile. */
  async #renew(
    attempt: Key,
    item: Item,
    leases: readonly Held[],
    wanted: number,
  ): Promise<number | undefined> {
    const { store } = this.#deps;
    const firstAt = Math.min(...leases.map(({ lease }) => lease.firstAt));
    const until = Math.min(wanted, firstAt + LIMITS.leaseSecondsMax * 1000);
    const repeats = [...repeatsOf(item), until].slice(-REPEATS_KEPT);
    const { ok } = await store.update(
      "lanes",
      attempt,
      [set(["repeats"], repeats)],
      equal(["at"], item["at"] as number),
    );
    if (!ok) return undefined;
    for (const { key, lease } of leases) {
      const extension = { to: "extend", until } as const;
      const { edits, guards } = planMove(lease, lease.pending, extension, () =>
        newLeaseId(this.#deps),
      );
      const guard = all(...guards, absent("closed"));
      const result = await store.update("lanes", key, edits, guard);
      if (!result.ok) return undefined;
    }
    return until;
  }

  async #read(
    { queueId, lane, offset, entry }: Receipt,
    given: { readonly receipt: string; readonly lease: Lease },
    now: EpochMs,
  ): Promise<ReceivedMessage | undefined> {
    const holding = await this.#log.holding(queueId, lane, offset, entry);
    const message = holding?.messages?.[offset - holding.offset];
    if (message === undefined || message.expiresAt <= now) return undefined;
    const body = await this.#log.body(queueId, message);
    if (body === undefined) return undefined;
    return receivedView({ queueId, lane, offset }, message, body, given);
  }
}
