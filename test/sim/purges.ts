/**
 * Schedules for purges (C8) that come while others send, claim and ack, that are left half way, and
 * that meet segments nobody has claimed from yet; some delete the queue and make it again instead (D4).
 */
import type { QueueName } from "../../src/core/types.ts";
import { GRAVES } from "../../src/store/keys.ts";
import { drawFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

const SECOND = 1_000;

export function drawPurgeFaults(random: Random): FaultPlan {
  const plan = drawFaults(random);
  return {
    ...plan,
    throttled: plan.throttled / 4,
    unavailable: plan.unavailable / 4,
    crash: random.pick([0, 0.01, 0.05]),
    freeze: random.pick([0, 0, 0.02]),
    late: random.pick([plan.late, 0.2]),
    doubled: random.pick([plan.doubled, 0.2]),
    latencyMs: random.pick([1, 10, 40]),
  };
}

export async function runPurges(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(2, 4); at > 0; at -= 1) sim.start();
  const name = "queue1" as QueueName;
  const settings = {
    retentionSeconds: random.pick([3_600, 86_400]),
    leaseSeconds: random.pick([1, 30]),
    lanes: random.pick([1, 1, 2]),
    eraseOnAck: random.chance(0.4),
  };
  await operations.create(name, settings, false);
  const isRemade = random.chance(0.25);
  for (let round = random.int(2, 6); round > 0; round -= 1) {
    sim.world.faults = sim.plan;
    if (random.chance(0.3)) await halfway(sim, operations, name);
    const spread = random.pick([20, 200, 2_000]);
    const later = (): Promise<void> => scheduler.sleep(random.skewed(0.5, spread));
    // Whoever buries the queue that was stops short of it, until there is another of its name.
    sim.world.ambush =
      isRemade && random.chance(0.5)
        ? { pk: GRAVES, on: "writes", chance: 1, does: "freeze", forMs: 200 * SECOND }
        : undefined;
    const purger = async (): Promise<void> => {
      await later();
      const queue = operations.queues.get(name);
      if (queue === undefined || random.chance(0.4)) return;
      if (isRemade) await operations.recreate(queue);
      else await operations.purge(queue);
    };
    const sender = async (): Promise<void> => {
      for (let left = random.int(1, 5); left > 0; left -= 1) {
        await later();
        await operations.send(operations.queues.get(name), random.pick([1, 3, 40]));
      }
    };
    await Promise.all([
      purger(),
      purger(),
      ...(isRemade ? [gravedigger(sim, operations)] : []),
      ...Array.from({ length: random.int(0, 2) }, sender),
      ...Array.from({ length: random.int(0, 4) }, () => receiver(sim, operations, name, later)),
    ]);
    sim.world.ambush = undefined;
    await scheduler.sleep(random.pick([0, 0, 2, 40, 400, 700, 4_000]) * SECOND);
  }
  return operations;
}

/**
 * A purge has been announced, and its purger is gone: others go on claiming where they always did, until
 * somebody finishes it while they extend and give back what they have.
 */
async function halfway(sim: Simulation, operations: Operations, name: QueueName): Promise<void> {
  const { random, scheduler } = sim;
  const queue = operations.queues.get(name);
  if (queue === undefined) return;
  const lease = { max: random.pick([1, 5]), leaseSeconds: 2 };
  await operations.send(queue, random.int(1, 5));
  await Promise.all(Array.from({ length: 3 }, () => operations.receiveFrom(queue, lease)));
  sim.world.ambush = {
    pk: "cursor#",
    sk: "default",
    on: "writes",
    chance: 1,
    does: random.pick(["crash", "freeze"]),
    once: true,
  };
  await operations.purge(queue);
  sim.world.ambush = undefined;
  await operations.send(queue, random.int(1, 8));
  const given = await operations.receiveFrom(queue, lease);
  const soon = (): Promise<void> => scheduler.sleep(random.between(0, 8 * sim.plan.latencyMs));
  await Promise.all([
    soon().then(async () => {
      if (given === undefined || given.length === 0) return;
      // It may be over by the time at which the change comes to be applied.
      if (random.chance(0.5))
        sim.world.ambush = { pk: "cursor#", on: "writes", chance: 1, does: "slow", once: true };
      const change = random.pick(["extend", "extend", "release", "ack"]);
      if (change === "extend") await operations.extendAll(given, 30);
      else if (change === "release") await operations.releaseAll(given);
      else await operations.ackAll(given);
    }),
    soon().then(() => operations.receiveFrom(queue, lease)),
    soon().then(() => operations.receiveFrom(queue, lease)),
    soon().then(() => operations.janitor()),
  ]);
  sim.world.ambush = undefined;
  await scheduler.sleep(2 * SECOND + sim.skewMarginMs + 2 * sim.plan.skewMs + 500);
  await operations.receiveFrom(queue, { max: 10, leaseSeconds: 2 });
}

/** Right when a deleted name may be used again. */
async function gravedigger(sim: Simulation, operations: Operations): Promise<void> {
  const { random, scheduler } = sim;
  await scheduler.sleep(random.between(50, 75) * SECOND);
  for (let left = random.int(1, 3); left > 0; left -= 1) {
    await operations.janitor();
    await scheduler.sleep(random.between(1, 20) * SECOND);
  }
}

async function receiver(
  sim: Simulation,
  operations: Operations,
  name: QueueName,
  later: () => Promise<void>,
): Promise<void> {
  const { random } = sim;
  for (let left = random.int(1, 6); left > 0; left -= 1) {
    await later();
    const queue = operations.queues.get(name);
    if (queue === undefined) return;
    const given = await operations.receiveFrom(queue, {
      max: random.pick([1, 1, 5, 100]),
      leaseSeconds: random.pick([1, 30]),
    });
    if (given === undefined || given.length === 0 || random.chance(0.3)) continue;
    const some = given.slice(0, random.int(1, given.length));
    await random.pick([
      () => operations.ackAll(some),
      () => operations.ackAll(some),
      () => operations.releaseAll(some),
      () => operations.extendAll(some, random.pick([1, 30])),
    ])();
  }
}
