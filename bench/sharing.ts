/**
 * Priorities and fair sharing: what they cost, and how long the messages of tenants with little wait
 * beside one with much. Units as in `cost.ts` (U1); receivers and senders are instances of their own.
 */
import type { QueueName } from "../src/core/types.ts";
import { receipts, withBed } from "./bed.ts";
import type { Bed } from "./bed.ts";
import { messages, payloads } from "./payloads.ts";
import { quantile } from "./report.ts";
import type { Row, Section } from "./report.ts";

const SMALL = Array.from({ length: 9 }, (_, index) => `tenant-${index}`);
const EACH = 10;
const SEND = 1_000;
const RECEIVE = 10;
/** So that what a sender has known of the lanes is known no more. */
const FORGET_MS = 2_100;

export async function sharingSection(
  quick: boolean,
  progress: (text: string) => void,
): Promise<Section> {
  return withBed(progress, async (bed) => {
    return {
      title: "Priorities and fair sharing",
      method:
        "One sender, one receiver of ten at a time; units as the engine reports them. The naive column: on a queue that is otherwise empty, or without priorities or tenants.",
      rows: [
        ...(await besideNoisy(bed, quick ? 10_000 : 100_000)),
        ...(await costOfTenants(bed)),
        ...(await costOfPriorities(bed)),
      ],
    };
  });
}

/** One tenant with a backlog, nine with ten messages each. */
async function besideNoisy(bed: Bed, backlog: number): Promise<Row[]> {
  const alone = await waits(bed, 0);
  const beside = await waits(bed, backlog);
  const what = `p95 of nine tenants' waits, ${backlog.toLocaleString("en-US")} of another queued`;
  return (["receives", "ms"] as const).map((unit) => ({
    what,
    unit,
    measured: quantile(beside[unit], 0.95),
    naive: quantile(alone[unit], 0.95),
    target: { atMost: 2 * quantile(alone[unit], 0.95) },
  }));
}

async function waits(
  bed: Bed,
  backlog: number,
): Promise<{ readonly receives: number[]; readonly ms: number[] }> {
  const queue = await bed.queue();
  const payload = payloads(200);
  const noisy = bed.lanes();
  for (let sent = 0; sent < backlog; sent += SEND) {
    bed.progress(`${sent} messages of the noisy tenant…`);
    const batch = messages(payload, sent, SEND).map((message) => ({ ...message, tenant: "noisy" }));
    await noisy.service.send(queue, batch);
  }
  const { service } = bed.lanes();
  const sentAt = new Map<string, number>();
  for (const tenant of SMALL) {
    for (const message of messages(payload, 0, EACH)) {
      const [result] = await service.send(queue, [{ ...message, tenant }]);
      if (result !== undefined && "id" in result) sentAt.set(result.id, performance.now());
    }
  }
  const receiver = bed.lanes().service;
  const found = { receives: [] as number[], ms: [] as number[] };
  const startedAt = performance.now();
  for (let turn = 1; sentAt.size > 0; turn++) {
    const given = await receiver.receive(queue, { max: RECEIVE, group: "default" });
    for (const { id } of given) {
      if (!sentAt.delete(id)) continue;
      found.receives.push(turn);
      found.ms.push(performance.now() - startedAt);
    }
    await receiver.ack(queue, receipts(given));
  }
  return found;
}

async function costOfTenants(bed: Bed): Promise<Row[]> {
  const [shared, usual] = [await bed.queue(), await bed.queue()];
  const payload = payloads(200);
  const rows: Row[] = [];
  const send = async (queue: QueueName, tenant: string | undefined) => {
    const sender = bed.lanes();
    const one = messages(payload, 0, 1).map((message) =>
      tenant === undefined ? message : { ...message, tenant },
    );
    for (let warm = 0; warm < 3; warm++) await sender.service.send(queue, one);
    await new Promise((resolve) => setTimeout(resolve, FORGET_MS));
    sender.meter.take();
    await sender.service.send(queue, one);
    const afresh = sender.meter.take();
    await sender.service.send(queue, one);
    return { afresh, again: sender.meter.take() };
  };
  const [withTenant, without] = [await send(shared, "acme"), await send(usual, undefined)];
  for (const [what, pick] of [
    ["a send for a tenant, 2 s after the last", "afresh"],
    ["a send for a tenant, within 2 s", "again"],
  ] as const)
    rows.push({
      what,
      unit: "read units",
      measured: withTenant[pick].readUnits,
      naive: without[pick].readUnits,
    });
  const empty = async (queue: QueueName): Promise<number> => {
    const receiver = bed.lanes();
    const all = { max: 1_000, group: "default" } as const;
    for (let given = 1; given > 0;) {
      const batch = await receiver.service.receive(queue, all);
      given = batch.length;
      if (given > 0) await receiver.service.ack(queue, receipts(batch));
    }
    receiver.meter.take();
    await receiver.service.receive(queue, all);
    return receiver.meter.take().readUnits;
  };
  rows.push({
    what: "a receive that finds nothing, once tenants have sent",
    unit: "read units",
    measured: await empty(shared),
    naive: await empty(usual),
  });
  return rows;
}

/** A receive of one message of priority 0, with nothing waiting above it. */
async function costOfPriorities(bed: Bed): Promise<Row[]> {
  const payload = payloads(200);
  const receiveUnits = async (used: readonly number[] | undefined): Promise<number> => {
    const queue = await bed.queue(used === undefined ? {} : { priorities: "strict" });
    const { service } = bed.lanes();
    const receiver = bed.lanes();
    const body = messages(payload, 0, 1);
    const all = [...(used ?? [])].flatMap((priority) => body.map((one) => ({ ...one, priority })));
    if (all.length > 0) await service.send(queue, all);
    const take = async (max: number) => {
      const given = await receiver.service.receive(queue, { max, group: "default" });
      if (given.length > 0) await receiver.service.ack(queue, receipts(given));
      return given.length;
    };
    let units = 0;
    while ((await take(1_000)) > 0);
    const rounds = 20;
    for (let round = 0; round <= rounds; round++) {
      await service.send(queue, body);
      receiver.meter.take();
      const given = await receiver.service.receive(queue, { max: 1, group: "default" });
      if (round > 0) units += receiver.meter.take().readUnits;
      await receiver.service.ack(queue, receipts(given));
    }
    return units / rounds;
  };
  const without = await receiveUnits(undefined);
  const rows: Row[] = [];
  for (const { what, used } of [
    { what: "a receive of priority 0, one above it in use", used: [0, 9] },
    { what: "a receive of priority 0, all ten in use", used: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] },
  ])
    rows.push({ what, unit: "read units", measured: await receiveUnits(used), naive: without });
  return rows;
}
