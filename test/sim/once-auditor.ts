/**
 * Judges sends that are to be stored once: what is remembered of each id, by what callers were told and
 * what was delivered.
 *
 * Every send of an id has a body of its own, so that it shows which of them was stored. A request under a
 * key is always the same one, and its messages are told apart by the usual auditor.
 */
import { LIMITS } from "../../src/core/limits.ts";
import { unpack } from "../../src/core/packing.ts";
import { parseMessageId } from "../../src/core/receipt.ts";
import type { SendResult } from "../../src/service/api.ts";
import { logKey, offsetKey } from "../../src/store/keys.ts";
import { begun, overAt } from "./ledger.ts";
import type { Incarnation, Sent, Span } from "./ledger.ts";
import { SETTINGS_SLACK_MS } from "./simulation.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

/** A dedup id and all sends of it. */
export interface Deed {
  readonly id: string;
  readonly sends: Sent[];
  /** Ids that repeats were told. */
  readonly told: { readonly id: string; readonly at: number }[];
}

/** A request under an idempotency key: what all calls of it together have done. */
export interface KeyedDeed {
  readonly key: string;
  readonly messages: readonly Sent[];
  /** Of each message, by the calls that are over. */
  readonly fates: Span["outcome"][];
  underWay: number;
  settledAt: number;
}

/** A record's end, and with it its call's, is a whole second. */
const TTL_STEP_MS = 1_000;

const RANK: readonly Span["outcome"][] = ["refused", "unknown", "done"];

/** What is true of two calls together: what one confirmed is there, what one may have done may be. */
const worse = (a: Span["outcome"], b: Span["outcome"]): Span["outcome"] =>
  RANK.indexOf(a) > RANK.indexOf(b) ? a : b;

export class OnceAuditor {
  readonly deeds: Deed[] = [];
  readonly requests: KeyedDeed[] = [];
  readonly #sim: Simulation;
  readonly #windowMs: number;
  readonly #clears: readonly Span[];

  /** `clears`: calls that were to make the queue forget its ids (K2). */
  constructor(sim: Simulation, windowMs: number, clears: readonly Span[] = []) {
    this.#sim = sim;
    this.#windowMs = windowMs;
    this.#clears = clears;
  }

  deed(): Deed {
    const deed = { id: `d${this.deeds.length}`, sends: [], told: [] };
    this.deeds.push(deed);
    return deed;
  }

  request(queue: Incarnation, count: number): KeyedDeed {
    const { auditor, random } = this.#sim;
    const first = auditor.messages.length + 1;
    const messages = Array.from({ length: count }, () =>
      auditor.sending(queue, begun(this.#sim.scheduler.now), random.int(8, 60), { first }),
    );
    const key = `r${this.requests.length}`;
    const request: KeyedDeed = { key, messages, fates: [], underWay: 0, settledAt: 0 };
    this.requests.push(request);
    return request;
  }

  /** Whether there was an answer. */
  async send(queue: Incarnation, deeds: readonly Deed[]): Promise<boolean> {
    const { auditor, scheduler, random } = this.#sim;
    const span = begun(scheduler.now);
    const first = auditor.messages.length + 1;
    const messages = deeds.map((deed) => {
      const size = random.chance(0.03) ? random.int(260_000, 400_000) : random.int(8, 120);
      const message = auditor.sending(queue, { ...span }, size, { first });
      deed.sends.push(message);
      if (this.#clears.some(({ settledAt }) => settledAt >= span.from))
        message.waived = "sent while its queue was cleared";
      return message;
    });
    const outgoing = messages.map((message, index) => ({
      ...message.outgoing,
      dedupId: deeds[index]?.id ?? "",
    }));
    const ids = deeds.map((deed) => deed.id).join(" ");
    const label = `send ${ids} m${first}+${deeds.length}`;
    const call = await this.#sim.call(label, (service) => service.send(queue.name, outgoing), span);
    for (const [index, message] of messages.entries()) {
      Object.assign(message.span, {
        to: span.to,
        outcome: span.outcome,
        settledAt: span.settledAt,
      });
      const deed = deeds[index];
      if (deed !== undefined)
        this.#sim.audit(() => this.#answered(deed, message, call.value?.[index]));
    }
    return call.value !== undefined;
  }

  #answered(deed: Deed, message: Sent, result: SendResult | undefined): void {
    const isTold = result !== undefined && "id" in result && result.duplicate === true;
    this.#sim.auditor.sent(message, isTold ? undefined : result);
    if (!isTold) {
      this.#checkOnce(deed);
      return;
    }
    // It is not there itself, for another one is.
    message.span.outcome = "refused";
    this.#sim.trace?.(`  ${deed.id} is ${result.id}`);
    deed.told.push({ id: result.id, at: this.#sim.scheduler.now });
    const stranger = this.deeds.find(
      (other) => other !== deed && other.sends.some(({ id }) => id === result.id),
    );
    if (stranger !== undefined)
      throw new Violation("twice", `${deed.id} is told ${result.id}, which is ${stranger.id}`);
    this.#checkForgotten(deed, message, result.id);
    this.#checkWindow(deed, message, result.id);
  }

  /** I2: when the windows of all earlier sends are over, the next one is no repeat. */
  #checkWindow(deed: Deed, message: Sent, id: string): void {
    const others = deed.sends.filter((one) => one !== message);
    const lastAt = Math.max(...others.map(({ span }) => overAt(span)));
    const slackMs = LIMITS.dedupSpareMs + TTL_STEP_MS + 2 * this.#sim.plan.skewMs;
    if (lastAt + this.#windowMs + slackMs >= message.span.from) return;
    throw new Violation(
      "lost",
      `${deed.id} is told ${id} by a call of ${message.span.from}, and was last sent by ${lastAt}`,
    );
  }

  /** K2: what was sent before a clearing is no repeat's any more, once all have heard of that. */
  #checkForgotten(deed: Deed, message: Sent, id: string): void {
    const first = deed.sends.find((one) => one.id === id);
    const clear = this.#clears.find(
      ({ outcome, from, to }) =>
        outcome === "done" &&
        first !== undefined &&
        overAt(first.span) < from &&
        to + this.#heardOfMs < message.span.from,
    );
    if (clear === undefined) return;
    throw new Violation(
      "lost",
      `${deed.id} is told ${id}, which was cleared from ${clear.from} to ${clear.to}, and stands nowhere`,
    );
  }

  /** D1, by the clocks of all instances. */
  get #heardOfMs(): number {
    return LIMITS.settingsCachedMs + SETTINGS_SLACK_MS + 2 * this.#sim.plan.skewMs;
  }

  /** Two that stand on both sides of a clearing: the later one may be one that its id was forgotten for. */
  #isBetween(earlier: Span, later: Span): boolean {
    return this.#clears.some(
      (clear) =>
        clear.outcome !== "refused" &&
        clear.from <= overAt(later) &&
        earlier.from <= overAt(clear) + this.#heardOfMs,
    );
  }

  /** Two that stand: one of the calls must have gone on when the window of the first was over. */
  #checkOnce({ id, sends }: Deed): void {
    const standing = sends.filter((one) => one.id !== undefined && one.span.outcome !== "refused");
    for (const [index, later] of standing.entries()) {
      for (const earlier of standing.slice(0, index)) {
        const end = earlier.span.from + this.#windowMs - 2 * this.#sim.plan.skewMs;
        if (Math.max(overAt(earlier.span), overAt(later.span)) >= end) continue;
        if (this.#isBetween(earlier.span, later.span)) continue;
        throw new Violation(
          "twice",
          `${id} stands as m${earlier.number} (${earlier.id}) and as m${later.number} (${later.id}), sent at ${earlier.span.from} and ${later.span.from}`,
        );
      }
    }
  }

  /** K2: its id is forgotten only when all lanes have passed over what it was sent with. */
  #checkPassedOver({ id, sends }: Deed): void {
    const standing = sends.filter((one) => one.id !== undefined && one.span.outcome === "done");
    for (const earlier of standing) {
      const knownBy = earlier.span.from + this.#windowMs - 2 * this.#sim.plan.skewMs;
      // Else it may have been sent under another name than those who had heard of a clearing use.
      const isPlain = this.#clears.every(
        (clear) =>
          clear.outcome === "refused" ||
          clear.from > earlier.span.to ||
          overAt(clear) + this.#heardOfMs < earlier.span.from,
      );
      const later = standing.find(
        ({ span }) => span.from > earlier.span.to && span.to < knownBy && isPlain,
      );
      const again = earlier.deliveries.find(({ span }) => later && span.from > later.span.to);
      if (later === undefined || again === undefined) continue;
      throw new Violation(
        "twice",
        `${id} was forgotten for m${later.number}, sent by ${later.span.to}, and m${earlier.number} is received in a call begun at ${again.span.from}`,
      );
    }
  }

  /** The same request again; each of its messages has one place, as the usual auditor sees to. */
  async sendKeyed(queue: Incarnation, request: KeyedDeed): Promise<void> {
    const { key, messages, fates } = request;
    const { auditor, scheduler } = this.#sim;
    const span = begun(scheduler.now);
    request.underWay += 1;
    for (const [index, { span: known }] of messages.entries())
      if (fates[index] !== "done")
        Object.assign(known, { to: Infinity, settledAt: Infinity, outcome: "pending" });
    const outgoing = messages.map((message) => message.outgoing);
    const call = await this.#sim.call(
      `send under ${key} m${messages[0]?.number}+${messages.length}`,
      (service) => service.send(queue.name, outgoing, { idempotencyKey: key }),
      span,
    );
    request.underWay -= 1;
    request.settledAt = Math.max(request.settledAt, overAt(span));
    for (const [index, message] of messages.entries()) {
      const known = { ...message.span };
      Object.assign(message.span, { to: span.to, outcome: span.outcome });
      this.#sim.audit(() => auditor.sent(message, call.value?.[index]));
      const fate = worse(fates[index] ?? "refused", message.span.outcome);
      const isOpen = fate !== "done" && request.underWay > 0;
      Object.assign(message.span, {
        to: fates[index] === "done" ? known.to : isOpen ? Infinity : span.to,
        settledAt: isOpen ? Infinity : request.settledAt,
        outcome: isOpen ? "pending" : fate,
      });
      fates[index] = fate;
    }
  }

  /** When the windows of what was sent end. */
  windowEnds(): number[] {
    return this.deeds.flatMap(({ sends }) => {
      const [first] = sends;
      return first === undefined ? [] : [first.span.from + this.#windowMs];
    });
  }

  /** E5: what the log holds of it was put within the window that began with its call. */
  async #checkPut(deed: Deed, message: Sent): Promise<void> {
    const place = message.id === undefined ? undefined : parseMessageId(message.id);
    if (place === undefined) return;
    const { items } = await this.#sim.engine.store.query(
      "lanes",
      logKey(place.queueId, place.lane),
      { to: offsetKey(place.offset), reverse: true, limit: 1, consistent: true },
    );
    const [entry] = items;
    const body = entry?.["body"] as Uint8Array | undefined;
    if (entry === undefined || body === undefined) return;
    const sentAt = unpack(body)[place.offset - Number(entry.sk)]?.sentAt;
    const putAt = entry["sentAt"] as number;
    const latest = this.#windowMs + TTL_STEP_MS + 2 * this.#sim.plan.skewMs;
    if (sentAt === undefined || putAt - sentAt <= latest) return;
    throw new Violation(
      "twice",
      `${deed.id} (m${message.number}) was put at ${putAt}, by a call of ${sentAt}, when nothing remembered it any more`,
    );
  }

  /** When everything has been received. */
  async verdict(): Promise<void> {
    for (const deed of this.deeds) {
      this.#checkOnce(deed);
      this.#checkPassedOver(deed);
      for (const message of deed.sends) await this.#checkPut(deed, message);
      for (const { id, at } of deed.told) {
        if (deed.sends.some((message) => message.id === id)) continue;
        const earliest = Math.min(...deed.sends.map(({ expiresLow }) => expiresLow));
        const isWaived = deed.sends.some(({ waived }) => waived !== undefined);
        // Past its retention, a message that no other answer has named is never seen.
        if (isWaived || earliest <= this.#sim.scheduler.now) continue;
        throw new Violation("lost", `${deed.id} was told ${id} at ${at}, and nothing stands there`);
      }
    }
  }
}
