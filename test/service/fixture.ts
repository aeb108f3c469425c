/** A service over the in-memory store with a clock that only the test moves. */
import type { OutgoingMessage } from "../../src/core/message.ts";
import { epochMs, queueName } from "../../src/core/types.ts";
import type { EpochMs } from "../../src/core/types.ts";
import type { Service } from "../../src/service/api.ts";
import type { ServiceEvent } from "../../src/service/deps.ts";
import { createService } from "../../src/service/service.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import type { Store, StoreRequest } from "../../src/store/port.ts";

export interface World {
  readonly store: Store;
  readonly requests: StoreRequest[];
  readonly events: ServiceEvent[];
  now(): EpochMs;
  /** Lets time pass; sleepers whose time has come wake. */
  advance(ms: number): Promise<void>;
  /** Another instance: own caches, same store and clock. */
  instance(store?: Store): Service;
}

export function createWorld(options: { skewMarginMs?: number; relaxed?: boolean } = {}): World {
  let now = Date.UTC(2026, 0, 1);
  let seed = 1;
  const sleepers = new Set<{ at: number; wake: () => void }>();
  const requests: StoreRequest[] = [];
  const events: ServiceEvent[] = [];
  const store = createMemoryStore({ onRequest: (request) => void requests.push(request) });
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed / 0x80000000;
  };
  return {
    store,
    requests,
    events,
    now: () => epochMs(now),
    async advance(ms) {
      const target = now + ms;
      for (;;) {
        await settle();
        const next = [...sleepers].filter((one) => one.at <= target).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        now = Math.max(now, next.at);
        sleepers.delete(next);
        next.wake();
      }
      now = target;
      await settle();
    },
    instance: (own = store) =>
      createService({
        store: own,
        clock: { now: () => epochMs(now) },
        random,
        randomBytes: (length) => Uint8Array.from({ length }, () => Math.floor(random() * 256)),
        skewMarginMs: options.skewMarginMs ?? 0,
        relaxed: options.relaxed ?? false,
        onEvent: (event) => void events.push(event),
        sleep: (ms, signal) =>
          new Promise((resolve) => {
            const sleeper = { at: now + ms, wake: resolve };
            sleepers.add(sleeper);
            const stop = () => {
              sleepers.delete(sleeper);
              resolve();
            };
            if (signal?.aborted === true) stop();
            else signal?.addEventListener("abort", stop, { once: true });
          }),
      }),
  };
}

/** Lets everything that needs no time run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}

export const Q = queueName("orders");
export const DEAD = queueName("orders-dead");

export const text = (body: string): OutgoingMessage => ({
  kind: "text",
  body: Buffer.from(body),
  contentType: "text/plain; charset=utf-8",
  headers: {},
});

export const texts = (count: number, prefix = "m"): OutgoingMessage[] =>
  Array.from({ length: count }, (_, index) => text(`${prefix}${index}`));

export const bodyOf = (message: { body: Uint8Array }): string =>
  Buffer.from(message.body).toString();
