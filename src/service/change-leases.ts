/**
 * Release and extend: reads the segment, lets `core/moves.ts` decide, applies it lease by lease.
 *
 * C4  A move is guarded by the presence of what it moves; if something was acked meanwhile, the
 *     segment is read again and that is dropped.
 */
import { isLaneError, LaneError } from "../core/errors.ts";
import { planMove } from "../core/moves.ts";
import type { LeaseChange } from "../core/moves.ts";
import type { QueueRecord } from "../core/queue.ts";
import { sealReceipt } from "../core/receipt.ts";
import type { Receipt } from "../core/receipt.ts";
import { leaseName, member, parseLease } from "../core/segment.ts";
import type { QueueName } from "../core/types.ts";
import { absent, all } from "../store/port.ts";
import type { ReceiptResult } from "./api.ts";
import type { Bell } from "./bell.ts";
import type { Catalog } from "./catalog.ts";
import { newLeaseId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import { byReceipt } from "./receipts.ts";
import type { SegmentReceipts } from "./receipts.ts";

const ATTEMPTS = 5;
const LEASES_AT_ONCE = 16;

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
    request: { delaySeconds: number; countAttempt: boolean },
  ): Promise<readonly ReceiptResult[]> {
    const until =
      request.delaySeconds === 0 ? 0 : this.#deps.clock.now() + request.delaySeconds * 1000;
    const record = await this.#catalog.get(name);
    const results = await this.#change(record, texts, {
      to: "release",
      until,
      countAttempt: request.countAttempt,
    });
    if (until === 0) this.#bell.ring(record.queueId);
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
    return byReceipt(record, texts, "lease", async (group) => {
      const answers = new Map<Receipt, ReceiptResult>();
      const byLease = new Map<string, Receipt[]>();
      for (const receipt of group.receipts)
        byLease.set(receipt.lease, [...(byLease.get(receipt.lease) ?? []), receipt]);
      const leases = [...byLease.values()];
      // Leases of one segment do not get in each other's way: each is guarded by its own members.
      for (let at = 0; at < leases.length; at += LEASES_AT_ONCE) {
        const some = leases.slice(at, at + LEASES_AT_ONCE);
        const settled = await Promise.allSettled(
          some.map((receipts) => this.#changeLease(record, group, receipts, change, answers)),
        );
        for (const one of settled) if (one.status === "rejected") throw one.reason;
      }
      return answers;
    });
  }

  async #changeLease(
    record: QueueRecord,
    group: SegmentReceipts,
    receipts: readonly Receipt[],
    change: LeaseChange,
    answers: Map<Receipt, ReceiptResult>,
  ): Promise<void> {
    const [first] = receipts;
    if (first === undefined) return;
    let unknown: unknown;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const item = await this.#deps.store.get("lanes", group.key, { consistent: true });
      const lease =
        item === undefined || item["closed"] === true ? undefined : parseLease(first.lease, item);
      const held =
        lease === undefined
          ? []
          : receipts.filter((receipt) => lease.pending.has(member(lease, receipt.offset)));
      if (lease === undefined || held.length === 0) {
        if (unknown !== undefined) throw unknown;
        return;
      }
      const members = new Set(held.map((receipt) => member(lease, receipt.offset)));
      const move = planMove(lease, members, change, () => newLeaseId(this.#deps));
      let isApplied: boolean;
      try {
        const result = await this.#deps.store.update(
          "lanes",
          group.key,
          move.edits,
          all(...move.guards, absent("closed")),
        );
        isApplied =
          result.ok ||
          (move.lease.id !== lease.id && result.found?.[leaseName(move.lease.id)] !== undefined);
      } catch (error) {
        if (!isLaneError(error, "outcome-unknown")) throw error;
        unknown = error;
        const found = await this.#deps.store.get("lanes", group.key, { consistent: true });
        const now = found === undefined ? undefined : parseLease(move.lease.id, found);
        isApplied =
          now !== undefined && now.until === move.lease.until && now.waiting === move.lease.waiting;
      }
      if (!isApplied) continue;
      for (const receipt of held) {
        const changed = move.lease.id !== lease.id && change.to === "extend";
        answers.set(receipt, {
          status: "done",
          ...(changed
            ? { receipt: sealReceipt({ ...receipt, lease: move.lease.id }, record.secret) }
            : {}),
        });
      }
      return;
    }
    throw (
      unknown ??
      new LaneError("throttled", "The leases are changing; nothing was released or extended.")
    );
  }
}
