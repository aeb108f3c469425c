/**
 * Release and extend: reads the segment, lets `core/moves.ts` decide, applies it lease by lease.
 *
 * C4  A move is guarded by the presence of what it moves; if something was acked meanwhile, the
 *     segment is read again and that is dropped.
 */
import { retryDelayMs } from "../core/backoff.ts";
import { isLaneError, LaneError } from "../core/errors.ts";
import { planMove, planReleaseInOrder } from "../core/moves.ts";
import type { LeaseChange, Move } from "../core/moves.ts";
import type { QueueRecord } from "../core/queue.ts";
import { sealReceipt } from "../core/receipt.ts";
import type { Receipt } from "../core/receipt.ts";
import { leaseName, parseLease, parseSegment } from "../core/segment.ts";
import type { Lease } from "../core/segment.ts";
import type { QueueName } from "../core/types.ts";
import { absent, all } from "../store/port.ts";
import type { Item } from "../store/port.ts";
import type { ReceiptResult } from "./api.ts";
import type { Bell } from "./bell.ts";
import type { Catalog } from "./catalog.ts";
import { newLeaseId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import { byReceipt, memberOf } from "./receipts.ts";
import type { SegmentReceipts } from "./receipts.ts";

const ATTEMPTS = 5;
const LEASES_AT_ONCE = 16;

interface Planned extends Move {
  /** To a lease of a new id, which tells that the change was applied. */
  readonly isMoved: boolean;
  readonly held: readonly Receipt[];
  readonly answer: (receipt: Receipt) => ReceiptResult;
}

export class LeaseChanger {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #bell: Bell;

  constructor(deps: Deps, catalog: Catalog, bell: Bell) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#bell = bell;
  }

  async release(
    name: QueueName,
    texts: readonly string[],
    { delaySeconds, countAttempt }: { delaySeconds?: number; countAttempt: boolean },
  ): Promise<readonly ReceiptResult[]> {
    const now = this.#deps.clock.now();
    const record = await this.#catalog.get(name);
    const { backoff } = record.settings;
    const delayMs = (lease: Lease): number =>
      delaySeconds === undefined && backoff !== null
        ? retryDelayMs(backoff, lease)
        : (delaySeconds ?? 0) * 1000;
    const until = (lease: Lease): number => {
      const delay = delayMs(lease);
      return delay === 0 ? 0 : now + delay;
    };
    const results = await this.#change(record, texts, { to: "release", until, countAttempt });
    const isAtOnce = delaySeconds === undefined ? backoff === null : delaySeconds === 0;
    if (isAtOnce) this.#bell.ring(record.queueId);
    return results;
  }

  /** The new lease runs from now. */
  async extend(
    name: QueueName,
    texts: readonly string[],
    request: { leaseSeconds: number },
  ): Promise<readonly ReceiptResult[]> {
    const until = this.#deps.clock.now() + request.leaseSeconds * 1000;
    return this.#change(await this.#catalog.get(name), texts, { to: "extend", until });
  }

  async #change(
    record: QueueRecord,
    texts: readonly string[],
    change: LeaseChange,
  ): Promise<readonly ReceiptResult[]> {
    const isOrdered = record.settings.order !== "none" && change.to === "release";
    return byReceipt(record, texts, "lease", async (group) => {
      const answers = new Map<Receipt, ReceiptResult>();
      const byLease = new Map<string, Receipt[]>();
      for (const receipt of group.receipts)
        byLease.set(receipt.lease, [...(byLease.get(receipt.lease) ?? []), receipt]);
      const leases = [...byLease.values()];
      for (let at = 0; at < leases.length; at += LEASES_AT_ONCE) {
        const some = leases.slice(at, at + LEASES_AT_ONCE);
        if (isOrdered) {
          await this.#settle(group, answers, (item) =>
            this.#releaseInOrder(group, some.flat(), change, item),
          );
          continue;
        }
        // Leases of one segment do not get in each other's way: each is guarded by its own members.
        const settled = await Promise.allSettled(
          some.map((receipts) =>
            this.#settle(group, answers, (item) => this.#move(record, receipts, change, item)),
          ),
        );
        for (const one of settled) if (one.status === "rejected") throw one.reason;
      }
      return answers;
    });
  }

  /** What one lease's receipts come to. */
  #move(
    record: QueueRecord,
    receipts: readonly Receipt[],
    change: LeaseChange,
    item: Item,
  ): Planned | undefined {
    const lease = parseLease(receipts[0]?.lease ?? "", item);
    const held = receipts.filter((receipt) => lease?.pending.has(memberOf(receipt)));
    if (lease === undefined || held.length === 0) return undefined;
    const members = new Set(held.map(memberOf));
    const move = planMove(lease, members, change, () => newLeaseId(this.#deps));
    const isMoved = move.lease.id !== lease.id;
    return {
      ...move,
      isMoved,
      held,
      answer: (receipt) => ({
        status: "done",
        ...(isMoved && change.to === "extend"
          ? { receipt: sealReceipt({ ...receipt, lease: move.lease.id }, record.secret) }
          : {}),
      }),
    };
  }

  /** What receipts of several leases come to where order is kept. */
  #releaseInOrder(
    group: SegmentReceipts,
    receipts: readonly Receipt[],
    change: Extract<LeaseChange, { to: "release" }>,
    item: Item,
  ): Planned | undefined {
    const { leases } = parseSegment(group.start, item);
    const held = receipts.filter((one) => leases.get(one.lease)?.pending.has(memberOf(one)));
    const move = planReleaseInOrder(
      leases.values(),
      membersByLease(held),
      membersByLease(group.receipts),
      change,
      () => newLeaseId(this.#deps),
    );
    if (move === undefined) return undefined;
    return { ...move, isMoved: true, held, answer: () => ({ status: "done" }) };
  }

  /** Reads, has it planned, applies; again when what was planned on has changed. */
  async #settle(
    group: SegmentReceipts,
    answers: Map<Receipt, ReceiptResult>,
    plan: (item: Item) => Planned | undefined,
  ): Promise<void> {
    let unknown: unknown;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const item = await this.#deps.store.get("lanes", group.key, { consistent: true });
      const planned = item === undefined || item["closed"] === true ? undefined : plan(item);
      if (planned === undefined) {
        if (unknown !== undefined) throw unknown;
        return;
      }
      let isApplied: boolean;
      try {
        const result = await this.#deps.store.update(
          "lanes",
          group.key,
          planned.edits,
          all(...planned.guards, absent("closed")),
        );
        isApplied =
          result.ok ||
          (planned.isMoved && result.found?.[leaseName(planned.lease.id)] !== undefined);
      } catch (error) {
        if (!isLaneError(error, "outcome-unknown")) throw error;
        unknown = error;
        const found = await this.#deps.store.get("lanes", group.key, { consistent: true });
        const now = found === undefined ? undefined : parseLease(planned.lease.id, found);
        isApplied =
          now !== undefined &&
          now.until === planned.lease.until &&
          now.waiting === planned.lease.waiting;
      }
      if (!isApplied) continue;
      for (const receipt of planned.held) answers.set(receipt, planned.answer(receipt));
      return;
    }
    throw (
      unknown ??
      new LaneError("throttled", "The leases are changing; nothing was released or extended.")
    );
  }
}

function membersByLease(receipts: readonly Receipt[]): ReadonlyMap<string, ReadonlySet<string>> {
  const members = new Map<string, Set<string>>();
  for (const receipt of receipts)
    members.set(receipt.lease, (members.get(receipt.lease) ?? new Set()).add(memberOf(receipt)));
  return members;
}
