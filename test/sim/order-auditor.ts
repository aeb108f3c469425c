/**
 * What queues that keep order promise, judged from answers alone: T1–T3, O1, Q3.
 *
 * A message may be delivered only when every one of its key that was surely sent before it has perhaps
 * been acked, dead-lettered or lost by its age, or stands before it in the same answer; and while nobody
 * else surely holds one of its key.
 */
import type { Delivered, Sent, Span } from "./ledger.ts";
import { Violation } from "./violation.ts";

export class OrderAuditor {
  readonly #messages: readonly Sent[];
  readonly #skewMs: number;
  /** By queue and key, as far as `#messages` has been sorted. */
  readonly #byKey = new Map<string, Sent[]>();
  #sorted = 0;

  constructor(messages: readonly Sent[], skewMs: number) {
    this.#messages = messages;
    this.#skewMs = skewMs;
  }

  /** `answer`: all that was given with it, in order. */
  check(lease: Delivered, answer: readonly Delivered[]): void {
    const { message, span } = lease;
    if (message.key === undefined || lease.in !== message.queue) return;
    // It may have been dead-lettered and sent back, behind what was sent meanwhile.
    if (message.queue.mayLoseToOthers && lease.place !== message.id) return;
    for (const other of this.#sameKey(message)) {
      if (other === message) continue;
      if (isSurelyBefore(other, message) && !this.#isPerhapsDone(other, span.to)) {
        const at = answer.findIndex((one) => one.message === other);
        if (at === -1 || at > answer.indexOf(lease))
          throw new Violation(
            "order",
            `m${message.number} of ${message.key} is delivered by a call that ended at ${span.to}, before m${other.number}, sent by ${other.span.to}`,
          );
      }
      // A receive that drains gives what comes back though others hold what is behind it (T1).
      if (lease.isDrained && !isSurelyBefore(other, message)) continue;
      const holder = other.deliveries.find(
        (one) =>
          one.in === lease.in &&
          one.span !== span &&
          one.span.to < span.from &&
          one.untilLow > span.to &&
          one.touchedAt > span.to &&
          !one.over,
      );
      if (holder !== undefined && lease.untilLow > span.to && !this.#isPerhapsDone(other, span.to))
        throw new Violation(
          "order",
          `m${message.number} of ${message.key} is delivered by a call that ended at ${span.to}, while m${other.number} is leased until ${holder.untilLow}`,
        );
    }
  }

  /** T1: nothing of its key before it was given to somebody else while it was extended, or before that. */
  extended(lease: Delivered, span: Span): void {
    const { message } = lease;
    const isHome = lease.in === message.queue && lease.place === message.id;
    if (message.key === undefined || !isHome || lease.isDrained) return;
    for (const other of this.#sameKey(message)) {
      if (!isSurelyBefore(other, message) || this.#isPerhapsDone(other, span.to)) continue;
      const holder = other.deliveries.find(
        (one) =>
          one.in === lease.in &&
          one.place === other.id &&
          !one.isDrained &&
          one.span.from > lease.span.to &&
          one.span.to < span.to &&
          one.untilLow > span.to &&
          one.touchedAt > span.to &&
          !one.over,
      );
      if (holder !== undefined)
        throw new Violation(
          "order",
          `m${message.number} of ${message.key} is extended by ${span.to}, while m${other.number} before it is leased until ${holder.untilLow}`,
        );
    }
  }

  /** T4: of one answer, what is of a key stands together. */
  drained(given: readonly Delivered[]): void {
    const seen = new Set<string>();
    let last: string | undefined;
    for (const { message } of given) {
      const { key } = message;
      if (key === undefined || key === last) continue;
      if (seen.has(key))
        throw new Violation("order", `m${message.number} of ${key} stands behind another key's`);
      seen.add(key);
      last = key;
    }
  }

  /** O1: of the messages of one call, none is stored behind one of its key that may not have been. */
  sent(messages: readonly Sent[]): void {
    const failed = new Map<string, Sent>();
    for (const message of messages) {
      if (message.key === undefined) continue;
      const before = failed.get(message.key);
      if (message.span.outcome !== "done") failed.set(message.key, message);
      else if (before !== undefined)
        throw new Violation(
          "order",
          `m${message.number} of ${message.key} is stored, and m${before.number} before it ended ${before.span.outcome}`,
        );
    }
  }

  /**
   * A message was found to have left for the dead letters at a time, by the clock of who moved it: until
   * then it kept what is behind it waiting, but for what was given to its own holder. Who moved it may have
   * slept while it expired, and others passed it then.
   */
  left(message: Sent, at: number): void {
    // What a purge has passed over may still be on its way, and keeps nothing waiting.
    if (message.key === undefined || message.waived !== undefined) return;
    for (const other of this.#sameKey(message)) {
      if (!isSurelyBefore(message, other)) continue;
      const early = other.deliveries.find(
        (one) =>
          one.in === message.queue &&
          one.place === other.id &&
          one.span.to < at &&
          one.span.to + this.#skewMs < message.expiresLow &&
          !message.deliveries.some((own) => own.span === one.span),
      );
      if (early !== undefined && message.ackFrom > early.span.to)
        throw new Violation(
          "order",
          `m${other.number} of ${message.key} is delivered by a call that ended at ${early.span.to}, and m${message.number} left for the dead letters at ${at}`,
        );
    }
  }

  #isPerhapsDone(message: Sent, now: number): boolean {
    return (
      message.ackFrom <= now ||
      message.waived !== undefined ||
      message.expiresLow <= now + this.#skewMs ||
      message.queue.mayLoseToOthers
    );
  }

  #sameKey(message: Sent): readonly Sent[] {
    for (; this.#sorted < this.#messages.length; this.#sorted += 1) {
      const one = this.#messages[this.#sorted];
      if (one?.key === undefined) continue;
      const name = nameOf(one);
      const others = this.#byKey.get(name);
      if (others === undefined) this.#byKey.set(name, [one]);
      else others.push(one);
    }
    return this.#byKey.get(nameOf(message)) ?? [];
  }
}

const nameOf = ({ queue, key }: Sent): string => `${queue.name}/${key}`;

/** Of one life of its queue: confirmed before the other's call began, or before it in the same call. */
const isSurelyBefore = (one: Sent, other: Sent): boolean =>
  one.queue === other.queue &&
  one.span.outcome === "done" &&
  (one.call === other.call ? one.number < other.number : one.span.to < other.span.from);
