/**
 * What scheduled messages cost, how fast those that are due come, and what many that wait do to the rest.
 *
 * B1  A million timers are put into the in-memory store directly, for no engine takes them in bearable
 *     time one by one; what reads them is the service as it is.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pack } from "../src/core/packing.ts";
import { timerId } from "../src/core/timer.ts";
import { epochMs, queueName } from "../src/core/types.ts";
import type { EpochMs, QueueName } from "../src/core/types.ts";
import { sleep } from "../src/store/sleep.ts";
import { openStorage } from "../src/local/storage.ts";
import type { Service } from "../src/service/api.ts";
import { parseRecord } from "../src/service/catalog.ts";
import { createService } from "../src/service/service.ts";
import { queueKey, timersKey, timerSortKey } from "../src/store/keys.ts";
import { createMemoryStore } from "../src/store/memory.ts";
import type { Store } from "../src/store/port.ts";
import { withBed } from "./bed.ts";
import type { Bed } from "./bed.ts";
import { message, messages, payloads } from "./payloads.ts";
import { median } from "./report.ts";
import type { Row, Section } from "./report.ts";

const BATCH = 100;
const QUEUE = queueName("timers");
const RECEIVES = 2_000;
const DELAY_SECONDS = 2;

export async function timersSection(
  quick: boolean,
  progress: (text: string) => void,
): Promise<Section> {
  return {
    title: "Scheduled messages",
    method:
      "Units on the embedded engine in memory, warm instances; the promotion on the embedded\n" +
      "engine on disk; the receives beside timers that wait on the in-memory store.",
    rows: [
      ...(await lives(progress)),
      ...(await promotion(quick ? 1_000 : 10_000, progress)),
      ...(await besideWaiting(quick ? 50_000 : 1_000_000, progress)),
    ],
  };
}

/** Write units of a scheduled message's life beyond those of another, a hundred due together. */
async function lives(progress: (text: string) => void): Promise<Row[]> {
  return withBed(progress, async (bed) => {
    const plain = await life(bed, undefined);
    const scheduled = await life(bed, DELAY_SECONDS);
    return [
      {
        what: "life of a scheduled message, 100 due together, beyond an unscheduled one's",
        unit: "write units",
        measured: scheduled.writeUnits - plain.writeUnits,
        target: { atMost: 2.2 },
      },
      { what: "  the same", unit: "read units", measured: scheduled.readUnits - plain.readUnits },
    ];
  });
}

async function life(
  bed: Bed,
  delaySeconds: number | undefined,
): Promise<{ writeUnits: number; readUnits: number }> {
  const [sender, receiver] = [bed.lanes(), bed.lanes()];
  const queue = await bed.queue();
  const payload = payloads(200);
  const extra = delaySeconds === undefined ? {} : { delaySeconds };
  const units = { writeUnits: 0, readUnits: 0 };
  for (let round = 0; round < 6; round++) {
    const some = messages(payload, round * BATCH, BATCH);
    await sender.service.send(
      queue,
      some.map((one) => ({ ...one, ...extra })),
    );
    await sleep((delaySeconds ?? 0) * 1_000 + 50);
    let left = BATCH;
    while (left > 0) {
      const given = await receiver.service.receive(queue, { max: BATCH, group: "default" });
      if (given.length > 0)
        await receiver.service.ack(
          queue,
          given.map(({ receipt }) => receipt),
        );
      left -= given.length;
    }
    const spent = [sender.meter.take(), receiver.meter.take()];
    // The first round is warming up.
    if (round === 0) continue;
    for (const one of spent) {
      units.writeUnits += one.writeUnits / (5 * BATCH);
      units.readUnits += one.readUnits / (5 * BATCH);
    }
  }
  return units;
}

async function promotion(count: number, progress: (text: string) => void): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), "lanemq-bench-"));
  const storage = await openStorage({ data: folder });
  try {
    const service = serviceOn(storage.store());
    await service.putQueue(QUEUE, {});
    const dueAt = epochMs(Date.now() + 5_000 + count * 4);
    const bodies = messages(payloads(200), 0, count);
    for (let at = 0; at < count; at += 1_000) {
      progress(`scheduling ${at} of ${count}…`);
      const some = bodies.slice(at, at + 1_000);
      await service.send(
        QUEUE,
        some.map((one) => ({ ...one, deliverAt: dueAt })),
      );
    }
    const isInTime = Date.now() < dueAt;
    await sleep(Math.max(0, dueAt - Date.now()));
    progress("promoting…");
    const startedAt = performance.now();
    await service.runJanitor(epochMs(Date.now() + 60_000));
    const seconds = (performance.now() - startedAt) / 1_000;
    const { depth } = await service.getQueue(QUEUE);
    return [
      {
        what: `promotion of ${count.toLocaleString("en-US")} due at once`,
        unit: "s",
        measured: isInTime && depth.ready === count ? seconds : Number.POSITIVE_INFINITY,
        target: { atMost: 20 },
      },
    ];
  } finally {
    await storage.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** One message at a time, with and without timers that wait. */
async function besideWaiting(count: number, progress: (text: string) => void): Promise<Row[]> {
  // Once for nothing, so that neither is measured cold.
  await receives(0, progress);
  const none = await receives(0, progress);
  const many = await receives(count, progress);
  const amount = count.toLocaleString("en-US");
  return [
    { what: "a receive and its ack", unit: "µs, median", measured: none.micros },
    {
      what: `  with ${amount} timers that wait, as many times`,
      unit: "",
      measured: many.micros / none.micros,
      target: { atMost: 1.25 },
    },
    {
      what: "  reads of timers for each second of receives",
      unit: "read units",
      measured: Math.max(0, many.readUnits - none.readUnits) / many.seconds,
      target: { atMost: 1 },
    },
  ];
}

async function receives(
  timers: number,
  progress: (text: string) => void,
): Promise<{ micros: number; readUnits: number; seconds: number }> {
  let readUnits = 0;
  const store = createMemoryStore({
    onRequest: (request) => void (readUnits += request.readUnits),
  });
  const service = serviceOn(store);
  await service.putQueue(QUEUE, { lanes: 1 });
  await service.send(QUEUE, [{ ...message(payloads(200)(0)), delaySeconds: 86_400 }]);
  if (timers > 0) await fill(store, QUEUE, timers, progress);
  const bodies = messages(payloads(200), 0, RECEIVES);
  for (let at = 0; at < RECEIVES; at += 500) await service.send(QUEUE, bodies.slice(at, at + 500));
  readUnits = 0;
  const times: number[] = [];
  const began = performance.now();
  for (let turn = 0; turn < RECEIVES; turn++) {
    const startedAt = performance.now();
    const given = await service.receive(QUEUE, { max: 1, group: "default" });
    await service.ack(
      QUEUE,
      given.map(({ receipt }) => receipt),
    );
    times.push((performance.now() - startedAt) * 1_000);
  }
  return { micros: median(times), readUnits, seconds: (performance.now() - began) / 1_000 };
}

/** B1 */
async function fill(
  store: Store,
  name: QueueName,
  count: number,
  progress: (text: string) => void,
): Promise<void> {
  const item = await store.get("catalog", queueKey(name), { consistent: true });
  if (item === undefined) throw new Error("The queue of the bench is gone.");
  const { queueId } = parseRecord(item);
  const waiting = message(payloads(200)(0));
  const now = Date.now();
  for (let index = 0; index < count; index++) {
    if (index % 50_000 === 0) progress(`${index} timers…`);
    const at = epochMs(now + 86_400_000 + index);
    const tag = index.toString(36).padStart(10, "0");
    const id = timerId({ queueId, shard: 0, at, tag });
    const times = { sentAt: epochMs(now), visibleAt: at, expiresAt: epochMs(at + 1) };
    const body = pack([{ ...waiting, ...times, id }]);
    const ttl = Math.ceil(at / 1_000) + 3_600;
    await store.put("lanes", {
      pk: timersKey(queueId, 0),
      sk: timerSortKey(at, tag),
      body,
      putAt: now,
      ttl,
    });
  }
}

const serviceOn = (store: Store): Service =>
  createService({
    store,
    clock: { now: (): EpochMs => epochMs(Date.now()) },
    sleep,
    random: Math.random,
    randomBytes,
    skewMarginMs: 0,
    relaxed: true,
  });
