/** Corners of leases: an extension that arrives twice, an ack that nobody hears of. */
import { DAY_SECONDS, made, SECOND, sprung } from "./stage.ts";
import type { Stage } from "./stage.ts";

/** C4: an extension arrives twice, and the second time after the next one. */
export async function renewed(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 5, lanes: 1 });
  for (let round = random.int(2, 4); round > 0; round -= 1) {
    await operations.send(queue, random.int(1, 3));
    const given = await operations.receiveFrom(queue, { max: 10, leaseSeconds: 10 });
    if (given === undefined || given.length === 0) continue;
    sim.world.ambush = { pk: "cursor#", on: "writes", chance: 1, does: "doubled", once: true };
    await operations.extendAll(given, random.pick([1, 2]));
    sim.world.ambush = undefined;
    await scheduler.sleep(1);
    await operations.extendAll(given, 60);
    await scheduler.sleep(6 * SECOND + sim.skewMarginMs + 2 * sim.plan.skewMs);
    const taken = await operations.receiveFrom(queue, { max: 10, leaseSeconds: 10 });
    if (taken !== undefined && taken.length > 0) await operations.ackAll(taken);
    await operations.ackAll(given);
  }
}

/** A1: nobody hears of an ack, and when it is repeated, the engine has no room for it. */
export async function ackedInDoubt(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 60, lanes: 1 });
  await operations.send(queue, random.int(1, 3));
  const given = await operations.receiveFrom(queue, { max: 10, leaseSeconds: 60 });
  if (given === undefined || given.length === 0) return;
  const trouble = { pk: "cursor#", on: "writes", chance: 1, once: true } as const;
  sim.world.ambush = { ...trouble, does: "unheard" };
  const acked = operations.ackAll(given);
  await sprung(sim);
  sim.world.ambush = { ...trouble, does: "throttled" };
  await acked;
  sim.world.ambush = undefined;
  await scheduler.sleep(random.pick([1, 70]) * SECOND);
}
