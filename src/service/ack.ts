/**
 * Ack: one blind set-deletion per segment, for as many messages as the callers like.
 *
 * C3  Guarded only by existence, and by the segment not being closed (C8: what is carried over from a
 *     closed one must not be acked there), so acks never conflict with claims and an acked message stays acked.
 *     The old item is asked for: a member that was not in it is `gone`, never `done`. An expired lease
 *     that nobody has re-claimed can still be acked.
 * A1  After an ack of unknown outcome, a member that is pending nowhere in the segment while its lease
 *     still runs was acked: by that attempt, or by the same holder before. Once the lease has run
 *     out, it may have been another's, and the outcome stays unknown.
 */
import { isLaneError, LaneError } from "../core/errors.ts";
import type { Receipt } from "../core/receipt.ts";
import { leaseName, member, pendingName } from "../core/segment.ts";
import { offset } from "../core/types.ts";
import type { EpochMs, QueueName } from "../core/types.ts";
import { absent, all, discard, exists } from "../store/port.ts";
import type { Item, Key } from "../store/port.ts";
import type { ReceiptResult } from "./api.ts";
import type { Catalog } from "./catalog.ts";
import { Combiner } from "./combiner.ts";
import { backoffMs } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { Eraser } from "./erase.ts";
import { byReceipt, memberOf } from "./receipts.ts";
import type { SegmentReceipts } from "./receipts.ts";

const ATTEMPTS = 3;
const MEMBERS_PER_UPDATE = 4_000;
/** Expressions are limited to 4 KB and 300 operators. */
const LEASES_PER_UPDATE = 100;

/** `unknown`: it may have been acked here, or have gone to another lease before. */
type Answers = ReadonlyMap<Receipt, ReceiptResult | "unknown">;

export class Acker {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #eraser: Eraser;
  readonly #acks: Combiner<SegmentReceipts, Answers>;

  constructor(deps: Deps, catalog: Catalog, eraser: Eraser) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#eraser = eraser;
    this.#acks = new Combiner((groups) => this.#ack(groups), {
      weigh: (group) => group.receipts.length,
      maxWeight: MEMBERS_PER_UPDATE,
    });
  }

  /** @throws LaneError `queue-not-found`, `receipt-invalid`, and the store's. */
  async ack(name: QueueName, texts: readonly string[]): Promise<readonly ReceiptResult[]> {
    const record = await this.#catalog.get(name);
    return byReceipt(record, texts, "segment", async (group) => {
      const answers = await this.#acks.submit(`${group.key.pk}/${group.key.sk}`, group);
      if (record.settings.eraseOnAck) await this.#erase(group, answers);
      return new Map([...answers].map(([receipt, result]) => [receipt, known(result)]));
    });
  }

  /** All groups are of one segment. */
  async #ack(groups: readonly SegmentReceipts[]): Promise<readonly Answers[]> {
    const [first] = groups;
    if (first === undefined) return [];
    const members = new Map<string, Set<string>>();
    for (const { receipts } of groups) {
      for (const receipt of receipts) {
        const set = members.get(receipt.lease) ?? new Set<string>();
        members.set(receipt.lease, set.add(memberOf(receipt)));
      }
    }
    const answers = groups.map(() => new Map<Receipt, ReceiptResult | "unknown">());
    const leases = [...members];
    for (let at = 0; at < leases.length; at += LEASES_PER_UPDATE) {
      const some = new Map(leases.slice(at, at + LEASES_PER_UPDATE));
      const { old, doubt } = await this.#discard(first.key, some);
      groups.forEach(({ receipts }, index) => {
        for (const receipt of receipts) {
          if (some.has(receipt.lease)) answers[index]?.set(receipt, judge(receipt, old, doubt));
        }
      });
    }
    return answers;
  }

  async #discard(
    key: Key,
    members: ReadonlyMap<string, ReadonlySet<string>>,
  ): Promise<{ old: Item | undefined; doubt: Doubt }> {
    const edits = [...members].map(([lease, set]) => discard(pendingName(lease), set));
    const guard = all(exists("version"), absent("closed"));
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await this.#deps.store.update("lanes", key, edits, guard, { wantOld: true });
        return {
          old: result.ok ? result.old : undefined,
          doubt: attempt === 1 ? undefined : { now: this.#deps.clock.now() },
        };
      } catch (error) {
        if (!isLaneError(error, "outcome-unknown") || attempt === ATTEMPTS) throw error;
        await this.#deps.sleep(backoffMs(this.#deps, attempt, 20, 200));
      }
    }
  }

  async #erase(group: SegmentReceipts, answers: Answers): Promise<void> {
    const done = group.receipts.filter((receipt) => isDone(answers.get(receipt)));
    if (done.length > 0)
      await this.#eraser.erase(
        group.stand,
        done.map((receipt) => receipt.offset),
      );
  }
}

/** Set: an attempt of unknown outcome went before. */
type Doubt = { readonly now: EpochMs } | undefined;

function judge(receipt: Receipt, old: Item | undefined, doubt: Doubt): ReceiptResult | "unknown" {
  const pending = old?.[pendingName(receipt.lease)] as ReadonlySet<string> | undefined;
  if (pending?.has(memberOf(receipt)) === true) return { status: "done" };
  if (doubt === undefined || (old !== undefined && isPendingElsewhere(receipt, old)))
    return { status: "gone" };
  const lease = old?.[leaseName(receipt.lease)] as { u: number } | undefined;
  return lease !== undefined && lease.u > doubt.now ? { status: "done" } : "unknown";
}

const isDone = (result: ReceiptResult | "unknown" | undefined): boolean =>
  result !== undefined && result !== "unknown" && result.status === "done";

function known(result: ReceiptResult | "unknown"): ReceiptResult {
  if (result !== "unknown") return result;
  throw new LaneError(
    "outcome-unknown",
    "An ack may have been applied, or its message may have gone to another lease before.",
  );
}

function isPendingElsewhere(receipt: Receipt, item: Item): boolean {
  return Object.keys(item).some((name) => {
    if (!name.startsWith("x#")) return false;
    const fields = item[name] as { e: number };
    const pending = item[pendingName(name.slice(2))] as ReadonlySet<string> | undefined;
    return pending?.has(member({ entry: offset(fields.e) }, receipt.offset, receipt.tag)) === true;
  });
}
