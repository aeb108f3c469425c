/** A service over the in-memory store with a clock that only the test moves. */
import { LaneError } from "../../src/core/errors.ts";
import type { OutgoingMessage } from "../../src/core/message.ts";
import type { QueueRecord } from "../../src/core/queue.ts";
import { epochMs, laneId, queueName } from "../../src/core/types.ts";
import type { EpochMs, QueueName } from "../../src/core/types.ts";
import type { ReceiptResult, ReceivedMessage, SendResult, Service } from "../../src/service/api.ts";
import { parseRecord } from "../../src/service/catalog.ts";
import type { Deps, ServiceEvent } from "../../src/service/deps.ts";
import { createService } from "../../src/service/service.ts";
import { anchorKey, logKey, queueKey } from "../../src/store/keys.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import type { MemoryStore } from "../../src/store/memory.ts";
import type { Item, Store, StoreRequest } from "../../src/store/port.ts";
import { freeze } from "../engines/frozen.ts";

export interface World {
  readonly store: MemoryStore;
  readonly requests: StoreRequest[];
  readonly events: ServiceEvent[];
  now(): EpochMs;
  /** Lets time pass; sleepers whose time has come wake. */
  advance(ms: number): Promise<void>;
  /** Lets as much time pass as a call needs, and not more. */
  through<T>(call: Promise<T>): Promise<T>;
  /** TTL: deletes what is past its `ttl`, or of that what is chosen. */
  sweep(chosen?: (item: Item) => boolean): Promise<void>;
  /** What an instance needs of this world, for parts of a service alone. */
  deps(store?: Store): Deps;
  /** Another instance: own caches, same store and clock. */
  instance(store?: Store): Service;
}

export function createWorld(options: { skewMarginMs?: number; relaxed?: boolean } = {}): World {
  let now = Date.UTC(2026, 0, 1);
  let seed = 1;
  const sleepers = new Set<{ at: number; wake: () => void }>();
  const requests: StoreRequest[] = [];
  const events: ServiceEvent[] = [];
  const store = createMemoryStore({
    onRequest: (request) => void requests.push(request),
    onKeep: freeze,
  });
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed / 0x80000000;
  };
  const due = (until: number) =>
    [...sleepers].filter((one) => one.at <= until).sort((a, b) => a.at - b.at)[0];
  const wake = (sleeper: { at: number; wake: () => void }) => {
    now = Math.max(now, sleeper.at);
    sleepers.delete(sleeper);
    sleeper.wake();
  };
  const deps = (own: Store = store): Deps => ({
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
        else signal?.addEventListener("abort", stop);
      }),
  });
  return {
    store,
    requests,
    events,
    now: () => epochMs(now),
    async advance(ms) {
      const target = now + ms;
      for (;;) {
        await settle();
        const next = due(target);
        if (next === undefined) break;
        wake(next);
      }
      now = target;
      await settle();
    },
    async through(call) {
      const state = { isOver: false };
      const over = () => void (state.isOver = true);
      call.then(over, over);
      for (let idle = 0; !state.isOver && idle < 3;) {
        await settle();
        const next = due(Number.POSITIVE_INFINITY);
        if (next === undefined) idle += 1;
        else if (!state.isOver) wake(next);
      }
      return call;
    },
    async sweep(chosen = () => true) {
      for (const item of store.items("lanes")) {
        const ttl = item["ttl"] as number | undefined;
        if (ttl !== undefined && ttl * 1000 <= now && chosen(item))
          await store.delete("lanes", { pk: item.pk, sk: item.sk });
      }
    },
    deps,
    instance: (own) => createService(deps(own)),
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

export const ALL = { max: 1_000, group: "default" } as const;

export async function recordOf(world: World, name: QueueName = Q): Promise<QueueRecord> {
  const item = await world.store.get("catalog", queueKey(name), { consistent: true });
  if (item === undefined) throw new Error(`there is no queue ${name}`);
  return parseRecord(item);
}

/** The items of a lane's log, by offset. */
export async function logOf(world: World, name: QueueName = Q, lane = 0): Promise<readonly Item[]> {
  const pk = logKey((await recordOf(world, name)).queueId, laneId(lane));
  return world.store.items("lanes").filter((item) => item.pk === pk);
}

export const offsetOf = (entry: Item | undefined): number => Number(entry?.sk);

/** L1: within a run, an entry begins where the one before it ends. */
export const isDense = (log: readonly Item[]): boolean =>
  log.every(
    (entry, index) =>
      index === 0 ||
      offsetOf(entry) === offsetOf(log[index - 1]) + (log[index - 1]?.["count"] as number),
  );

export async function anchorOf(world: World, name: QueueName = Q, lane = 0) {
  const { queueId } = await recordOf(world, name);
  return world.store.get("lanes", anchorKey(queueId, laneId(lane)), { consistent: true });
}

export const idsOf = (results: readonly SendResult[]): string[] =>
  results.map((result) => ("id" in result ? result.id : result.error.code));

export const receiptsOf = (messages: readonly ReceivedMessage[]): string[] =>
  messages.map((message) => message.receipt);

export const statusesOf = (results: readonly ReceiptResult[]): string[] =>
  results.map((result) => result.status);

export const unknown = (): LaneError => new LaneError("outcome-unknown", "no answer");
export const throttled = (): LaneError => new LaneError("throttled", "too many requests");
/** A process that ends in the middle of what it does. */
export const crash = (): Error => new Error("the process has ended");

/** Receives and acks until nothing comes any more; gives the bodies, in order of delivery. */
export async function drain(service: Service, name: QueueName = Q): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const batch = await service.receive(name, ALL);
    if (batch.length === 0) return bodies;
    bodies.push(...batch.map(bodyOf));
    await service.ack(name, receiptsOf(batch));
  }
}
