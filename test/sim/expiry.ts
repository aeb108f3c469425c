/**
 * Schedules for messages that expire unread (C6, L4) and for back-off (R4): lives that differ along a
 * lane, leases that end around an expiry, movers that die half way, and acks that come at the last moment.
 */
import type { QueueName } from "../../src/core/types.ts";
import { queueKey } from "../../src/store/keys.ts";
import type { FaultPlan } from "./faults.ts";
import type { Ambush } from "./instance.ts";
import { drawLetterFaults } from "./letters.ts";
import type { Incarnation } from "./ledger.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

const SECOND = 1_000;
const DEAD = "dead" as QueueName;
const QUEUE = "queue1" as QueueName;

export const drawExpiryFaults = (random: Random): FaultPlan => drawLetterFaults(random);

export async function runExpiry(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(1, 3); at > 0; at -= 1) sim.start();
  const keeps = random.chance(0.7);
  await operations.create(DEAD, { retentionSeconds: 20 * 86_400, lanes: 1 }, true);
  await operations.create(
    QUEUE,
    {
      retentionSeconds: random.pick([60, 600, 864_000]),
      leaseSeconds: random.pick([1, 3]),
      lanes: random.pick([1, 1, 2]),
      ...(keeps ? { onExpired: "deadLetter" as const, deadLetter: { queue: DEAD } } : {}),
      ...(random.chance(0.5)
        ? {
            backoff: {
              initialSeconds: random.pick([1, 5]),
              factor: random.pick([1, 2]),
              maxSeconds: 20,
              jitter: random.pick([0, 0.5]),
            },
          }
        : {}),
      ...(random.chance(0.2) ? { eraseOnAck: true } : {}),
    },
    false,
  );
  const queue = operations.queues.get(QUEUE);
  if (queue === undefined) return operations;
  operations.times = () =>
    random.chance(0.6) ? { ttlSeconds: random.pick([1, 2, 5, 30, 400]) } : {};
  const item = await sim.engine.store.get("catalog", queueKey(DEAD), { consistent: true });
  const dead = item?.["queueId"] as string;
  const ambushes: readonly (Ambush | undefined)[] = [
    undefined,
    { pk: `log#${dead}#`, on: "writes", chance: 0.5, does: "crash" },
    { pk: `log#${dead}#`, on: "writes", chance: 0.5, does: "late" },
    { pk: "dedup#", on: "all", chance: 0.3, does: "freeze" },
    { pk: "cursor#", on: "writes", chance: 0.2, does: "lost" },
  ];
  for (let round = random.int(2, 6); round > 0; round -= 1) {
    sim.world.faults = sim.plan;
    sim.world.ambush = random.pick(ambushes);
    await Promise.all(
      Array.from({ length: random.int(1, 4) }, () => caller(sim, operations, queue)),
    );
    sim.world.ambush = undefined;
    const pause = random.pick([1, 2, 5, 30, 63, 65, 130, 400, 3_700]);
    await scheduler.sleep(pause * SECOND + random.between(-1, 1) * sim.plan.skewMs);
  }
  // Back-offs of what is still leased.
  operations.leasedUntil = Math.max(operations.leasedUntil, scheduler.now) + 90 * SECOND;
  return operations;
}

async function caller(sim: Simulation, operations: Operations, queue: Incarnation): Promise<void> {
  const { random, scheduler } = sim;
  for (let left = random.int(2, 7); left > 0; left -= 1) {
    await random.pick([
      () => operations.send(queue, random.chance(0.05) ? 300 : random.int(1, 5)),
      () => operations.receiveFrom(queue, { max: random.pick([1, 10]) }),
      async () => {
        const given = await operations.receiveFrom(queue, { max: 10, leaseSeconds: 2 });
        if (given === undefined || given.length === 0) return;
        await scheduler.sleep(random.pick([0, 0, 1_000, 2_000, 2_500]));
        await operations.ackAll(given.filter(() => random.chance(0.6)));
      },
      () => operations.janitor(),
    ])();
    await scheduler.sleep(random.skewed(1, 2_500));
  }
}
