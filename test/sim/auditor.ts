/**
 * Judges every answer that callers got, by what callers know and by nothing else. Each check names its
 * invariant (`violation.ts`). What is not sure is never a failure (B1).
 */
import type { OutgoingMessage } from "../../src/core/message.ts";
import type { QueueName } from "../../src/core/types.ts";
import type {
  AckOptions,
  ReceiptResult,
  ReceivedMessage,
  SendResult,
} from "../../src/service/api.ts";
import { overAt } from "./ledger.ts";
import type { Delivered, Incarnation, Sent, Span } from "./ledger.ts";
import { OrderAuditor } from "./order-auditor.ts";
import { difference, numberOf, payload } from "./payload.ts";
import { TimeAuditor } from "./time-auditor.ts";
import { Violation } from "./violation.ts";

export interface Bounds {
  readonly skewMs: number;
  /** C5, as the service is told. */
  readonly skewMarginMs: number;
  /** How long an instance may act on old settings, by true time. */
  readonly cachedMs: number;
  /** No fault leaves the outcome of a call in doubt that began then: the sharper checks hold, too. */
  readonly isReliable: (from: number) => boolean;
  /** No fault has made a receive that was answered forget what it had claimed. */
  readonly keepsClaims?: () => boolean;
}

interface ReceiveCall {
  readonly span: Span;
  /** What it claimed may have been claimed again before its own answer came, and then is not in that. */
  readonly isShort: boolean;
  readonly leaseMs: number;
}

/** Times are whole milliseconds of clocks that are set anew. */
const STEP_MS = 2;
const DEFAULT_RETENTION_SECONDS = 345_600;
/** What a message that expired unread lives in its dead-letter queue, at least. */
const DEAD_LIVES_MS = 10 * 86_400_000;
/** Larger ones stand in parts, and are not delivered when those cannot be read. */
const LARGEST_IN_ONE_PIECE = 200_000;

export class Auditor {
  readonly messages: Sent[] = [];
  readonly leases: Delivered[] = [];
  readonly byReceipt = new Map<string, Delivered>();
  readonly #ids = new Map<string, Sent>();
  readonly #bounds: Bounds;
  readonly #order: OrderAuditor;
  readonly times: TimeAuditor;
  /**
   * Receives under way or of unknown outcome: each may hold what no one knows of. By name, for one that is
   * still at work on a queue may yet claim from the next one of its name.
   */
  readonly receives = new Map<QueueName, ReceiveCall[]>();

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
    this.#order = new OrderAuditor(this.messages, bounds.skewMs);
    this.times = new TimeAuditor(bounds);
  }

  sending(
    queue: Incarnation,
    span: Span,
    size: number,
    {
      key,
      first,
      times,
    }: {
      key?: string;
      first?: number;
      times?: Pick<OutgoingMessage, "delaySeconds" | "ttlSeconds" | "priority" | "tenant">;
    } = {},
  ): Sent {
    const number = this.messages.length + 1;
    const message: Sent = {
      number,
      key,
      call: first ?? number,
      ackFrom: Infinity,
      outgoing: payload({ number, size, key, times }),
      queue,
      span,
      id: undefined,
      expiresLow: 0,
      livesLow: 0,
      home: undefined,
      cancels: [],
      visibleLow: 0,
      ackedAt: Infinity,
      ackTries: 0,
      ackUnsure: 0,
      waived: undefined,
      deliveries: [],
      strays: [],
      moves: new Map(),
    };
    this.messages.push(message);
    return message;
  }

  /** After its span has its end. */
  sent(message: Sent, result: SendResult | undefined): void {
    const { queue, span } = message;
    const { skewMs, cachedMs } = this.#bounds;
    const retentions = queue.possible(
      "retentionSeconds",
      DEFAULT_RETENTION_SECONDS,
      span.from,
      span.to,
      cachedMs,
    );
    const delays = queue.possible("delaySeconds", 0, span.from, span.to, cachedMs);
    const times = retentions.flatMap((retention) =>
      delays.map((delay) => this.times.timesOf(message, retention, delay)),
    );
    const lives = Math.min(...times.map((one) => one.lives));
    const waits = Math.min(...times.map((one) => one.waits));
    message.livesLow = span.from - skewMs + lives * 1_000;
    message.visibleLow = span.from - 2 * skewMs + waits * 1_000;
    // What expires unread lives on elsewhere.
    const moves = queue.latest().onExpired === "deadLetter";
    message.expiresLow = moves ? message.livesLow + DEAD_LIVES_MS : message.livesLow;
    if (result === undefined) return;
    if ("error" in result) {
      const { code } = result.error;
      if (code === "internal")
        throw new Violation("crash", `send of m${message.number}: ${result.error.detail}`);
      message.span.outcome = code === "outcome-unknown" ? "unknown" : "refused";
      return;
    }
    this.#identify(message, result.id);
  }

  /** Of one call, each judged. */
  sentInOrder(messages: readonly Sent[]): void {
    this.#order.sent(messages);
  }

  #identify(message: Sent, id: string): void {
    const other = this.#ids.get(id);
    if (other !== undefined && other !== message)
      throw new Violation("twice", `m${other.number} and m${message.number} have one id, ${id}`);
    if (message.id !== undefined && message.id !== id) {
      throw new Violation("twice", `m${message.number} stands at ${message.id} and at ${id}`);
    }
    message.id = id;
    this.#ids.set(id, message);
  }

  /** `leaseSeconds`, `isDrained`: as asked for. */
  delivered(
    queue: Incarnation,
    span: Span,
    views: readonly ReceivedMessage[],
    leaseSeconds?: number,
    isDrained = false,
  ): Delivered[] {
    const others = this.#othersOf(queue, span);
    const given = views.map((view) => {
      const number = numberOf(view.body);
      const message = number === undefined ? undefined : this.messages[number - 1];
      if (message === undefined)
        throw new Violation("phantom", `${view.id}: ${view.body.length} bytes that nobody sent`);
      if (leaseSeconds !== undefined) {
        this.#checkClaimedAt(message, view, leaseSeconds);
        this.#checkLeased(message, span, view, leaseSeconds);
      }
      return this.#delivered(message, queue, span, view, others, isDrained);
    });
    given.forEach((lease) => this.#order.check(lease, given));
    if (isDrained) this.#order.drained(given);
    return given;
  }

  /** When those receives were over that may have claimed a message of the queue without that being known. */
  #othersOf(queue: Incarnation, span: Span): readonly number[] {
    if (this.#bounds.keepsClaims?.() !== true) return [];
    const others: number[] = [];
    for (const other of this.receives.get(queue.name) ?? []) {
      if (other.span === span) continue;
      const at = overAt(other.span);
      if (other.isShort || other.span.outcome !== "done" || at >= span.from) others.push(at);
    }
    return others;
  }

  #delivered(
    message: Sent,
    queue: Incarnation,
    span: Span,
    view: ReceivedMessage,
    others: readonly number[],
    isDrained: boolean,
  ): Delivered {
    const label = (): string =>
      `m${message.number} (${view.id}${view.place === undefined ? "" : ` at ${view.place}`})`;
    const place = view.place ?? view.id;
    const isScheduled = view.place !== undefined && (message.outgoing.delaySeconds ?? 0) > 0;
    const isHome = (view.place === undefined || isScheduled) && view.deadLetter === undefined;
    const differs = difference(message.outgoing, view);
    if (differs !== undefined)
      throw new Violation("phantom", `${label()} came back with ${differs}`);
    if (message.span.outcome === "refused")
      throw new Violation("phantom", `${label()} was refused, and is delivered`);
    this.#identify(message, view.id);
    if (isHome && message.queue !== queue && message.queue.name !== queue.name) {
      throw new Violation(
        "foreign",
        `${label()} was sent to ${message.queue.name} and came from ${queue.name}`,
      );
    }
    if (message.ackedAt < span.from)
      throw new Violation(
        "resurrected",
        `${label()} was acked at ${message.ackedAt}, received in a call begun at ${span.from}`,
      );
    if (isHome) this.#checkGone(message, span, label);
    this.#checkTimes(message, span, view, isHome, label);
    this.#checkReceives(message, queue, span, view, place, label, others);
    this.#checkMoves(message, view, place, label);
    const lease: Delivered = {
      message,
      in: queue,
      place,
      span,
      receipt: view.receipt,
      receives: view.receives,
      firstReceivedAt: view.firstReceivedAt,
      untilLow: view.leaseExpiresAt + this.#bounds.skewMarginMs - this.#bounds.skewMs,
      untilHigh: view.leaseExpiresAt + this.#bounds.skewMs,
      strayedAt: -Infinity,
      isDrained,
      touchedAt: Infinity,
      touches: [],
      uncounted: false,
      over: false,
    };
    for (const stray of message.strays) if (overAt(stray) >= span.from) this.touching(lease, stray);
    for (const other of message.deliveries) {
      const areBothLive =
        other.untilLow > span.to &&
        lease.untilLow > span.to &&
        !other.over &&
        other.strayedAt < span.from &&
        other.touchedAt > span.to &&
        // Somebody may have given it back before its own holder was told of it.
        lease.touchedAt > span.to;
      if (areBothLive && message.ackedAt === Infinity) {
        throw new Violation(
          "overlap",
          `${label()}: leased until ${other.untilLow} at ${other.place}, and again by a call that ended at ${span.to}`,
        );
      }
    }
    this.times.delivered(lease, view, isHome, label);
    message.deliveries.push(lease);
    this.leases.push(lease);
    this.byReceipt.set(view.receipt, lease);
    return lease;
  }

  /** However long ago the call began: what it took after the ack was confirmed was not there to take. */
  #checkClaimedAt(message: Sent, view: ReceivedMessage, leaseSeconds: number): void {
    const claimedAt = view.leaseExpiresAt - Math.max(1, leaseSeconds * 1_000) - this.#bounds.skewMs;
    if (claimedAt <= message.ackedAt) return;
    throw new Violation(
      "resurrected",
      `m${message.number} (${view.id}) was acked at ${message.ackedAt}, claimed after ${claimedAt}`,
    );
  }

  /** C10: nobody gets the time that another caller asked for. */
  #checkLeased(message: Sent, span: Span, view: ReceivedMessage, leaseSeconds: number): void {
    const claimedAt = view.leaseExpiresAt - Math.max(1, leaseSeconds * 1_000);
    const { skewMs } = this.#bounds;
    if (claimedAt >= span.from - skewMs - STEP_MS && claimedAt <= span.to + skewMs + STEP_MS)
      return;
    throw new Violation(
      "leased",
      `m${message.number} (${view.id}): for ${leaseSeconds} s, until ${view.leaseExpiresAt}, by a call of ${span.from} to ${span.to}`,
    );
  }

  /** C8 */
  #checkGone(message: Sent, span: Span, label: () => string): void {
    const { queue } = message;
    if (
      message.span.outcome === "done" &&
      queue.deletion?.outcome === "done" &&
      // What was sent later went to the next queue of that name, which an unanswered call may have made.
      message.span.from <= queue.deletion.to + this.#bounds.cachedMs &&
      queue.deletion.to + this.#bounds.cachedMs < span.from
    ) {
      throw new Violation("purged", `${label()} is delivered after its queue was deleted`);
    }
    const purge = queue.purges.find(
      (one) => one.outcome === "done" && message.span.to < one.from && one.to < span.from,
    );
    if (purge !== undefined && message.span.outcome === "done") {
      throw new Violation(
        "purged",
        `${label()}, sent before ${message.span.to}, is delivered after the purge of ${purge.from} to ${purge.to}`,
      );
    }
  }

  /** M2 */
  #checkTimes(
    message: Sent,
    span: Span,
    view: ReceivedMessage,
    isHome: boolean,
    label: () => string,
  ): void {
    const { skewMs, cachedMs } = this.#bounds;
    if (view.expiresAt + 2 * skewMs < span.from)
      throw new Violation(
        "expired",
        `${label()} expired at ${view.expiresAt}, received at ${span.from}`,
      );
    if (!isHome) return;
    const { from, outcome } = message.span;
    const to = outcome === "done" ? message.span.to : Infinity;
    if (view.sentAt < from - skewMs - 1 || view.sentAt > to + skewMs + 1)
      throw new Violation("expired", `${label()} says sent at ${view.sentAt}, not ${from}..${to}`);
    const lives = (view.expiresAt - view.sentAt) / 1_000;
    const { outgoing } = message;
    const delays = message.queue.possible("delaySeconds", 0, from, to, cachedMs);
    const retentions = message.queue.possible(
      "retentionSeconds",
      DEFAULT_RETENTION_SECONDS,
      from,
      to,
      cachedMs,
    );
    const allowed = retentions.flatMap((retention) =>
      delays.map((delay) => this.times.timesOf(message, retention, delay).lives),
    );
    const hasTimes = outgoing.delaySeconds !== undefined || outgoing.ttlSeconds !== undefined;
    const isAllowed = hasTimes
      ? allowed.some((one) => Math.abs(one - lives) < 0.01)
      : retentions.includes(lives);
    if (!isAllowed)
      throw new Violation(
        "expired",
        `${label()} lives ${lives} s, the queue said ${allowed.join(" or ")}`,
      );
    if (message.visibleLow > 0 && span.to < message.visibleLow)
      throw new Violation("expired", `${label()} is delivered before ${message.visibleLow}`);
  }

  #checkReceives(
    message: Sent,
    queue: Incarnation,
    span: Span,
    view: ReceivedMessage,
    place: string,
    label: () => string,
    others: readonly number[],
  ): void {
    const here = message.deliveries.filter((other) => other.place === place);
    const surely = here.filter((other) => other.span.to < span.from && !other.uncounted).length;
    if (view.receives < 1 + surely) {
      throw new Violation(
        "receives",
        `${label()} says received ${view.receives} times, after ${surely} times before`,
      );
    }
    if (
      this.#bounds.keepsClaims?.() === true &&
      message.outgoing.body.length < LARGEST_IN_ONE_PIECE
    ) {
      const unknown = others.filter((at) => at >= message.span.from).length;
      const atMost = 1 + here.length + unknown;
      if (view.receives > atMost)
        throw new Violation(
          "receives",
          `${label()} says received ${view.receives} times, at most ${atMost} are possible`,
        );
    }
    const limits = queue.possible("maxReceives", null, span.from, span.to, this.#bounds.cachedMs);
    const limit = limits.includes(null) ? Infinity : Math.max(...limits.map(Number));
    if (view.receives > limit)
      throw new Violation(
        "deadLetter",
        `${label()} is delivered ${view.receives} times, ${limit} are allowed`,
      );
    const first = here.find((other) => other.firstReceivedAt !== view.firstReceivedAt);
    if (first !== undefined)
      throw new Violation(
        "receives",
        `${label()} was first received at ${first.firstReceivedAt}, now at ${view.firstReceivedAt}`,
      );
  }

  /** C6 */
  #checkMoves(message: Sent, view: ReceivedMessage, place: string, label: () => string): void {
    const info = view.deadLetter;
    if (info === undefined) return;
    const source = `${info.queueId}/${info.lane}/${info.offset}`;
    const earlier = message.moves.get(source);
    if (earlier !== undefined && earlier !== place)
      throw new Violation("deadLetter", `${label()} came from ${source}, and so did ${earlier}`);
    message.moves.set(source, place);
    const origin = message.queue;
    if (origin.name !== info.queue) return;
    if (view.place !== message.id)
      this.#order.left(message, info.deadLetteredAt - 2 * this.#bounds.skewMs);
    if (info.reason === "expired") return;
    const limits = origin
      .possible("maxReceives", null, message.span.from, Infinity, Infinity)
      .filter((limit) => limit !== null);
    if (limits.length === 0)
      throw new Violation("deadLetter", `${label()} was dead-lettered by a queue without a limit`);
    if (info.receives < Math.min(...limits))
      throw new Violation(
        "deadLetter",
        `${label()} was dead-lettered after ${info.receives} receives, the limit was ${limits.join(" or ")}`,
      );
  }

  acking(lease: Delivered, from: number): void {
    lease.message.ackFrom = Math.min(lease.message.ackFrom, from);
    lease.message.ackTries += 1;
    lease.message.ackUnsure += 1;
  }

  acked(
    lease: Delivered,
    span: Span,
    result: ReceiptResult | undefined,
    stale?: AckOptions["stale"],
  ): void {
    const { message } = lease;
    const label = `m${message.number} (${lease.place})`;
    // An error that says so has done nothing: the message must come out yet.
    if (span.outcome === "refused") message.ackUnsure -= 1;
    if (stale === "refuse") this.#checkRefusing(lease, span, result, label);
    // Whose message is gone was told that it is deleted, and that it does not come again.
    if (stale !== undefined && result?.status === "gone" && !message.queue.mayLoseToOthers) {
      message.ackedAt = Math.min(message.ackedAt, span.to);
      lease.over = true;
      return;
    }
    if (result?.status === "done") {
      if (this.#bounds.isReliable(span.from) && message.ackedAt < span.from && stale !== "accept")
        throw new Violation("falseDone", `${label} was acked before, at ${message.ackedAt}`);
      const later = message.deliveries.find(
        (other) =>
          other !== lease &&
          other.place === lease.place &&
          other.span.from > lease.span.to &&
          other.span.to < span.from,
      );
      if (later !== undefined && message.ackTries === 1 && stale !== "accept")
        throw new Violation("falseDone", `${label} had moved to a lease of ${later.span.to}`);
      message.ackedAt = Math.min(message.ackedAt, span.to);
      lease.over = true;
      return;
    }
    if (result?.status === "invalid" && lease.in.deletion === undefined)
      throw new Violation("falseGone", `${label}: its receipt is called invalid`);
    if (result?.status !== "gone") return;
    // A reply lost on the way may have said done: then gone is no news of the message.
    if (this.#bounds.isReliable(span.from)) message.ackUnsure -= 1;
    this.#checkGoneAnswer(lease, span, label);
  }

  /** A3: while the lease runs it is acked, and not when it is over. */
  #checkRefusing(
    lease: Delivered,
    span: Span,
    result: ReceiptResult | undefined,
    label: string,
  ): void {
    const isSettled = lease.touches.every(
      (touch) => touch.outcome !== "unknown" && overAt(touch) < span.from,
    );
    // In doubt it may say done of what somebody else has acked (A1), and that is as good.
    const isSure = this.#bounds.isReliable(span.from) && isSettled;
    if (result?.status === "done" && isSure && lease.untilHigh < span.from)
      throw new Violation(
        "falseDone",
        `${label} was leased until ${lease.untilHigh} at most, and a call begun at ${span.from} acked it`,
      );
    const runsOn = lease.untilLow - this.#bounds.skewMarginMs > span.to;
    if (result?.status === "expired" && runsOn) this.#checkGoneAnswer(lease, span, label);
  }

  #checkGoneAnswer(lease: Delivered, span: Span, label: string): void {
    const { message } = lease;
    if (
      !this.#bounds.isReliable(span.from) ||
      lease.over ||
      // Somebody else may have had it then.
      lease.strayedAt > -Infinity ||
      lease.touchedAt < span.to ||
      lease.touches.some((touch) => overAt(touch) >= span.from) ||
      lease.untilLow < span.to
    )
      return;
    if (message.ackTries > 1 || message.waived !== undefined || message.expiresLow < span.to)
      return;
    throw new Violation(
      "falseGone",
      `${label} is leased until ${lease.untilLow}, and an ack that ended at ${span.to} does not say done`,
    );
  }

  touching(lease: Delivered, span: Span): void {
    lease.touchedAt = Math.min(lease.touchedAt, span.from);
    lease.touches.push(span);
  }

  /** It may change the lease of whoever has the message. */
  straying({ message }: Delivered, span: Span): void {
    message.strays.push(span);
    for (const lease of message.deliveries) this.touching(lease, span);
  }

  released(lease: Delivered, countAttempt: boolean, result: ReceiptResult | undefined): void {
    if (!countAttempt) lease.uncounted = true;
    if (result?.status === "done") lease.over = true;
  }

  extended(
    lease: Delivered,
    span: Span,
    leaseSeconds: number,
    result: ReceiptResult | undefined,
    { isStray = false, keepsReceipt = false }: { isStray?: boolean; keepsReceipt?: boolean } = {},
  ): void {
    if (result?.status !== "done") return;
    const { skewMs } = this.#bounds;
    for (const one of isStray ? lease.message.deliveries : [lease])
      one.untilHigh = Math.max(one.untilHigh, span.to + leaseSeconds * 1_000 + 2 * skewMs);
    if (result.receipt !== undefined && !keepsReceipt) {
      this.byReceipt.set(result.receipt, lease);
      lease.receipt = result.receipt;
    }
    const isSure = lease.touches.every(
      (touch) => touch === span || (touch.outcome !== "unknown" && touch.to < span.from),
    );
    if (!isSure) return;
    if (isStray) lease.strayedAt = span.to;
    // To nothing: free at once.
    lease.untilLow =
      leaseSeconds === 0
        ? span.from
        : span.from + leaseSeconds * 1_000 + this.#bounds.skewMarginMs - 2 * this.#bounds.skewMs;
    lease.touchedAt = Infinity;
    if (isStray || lease.untilLow <= span.to) return;
    this.#checkExtended(lease, span);
    this.#order.extended(lease, span);
  }

  /** What was given to somebody else before the extension was confirmed was not its to extend (C4). */
  #checkExtended(lease: Delivered, span: Span): void {
    const { message } = lease;
    const other = message.deliveries.find(
      (one) =>
        one !== lease &&
        one.place === lease.place &&
        one.span.from > lease.span.to &&
        one.span.to < span.to &&
        one.untilLow > span.to &&
        !one.over &&
        one.touchedAt > span.to,
    );
    if (other === undefined || message.ackedAt !== Infinity) return;
    throw new Violation(
      "overlap",
      `m${message.number} (${lease.place}): leased by a call that ended at ${other.span.to} until ${other.untilLow}, and the lease before it extended by ${span.to}`,
    );
  }

  /** What must still be found: confirmed, not acked, not waived, not past its retention. */
  outstanding(now: number): Sent[] {
    return this.messages.filter(
      (message) =>
        message.span.outcome === "done" &&
        message.ackedAt === Infinity &&
        message.ackUnsure === 0 &&
        message.waived === undefined &&
        message.expiresLow > now,
    );
  }
}
