/**
 * Schedules for the end of leases (C2–C5): their holders ack, extend and release right when they run
 * out, while others claim, or all at once, each for a part of the lease.
 */
import type { QueueName } from "../../src/core/types.ts";
import { drawFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import type { Delivered, Incarnation } from "./ledger.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

export function drawLeaseFaults(random: Random): FaultPlan {
  const plan = drawFaults(random);
  const often = (): number => (random.chance(0.4) ? random.between(0.05, 0.3) : 0);
  return {
    ...plan,
    throttled: plan.throttled / 4,
    unavailable: plan.unavailable / 4,
    crash: plan.crash / 4,
    freeze: plan.freeze / 4,
    replyLost: often(),
    doubled: often(),
    requestLost: often() / 2,
    late: random.chance(0.3) ? random.between(0.02, 0.2) : 0,
  };
}

export async function runLeases(sim: Simulation): Promise<Operations> {
  const { random } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(2, 4); at > 0; at -= 1) sim.start();
  const name = "queue1" as QueueName;
  await operations.create(name, { retentionSeconds: 3_600, leaseSeconds: 1, lanes: 1 }, false);
  const queue = operations.queues.get(name);
  if (queue === undefined) return operations;
  sim.world.faults = sim.plan;
  for (let round = random.int(4, 12); round > 0; round -= 1) {
    if (random.chance(0.5)) await operations.send(queue, random.int(1, 5));
    const isLong = random.chance(0.3);
    sim.world.ambush =
      isLong && random.chance(0.5)
        ? { pk: "cursor#", on: "writes", chance: 0.25, does: "lost" }
        : undefined;
    const given = await operations.receiveFrom(queue, {
      max: random.pick([1, 3, 10]),
      leaseSeconds: isLong ? 60 : random.pick([1, 2]),
    });
    if (given === undefined || given.length === 0) await operations.send(queue, 2);
    else if (random.chance(0.3)) await renew(sim, operations, queue, given);
    else await contest(sim, operations, queue, given, isLong);
  }
  return operations;
}

/** One holder extends all it has, as it runs out and again at once; the others take what they get of it. */
async function renew(
  sim: Simulation,
  operations: Operations,
  queue: Incarnation,
  given: readonly Delivered[],
): Promise<void> {
  const { random, scheduler } = sim;
  const { skewMs, latencyMs } = sim.plan;
  const endsAt = Math.min(...given.map((lease) => lease.untilLow)) + skewMs;
  const spread = skewMs + 4 * latencyMs;
  await scheduler.sleep(Math.max(0, endsAt - spread - scheduler.now));
  const taker = async (): Promise<void> => {
    await scheduler.sleep(random.between(0, 2 * spread));
    const lease = { max: random.pick([1, 1, 2]), leaseSeconds: 20 };
    await operations.receiveFrom(queue, lease);
  };
  await Promise.all([
    scheduler
      .sleep(random.between(0, 2 * spread))
      .then(() => operations.extendAll(given, random.pick([1, 10]))),
    ...Array.from({ length: random.int(1, 2) }, taker),
  ]);
  await operations.extendAll(given, 30);
  await scheduler.sleep(4_000 + sim.skewMarginMs + 2 * skewMs);
  await taker();
}

async function contest(
  sim: Simulation,
  operations: Operations,
  queue: Incarnation,
  given: readonly Delivered[],
  atOnce: boolean,
): Promise<void> {
  const { random, scheduler } = sim;
  const endsAt = atOnce
    ? scheduler.now
    : Math.min(...given.map((lease) => lease.untilLow)) + sim.plan.skewMs;
  const spread = sim.plan.skewMs + 4 * sim.plan.latencyMs;
  await scheduler.sleep(Math.max(0, endsAt - spread - scheduler.now));
  const later = (): Promise<void> => scheduler.sleep(random.between(0, 2 * spread));
  const holders = Array.from({ length: random.int(1, 3) }, async () => {
    await later();
    const some = random.chance(0.5) ? given : given.filter(() => random.chance(0.6));
    if (some.length === 0) return;
    await random.pick([
      () => operations.extendAll(some),
      () => operations.extendAll(some),
      () => operations.ackAll(some),
      () => operations.releaseAll(some),
    ])();
  });
  const others = Array.from({ length: random.int(1, 3) }, async () => {
    await later();
    const taken = await operations.receiveFrom(queue, {
      max: random.pick([1, 2, 10]),
      leaseSeconds: random.pick([1, 2, 10]),
    });
    if (taken !== undefined && taken.length > 0 && random.chance(0.3))
      await operations.ackAll(taken);
  });
  await Promise.all([...holders, ...others]);
}
