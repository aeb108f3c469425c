/**
 * Release and extend: reads the segment, lets `core/moves.ts` decide, applies it lease by lease.
 *
 * C4  A move is guarded by the presence of what it moves; if something was acked meanwhile, the
 *     segment is read again and that is dropped.
 * F1  A message that is not in the lease that its receipt names is looked for in the others.
 * T1  Where order is kept, a lease that has run out is extended only as far as nobody has taken back
 *     anything of its keys before; what a claim does meanwhile shows in the segment's version.
 */
import { retryDelayMs } from "../core/backoff.ts";
import { afterChange, isLaneError, LaneError } from "../core/errors.ts";
import { holderOf } from "../core/follow.ts";
import type { Reach } from "../core/follow.ts";
import { LIMITS } from "../core/limits.ts";
import { overtaken, planMove, planReleaseInOrder, shows } from "../core/moves.ts";
import type { LeaseChange, Move, Sign } from "../core/moves.ts";
import type { QueueRecord } from "../core/queue.ts";
import type { Receipt } from "../core/receipt.ts";
import { member, parseLease, parseSegment } from "../core/segment.ts";
import type { Lease } from "../core/segment.ts";
import { epochMs } from "../core/types.ts";
import type { QueueName } from "../core/types.ts";
import { absent, all, equal } from "../store/port.ts";
import type { Item } from "../store/port.ts";
import type { ReceiptResult } from "./api.ts";
import type { Bell } from "./bell.ts";
import type { Catalog } from "./catalog.ts";
import { backoffMs, newLeaseId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { Moved } from "./moved.ts";
import { byReceipt, memberOf, PARTLY, sealed } from "./receipts.ts";
import type { SegmentReceipts } from "./receipts.ts";

const ATTEMPTS = 8;
const LEASES_AT_ONCE = 16;

interface Planned extends Pick<Move, "edits" | "guards"> {
  readonly sign: Sign;
  readonly answers: ReadonlyMap<Receipt, ReceiptResult>;
  /** Any claim of the segment refuses it. */
  readonly meetsClaims: boolean;
  /** What one more update is for. */
  readonly rest: readonly Receipt[];
}

interface ExtendRequest {
  readonly leaseSeconds: number;
  readonly stale?: "accept";
  readonly withinSeconds?: number;
}

export class LeaseChanger {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #bell: Bell;
  readonly #moved: Moved;

  constructor(deps: Deps, catalog: Catalog, bell: Bell, moved: Moved) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#bell = bell;
    this.#moved = moved;
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
    { leaseSeconds, stale, withinSeconds = Number.POSITIVE_INFINITY }: ExtendRequest,
  ): Promise<readonly ReceiptResult[]> {
    const now = this.#deps.clock.now();
    const until = leaseSeconds === 0 ? 0 : now + leaseSeconds * 1000;
    const record = await this.#catalog.get(name);
    const isTooLong = ({ claimedAt = now }: Receipt): boolean =>
      leaseSeconds > 0 && Math.floor((now - claimedAt) / 1000) + leaseSeconds > withinSeconds;
    const change: LeaseChange = { to: "extend", until };
    const reach = stale === "accept" ? "anyone" : "attempt";
    const results = await this.#change(record, texts, change, reach, isTooLong);
    if (leaseSeconds === 0) this.#bell.ring(record.queueId);
    return results;
  }

  async #change(
    record: QueueRecord,
    texts: readonly string[],
    change: LeaseChange,
    reach: Reach = "attempt",
    isTooLong: (receipt: Receipt) => boolean = () => false,
  ): Promise<readonly ReceiptResult[]> {
    const isOrdered = record.settings.order !== "none" && change.to === "release";
    return byReceipt(record, texts, "lease", async (group) => {
      const answers = new Map<Receipt, ReceiptResult>();
      const byLease = new Map<string, Receipt[]>();
      for (const receipt of group.receipts)
        if (isTooLong(receipt)) answers.set(receipt, { status: "tooLong" });
        else byLease.set(receipt.lease, [...(byLease.get(receipt.lease) ?? []), receipt]);
      const leases = [...byLease.values()];
      for (let at = 0; at < leases.length; at += LEASES_AT_ONCE) {
        const some = leases.slice(at, at + LEASES_AT_ONCE);
        if (isOrdered) {
          await this.#settle(group, answers, some.flat(), (item, receipts) =>
            this.#releaseInOrder(group, receipts, change, item),
          );
          continue;
        }
        // Leases of one segment do not get in each other's way: each is guarded by its own members.
        const settled = await Promise.allSettled(
          some.map((receipts) =>
            this.#settle(group, answers, receipts, (item, open) =>
              this.#move(record, group, open, change, reach, item),
            ),
          ),
        );
        for (const one of settled) if (one.status === "rejected") throw one.reason;
      }
      return answers;
    });
  }

  /** What one lease's receipts come to, wherever their messages have moved since. */
  #move(
    record: QueueRecord,
    group: SegmentReceipts,
    receipts: readonly Receipt[],
    change: LeaseChange,
    reach: Reach,
    item: Item,
  ): Planned | undefined {
    const isOrdered = record.settings.order !== "none";
    const found = heldBy(receipts, leasesFor(group, receipts, item), reach);
    const held = isOrdered ? this.#inTime(group, found, reach, item) : found;
    const some = [...held].slice(0, LEASES_AT_ONCE);
    const named = some.reduce((sum, [, own]) => sum + own.length, 0);
    const moves = some.map(([lease, own]) => {
      const members = membersOf(lease, own);
      const newId = () => newLeaseId(this.#deps);
      return { own, lease, move: planMove(lease, members, change, newId, named) };
    });
    if (moves.length === 0) return undefined;
    const meetsClaims = isOrdered && some.some(([lease]) => this.#mayHaveRunOut(lease));
    const moved = moves.find(({ lease, move }) => move.lease.id !== lease.id)?.move.lease.id;
    if (change.to === "extend")
      for (const { own, move } of moves)
        for (const receipt of own) this.#moved.remember(receipt, move.lease);
    return {
      sign:
        moved === undefined
          ? { is: "inPlace", leases: moves.map(({ move }) => move.lease) }
          : { is: "newLease", id: moved },
      edits: moves.flatMap(({ move }) => move.edits),
      guards: [
        ...moves.flatMap(({ move }) => move.guards),
        ...(meetsClaims ? [equal(["version"], item["version"] as number)] : []),
      ],
      answers: new Map(
        moves.flatMap(({ own, move: { lease } }) =>
          own.map((receipt): [Receipt, ReceiptResult] => [
            receipt,
            change.to === "release" || lease.id === receipt.lease
              ? { status: "done" }
              : { status: "done", receipt: renewed(receipt, lease, record.secret) },
          ]),
        ),
      ),
      meetsClaims,
      rest: [...held].slice(LEASES_AT_ONCE).flatMap(([, own]) => own),
    };
  }

  /** T1: the receipts whose messages nobody else keeps waiting. */
  #inTime(group: SegmentReceipts, held: Held, reach: Reach, item: Item): Held {
    if (![...held.keys()].some((lease) => this.#mayHaveRunOut(lease))) return held;
    const { leases } = parseSegment(group.start, item);
    const own = new Set([...heldBy(group.receipts, leases, reach).keys()].map(({ id }) => id));
    const others = [...leases.values()].filter(({ id }) => !own.has(id));
    const now = epochMs(this.#deps.clock.now() - this.#deps.skewMarginMs);
    const inTime = [...held].map(([lease, receipts]): [Lease, readonly Receipt[]] => {
      const late = this.#mayHaveRunOut(lease)
        ? overtaken(lease, membersOf(lease, receipts), others, now)
        : NOTHING;
      return [lease, receipts.filter(({ offset, tag }) => !late.has(member(lease, offset, tag)))];
    });
    return new Map(inTime.filter(([, receipts]) => receipts.length > 0));
  }

  /** By when a request could be carried out. */
  #mayHaveRunOut({ until }: Lease): boolean {
    return until <= this.#deps.clock.now() + LIMITS.requestTimeoutMs;
  }

  /** What receipts of several leases come to where order is kept. */
  #releaseInOrder(
    group: SegmentReceipts,
    receipts: readonly Receipt[],
    change: Extract<LeaseChange, { to: "release" }>,
    item: Item,
  ): Planned | undefined {
    const { leases } = parseSegment(group.start, item);
    const held = heldBy(receipts, leases, "attempt");
    const move = planReleaseInOrder(
      leases.values(),
      membersByLease(held),
      membersByLease(heldBy(group.receipts, leases, "attempt")),
      change,
      this.#deps.clock.now(),
      () => newLeaseId(this.#deps),
    );
    if (move === undefined) return undefined;
    const answers = new Map(
      [...held.values()].flat().map((receipt) => [receipt, { status: "done" }] as const),
    );
    return {
      sign: { is: "newLease", id: move.lease.id },
      answers,
      meetsClaims: false,
      rest: [],
      ...move,
    };
  }

  /** Reads, has it planned, applies; again when what was planned on has changed. */
  async #settle(
    group: SegmentReceipts,
    answers: Map<Receipt, ReceiptResult>,
    receipts: readonly Receipt[],
    plan: (item: Item, receipts: readonly Receipt[]) => Planned | undefined,
  ): Promise<void> {
    let unknown: unknown;
    let isChanged = false;
    let open = receipts;
    try {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const item = await this.#deps.store.get("lanes", group.key, { consistent: true });
        const isClosed = item === undefined || item["closed"] === true;
        const planned = isClosed ? undefined : plan(item, open);
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
            result.ok || (planned.sign.is === "newLease" && shows(planned.sign, result.found));
        } catch (error) {
          if (!isLaneError(error, "outcome-unknown")) throw error;
          unknown = error;
          const found = await this.#deps.store.get("lanes", group.key, { consistent: true });
          isApplied = shows(planned.sign, found);
        }
        if (!isApplied) {
          if (planned.meetsClaims) await this.#deps.sleep(backoffMs(this.#deps, attempt, 5, 100));
          continue;
        }
        for (const [receipt, answer] of planned.answers) answers.set(receipt, answer);
        if (planned.rest.length === 0) return;
        open = planned.rest;
        isChanged = true;
        unknown = undefined;
        attempt = -1;
      }
      throw new LaneError(
        "throttled",
        "The leases are changing; nothing was released or extended.",
      );
    } catch (error) {
      throw unknown === undefined && !isChanged ? error : afterChange(error, PARTLY);
    }
  }
}

/** Mostly the lease that they name has all of them; only else are the others looked through. */
function leasesFor(
  group: SegmentReceipts,
  receipts: readonly Receipt[],
  item: Item,
): ReadonlyMap<string, Lease> {
  const named = parseLease(receipts[0]?.lease ?? "", item);
  return named !== undefined && receipts.every((one) => named.pending.has(memberOf(one)))
    ? new Map([[named.id, named]])
    : parseSegment(group.start, item).leases;
}

type Held = ReadonlyMap<Lease, readonly Receipt[]>;

/** The receipts whose messages are still there for them, by the lease that has them now. */
function heldBy(
  receipts: readonly Receipt[],
  leases: ReadonlyMap<string, Lease>,
  reach: Reach,
): Held {
  const held = new Map<Lease, Receipt[]>();
  for (const receipt of receipts) {
    const lease = holderOf(receipt, leases, reach);
    if (lease !== undefined) held.set(lease, [...(held.get(lease) ?? []), receipt]);
  }
  return held;
}

const renewed = (
  receipt: Receipt,
  { id, entry, attempt }: Lease,
  secret: QueueRecord["secret"],
): string =>
  sealed({ ...receipt, lease: id, entry, ...(attempt === undefined ? {} : { attempt }) }, secret);

const NOTHING: ReadonlySet<string> = new Set();

const membersOf = (lease: Lease, receipts: readonly Receipt[]): ReadonlySet<string> =>
  new Set(receipts.map(({ offset, tag }) => member(lease, offset, tag)));

const membersByLease = (held: Held): ReadonlyMap<string, ReadonlySet<string>> =>
  new Map([...held].map(([lease, receipts]) => [lease.id, membersOf(lease, receipts)]));
