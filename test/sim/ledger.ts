/**
 * What the callers of a simulation know: queues with the settings they may have, messages, leases.
 *
 * B1  An operation whose outcome is unknown counts as either; what it may still do counts until it is
 *     sure to be over (`settledAt`, plus the time for which a request may be applied late).
 */
import type { QueueSettings } from "../../src/service/api.ts";
import type { OutgoingMessage } from "../../src/core/message.ts";
import type { QueueName } from "../../src/core/types.ts";
import { APPLIED_LATE_MS } from "./faulty-store.ts";

/** A call: when it began, when its answer came, when it surely was over. */
export interface Span {
  readonly from: number;
  to: number;
  /** Infinity: its instance still works on it. */
  settledAt: number;
  outcome: "pending" | "done" | "refused" | "unknown";
}

export const begun = (from: number): Span => ({
  from,
  to: Infinity,
  settledAt: Infinity,
  outcome: "pending",
});

/** Nothing that the call set off can change anything from here on. */
export const overAt = (span: Span): number =>
  span.outcome === "done" ? span.to : span.settledAt + APPLIED_LATE_MS + 5_000;

const DEFAULTS = { retentionSeconds: 345_600, delaySeconds: 0, maxReceives: null };

export type SettingChange = Partial<QueueSettings>;

/** One life of a queue, from its creation to its deletion. */
export class Incarnation {
  readonly name: QueueName;
  readonly #changes: { readonly span: Span; readonly settings: SettingChange }[] = [];
  readonly purges: Span[];
  deletion: Span | undefined;
  /** Messages may have come here from another queue. */
  readonly takesDead: boolean;
  hadDeadLettering = false;

  constructor(
    name: QueueName,
    created: Span,
    settings: SettingChange,
    takesDead: boolean,
    before?: Incarnation,
  ) {
    this.name = name;
    this.takesDead = takesDead;
    // Calls go by name: what is still at work on the one before may yet do it to this one.
    this.purges = before?.purges ?? [];
    for (const change of before === undefined ? [] : before.#changes)
      if (overAt(change.span) > created.from) this.#changes.push(change);
    // What is not asked for has its default from the start.
    this.changing(created, { ...DEFAULTS, ...settings });
  }

  /** Its messages may be dead-lettered or redriven, and then are in another queue. */
  get mayLoseToOthers(): boolean {
    return this.hadDeadLettering || this.takesDead;
  }

  changing(span: Span, settings: SettingChange): void {
    this.#changes.push({ span, settings });
    if (typeof settings.maxReceives === "number" || settings.onExpired === "deadLetter")
      this.hadDeadLettering = true;
  }

  /** As last asked for. */
  latest(): SettingChange {
    return Object.assign({}, ...this.#changes.map((change) => change.settings)) as SettingChange;
  }

  /** Every value that the setting may have had for an instance at work between two times. */
  possible<K extends keyof QueueSettings>(
    name: K,
    fallback: QueueSettings[K],
    from: number,
    to: number,
    cachedMs: number,
  ): QueueSettings[K][] {
    const [only] = this.#changes;
    // Mostly its creation is all that ever happened to it.
    if (this.#changes.length === 1 && only?.span.outcome === "done" && only.span.from <= to)
      return [(only.settings[name] as QueueSettings[K] | undefined) ?? fallback];
    const values: QueueSettings[K][] = [];
    const changes = this.#changes.filter(
      ({ span, settings }) =>
        settings[name] !== undefined && span.outcome !== "refused" && span.from <= to,
    );
    for (const change of changes) {
      const isSuperseded = changes.some(
        (later) =>
          later.span.outcome === "done" &&
          later.span.from > overAt(change.span) &&
          later.span.to + cachedMs < from,
      );
      if (!isSuperseded) values.push(change.settings[name] as QueueSettings[K]);
    }
    return values.length === 0 ? [fallback] : values;
  }
}

export interface Sent {
  readonly number: number;
  readonly outgoing: OutgoingMessage;
  readonly queue: Incarnation;
  readonly span: Span;
  /** Where its queue keeps order. */
  readonly key: string | undefined;
  /** Number of the first message of its call. */
  readonly call: number;
  /** Start of the first call that asked for its ack. */
  ackFrom: number;
  id: string | undefined;
  /** True time: not before this it may be gone by its age; not after this it may be delivered. */
  expiresLow: number;
  /** True time: not before this it may have expired where it was sent to. */
  livesLow: number;
  /** Of a scheduled message: where it was first delivered from. */
  home: string | undefined;
  /** Calls that asked for it not to be delivered. */
  readonly cancels: Span[];
  visibleLow: number;
  /** End of the first call that confirmed its ack. */
  ackedAt: number;
  /** Calls that ever asked for it. */
  ackTries: number;
  /** Of these, those that may have been applied though nobody said so. */
  ackUnsure: number;
  /** Why it may be lost all the same. */
  waived: string | undefined;
  readonly deliveries: Delivered[];
  /** Calls that may have changed its lease, whoever had it. */
  readonly strays: Span[];
  /** Where dead-lettering or redriving from a place has been seen to lead. */
  readonly moves: Map<string, string>;
}

/** A lease on one message, as its holder knows it. */
export interface Delivered {
  readonly message: Sent;
  readonly in: Incarnation;
  readonly place: string;
  readonly span: Span;
  receipt: string;
  readonly receives: number;
  readonly firstReceivedAt: number;
  /** True time until which it surely is live, if nobody ends it. */
  untilLow: number;
  /** True time from which it surely is over, unless an extension of unknown outcome was applied. */
  untilHigh: number;
  /** End of the last call that changed it whoever had the message: before that somebody else may have claimed it. */
  strayedAt: number;
  /** Given by a receive that drains. */
  readonly isDrained: boolean;
  /** Start of the first call that may have ended or shortened it. */
  touchedAt: number;
  /** All such calls. */
  readonly touches: Span[];
  /** A release asked for this receive not to count. */
  uncounted: boolean;
  /** Acked, or given back, and confirmed. */
  over: boolean;
}
