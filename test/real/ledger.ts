/**
 * What the callers of a service know that dies again and again: what it confirmed holds, and what it
 * did not answer may have happened or not.
 */
import type { MessageView } from "../../src/service/api.ts";
import { numberOf } from "../sim/payload.ts";
import { Violation } from "../sim/violation.ts";

export interface Known {
  readonly number: number;
  readonly text: string;
  sent: "perhaps" | "yes" | "no";
  id: string | undefined;
  /** When the first answer came that confirmed its ack. */
  ackedAt: number;
  /** Acks that were asked for and not answered: each may have been applied. */
  acksInDoubt: number;
  deliveries: number;
}

export class Ledger {
  readonly messages: Known[] = [];
  readonly #ids = new Map<string, Known>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  sending(size: number): Known {
    const number = this.messages.length + 1;
    const head = `m${number};`;
    const message: Known = {
      number,
      text: head + `${(number * 2_654_435_761) % 4_294_967_296}:`.repeat(size / 8).slice(0, size),
      sent: "perhaps",
      id: undefined,
      ackedAt: Infinity,
      acksInDoubt: 0,
      deliveries: 0,
    };
    this.messages.push(message);
    return message;
  }

  sent(message: Known, id: string): void {
    message.sent = "yes";
    this.#identify(message, id);
  }

  delivered(id: string, body: string, begunAt: number): Known {
    const message = this.identify(body);
    const label = `m${message.number} (${id})`;
    if (message.sent === "no") throw new Violation("phantom", `${label} was refused`);
    if (message.ackedAt < begunAt)
      throw new Violation(
        "resurrected",
        `${label} was acked at ${message.ackedAt}, and comes to a call begun at ${begunAt}`,
      );
    this.#identify(message, id);
    message.deliveries += 1;
    return message;
  }

  acking(message: Known): void {
    message.acksInDoubt += 1;
  }

  /** `gone` is an answer, too: that call has acked nothing. */
  acked(message: Known, status: string): void {
    if (status !== "unknown") message.acksInDoubt -= 1;
    if (status === "done") message.ackedAt = Math.min(message.ackedAt, this.#now());
    else if (status === "invalid")
      throw new Violation("falseGone", `m${message.number}: its receipt is called invalid`);
  }

  /** The message that a body is, byte for byte. */
  identify(body: string): Known {
    const message = this.messages[(numberOf(Buffer.from(body)) ?? 0) - 1];
    if (message?.text !== body)
      throw new Violation("phantom", `${body.length} characters that nobody sent`);
    return message;
  }

  /** Confirmed, and surely not acked. */
  outstanding(): Known[] {
    return this.messages.filter(
      ({ sent, acksInDoubt, ackedAt }) =>
        sent === "yes" && acksInDoubt === 0 && ackedAt === Infinity,
    );
  }

  #identify(message: Known, id: string): void {
    const other = this.#ids.get(id) ?? message;
    if (other !== message || (message.id ?? id) !== id)
      throw new Violation("twice", `m${message.number} is ${message.id ?? ""} and ${id}`);
    message.id = id;
    this.#ids.set(id, message);
  }
}

export const textOf = (view: MessageView): string => Buffer.from(view.body).toString();
