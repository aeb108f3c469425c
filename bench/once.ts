/**
 * What sends cost that are stored exactly once, beside the same sends without: by dedup id, by idempotency
 * key, and their repeats. Units of the sender alone, as in `cost.ts` (U1).
 */
import type { OutgoingMessage } from "../src/core/message.ts";
import type { QueueName } from "../src/core/types.ts";
import { withBed } from "./bed.ts";
import type { Bed, Instance } from "./bed.ts";
import { NONE, plus } from "./meter.ts";
import type { Units } from "./meter.ts";
import { messages, payloads } from "./payloads.ts";
import type { Row, Section } from "./report.ts";

type Send = (sender: Instance, queue: QueueName, batch: OutgoingMessage[]) => Promise<unknown>;

const plain: Send = ({ service }, queue, batch) => service.send(queue, batch);

let ids = 0;
const withIds: Send = ({ service }, queue, batch) =>
  service.send(
    queue,
    batch.map((message) => ({ ...message, dedupId: `order-${ids++}` })),
  );
const withKey: Send = ({ service }, queue, batch) =>
  service.send(queue, batch, { idempotencyKey: `import-${ids++}` });

export async function onceSection(
  quick: boolean,
  progress: (text: string) => void,
): Promise<Section> {
  return withBed(progress, async (bed) => {
    return {
      title: "Cost of exactly-once sends",
      method:
        "Units of the sender as the engine reports them (ConsumedCapacity), warm, 200 B. The naive column: the same sends without an id or a key.",
      rows: [
        ...(await byMessage(bed, quick)),
        ...(await byRequest(bed, quick)),
        ...(await repeats(bed)),
      ],
    };
  });
}

async function byMessage(bed: Bed, quick: boolean): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { batch, rounds } of [
    { batch: 1, rounds: 400 },
    { batch: 10, rounds: 200 },
    { batch: 100, rounds: 60 },
  ]) {
    const what = `a message with a dedupId, ${batch === 1 ? "one at a time" : `batches of ${batch}`}`;
    bed.progress(`${what}…`);
    const count = quick ? rounds / 4 : rounds;
    const without = await sends(bed, plain, batch, count);
    const once = await sends(bed, withIds, batch, count);
    const each = (units: number): number => units / (count * batch);
    rows.push(
      {
        what,
        unit: "write units",
        measured: each(once.writeUnits),
        naive: each(without.writeUnits),
        target: { atMost: each(without.writeUnits) + 1.1 },
      },
      { what, unit: "read units", measured: each(once.readUnits), naive: each(without.readUnits) },
    );
  }
  return rows;
}

async function byRequest(bed: Bed, quick: boolean): Promise<Row[]> {
  const rows: Row[] = [];
  for (const batch of [1, 10, 100, 1_000]) {
    const what = `a request of ${batch.toLocaleString("en-US")} under an Idempotency-Key`;
    bed.progress(`${what}…`);
    const count = quick ? 10 : 40;
    const without = await sends(bed, plain, batch, count);
    const keyed = await sends(bed, withKey, batch, count);
    // Entries of one lane are named one after the other.
    const entries = Math.ceil(batch / 256);
    rows.push({
      what,
      unit: "write units",
      measured: keyed.writeUnits / count,
      naive: without.writeUnits / count,
      target: { atMost: without.writeUnits / count + 1.1 * entries },
    });
  }
  return rows;
}

/** Every send is one that was answered before, by another instance. */
async function repeats(bed: Bed): Promise<Row[]> {
  const rows: Row[] = [];
  const rounds = 40;
  for (const { what, batch, isKeyed } of [
    { what: "a repeat of a message with a dedupId", batch: 1, isKeyed: false },
    { what: "a repeat of a request of 100 under a key", batch: 100, isKeyed: true },
  ]) {
    const queue = await bed.queue();
    const [first, second] = [bed.lanes(), bed.lanes()];
    const payload = payloads(200);
    let total = NONE;
    for (let round = 0; round <= rounds; round++) {
      const batchOf = messages(payload, round * batch, batch).map((message, index) =>
        isKeyed ? message : { ...message, dedupId: `${round}-${index}` },
      );
      const request = isKeyed ? { idempotencyKey: `${round}` } : {};
      await first.service.send(queue, batchOf, request);
      await second.service.send(queue, batchOf, request);
      const units = second.meter.take();
      if (round > 0) total = plus(total, units);
    }
    rows.push(
      { what, unit: "write units", measured: total.writeUnits / rounds },
      { what, unit: "read units", measured: total.readUnits / rounds },
    );
  }
  return rows;
}

async function sends(bed: Bed, send: Send, batch: number, rounds: number): Promise<Units> {
  const queue = await bed.queue();
  const sender = bed.lanes();
  const payload = payloads(200);
  let total = NONE;
  for (let round = 0; round <= rounds; round++) {
    await send(sender, queue, [...messages(payload, round * batch, batch)]);
    const units = sender.meter.take();
    if (round > 0) total = plus(total, units);
  }
  return total;
}
