/**
 * What a message costs: write and read units by the engine's own account (ConsumedCapacity), through
 * the real DynamoDB adapter, on the embedded engine in memory.
 *
 * U1  Sender, receiver and acker are instances of their own, as deployed, and warm: their first round
 *     is not counted. Everything after it is, reads of the catalog included.
 * U2  LaneMQ and the naive queue are driven by the same code, with the same bodies.
 */
import type { OutgoingMessage } from "../src/core/message.ts";
import { pack } from "../src/core/packing.ts";
import { epochMs } from "../src/core/types.ts";
import type { QueueName } from "../src/core/types.ts";
import { chunksOf } from "../src/service/send.ts";
import { each, receipts, withBed } from "./bed.ts";
import type { Bed, Instance } from "./bed.ts";
import { leasedByHundreds, leasedOneByOne, receiveFromBacklog } from "./cost-leased.ts";
import { NONE, plus } from "./meter.ts";
import type { Units } from "./meter.ts";
import { messages, payloads } from "./payloads.ts";
import type { Row, Section } from "./report.ts";

export async function costSection(
  quick: boolean,
  progress: (text: string) => void,
): Promise<Section> {
  return withBed(progress, async (bed) => {
    return {
      title: "Cost of a message: send, receive, ack",
      method:
        "Units as the engine reports them (ConsumedCapacity), warm instances, one queue each.",
      rows: [
        ...(await lives(bed, quick)),
        ...(await leasedByHundreds(bed)),
        ...(await receiveFromBacklog(bed, quick ? 20_000 : 1_000_000)),
        ...(await leasedOneByOne(bed, quick ? 1_000 : 10_000)),
      ],
    };
  });
}

async function lives(bed: Bed, quick: boolean): Promise<Row[]> {
  const cases = [
    { batch: 1, bytes: 200, rounds: 400, write: 3.2, read: 4 },
    { batch: 10, bytes: 200, rounds: 200, write: 0.4 },
    { batch: 100, bytes: 200, rounds: 60, write: 0.12 },
    { batch: 100, bytes: 1_024, rounds: 40, write: 0.5 },
  ];
  const rows: Row[] = [];
  for (const { batch, bytes, rounds, write, read } of cases) {
    const what = `${batch === 1 ? "one at a time" : `batches of ${batch}`}, ${bytes === 200 ? "200 B" : "1 KB"}`;
    bed.progress(`${what}…`);
    const count = quick ? Math.ceil(rounds / 4) : rounds;
    const queue = await bed.queue();
    const ours = await life({ make: bed.lanes, queue, batch, bytes, rounds: count });
    const naive = await life({
      make: bed.naive,
      queue,
      batch,
      bytes,
      rounds: Math.min(count, Math.ceil(400 / batch)),
    });
    rows.push(
      {
        what,
        unit: "write units",
        measured: ours.writeUnits,
        naive: naive.writeUnits,
        target: { atMost: write },
      },
      {
        what,
        unit: "read units",
        measured: ours.readUnits,
        naive: naive.readUnits,
        ...(read === undefined ? {} : { target: { atMost: read } }),
      },
      { what: "  compression", unit: "ratio", measured: compression(batch, bytes) },
    );
  }
  return rows;
}

/** Bytes of JSON to bytes of packed entry. */
function compression(batch: number, bytes: number): number {
  const payload = payloads(bytes);
  const times = { sentAt: epochMs(0), visibleAt: epochMs(0), expiresAt: epochMs(345_600_000) };
  let raw = 0;
  let packed = 0;
  for (let from = 0; from < 1_700; from += batch) {
    const stored = messages(payload, from, batch).map((message) => ({ ...message, ...times }));
    for (const { body } of stored) raw += body.length;
    for (const chunk of chunksOf(stored)) packed += pack(chunk).length;
  }
  return raw / packed;
}

/** Units a message over its whole life, by the mean of all. */
export async function life(options: {
  make: () => Instance;
  queue: QueueName;
  batch: number;
  bytes: number;
  rounds: number;
  /** What message `n` has beside its body. */
  fields?: (n: number) => Partial<OutgoingMessage>;
  idempotencyKey?: (round: number) => string;
  /** Lets the time pass that is between two batches. */
  between?: () => void;
}): Promise<Units> {
  const { make, queue, batch, rounds } = options;
  const [sender, receiver, acker] = [make(), make(), make()];
  const payload = payloads(options.bytes);
  let total = NONE;
  for (let round = 0; round <= rounds; round++) {
    const sent = messages(payload, round * batch, batch).map((message, index) => ({
      ...message,
      ...options.fields?.(round * batch + index),
    }));
    options.between?.();
    const idempotencyKey = options.idempotencyKey?.(round);
    await sender.service.send(queue, sent, idempotencyKey === undefined ? {} : { idempotencyKey });
    for (let acked = 0; acked < batch;) {
      const received = await receiver.service.receive(queue, { max: batch, group: "default" });
      if (received.length === 0) throw new Error(`messages are missing in ${queue}`);
      await acker.service.ack(queue, receipts(received));
      acked += received.length;
    }
    const units = [sender, receiver, acker].map(({ meter }) => meter.take()).reduce(plus);
    if (round > 0) total = plus(total, units);
  }
  return each(total, rounds * batch);
}
