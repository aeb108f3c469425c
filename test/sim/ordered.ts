/**
 * Schedules for queues that keep order (T1–T3, H1, O1, Q3): a few keys, holders that ack, give back and
 * extend parts of what they have, right when leases run out, and numbers of lanes that change meanwhile.
 */
import type { QueueName } from "../../src/core/types.ts";
import { drawFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import type { Delivered, Incarnation } from "./ledger.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

const DEAD = "dead" as QueueName;
const ORDERED = "queue1" as QueueName;

export function drawOrderedFaults(random: Random): FaultPlan {
  const plan = drawFaults(random);
  const often = (most: number): number => (random.chance(0.4) ? random.between(0.02, most) : 0);
  return {
    ...plan,
    throttled: plan.throttled / 4,
    unavailable: plan.unavailable / 4,
    crash: plan.crash / 2,
    freeze: random.pick([0, 0, 0.02]),
    replyLost: often(0.2),
    doubled: often(0.2),
    requestLost: often(0.1),
    late: often(0.2),
    ttl: random.pick(["atOnce", "mixed", "never"]),
  };
}

export async function runOrdered(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  operations.keys = random.pick([1, 2, 3, 8]);
  for (let at = random.int(1, 4); at > 0; at -= 1) sim.start();
  const hasDead = random.chance(0.3);
  if (hasDead) await operations.create(DEAD, { retentionSeconds: 20 * 86_400 }, true);
  await operations.create(
    ORDERED,
    {
      order: "key",
      retentionSeconds: random.pick([60, 3_600, 864_000]),
      leaseSeconds: random.pick([1, 5, 30]),
      lanes: random.pick([1, 1, 2, 3]),
      ...(random.chance(0.15) ? { eraseOnAck: true } : {}),
      ...(random.chance(0.1) ? { delaySeconds: 2 } : {}),
      ...(hasDead
        ? {
            maxReceives: random.int(1, 3),
            deadLetter: { queue: DEAD },
            ...(random.chance(0.3) ? { onExpired: "deadLetter" as const } : {}),
          }
        : {}),
    },
    false,
  );
  const queue = operations.queues.get(ORDERED);
  if (queue === undefined) return operations;
  sim.world.faults = sim.plan;
  for (let round = random.int(2, 6); round > 0; round -= 1) {
    // Who moves a message to the dead letters does not get there, and its lease has to run out.
    sim.world.ambush =
      hasDead && random.chance(0.5)
        ? { pk: "dedup#", on: "all", chance: 0.7, does: random.pick(["crash", "freeze"]) }
        : undefined;
    const held: Delivered[] = [];
    await Promise.all(
      Array.from({ length: random.int(1, 4) }, () => caller(sim, operations, queue, held)),
    );
    sim.world.ambush = undefined;
    await scheduler.sleep(
      random.pick([
        () => random.between(0, 2_000),
        () => random.between(0, 40_000),
        () => random.between(50_000, 200_000),
        () => random.skewed(1, 2) * 3_600_000,
      ])(),
    );
  }
  return operations;
}

async function caller(
  sim: Simulation,
  operations: Operations,
  queue: Incarnation,
  held: Delivered[],
): Promise<void> {
  const { random, scheduler } = sim;
  for (let left = random.int(3, 14); left > 0; left -= 1) {
    const isRare = random.chance(0.08);
    await (isRare ? seldom(sim, operations, queue, held) : often(sim, operations, queue, held));
    await scheduler.sleep(random.skewed(0.5, random.pick([20, 500, 3_000])));
  }
}

async function seldom(
  sim: Simulation,
  operations: Operations,
  queue: Incarnation,
  held: Delivered[],
): Promise<void> {
  const { random } = sim;
  await random.pick([
    () => operations.changeTo(queue, { lanes: random.pick(["auto", 1, 2, 3, 5]) }),
    () => operations.changeTo(queue, { lanes: random.pick(["auto", 1, 2, 3, 5]) }),
    () => operations.changeTo(queue, { lanes: random.pick(["auto", 1, 2, 3, 5]) }),
    () => operations.changeTo(queue, { delaySeconds: random.pick([0, 2]) }),
    () => operations.janitor(),
    () => operations.janitor(),
    () => operations.look(),
    // More entries than one claim looks through for what is held of a key.
    async () => {
      for (let entry = 0; entry < 40; entry += 1) await operations.send(queue, 1);
    },
    async () => {
      const busy = Array.from({ length: 4 }, async () => {
        for (let act = 0; act < 5; act += 1) await often(sim, operations, queue, held);
      });
      // What it has to carry over came while it was held up.
      sim.world.ambush = { pk: "cursor#", on: "writes", chance: 0.3, does: "late" };
      await Promise.all([operations.purge(queue), ...busy]);
      sim.world.ambush = undefined;
    },
  ])();
}

async function often(
  sim: Simulation,
  operations: Operations,
  queue: Incarnation,
  held: Delivered[],
): Promise<void> {
  const { random } = sim;
  const some = (): Delivered[] => {
    const live = held.filter((lease) => !lease.over);
    const first = live.length === 0 ? undefined : random.pick(live);
    return live.filter((lease) => lease === first || random.chance(0.4)).slice(0, 30);
  };
  const withSome = async (act: (leases: readonly Delivered[]) => Promise<void>): Promise<void> => {
    const leases = some();
    if (leases.length > 0) await act(leases);
  };
  await random.pick([
    () => operations.send(queue, random.int(1, 6)),
    () => operations.send(queue, random.chance(0.05) ? 300 : random.int(1, 6)),
    async () => {
      const given = await operations.receiveFrom(queue, {
        max: random.pick([1, 1, 2, 5, 30]),
        leaseSeconds: random.pick([1, 2, 20, 60]),
      });
      held.push(...(given ?? []));
    },
    async () => {
      const given = await operations.receiveFrom(queue, { max: random.pick([1, 2, 5]) });
      held.push(...(given ?? []));
    },
    () => withSome((leases) => operations.ackAll(leases)),
    () => withSome((leases) => operations.ackAll(leases)),
    () => withSome((leases) => operations.releaseAll(leases)),
    () => withSome((leases) => operations.extendAll(leases)),
  ])();
}
