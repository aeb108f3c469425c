/**
 * Schedules for what many do at once on one lane (C1, C7, L8): claims that meet, segments cut behind
 * and ahead of their heads, lists of segments changed by several, readers right behind the senders. The
 * waits in between are for closed segments to go.
 */
import type { QueueName } from "../../src/core/types.ts";
import { drawFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import type { Incarnation } from "./ledger.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

const SECOND = 1_000;
/** Longer than a closed segment stays. */
const SUSPENDED_MS = 9_000_000;

export function drawCrowdFaults(random: Random): FaultPlan {
  const plan = drawFaults(random);
  return {
    ...plan,
    throttled: plan.throttled / 4,
    unavailable: plan.unavailable / 4,
    crash: plan.crash / 4,
    doubled: random.pick([0, 0.1, 0.3]),
    tornQuery: random.pick([0, 0.9]),
    latencyMs: random.pick([1, 4, 40]),
    ttl: random.pick(["atOnce", "atOnce", "mixed"]),
  };
}

export async function runCrowd(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(2, 5); at > 0; at -= 1) sim.start();
  const name = "queue1" as QueueName;
  const settings = {
    retentionSeconds: 86_400,
    leaseSeconds: 30,
    lanes: 1,
    eraseOnAck: random.chance(0.3),
  };
  await operations.create(name, settings, false);
  const queue = operations.queues.get(name);
  if (queue === undefined) return operations;
  for (let round = random.int(1, 3); round > 0; round -= 1) {
    sim.world.faults = sim.plan;
    const largest = random.pick([1, 1, 4, 60]);
    const pace = random.pick([1, 5, 40]);
    sim.world.ambush = random.chance(0.25)
      ? { pk: "cursor#", on: "writes", chance: 0.1, does: "lost" }
      : undefined;
    const isSuspended = random.chance(0.3);
    if (isSuspended) {
      const { instance } = random.pick(sim.members);
      scheduler.after(random.between(0, 300), () => instance.freeze([SUSPENDED_MS]));
    }
    await (random.chance(0.3)
      ? stream(sim, operations, queue)
      : Promise.all([
          ...times(random.int(1, 3), () => sender(sim, operations, queue, largest, pace)),
          ...times(random.int(2, 7), () => claimer(sim, operations, queue, pace)),
        ]));
    sim.world.ambush = undefined;
    if (isSuspended) await Promise.all(times(3, () => settle(sim, operations, queue)));
    await scheduler.sleep(random.pick(isSuspended ? [4_500] : [0, 5, 35, 3_700, 4_000]) * SECOND);
  }
  return operations;
}

/** Of instances that wait for callers who come together, and know what they have stored themselves (L2, C10). */
export async function runGathered(sim: Simulation): Promise<Operations> {
  sim.gathers = true;
  return runCrowd(sim);
}

/** Takes all there is, so that segments are closed while somebody suspended still believes in them. */
async function settle(sim: Simulation, operations: Operations, queue: Incarnation): Promise<void> {
  for (let left = 12; left > 0; left -= 1) {
    const given = await operations.receiveFrom(queue, { max: 150, leaseSeconds: 12 });
    if (given !== undefined && given.length > 0) await operations.ackAll(given);
    await sim.scheduler.sleep(sim.random.between(1, 8) * SECOND);
  }
}

/** A few readers right behind many senders of single messages: what they read changes under their eyes. */
async function stream(sim: Simulation, operations: Operations, queue: Incarnation): Promise<void> {
  const { random, scheduler } = sim;
  const send = async (): Promise<void> => {
    for (let left = random.int(10, 25); left > 0; left -= 1) {
      await operations.send(queue, 1);
      await scheduler.sleep(random.skewed(0.1, 2));
    }
  };
  const receive = async (): Promise<void> => {
    for (let left = random.int(15, 30); left > 0; left -= 1) {
      const given = await operations.receiveFrom(queue, { max: random.pick([2, 5, 20]) });
      if (given !== undefined && given.length > 0) await operations.ackAll(given);
      await scheduler.sleep(random.skewed(0.1, 2));
    }
  };
  await Promise.all([...times(random.int(3, 5), send), ...times(random.int(1, 2), receive)]);
}

async function sender(
  sim: Simulation,
  operations: Operations,
  queue: Incarnation,
  largest: number,
  pace: number,
): Promise<void> {
  for (let left = sim.random.int(3, 15); left > 0; left -= 1) {
    await operations.send(queue, sim.random.int(1, largest));
    await sim.scheduler.sleep(sim.random.skewed(0.1, pace));
  }
}

async function claimer(
  sim: Simulation,
  operations: Operations,
  queue: Incarnation,
  pace: number,
): Promise<void> {
  const { random, scheduler } = sim;
  const lengths = random.pick([
    [undefined, 60],
    [1, 60],
  ]);
  for (let left = random.int(4, 14); left > 0; left -= 1) {
    const leaseSeconds = random.pick(lengths);
    const given = await operations.receiveFrom(queue, {
      max: random.pick([1, 1, 1, 3, 30, 150]),
      ...(leaseSeconds === undefined ? {} : { leaseSeconds }),
    });
    if (given !== undefined && given.length > 0 && random.chance(0.7))
      await operations.ackAll(given.slice(0, random.int(1, given.length)));
    await scheduler.sleep(random.skewed(0.1, pace));
  }
}

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
