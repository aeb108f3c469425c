/** What an API key allows: actions on queues and exchanges whose names fit its patterns. */
import type { ExchangeName, QueueName } from "./types.ts";

export type Action = "send" | "receive" | "browse" | "manage";

export interface ApiKeyScope {
  readonly actions: readonly Action[];
  /** Patterns of names; `*` stands for any run of characters. One of the two at least is there. */
  readonly queues?: string;
  readonly exchanges?: string;
}

export interface Caller {
  may(actions: readonly Action[] | "any", queue: QueueName): boolean;
  mayOn(actions: readonly Action[] | "any", exchange: ExchangeName): boolean;
  /** Sees every queue. */
  readonly unlimited: boolean;
}

export const ADMIN: Caller = { may: () => true, mayOn: () => true, unlimited: true };

export function callerWith(scopes: readonly ApiKeyScope[]): Caller {
  const allows =
    (of: "queues" | "exchanges") =>
    (actions: readonly Action[] | "any", name: string): boolean =>
      scopes.some(({ actions: granted, [of]: pattern }) => {
        const isGranted = actions === "any" || granted.some((action) => actions.includes(action));
        return isGranted && pattern !== undefined && matches(pattern, name);
      });
  return { unlimited: false, may: allows("queues"), mayOn: allows("exchanges") };
}

/** `*` stands for any run of characters. Linear in practice: only the last `*` is ever tried again. */
export function matches(pattern: string, name: string): boolean {
  let p = 0;
  let n = 0;
  let star = -1;
  let retry = 0;
  while (n < name.length) {
    if (pattern[p] === "*") {
      star = p++;
      retry = n;
    } else if (pattern[p] === name[n]) {
      p++;
      n++;
    } else if (star !== -1) {
      p = star + 1;
      n = ++retry;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
