/**
 * What the sections that count units stand on: the embedded engine in memory, and instances of LaneMQ
 * and of the naive queue on it, each with a meter.
 */
import { randomBytes } from "node:crypto";
import { epochMs, queueName } from "../src/core/types.ts";
import type { QueueName } from "../src/core/types.ts";
import { sleep } from "../src/store/sleep.ts";
import { openStorage } from "../src/local/storage.ts";
import type { Storage } from "../src/local/storage.ts";
import type { QueueSettings, ReceivedMessage, Service } from "../src/service/api.ts";
import { createService } from "../src/service/service.ts";
import { Meter } from "./meter.ts";
import type { Units } from "./meter.ts";
import { createNaiveQueue } from "./naive.ts";

/** One function of a deployment: a service, and what it consumes. */
export interface Instance {
  readonly service: Service;
  readonly meter: Meter;
}

export interface Bed {
  readonly lanes: () => Instance;
  readonly naive: () => Instance;
  /** A fresh queue. */
  readonly queue: (settings?: Partial<QueueSettings>) => Promise<QueueName>;
  readonly progress: (text: string) => void;
}

/** Opened, and closed whatever happens. */
export async function withBed<T>(
  progress: (text: string) => void,
  measure: (bed: Bed) => Promise<T>,
): Promise<T> {
  const storage = await openStorage({});
  try {
    return await measure(bedOn(storage, progress));
  } finally {
    await storage.close();
  }
}

function bedOn(storage: Storage, progress: (text: string) => void): Bed {
  const clock = { now: () => epochMs(Date.now()) };
  let queues = 0;
  const bed: Bed = {
    progress,
    lanes() {
      const meter = new Meter();
      const store = storage.store(meter.record);
      const random = Math.random;
      const deps = { store, clock, sleep, random, randomBytes, skewMarginMs: 0, relaxed: true };
      return { meter, service: createService(deps) };
    },
    naive() {
      const meter = new Meter();
      const store = storage.store(meter.record);
      return { meter, service: createNaiveQueue({ store, clock, randomBytes }) };
    },
    async queue(settings = {}) {
      const name = queueName(`bench-${++queues}`);
      await bed.lanes().service.putQueue(name, settings);
      return name;
    },
  };
  return bed;
}

export const receipts = (received: readonly ReceivedMessage[]): string[] =>
  received.map(({ receipt }) => receipt);

export const each = (units: Units, count: number): Units => ({
  writeUnits: units.writeUnits / count,
  readUnits: units.readUnits / count,
  items: units.items / count,
  requests: units.requests / count,
});
