/**
 * RabbitMQ's record of a message's deaths, in headers: `x-death`, a JSON array with the latest first,
 * and where it died first.
 *
 * X1  Deaths in one queue for one reason are one entry, which counts them.
 */
import { LIMITS } from "./limits.ts";
import type { DeadLetterInfo } from "./message.ts";
import type { EpochMs } from "./types.ts";

export interface Death {
  readonly count: number;
  readonly queue: string;
  readonly reason: string;
  /** ISO 8601, of the latest. */
  readonly time: string;
  /** Where the message had been published; empty: it was sent to the queue itself. */
  readonly exchange: string;
  readonly "routing-keys": readonly string[];
}

const DEATHS = "x-death";
const FIRST = "x-first-death-";

const REASONS: Readonly<Record<DeadLetterInfo["reason"], string>> = {
  maxReceives: "delivery_limit",
  expired: "expired",
};

export function withDeath(
  headers: Readonly<Record<string, string>>,
  death: {
    readonly queue: string;
    readonly reason: DeadLetterInfo["reason"];
    readonly at: EpochMs;
    readonly exchange: string;
    readonly routingKey: string;
  },
): Record<string, string> {
  const reason = REASONS[death.reason];
  const before = deathsOf(headers);
  const isSame = (one: Death): boolean => one.queue === death.queue && one.reason === reason;
  const latest: Death = {
    count: (before.find(isSame)?.count ?? 0) + 1,
    reason,
    queue: death.queue,
    time: new Date(death.at).toISOString(),
    exchange: death.exchange,
    "routing-keys": [death.routingKey],
  };
  const deaths = [latest, ...before.filter((one) => !isSame(one))].slice(0, LIMITS.deathsKept);
  const first = Object.hasOwn(headers, `${FIRST}queue`)
    ? {}
    : {
        [`${FIRST}reason`]: reason,
        [`${FIRST}queue`]: death.queue,
        [`${FIRST}exchange`]: death.exchange,
      };
  return { ...headers, ...first, [DEATHS]: JSON.stringify(deaths) };
}

/** What senders write there themselves counts only as far as it is of that form. */
export function deathsOf(headers: Readonly<Record<string, string>>): readonly Death[] {
  const text = Object.hasOwn(headers, DEATHS) ? headers[DEATHS] : undefined;
  if (text === undefined) return [];
  try {
    const value = JSON.parse(text) as unknown;
    return Array.isArray(value) ? value.filter(isDeath) : [];
  } catch {
    return [];
  }
}

function isDeath(value: unknown): value is Death {
  if (typeof value !== "object" || value === null) return false;
  const { count, queue, reason, time, exchange, "routing-keys": keys } = value as Partial<Death>;
  return (
    Number.isSafeInteger(count) &&
    [queue, reason, time, exchange].every((one) => typeof one === "string") &&
    Array.isArray(keys) &&
    keys.every((key) => typeof key === "string")
  );
}
