/**
 * What is promised of one consumer group (C8, C9, Y3, Y5): from where it begins on it gets every message that
 * it is to get and no other, and nothing again that it has acked or that was purged, but for a seek. What
 * is not sure is never a failure (B1).
 */
import type { ReceivedMessage } from "../../src/service/api.ts";
import { overAt } from "./ledger.ts";
import type { Incarnation, Sent, Span } from "./ledger.ts";
import { numberOf } from "./payload.ts";
import { Violation } from "./violation.ts";

/** It came to stand there: by its making, or by a seek. */
interface Beginning {
  readonly span: Span;
  /** A number: the time from which on what is sent is not passed over (B2). */
  readonly from: "earliest" | "latest" | number;
}

interface Ack {
  readonly span: Span;
  readonly isSure: boolean;
}

export class GroupAuditor {
  readonly name: string;
  readonly accepts: (number: number) => boolean;
  readonly beginnings: Beginning[] = [];
  readonly #queue: Incarnation;
  readonly #messages: readonly Sent[];
  readonly #acks = new Map<number, Ack[]>();
  readonly #deliveries = new Map<number, Span[]>();

  constructor(
    name: string,
    queue: Incarnation,
    messages: readonly Sent[],
    accepts: (number: number) => boolean,
  ) {
    this.name = name;
    this.accepts = accepts;
    this.#queue = queue;
    this.#messages = messages;
  }

  delivered(span: Span, views: readonly ReceivedMessage[]): void {
    for (const view of views) {
      const number = numberOf(view.body);
      const message = number === undefined ? undefined : this.#messages[number - 1];
      if (number === undefined || message === undefined || message.span.outcome === "refused")
        throw new Violation("phantom", `${this.name} got ${view.id}, which nobody sent`);
      if (!this.accepts(number))
        throw new Violation("phantom", `${this.name} got m${number}, which its filter keeps out`);
      const acked = (this.#acks.get(number) ?? []).find(
        (ack) => ack.isSure && ack.span.to < span.from && !this.#beganSince(ack.span.from),
      );
      if (acked !== undefined)
        throw new Violation("resurrected", `${this.name} acked m${number} at ${acked.span.to}`);
      const passed = this.beginnings.find(
        (one) =>
          one.from === "latest" &&
          one.span.outcome === "done" &&
          message.span.outcome === "done" &&
          message.span.to < one.span.from &&
          one.span.to < span.from &&
          !this.#beganSince(one.span.from, one),
      );
      if (passed !== undefined)
        throw new Violation(
          "purged",
          `${this.name} got m${number}, sent before ${message.span.to}, after a seek to the latest of ${passed.span.from}`,
        );
      const purge = this.#queue.purges.find(
        (one) =>
          one.outcome === "done" &&
          message.span.outcome === "done" &&
          message.span.to < one.from &&
          one.to < span.from &&
          !this.#beganSince(one.from),
      );
      if (purge !== undefined)
        throw new Violation(
          "purged",
          `${this.name} got m${number}, sent before ${message.span.to}, after the purge of ${purge.from}`,
        );
      this.#deliveries.set(number, [...(this.#deliveries.get(number) ?? []), span]);
    }
  }

  acked(span: Span, number: number, isSure: boolean): void {
    this.#acks.set(number, [...(this.#acks.get(number) ?? []), { span, isSure }]);
  }

  /** When everything has come out. */
  checkNothingLost(now: number): void {
    const last = this.beginnings.findLast(({ span }) => span.outcome === "done");
    if (last === undefined) return;
    // A later one of unknown outcome may have passed over anything sent before it was over.
    const doubtful = [
      ...this.beginnings
        .filter((one) => one !== last && one.from === "latest")
        .map((one) => one.span),
      ...this.#queue.purges,
    ].filter((span) => span.outcome !== "refused" && overAt(span) >= last.span.from);
    const doubtfulUntil = Math.max(0, ...doubtful.map((span) => reachOf(span, last)));
    const sentFrom = typeof last.from === "number" ? last.from : SENT_FROM[last.from](last.span);
    for (const message of this.#messages) {
      const { number, span } = message;
      if (message.queue !== this.#queue || span.outcome !== "done" || !this.accepts(number))
        continue;
      if (span.from <= doubtfulUntil || span.from < sentFrom || message.expiresLow < now) continue;
      const got = (this.#deliveries.get(number) ?? []).some((one) => one.to >= last.span.from);
      const acked = (this.#acks.get(number) ?? []).some(
        ({ span: one }) => overAt(one) >= last.span.from,
      );
      if (!got && !acked)
        throw new Violation(
          "lost",
          `${this.name} never got m${number}, sent at ${span.from}; it began at ${last.from} at ${last.span.from}`,
        );
    }
  }

  #beganSince(time: number, but?: Beginning): boolean {
    return this.beginnings.some(
      (one) =>
        one !== but &&
        one.span.outcome !== "refused" &&
        (one.span.outcome === "done" ? one.span.to : Infinity) >= time,
    );
  }
}

const SENT_FROM = { earliest: () => 0, latest: overAt };

/** One left half-way is finished by whoever reads the cursor next, unless a later one has been confirmed. */
const reachOf = (span: Span, last: Beginning): number =>
  span.outcome !== "done" && span.from >= last.span.from ? Infinity : overAt(span);
