/**
 * The units of a load, in virtual time: batches come as far apart as the load has them, so that caches
 * grow old as they would, and sends, receives and acks have an instance each.
 *
 * U3  The same load gives the same units: time and chance are the measurement's own, and so is the
 *     engine, which counts as DynamoDB does (the contract suite compares).
 */
import { setImmediate as turn } from "node:timers/promises";
import type { Load, LoadUnits } from "../lib/load-cost.ts";
import { epochMs, queueName } from "../src/core/types.ts";
import type { QueueName } from "../src/core/types.ts";
import { LIMITS } from "../src/core/limits.ts";
import { createService } from "../src/service/service.ts";
import { createMemoryStore } from "../src/store/memory.ts";
import { itemBytes } from "../src/store/values.ts";
import type { Instance } from "./bed.ts";
import { life } from "./cost.ts";
import { Meter } from "./meter.ts";

const MESSAGES = 120;
const ROUNDS = { least: 4, most: 60 };
const WAITS = 3;
const DAY_MS = 86_400_000;
/** Sends a second that one lane takes: docs/benchmarks.md, contention, 1,055 over 32 lanes. */
const LANE_APPENDS = 33;
/** DynamoDB bills so much for each item beside its bytes. */
const ITEM_OVERHEAD_BYTES = 100;

export async function loadUnits(load: Load): Promise<LoadUnits> {
  const { batch, bytes, once, retentionDays } = load;
  const meter = new Meter();
  const store = createMemoryStore({ onRequest: meter.record });
  let nowMs = Date.UTC(2026, 0, 1);
  const random = lehmer();
  const make = (): Instance => ({
    meter,
    service: createService({
      store,
      clock: { now: () => epochMs(nowMs) },
      sleep: async (ms) => {
        nowMs += ms;
        await turn();
      },
      random,
      randomBytes: (length) => Uint8Array.from({ length }, () => Math.floor(random() * 256)),
      skewMarginMs: 1_000,
      relaxed: false,
    }),
  });
  const everyMs = DAY_MS / (load.messagesPerDay / batch);
  const lanes = lanesFor(1_000 / everyMs);
  const create = async (name: string): Promise<QueueName> => {
    const queue = queueName(name);
    await make().service.putQueue(queue, { lanes, retentionSeconds: retentionDays * 86_400 });
    return queue;
  };
  const rounds = Math.min(ROUNDS.most, Math.max(ROUNDS.least, Math.ceil(MESSAGES / batch)));
  const { writeUnits, readUnits } = await life({
    make,
    queue: await create("load"),
    batch,
    bytes,
    rounds,
    between: () => {
      nowMs += everyMs;
    },
    ...(once ? { idempotencyKey: (round: number) => `key-${round}` } : {}),
  });
  // One round more than those that are counted.
  const stored = store.items("lanes").reduce((sum, item) => sum + itemBytes(item), 0);
  const overhead = store.count("lanes") * ITEM_OVERHEAD_BYTES;
  const storedBytes = (stored + overhead) / ((rounds + 1) * batch);

  const empty = await create("empty");
  const { service } = make();
  const wait = () =>
    service.receive(empty, { max: 1, waitSeconds: LIMITS.waitSecondsMax, group: "default" });
  await wait();
  meter.take();
  for (let time = 0; time < WAITS; time++) await wait();
  return { writeUnits, readUnits, storedBytes, waitReads: meter.take().readUnits / WAITS };
}

/** Lanes double under load, up to what a queue may have. */
const lanesFor = (appendsPerSecond: number): number =>
  Math.min(
    LIMITS.lanesMax,
    2 ** Math.max(0, Math.ceil(Math.log2(appendsPerSecond / LANE_APPENDS))),
  );

/** Park and Miller's generator. */
function lehmer(): () => number {
  let state = 20_260_101;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
