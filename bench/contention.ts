/**
 * 32 senders and 32 receivers that share nothing (each a service of its own: own caches, no group
 * commit) meet on one queue, over an engine that takes 8 ms a call. In virtual time, from a seed: the
 * same run gives the same figures on any machine.
 */
import { LaneError } from "../src/core/errors.ts";
import type { OutgoingMessage } from "../src/core/message.ts";
import { epochMs, queueName } from "../src/core/types.ts";
import type { SendResult, Service } from "../src/service/api.ts";
import { createService } from "../src/service/service.ts";
import type { Signal } from "../src/core/signal.ts";
import { createMemoryStore } from "../src/store/memory.ts";
import type { Store } from "../src/store/port.ts";
import { Scheduler } from "../test/sim/scheduler.ts";
import { receipts } from "./bed.ts";
import { Meter } from "./meter.ts";
import { messages, payloads } from "./payloads.ts";
import { quantile } from "./report.ts";
import type { Row, Section } from "./report.ts";

const PEERS = 32;
const CALL_MS = 8;
/** Calls take 8 ms in the mean: no two instances stay in step for long. */
const SPREAD_MS = 4;
const START_MS = Date.UTC(2026, 0, 1);
const RETRY_MS = 100;
const MAX_EVENTS = 20_000_000;
const QUEUE = queueName("contended");

export async function contentionSection(
  quick: boolean,
  progress: (text: string) => void,
): Promise<Section> {
  const rows: Row[] = [];
  for (const batch of [1, 10]) {
    progress(`32 senders, 32 receivers, sends of ${batch}…`);
    rows.push(...(await contend({ batch, sends: quick ? 20 : 200, seed: 7 })));
  }
  return {
    title: "Contention: 32 senders and 32 receivers on one queue that share nothing",
    method:
      "Virtual time, 8 ms (6 to 10) for each call to the storage, seeded. A new queue, one lane at\n" +
      "first; messages of 200 B; receivers ask for 10 and ack what they got, until all is acked.",
    rows,
  };
}

interface Run {
  readonly batch: number;
  readonly sends: number;
  readonly seed: number;
}

async function contend({ batch, sends, seed }: Run): Promise<Row[]> {
  const scheduler = new Scheduler(START_MS);
  const random = seeded(seed);
  const meter = new Meter();
  const memory = createMemoryStore({ onRequest: meter.record });
  const halfCall = () => scheduler.sleep((CALL_MS + SPREAD_MS * (random() - 0.5)) / 2);
  const store = delayed(memory, halfCall);
  const events: Record<string, number> = {};
  const instance = (): Service =>
    createService({
      store,
      clock: { now: () => epochMs(Math.floor(scheduler.now)) },
      sleep: (ms, signal) => sleepIn(scheduler, ms, signal),
      random,
      randomBytes: (length) => Uint8Array.from({ length }, () => Math.floor(random() * 256)),
      skewMarginMs: 1_000,
      relaxed: true,
      onEvent: ({ type }) => void (events[type] = (events[type] ?? 0) + 1),
    });
  const total = PEERS * sends * batch;
  const payload = payloads(200);
  const acked = new Set<string>();
  const tookMs = { send: [] as number[], receive: [] as number[], ack: [] as number[] };
  const waitedMs: number[] = [];

  const timed = async <T>(kind: keyof typeof tookMs, run: () => Promise<T>): Promise<T> => {
    const startedAt = scheduler.now;
    const answer = await run();
    tookMs[kind].push(scheduler.now - startedAt);
    return answer;
  };
  let refused = 0;

  /** As a client does: what is refused as retryable is sent again after a moment. */
  const sendAgain = async (
    service: Service,
    bodies: readonly OutgoingMessage[],
  ): Promise<readonly SendResult[]> => {
    for (;;) {
      try {
        return await service.send(QUEUE, bodies);
      } catch (error) {
        if (!(error instanceof LaneError && error.retryable)) throw error;
        refused += 1;
        await scheduler.sleep(RETRY_MS * (0.5 + random()));
      }
    }
  };
  const send = async (peer: number): Promise<void> => {
    const service = instance();
    for (let n = 0; n < sends; n++) {
      const bodies = messages(payload, (peer * sends + n) * batch, batch);
      const results = await timed("send", () => sendAgain(service, bodies));
      if (results.some((result) => "error" in result)) throw new Error("a send failed");
    }
  };
  const receive = async (): Promise<void> => {
    const service = instance();
    while (acked.size < total) {
      const request = { max: 10, waitSeconds: 1, group: "default" };
      const got = await timed("receive", () => service.receive(QUEUE, request));
      if (got.length === 0) continue;
      waitedMs.push(...got.map(({ sentAt }) => scheduler.now - sentAt));
      const results = await timed("ack", () => service.ack(QUEUE, receipts(got)));
      got.forEach(({ id }, index) => {
        if (results[index]?.status === "done") acked.add(id);
      });
    }
  };

  return scheduler.run(async () => {
    await instance().putQueue(QUEUE, {});
    meter.take();
    const startedAt = scheduler.now;
    const peers = Array.from({ length: PEERS }, (_, peer) => peer);
    await Promise.all([...peers.map(send), ...peers.map(receive)]);
    const seconds = (scheduler.now - startedAt) / 1_000;
    const units = meter.take();
    const { lanes } = await instance().getQueue(QUEUE);
    const row = (name: string, unit: string, measured: number): Row => ({
      what: `sends of ${batch}: ${name}`,
      unit,
      measured,
    });
    const times = (name: string, values: readonly number[]): Row[] => [
      row(`${name}, p50`, "ms", quantile(values, 0.5)),
      row(`${name}, p99`, "ms", quantile(values, 0.99)),
    ];
    return [
      row("messages, each acked once", "", total),
      row("through the queue", "messages/s", total / seconds),
      row("write units", "a message", units.writeUnits / total),
      row("read units", "a message", units.readUnits / total),
      row("conflicts of senders", "a send", (events["appendConflict"] ?? 0) / tookMs.send.length),
      row("sends refused, tried again", "", refused),
      row(
        "conflicts of receivers",
        "a receive",
        (events["claimConflict"] ?? 0) / tookMs.receive.length,
      ),
      row("delivered twice", "messages", waitedMs.length - total),
      row("lanes at the end", "", lanes),
      ...times("send", tookMs.send),
      ...times("receive, waits included", tookMs.receive),
      ...times("ack", tookMs.ack),
      ...times("from sent to received", waitedMs),
    ];
  }, MAX_EVENTS);
}

/** Half of a call's time passes before the engine decides, half after. */
function delayed(store: Store, halfCall: () => Promise<void>): Store {
  const slow = async <T>(call: () => Promise<T>): Promise<T> => {
    await halfCall();
    const answer = await call();
    await halfCall();
    return answer;
  };
  return {
    get: (...args) => slow(() => store.get(...args)),
    query: (...args) => slow(() => store.query(...args)),
    put: (...args) => slow(() => store.put(...args)),
    update: (...args) => slow(() => store.update(...args)),
    delete: (...args) => slow(() => store.delete(...args)),
  };
}

const sleepIn = (scheduler: Scheduler, ms: number, signal?: Signal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    scheduler.after(ms, resolve);
    signal?.addEventListener("abort", resolve);
    return undefined;
  });

/** mulberry32: small, even enough, and the same everywhere. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
