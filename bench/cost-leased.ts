/** Cost of single operations where much is leased or much waits: it must not grow with either. */
import type { QueueName } from "../src/core/types.ts";
import { each, receipts } from "./bed.ts";
import type { Bed, Instance } from "./bed.ts";
import { NONE, plus } from "./meter.ts";
import type { Units } from "./meter.ts";
import { messages, payloads } from "./payloads.ts";
import type { Row } from "./report.ts";

const LONG_LEASE = 43_200;
const SEND = 1_000;

/** 50 leases of a hundred stand on the lane, all the while. */
export async function leasedByHundreds(bed: Bed): Promise<Row[]> {
  bed.progress("50 leases of 100…");
  const queue = await bed.queue({ lanes: 1 });
  await fill(bed.lanes(), queue, 100 * 100, 100);
  const what = "50 leases of 100 outstanding";
  return operations(what, await steadily(bed, queue, { leases: 50, max: 100, steps: 48 }));
}

export async function leasedOneByOne(bed: Bed, leases: number): Promise<Row[]> {
  const queue = await bed.queue({ lanes: 4 });
  await fill(bed.lanes(), queue, leases + 2_000, 25);
  const what = `${leases.toLocaleString("en-US")} leased singly, 4 lanes`;
  return operations(what, await steadily(bed, queue, { leases, max: 1, steps: 400 }));
}

/** The same receives from a small backlog and a large one. */
export async function receiveFromBacklog(bed: Bed, large: number): Promise<Row[]> {
  const small = await claimsFrom(bed, 1_000);
  const big = await claimsFrom(bed, large);
  const what = `receive 100 of ${large.toLocaleString("en-US")}`;
  const rows: [string, number, number][] = [
    ["write units", big.writeUnits, small.writeUnits],
    ["read units", big.readUnits, small.readUnits],
    ["items read", big.items, small.items],
  ];
  return rows.flatMap(([unit, ofBig, ofSmall]) => [
    { what: "receive 100 of 1,000", unit, measured: ofSmall },
    { what, unit, measured: ofBig },
    {
      what: "  the one to the other",
      unit: "ratio",
      measured: ratio(ofBig, ofSmall),
      target: { atMost: 1.1 },
    },
  ]);
}

const ratio = (a: number, b: number): number => Math.max(a, b) / Math.min(a, b);

async function claimsFrom(bed: Bed, backlog: number): Promise<Units> {
  const queue = await bed.queue({ lanes: 1 });
  await fill(bed.lanes(), queue, backlog, SEND, (sent) =>
    bed.progress(`a backlog of ${backlog}: ${sent} sent…`),
  );
  const [receiver, acker] = [bed.lanes(), bed.lanes()];
  const first = await receiver.service.receive(queue, { max: 100, group: "default" });
  await acker.service.ack(queue, receipts(first));
  receiver.meter.take();
  const claims: Units[] = [];
  for (let claim = 0; claim < 8; claim++) {
    claims.push((await claimOf(receiver, queue, 100)).units);
  }
  return each(claims.reduce(plus, NONE), claims.length);
}

/** `count` messages of 200 B in sends of `batch`. */
async function fill(
  { service }: Instance,
  queue: QueueName,
  count: number,
  batch: number,
  onSent?: (sent: number) => void,
): Promise<void> {
  const payload = payloads(200);
  for (let sent = 0; sent < count; sent += batch) {
    if (sent % 50_000 === 0) onSent?.(sent);
    await service.send(queue, messages(payload, sent, Math.min(batch, count - sent)));
  }
}

async function claimOf(
  { service, meter }: Instance,
  queue: QueueName,
  max: number,
): Promise<{ receipts: string[]; units: Units }> {
  meter.take();
  const received = await service.receive(queue, {
    max,
    leaseSeconds: LONG_LEASE,
    group: "default",
  });
  if (received.length !== max) throw new Error(`${received.length} of ${max} received`);
  return { receipts: receipts(received), units: meter.take() };
}

interface Pair {
  readonly claim: Units;
  readonly ack: Units;
}

/**
 * Leases `leases` times `max`, then goes on as consumers do that hold that many: one claim, one ack
 * of the oldest, so that segments are cut and closed on the way, and counted.
 */
async function steadily(
  bed: Bed,
  queue: QueueName,
  { leases, max, steps }: { leases: number; max: number; steps: number },
): Promise<Pair[]> {
  const [receiver, acker] = [bed.lanes(), bed.lanes()];
  const held: string[][] = [];
  const pairs: Pair[] = [];
  for (let step = 0; step < leases + steps; step++) {
    if (step % 500 === 0) bed.progress(`leasing by ${max}: ${step} of ${leases}…`);
    const claim = await claimOf(receiver, queue, max);
    held.push(claim.receipts);
    if (step < leases) continue;
    const results = await acker.service.ack(queue, held.shift() ?? []);
    if (results.some(({ status }) => status !== "done")) throw new Error("an ack was refused");
    // The first ack reads the catalog, too.
    const ack = acker.meter.take();
    if (step > leases) pairs.push({ claim: claim.units, ack });
  }
  return pairs;
}

function operations(what: string, pairs: readonly Pair[]): Row[] {
  const row = (operation: string, unit: string, values: number[], atMost?: number): Row[] => [
    {
      what: `${what}: one ${operation}`,
      unit: unit,
      measured: values.reduce((sum, value) => sum + value, 0) / values.length,
      ...(atMost === undefined ? {} : { target: { atMost } }),
    },
    { what: "  the dearest of them", unit, measured: Math.max(...values) },
  ];
  return [
    ...row(
      "claim",
      "write units",
      pairs.map(({ claim }) => claim.writeUnits),
      2,
    ),
    ...row(
      "claim",
      "read units",
      pairs.map(({ claim }) => claim.readUnits),
    ),
    ...row(
      "ack",
      "write units",
      pairs.map(({ ack }) => ack.writeUnits),
      2,
    ),
  ];
}
