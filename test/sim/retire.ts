/**
 * Schedules for lanes that come and go (L9): senders that are suspended with the lanes they knew, some
 * until the end entry itself has gone, janitors that crash between the end entry and the anchor.
 */
import type { QueueName } from "../../src/core/types.ts";
import { queueKey } from "../../src/store/keys.ts";
import { drawFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import type { Incarnation } from "./ledger.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

const SECOND = 1_000;
const SUSPENDED_MS = [8_000, 40_000, 4_500_000, 9_000_000] as const;
const JANITORS_TO_THE_END = 6;

export function drawRetireFaults(random: Random): FaultPlan {
  const plan = drawFaults(random);
  return {
    ...plan,
    throttled: plan.throttled / 4,
    unavailable: plan.unavailable / 4,
    crash: random.pick([0, 0.01, 0.05]),
    late: random.pick([0, 0, 0.1]),
    ttl: random.pick(["atOnce", "atOnce", "mixed"]),
  };
}

export async function runRetire(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(3, 6); at > 0; at -= 1) sim.start();
  const name = "queue1" as QueueName;
  const settings = {
    retentionSeconds: random.pick([60, 3_600, 40_000]),
    leaseSeconds: 1,
    lanes: random.int(2, 4),
  };
  await operations.create(name, settings, false);
  const queue = operations.queues.get(name);
  if (queue === undefined) return operations;
  for (let round = random.int(1, 4); round > 0; round -= 1) {
    sim.world.faults = sim.plan;
    const spread = random.pick([50, 1_000, 15_000]);
    const later = (): Promise<void> => scheduler.sleep(random.skewed(0.5, spread));
    await Promise.all([
      ...Array.from({ length: random.int(1, 4) }, () => sender(sim, operations, queue, later)),
      ...Array.from({ length: random.int(1, 2) }, async () => {
        await later();
        await operations.changeTo(queue, { lanes: random.pick([1, 1, 2, 3, 6]) });
        for (let left = random.int(0, 3); left > 0; left -= 1) {
          await later();
          await operations.janitor();
        }
      }),
      (async () => {
        await later();
        await operations.janitor();
      })(),
      (async () => {
        await later();
        const given = await operations.receiveFrom(queue, { max: random.pick([1, 10]) });
        if (given !== undefined && given.length > 0 && random.chance(0.6))
          await operations.ackAll(given);
      })(),
    ]);
    await scheduler.sleep(random.pick([1, 15, 40, 200, 4_000, 9_000]) * SECOND);
  }
  await untilRetired(sim, operations, name);
  return operations;
}

async function sender(
  sim: Simulation,
  operations: Operations,
  queue: Incarnation,
  later: () => Promise<void>,
): Promise<void> {
  const { random, scheduler } = sim;
  for (let left = random.int(1, 4); left > 0; left -= 1) {
    await later();
    const sent = operations.send(queue, random.pick([1, 1, 5]));
    if (random.chance(0.2)) {
      const { instance } = random.pick(sim.members);
      scheduler.after(random.between(0, 6 * sim.plan.latencyMs), () =>
        instance.freeze(SUSPENDED_MS),
      );
    }
    await sent;
  }
}

/** Without faults, a lane that was taken from the senders gets its end, and stays ended. */
async function untilRetired(
  sim: Simulation,
  operations: Operations,
  name: QueueName,
): Promise<void> {
  let closing: readonly unknown[] = [];
  for (let round = 0; round < JANITORS_TO_THE_END; round += 1) {
    sim.calm();
    await operations.janitor();
    await sim.scheduler.sleep(60 * SECOND);
    const item = await sim.engine.store.get("catalog", queueKey(name), { consistent: true });
    const lanes = item?.["lanes"] as { ended: { lane: number; until: number }[] } | undefined;
    closing = (lanes?.ended ?? []).filter(({ until }) => until === 0);
    if (closing.length === 0) return;
  }
  throw new Violation("drains", `lanes of ${name} do not end: ${JSON.stringify(closing)}`);
}
