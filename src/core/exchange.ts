/**
 * Exchanges and bindings: what users say of them, and what of it contradicts what.
 *
 * B1  An exchange's type never changes: bindings are written for it.
 * B2  A binding says nothing that its exchange's type would ignore.
 */
import { invalid } from "./invalid.ts";
import type { FieldError } from "./errors.ts";
import { parsePattern } from "./pattern.ts";
import type { EpochMs, ExchangeName, QueueName } from "./types.ts";
import { DEFAULT_EXCHANGE, epochMs } from "./types.ts";

export const EXCHANGE_TYPES = ["direct", "fanout", "topic", "headers", "balance"] as const;
type ExchangeType = (typeof EXCHANGE_TYPES)[number];
export const BALANCE_BY = ["roundRobin", "random", "weight", "hash"] as const;
type BalanceBy = (typeof BALANCE_BY)[number];
export const HEADER_MATCHES = ["all", "any", "all-with-x", "any-with-x"] as const;
export type HeaderMatch = (typeof HEADER_MATCHES)[number];

export interface ExchangeSettings {
  readonly type: ExchangeType;
  /** `balance` only. */
  readonly by?: BalanceBy;
  /** `balance` by `hash` only: the header that is hashed, in place of the routing key. */
  readonly hashHeader?: string;
  /** Where messages go that match no binding. */
  readonly alternate: ExchangeName | null;
  /** Whether what reaches no queue is given back to its publisher as such. */
  readonly mandatory: boolean;
}

export interface Exchange {
  readonly name: ExchangeName;
  /** New for every creation, so that no binding of a deleted one is ever taken for its successor's. */
  readonly exchangeId: string;
  readonly settings: ExchangeSettings;
  readonly createdAt: EpochMs;
  /** Random; another one after every change of settings or bindings. */
  readonly revision: string;
}

/** What is done to a message on its way through a binding. */
export interface Transform {
  readonly setHeaders?: Readonly<Record<string, string>>;
  readonly removeHeaders?: readonly string[];
  /** A JSON pointer to the part of the body that goes on. */
  readonly body?: string;
}

export type BindingTarget =
  | { readonly queue: QueueName; readonly exchange?: never }
  | { readonly exchange: ExchangeName; readonly queue?: never };

export type BindingSettings = BindingTarget & {
  /** `direct`: as it is; `topic`: a pattern. */
  readonly routingKey?: string;
  /** `headers` only; null: it only has to be there. */
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly match?: HeaderMatch;
  /** An event pattern. */
  readonly filter?: unknown;
  /** `balance` by `weight` or `hash` only. */
  readonly weight?: number;
  readonly transform?: Transform;
};

export type Binding = BindingSettings & { readonly id: string };

/** Routes by queue name; nobody makes it, binds to it or deletes it. */
export const defaultExchange = (): Exchange => ({
  name: DEFAULT_EXCHANGE,
  exchangeId: DEFAULT_EXCHANGE,
  settings: { type: "direct", alternate: null, mandatory: false },
  createdAt: epochMs(0),
  revision: "-",
});

/** @throws LaneError `invalid-request` */
export function checkExchange(name: ExchangeName, settings: ExchangeSettings): void {
  const errors: FieldError[] = [];
  const isBalance = settings.type === "balance";
  if (isBalance && settings.by === undefined) {
    errors.push({ path: "by", message: "is required for a balance exchange" });
  }
  if (!isBalance && settings.by !== undefined) {
    errors.push({ path: "by", message: "is for balance exchanges only" });
  }
  if (settings.hashHeader !== undefined && settings.by !== "hash") {
    errors.push({ path: "hashHeader", message: 'is for balance exchanges by "hash" only' });
  }
  if (settings.alternate === name) {
    errors.push({ path: "alternate", message: "is the exchange itself" });
  }
  if (errors.length > 0) throw invalid(errors);
}

/** B2. @throws LaneError `invalid-request` */
export function checkBinding(exchange: Exchange, binding: BindingSettings): void {
  const errors: FieldError[] = [];
  const { type, by } = exchange.settings;
  const only = (field: keyof BindingSettings, applies: boolean, kinds: string): void => {
    if (binding[field] !== undefined && !applies) {
      errors.push({ path: field, message: `is for ${kinds} only` });
    }
  };
  only("headers", type === "headers", "headers exchanges");
  only("match", type === "headers", "headers exchanges");
  only("weight", by === "weight" || by === "hash", 'balance exchanges by "weight" or "hash"');
  // An empty routing key is what other brokers' clients send where it means nothing.
  if (binding.routingKey !== "") {
    only("routingKey", type === "direct" || type === "topic", "direct and topic exchanges");
  }
  if (errors.length > 0) throw invalid(errors);
  if (binding.filter !== undefined) parsePattern(binding.filter);
}
