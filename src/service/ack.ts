/**
 * Ack: set-deletions on one segment, for as many messages as the callers like.
 *
 * C3  Guarded only by existence, and by the segment not being closed (C8: what is carried over from a
 *     closed one must not be acked there), so acks never conflict with claims and an acked message stays acked.
 *     The old item is asked for: a member that was not in it is `gone`, never `done`. An expired lease
 *     that nobody has re-claimed can still be acked.
 * A1  After an ack of unknown outcome, a member that is pending nowhere in the segment while its lease
 *     still runs was acked: by that attempt, or by the same holder before. Once the lease has run
 *     out, or something has left it (an extension may have taken the message out, and others have had it
 *     since), it may have been another's, and the outcome stays unknown. No later error says that nothing
 *     was done.
 * A2  Nothing is read first (R1). What was not in the lease that its receipt names is looked for in the
 *     old item (F1), and acked in the lease that held it there, again by existence alone.
 * A3  A stale receipt may be accepted: then the message is acked whoever has it by now (F2), and pending
 *     nowhere means acked before. Or refused: then its lease must be running, which the update itself asks
 *     for, as no claim changes that of a lease that others do not take.
 * A4  What a purge carried over is acked where it stands now, in leases of the same ids (C8).
 */
import { afterChange, isLaneError, LaneError } from "../core/errors.ts";
import { holderOf, holds } from "../core/follow.ts";
import type { Receipt } from "../core/receipt.ts";
import { leaseName, member, parseSegment, pendingName } from "../core/segment.ts";
import type { Lease, Segment } from "../core/segment.ts";
import type { EpochMs, Offset, QueueName } from "../core/types.ts";
import { absent, all, discard, exists, more } from "../store/port.ts";
import type { Item } from "../store/port.ts";
import type { AckOptions, ReceiptResult } from "./api.ts";
import type { Catalog } from "./catalog.ts";
import { Combiner } from "./combiner.ts";
import type { Cursors } from "./cursor.ts";
import { backoffMs } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { Eraser } from "./erase.ts";
import type { Moved } from "./moved.ts";
import { byReceipt, inSegment, PARTLY } from "./receipts.ts";
import type { SegmentReceipts } from "./receipts.ts";

const ATTEMPTS = 3;
/** How often a message that moves on meanwhile is followed. */
const ROUNDS = 8;
const MEMBERS_PER_UPDATE = 4_000;
/** Expressions are limited to 4 KB and 300 operators. */
const LEASES_PER_UPDATE = 100;

type Stale = AckOptions["stale"];

interface Asked extends SegmentReceipts {
  readonly stale: Stale;
}

/**
 * `unknown`: it may have been acked here, or have gone to another lease before. `closed`: the segment
 * takes no change any more; in doubt, an ack may have been applied before that.
 */
type Answer = "done" | "gone" | "expired" | "unknown" | Closed;
type Closed = { readonly closed: true; readonly isInDoubt: boolean };
type Answers = ReadonlyMap<Receipt, Answer>;

/** A receipt, and the lease in which its message is looked for. */
interface Ask {
  readonly receipt: Receipt;
  readonly stale: Stale;
  readonly lease: Pick<Lease, "id" | "entry">;
}

export class Acker {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #cursors: Cursors;
  readonly #eraser: Eraser;
  readonly #moved: Moved;
  readonly #acks: Combiner<Asked, Answers>;

  constructor(deps: Deps, catalog: Catalog, cursors: Cursors, eraser: Eraser, moved: Moved) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#cursors = cursors;
    this.#eraser = eraser;
    this.#moved = moved;
    this.#acks = new Combiner((groups) => this.#ack(groups), {
      weigh: (group) => group.receipts.length,
      maxWeight: MEMBERS_PER_UPDATE,
      gather: deps.gather,
    });
  }

  /** @throws LaneError `queue-not-found`, `receipt-invalid`, and the store's. */
  async ack(
    name: QueueName,
    texts: readonly string[],
    { stale }: AckOptions = {},
  ): Promise<readonly ReceiptResult[]> {
    const record = await this.#catalog.get(name);
    return byReceipt(record, texts, "segment", async (group) => {
      const answers = await this.#submit({ stale, ...group });
      if (record.settings.eraseOnAck) await this.#erase(group, answers);
      return new Map([...answers].map(([receipt, answer]) => [receipt, known(answer)]));
    });
  }

  async #submit(group: Asked): Promise<Answers> {
    const answers = await this.#acks.submit(`${group.key.pk}/${group.key.sk}`, group);
    const closed = [...answers].flatMap(([receipt, answer]) =>
      isClosed(answer) ? [{ receipt, isInDoubt: answer.isInDoubt }] : [],
    );
    if (closed.length === 0) return answers;
    const isChanged = closed.length < answers.size || closed.some(({ isInDoubt }) => isInDoubt);
    const elsewhere = await this.#carriedOver(
      group,
      closed.map(({ receipt }) => receipt),
    ).catch((error: unknown) => {
      throw isChanged ? afterChange(error, PARTLY) : error;
    });
    return new Map([
      ...answers,
      ...closed.map(({ receipt, isInDoubt }): [Receipt, Answer] => {
        const answer = elsewhere.get(receipt) ?? "gone";
        const isDoubtful = answer === "gone" && isInDoubt && group.stale !== "accept";
        return [receipt, isDoubtful ? "unknown" : answer];
      }),
    ]);
  }

  /** A4. What a drained segment had is done with, and so is what a purge has passed over: there is no answer. */
  async #carriedOver(group: Asked, receipts: readonly Receipt[]): Promise<Answers> {
    const cursor = await this.#cursors.peek(group.stand);
    if (cursor.next !== undefined)
      throw new LaneError("throttled", "The queue is being purged; nothing was acked.");
    if (cursor.generation === group.generation) return new Map();
    const byStart = new Map<Offset, Receipt[]>();
    for (const receipt of receipts) {
      const start = cursor.segments.findLast((one) => one <= receipt.offset);
      if (start !== undefined) byStart.set(start, [...(byStart.get(start) ?? []), receipt]);
    }
    const { generation } = cursor;
    const parts = await Promise.all(
      [...byStart].map(([start, some]) =>
        this.#submit({ stale: group.stale, ...inSegment(group.stand, generation, start, some) }),
      ),
    );
    return new Map(parts.flatMap((part) => [...part]));
  }

  /** All groups are of one segment. */
  async #ack(groups: readonly Asked[]): Promise<readonly Answers[]> {
    const [first] = groups;
    if (first === undefined) return [];
    const answers = new Map<Receipt, Answer>();
    let open: readonly Ask[] = groups.flatMap(({ receipts, stale }) =>
      receipts.map((receipt) => ({
        receipt,
        stale,
        lease: { id: this.#moved.leaseOf(receipt), entry: receipt.entry },
      })),
    );
    try {
      for (let round = 0; round < ROUNDS && open.length > 0; round++)
        open = await this.#round(first, open, answers);
    } catch (error) {
      throw [...answers.values()].includes("done") ? afterChange(error, PARTLY) : error;
    }
    for (const { receipt } of open) answers.set(receipt, "unknown");
    return groups.map(
      ({ receipts }) =>
        new Map(receipts.map((receipt) => [receipt, answers.get(receipt) ?? "unknown"])),
    );
  }

  /** Acks what is where it is looked for; gives what is to be looked for elsewhere. */
  async #round(
    group: SegmentReceipts,
    asks: readonly Ask[],
    answers: Map<Receipt, Answer>,
  ): Promise<readonly Ask[]> {
    const byLease = new Map<string, Ask[]>();
    for (const ask of asks) {
      const same = byLease.get(ask.lease.id);
      if (same === undefined) byLease.set(ask.lease.id, [ask]);
      else same.push(ask);
    }
    const leases = [...byLease.values()];
    const open: Ask[] = [];
    for (let at = 0; at < leases.length; at += LEASES_PER_UPDATE) {
      const some = leases.slice(at, at + LEASES_PER_UPDATE).flat();
      const seen = await this.#discard(group, some);
      for (const ask of some) {
        const verdict = judge(ask, seen);
        if (typeof verdict === "object" && "follow" in verdict)
          open.push({ ...ask, lease: verdict.follow });
        else answers.set(ask.receipt, verdict);
      }
    }
    return open;
  }

  async #discard(group: SegmentReceipts, asks: readonly Ask[]): Promise<Seen> {
    const members = new Map<string, Set<string>>();
    const running = new Set<string>();
    for (const { receipt, stale, lease } of asks) {
      const texts = members.get(lease.id) ?? new Set<string>();
      members.set(lease.id, texts.add(member(lease, receipt.offset, receipt.tag)));
      if (stale === "refuse") running.add(lease.id);
    }
    const edits = [...members].map(([lease, texts]) => discard(pendingName(lease), texts));
    for (let attempt = 1; ; attempt++) {
      const now = this.#deps.clock.now();
      const guard = all(
        exists("version"),
        absent("closed"),
        ...[...running].map((lease) => more([leaseName(lease), "u"], now)),
      );
      try {
        const result = await this.#deps.store.update("lanes", group.key, edits, guard, {
          wantOld: true,
        });
        const item = result.ok ? result.old : result.found;
        return {
          isApplied: result.ok,
          item,
          segment: parsed(group, item),
          now,
          isInDoubt: attempt > 1,
        };
      } catch (error) {
        if (!isLaneError(error, "outcome-unknown") || attempt === ATTEMPTS)
          throw attempt > 1 ? afterChange(error, PARTLY) : error;
        await this.#deps.sleep(backoffMs(this.#deps, attempt, 20, 200));
      }
    }
  }

  async #erase(group: SegmentReceipts, answers: Answers): Promise<void> {
    const done = group.receipts.filter((receipt) => answers.get(receipt) === "done");
    if (done.length > 0)
      await this.#eraser.erase(
        group.stand,
        done.map((receipt) => receipt.offset),
      );
  }
}

/** The segment as an update found it: before it was applied, or as it refused it. */
interface Seen {
  readonly isApplied: boolean;
  readonly item: Item | undefined;
  readonly segment: () => Segment;
  readonly now: EpochMs;
  /** An attempt of unknown outcome went before. */
  readonly isInDoubt: boolean;
}

/** Mostly nobody asks for it. */
function parsed({ start }: SegmentReceipts, item: Item | undefined): () => Segment {
  let segment: Segment | undefined;
  return () => (segment ??= parseSegment(start, item));
}

function judge(ask: Ask, seen: Seen): Answer | { readonly follow: Ask["lease"] } {
  const { receipt, stale, lease } = ask;
  const { isApplied, item, now, isInDoubt } = seen;
  if (item === undefined || item["closed"] === true) return { closed: true, isInDoubt };
  const pending = item[pendingName(lease.id)] as ReadonlySet<string> | undefined;
  const isThere = pending?.has(member(lease, receipt.offset, receipt.tag)) === true;
  if (isApplied && isThere) return "done";
  const segment = seen.segment();
  const holder = holderOf(receipt, segment.leases, stale === "accept" ? "anyone" : "attempt");
  if (holder !== undefined)
    return stale === "refuse" && holder.until <= now ? "expired" : { follow: holder };
  if (isPending(receipt, segment)) return stale === "refuse" ? "expired" : "gone";
  if (!isInDoubt) return "gone";
  const fields = item[leaseName(lease.id)] as { u: number; s?: boolean } | undefined;
  if (fields !== undefined && fields.u > now && fields.s !== true) return "done";
  return stale === "accept" ? "gone" : "unknown";
}

const isPending = (receipt: Receipt, { leases }: Segment): boolean =>
  [...leases.values()].some((lease) => holds(lease, receipt));

const isClosed = (answer: Answer): answer is Closed => typeof answer === "object";

function known(answer: Answer): ReceiptResult {
  if (answer === "done" || answer === "gone" || answer === "expired") return { status: answer };
  throw new LaneError(
    "outcome-unknown",
    "An ack may have been applied, or its message may have gone to another lease before.",
  );
}
