/**
 * What order costs: strict queues beside standard ones, many keys in flight beside few, and a key with a
 * long backlog beside none. Units as in `cost.ts` (U1); times are those of the same calls.
 */
import type { QueueName } from "../src/core/types.ts";
import { each, receipts, withBed } from "./bed.ts";
import type { Bed } from "./bed.ts";
import { life } from "./cost.ts";
import { NONE, plus } from "./meter.ts";
import type { Units } from "./meter.ts";
import { messages, payloads } from "./payloads.ts";
import type { Row, Section } from "./report.ts";

const LONG_LEASE = 43_200;
const SEND = 1_000;

export async function orderedSection(
  quick: boolean,
  progress: (text: string) => void,
): Promise<Section> {
  return withBed(progress, async (bed) => {
    return {
      title: "Cost of order: strict queues",
      method:
        "Units as the engine reports them (ConsumedCapacity), warm instances. The naive column: the same on a standard queue, with few keys, or without the backlog.",
      rows: [
        ...(await besideStandard(bed, quick)),
        ...(await manyKeys(bed, quick)),
        ...(await slowKey(bed, quick ? 10_000 : 100_000)),
      ],
    };
  });
}

/** Whole lives, of a hundred keys. */
async function besideStandard(bed: Bed, quick: boolean): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { batch, rounds } of [
    { batch: 1, rounds: 400 },
    { batch: 10, rounds: 200 },
    { batch: 100, rounds: 60 },
  ]) {
    const what = `strict, ${batch === 1 ? "one at a time" : `batches of ${batch}`}, 200 B`;
    bed.progress(`${what}…`);
    const usual = { make: bed.lanes, batch, bytes: 200, rounds: quick ? rounds / 4 : rounds };
    const fields = (n: number) => ({ key: `customer-${n % 100}` });
    const strict = await life({ ...usual, queue: await bed.queue({ order: "key" }), fields });
    const standard = await life({ ...usual, queue: await bed.queue() });
    rows.push(
      {
        what,
        unit: "write units",
        measured: strict.writeUnits,
        naive: standard.writeUnits,
        target: { atMost: 1.3 * standard.writeUnits },
      },
      { what, unit: "read units", measured: strict.readUnits, naive: standard.readUnits },
    );
  }
  return rows;
}

interface Receives {
  readonly units: Units;
  readonly milliseconds: number;
}

/** 10,000 keys queued and 1,000 in flight on 64 lanes, against 10 keys with one message each in flight. */
async function manyKeys(bed: Bed, quick: boolean): Promise<Row[]> {
  const steps = quick ? 50 : 200;
  const many = await steadily(bed, { keys: 10_000, inFlight: 1_000, steps });
  const few = await steadily(bed, { keys: 10, inFlight: 9, steps });
  const what = "receive of 1: 10,000 keys, 1,000 in flight, 64 lanes";
  const row = (unit: string, pick: (one: Receives) => number): Row => ({
    what,
    unit,
    measured: pick(many),
    naive: pick(few),
    target: { atMost: 2 * pick(few) },
  });
  return [
    row("write units", ({ units }) => units.writeUnits),
    row("read units", ({ units }) => units.readUnits),
    row("ms", ({ milliseconds }) => milliseconds),
  ];
}

/** Receives one and acks the oldest, while so many are in flight. */
async function steadily(
  bed: Bed,
  { keys, inFlight, steps }: { keys: number; inFlight: number; steps: number },
): Promise<Receives> {
  bed.progress(`${keys} keys, ${inFlight} in flight…`);
  const queue = await bed.queue({ order: "key", lanes: 64 });
  await fill(bed, queue, Math.max(keys, 10_000), (n) => `customer-${n % keys}`);
  const [receiver, acker] = [bed.lanes(), bed.lanes()];
  const held: string[][] = [];
  let units = NONE;
  let milliseconds = 0;
  for (let step = 0; step < inFlight + steps; step++) {
    receiver.meter.take();
    const startedAt = performance.now();
    const received = await receiver.service.receive(queue, {
      max: 1,
      leaseSeconds: LONG_LEASE,
      group: "default",
    });
    const took = performance.now() - startedAt;
    if (received.length !== 1) throw new Error(`nothing was received in step ${step}`);
    held.push(receipts(received));
    if (step < inFlight) continue;
    units = plus(units, receiver.meter.take());
    milliseconds += took;
    await acker.service.ack(queue, held.shift() ?? []);
  }
  return { units: each(units, steps), milliseconds: milliseconds / steps };
}

/** Others are received while a key that nobody works off has a long backlog in the same lane. */
async function slowKey(bed: Bed, backlog: number): Promise<Row[]> {
  const behind = await besideSlow(bed, backlog);
  const without = await besideSlow(bed, 0);
  const what = `receive and ack of 10, behind ${backlog.toLocaleString("en-US")} of one slow key`;
  const row = (unit: string, pick: (one: Receives) => number, most: number): Row => ({
    what,
    unit,
    measured: pick(behind),
    naive: pick(without),
    target: { atMost: most * pick(without) },
  });
  return [
    row("write units", ({ units }) => units.writeUnits, 1.3),
    row("read units", ({ units }) => units.readUnits, 1.3),
  ];
}

async function besideSlow(bed: Bed, backlog: number): Promise<Receives> {
  bed.progress(`a backlog of ${backlog} of one key…`);
  const queue = await bed.queue({ order: "key", lanes: 1 });
  const worker = bed.lanes();
  const receive = () =>
    worker.service.receive(queue, { max: 10, leaseSeconds: LONG_LEASE, group: "default" });
  await fill(bed, queue, 1, () => "slow");
  await receive();
  await fill(bed, queue, backlog, () => "slow");
  await fill(bed, queue, 1_000, (n) => `customer-${n}`);
  // The first one passes the backlog by.
  await worker.service.ack(queue, receipts(await receive()));
  worker.meter.take();
  const steps = 50;
  const startedAt = performance.now();
  for (let step = 0; step < steps; step++) {
    const received = await receive();
    if (received.length !== 10) throw new Error(`${received.length} received in step ${step}`);
    await worker.service.ack(queue, receipts(received));
  }
  const milliseconds = (performance.now() - startedAt) / steps;
  return { units: each(worker.meter.take(), steps), milliseconds };
}

async function fill(
  bed: Bed,
  queue: QueueName,
  count: number,
  keyOf: (n: number) => string,
): Promise<void> {
  const { service } = bed.lanes();
  const payload = payloads(200);
  for (let sent = 0; sent < count; sent += SEND) {
    const batch = messages(payload, sent, Math.min(SEND, count - sent));
    await service.send(
      queue,
      batch.map((message, index) => ({ ...message, key: keyOf(sent + index) })),
    );
  }
}
