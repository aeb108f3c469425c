/**
 * What schedules, expiry and back-off promise, judged from answers alone: T1–T6, M2, C6, R4.
 *
 * A message has its own times, as it was sent with them; by true time they are known only as far as
 * clocks agree.
 */
import { retryDelayMs } from "../../src/core/backoff.ts";
import type { ReceivedMessage } from "../../src/service/api.ts";
import type { Delivered, Sent, Span } from "./ledger.ts";
import { Violation } from "./violation.ts";

export interface TimeBounds {
  readonly skewMs: number;
}

/** Rounding of times to the clock's and the codec's steps. */
const STEP_MS = 2;

export class TimeAuditor {
  readonly #bounds: TimeBounds;

  constructor(bounds: TimeBounds) {
    this.#bounds = bounds;
  }

  /** The times that its send gives a message, in seconds from then on: at least. */
  timesOf(
    { outgoing: { delaySeconds = 0, ttlSeconds = Number.POSITIVE_INFINITY } }: Sent,
    retentionSeconds: number,
    queueDelaySeconds: number,
  ): { readonly waits: number; readonly lives: number } {
    if (delaySeconds > queueDelaySeconds)
      return { waits: delaySeconds, lives: delaySeconds + Math.min(ttlSeconds, retentionSeconds) };
    const lives = Math.min(queueDelaySeconds + ttlSeconds, retentionSeconds);
    return { waits: queueDelaySeconds, lives };
  }

  cancelling(message: Sent, span: Span): void {
    message.cancels.push(span);
    message.waived ??= "perhaps cancelled";
  }

  /** T3: what was refused goes on to be delivered, and is missed if it is not. */
  cancelRefused(message: Sent): void {
    const others = message.cancels.filter(({ outcome }) => outcome !== "refused");
    if (message.waived === "perhaps cancelled" && others.length === 0) message.waived = undefined;
  }

  delivered(lease: Delivered, view: ReceivedMessage, isHome: boolean, label: () => string): void {
    const { message } = lease;
    const cancel = message.cancels.find(({ outcome }) => outcome === "done");
    if (cancel !== undefined)
      throw new Violation(
        "cancelled",
        `${label()} is delivered, and was cancelled by a call of ${cancel.from} to ${cancel.to}`,
      );
    if (isHome) this.#checkHome(lease, label);
    this.#checkExpired(message, view, label);
    this.#checkBackoff(lease, label);
  }

  /** T1: a scheduled message has one place, where its timer took it. */
  #checkHome({ message, place }: Delivered, label: () => string): void {
    message.home ??= place;
    if (message.home !== place)
      throw new Violation("twice", `${label()} has been delivered from ${message.home}, too`);
  }

  /** C6 */
  #checkExpired(message: Sent, { deadLetter }: ReceivedMessage, label: () => string): void {
    if (deadLetter?.reason !== "expired") return;
    if (deadLetter.deadLetteredAt < message.livesLow - this.#bounds.skewMs - STEP_MS)
      throw new Violation(
        "deadLetter",
        `${label()} was dead-lettered as expired at ${deadLetter.deadLetteredAt}, and lives until ${message.livesLow}`,
      );
  }

  /** R4 */
  #checkBackoff(lease: Delivered, label: () => string): void {
    const { message, span, place, receives } = lease;
    const { backoff } = lease.in.latest();
    if (backoff === undefined || backoff === null) return;
    const least = { ...backoff, initialSeconds: backoff.initialSeconds * (1 - backoff.jitter) };
    for (const other of message.deliveries) {
      const isAttemptBefore =
        other !== lease && other.place === place && other.receives === receives - 1;
      if (!isAttemptBefore || other.over || other.touches.length > 0) continue;
      const cap = { ...least, maxSeconds: backoff.maxSeconds * (1 - backoff.jitter), jitter: 0 };
      const from = other.untilLow + retryDelayMs(cap, { id: "", receives: other.receives });
      if (span.to < from - STEP_MS)
        throw new Violation(
          "backoff",
          `${label()}, received ${receives} times, came by ${span.to}, its back-off lasts until ${from}`,
        );
    }
  }
}
