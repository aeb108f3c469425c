/**
 * Schedules of callers as SQS's are (F1–F3, A2–A4, T1, T4): they keep the receipt that came with a
 * message, change one message of a lease at a time, give single ones back, and delete by receipts that
 * may be old. A queue without order accepts those, one that keeps order refuses them; and receives there
 * give one key after the other.
 */
import type { QueueName } from "../../src/core/types.ts";
import { drawFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import type { Delivered, Incarnation } from "./ledger.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

const DEAD = "dead" as QueueName;
const QUEUE = "queue1" as QueueName;

export function drawHandleFaults(random: Random): FaultPlan {
  const plan = drawFaults(random);
  const often = (most: number): number => (random.chance(0.4) ? random.between(0.02, most) : 0);
  const isReliable = random.chance(0.3);
  const faults = {
    throttled: plan.throttled / 4,
    unavailable: plan.unavailable / 4,
    crash: plan.crash / 4,
    freeze: plan.freeze / 4,
    replyLost: often(0.2),
    requestLost: often(0.1),
    late: often(0.15),
    doubled: often(0.2),
  };
  const none = Object.fromEntries(Object.keys(faults).map((name) => [name, 0]));
  return { ...plan, ...faults, ...(isReliable ? none : {}) };
}

interface Party {
  readonly sim: Simulation;
  readonly operations: Operations;
  readonly queue: Incarnation;
  readonly keepsOrder: boolean;
  /** All that anybody was ever given. */
  readonly held: Delivered[];
}

export async function runHandles(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  operations.keys = random.pick([1, 2, 3, 6]);
  for (let at = random.int(1, 4); at > 0; at -= 1) sim.start();
  const keepsOrder = random.chance(0.5);
  const hasDead = random.chance(0.15);
  if (hasDead) await operations.create(DEAD, { retentionSeconds: 20 * 86_400 }, true);
  await operations.create(
    QUEUE,
    {
      retentionSeconds: random.pick([3_600, 864_000]),
      leaseSeconds: random.pick([1, 5, 30]),
      lanes: random.pick([1, 1, 2]),
      ...(keepsOrder ? { order: "key" as const } : {}),
      ...(random.chance(0.1) ? { eraseOnAck: true } : {}),
      ...(hasDead ? { maxReceives: random.int(1, 3), deadLetter: { queue: DEAD } } : {}),
    },
    false,
  );
  const queue = operations.queues.get(QUEUE);
  if (queue === undefined) return operations;
  const party: Party = { sim, operations, queue, keepsOrder, held: [] };
  sim.world.faults = sim.plan;
  for (let round = random.int(2, 6); round > 0; round -= 1) {
    // Who moves a message to the dead letters does not get there, and its lease has to run out.
    sim.world.ambush =
      hasDead && random.chance(0.6)
        ? { pk: "dedup#", on: "all", chance: 0.7, does: random.pick(["crash", "freeze"]) }
        : undefined;
    await Promise.all(Array.from({ length: random.int(1, 4) }, () => caller(party)));
    sim.world.ambush = undefined;
    await scheduler.sleep(
      random.pick([
        () => random.between(0, 2_000),
        () => random.between(0, 40_000),
        () => random.between(50_000, 200_000),
      ])(),
    );
  }
  return operations;
}

async function caller(party: Party): Promise<void> {
  const { random, scheduler } = party.sim;
  for (let left = random.int(3, 14); left > 0; left -= 1) {
    await (random.chance(0.05) ? seldom(party) : often(party));
    await scheduler.sleep(random.skewed(0.5, random.pick([20, 500, 3_000])));
  }
}

async function seldom(party: Party): Promise<void> {
  const { sim, operations, queue } = party;
  await sim.random.pick([
    () => operations.janitor(),
    () => operations.look(),
    // More entries than one claim looks through for what is held of a key.
    async () => {
      for (let entry = 0; entry < 40; entry += 1) await operations.send(queue, 1);
    },
    async () => {
      const busy = Array.from({ length: 4 }, async () => {
        for (let act = 0; act < 5; act += 1) await often(party);
      });
      // What it has to carry over came while it was held up.
      if (sim.plan.late > 0)
        sim.world.ambush = { pk: "cursor#", on: "writes", chance: 0.3, does: "late" };
      await Promise.all([operations.purge(queue), ...busy]);
      sim.world.ambush = undefined;
    },
  ])();
}

async function often(party: Party): Promise<void> {
  const { sim, operations, queue, keepsOrder, held } = party;
  const { random } = sim;
  const receive = async (max: number, leaseSeconds?: number): Promise<void> => {
    const given = await operations.receiveFrom(queue, {
      max,
      ...(leaseSeconds === undefined ? {} : { leaseSeconds }),
      ...(keepsOrder ? { drain: true } : {}),
    });
    held.push(...(given ?? []));
  };
  const change = (seconds: number): Promise<void> =>
    withSome(party, (leases) =>
      operations.extendAll(leases, seconds, { isStray: !keepsOrder, keepsReceipt: true }),
    );
  const remove = (): Promise<void> =>
    withSome(party, (leases) => {
      const stale = keepsOrder ? "refuse" : "accept";
      return operations.ackAll(leases, random.chance(0.15) ? undefined : stale);
    });
  await random.pick([
    () => operations.send(queue, random.int(1, 8)),
    () => operations.send(queue, random.int(1, 3)),
    () => receive(random.pick([1, 2, 5, 10]), random.pick([1, 2, 20, 60])),
    () => receive(random.pick([1, 3, 10])),
    remove,
    remove,
    () => change(0),
    () => change(random.pick([1, 5, 30])),
    // Now and then somebody gives back as REST does; where old receipts change what others have, nobody could tell.
    () =>
      keepsOrder && random.chance(0.5)
        ? withSome(party, (leases) => operations.releaseAll(leases))
        : change(random.pick([2, 60])),
  ])();
}

/** Mostly one or a few of what was given lately, however long ago its lease ended. */
async function withSome(
  { sim, held }: Party,
  act: (leases: readonly Delivered[]) => Promise<void>,
): Promise<void> {
  const { random } = sim;
  const recent = held.slice(-30);
  const live = recent.filter((lease) => !lease.over);
  const from = random.chance(0.8) && live.length > 0 ? live : recent;
  if (from.length === 0) return;
  const first = random.pick(from);
  await act(from.filter((lease) => lease === first || random.chance(0.25)).slice(0, 10));
}
