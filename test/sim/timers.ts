/**
 * Schedules for scheduled messages (T1–T6): many are due at once, promoters crash, freeze and write late
 * half way, others take over when their leases end, and cancellations come right before messages are due.
 */
import type { QueueName } from "../../src/core/types.ts";
import { queueKey } from "../../src/store/keys.ts";
import { drawFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import type { Ambush } from "./instance.ts";
import type { Incarnation } from "./ledger.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

const SECOND = 1_000;
const QUEUE = "queue1" as QueueName;
const DELAYS = [1, 1, 2, 3, 11, 12, 30, 75, 130, 3_600];

export function drawTimerFaults(random: Random): FaultPlan {
  const plan = drawFaults(random);
  return {
    ...plan,
    throttled: plan.throttled / 2,
    unavailable: plan.unavailable / 2,
    crash: random.pick([0, 0.02, 0.05]),
    freeze: random.pick([0, 0.02, 0.05]),
    requestLost: random.pick([0, 0, 0.05]),
    late: random.pick([0, 0.1, 0.2]),
    doubled: random.pick([0, 0.1, 0.3]),
    ttl: random.pick(["atOnce", "mixed", "never"]),
  };
}

export async function runTimers(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(2, 4); at > 0; at -= 1) sim.start();
  await operations.create(
    QUEUE,
    {
      retentionSeconds: random.pick([60, 3_600, 864_000]),
      leaseSeconds: random.pick([1, 5]),
      lanes: random.pick([1, 1, 2]),
      ...(random.chance(0.2) ? { delaySeconds: random.pick([1, 10]) } : {}),
      ...(random.chance(0.3) ? { eraseOnAck: true } : {}),
    },
    false,
  );
  const queue = operations.queues.get(QUEUE);
  if (queue === undefined) return operations;
  const item = await sim.engine.store.get("catalog", queueKey(QUEUE), { consistent: true });
  const ambushes = ambushesOf(item?.["queueId"] as string);
  for (let round = random.int(2, 6); round > 0; round -= 1) {
    const usual = random.pick(DELAYS);
    operations.times = () => ({
      ...(random.chance(0.8)
        ? { delaySeconds: random.chance(0.7) ? usual : random.pick(DELAYS) }
        : {}),
      ...(random.chance(0.1) ? { ttlSeconds: random.pick([5, 100]) } : {}),
    });
    sim.world.faults = sim.plan;
    sim.world.ambush = random.pick(ambushes);
    const callers = random.int(1, 4);
    await Promise.all(Array.from({ length: callers }, () => caller(sim, operations, queue)));
    sim.world.ambush = undefined;
    await scheduler.sleep(
      random.pick([
        () => 0,
        () => random.between(0, 3) * SECOND,
        () => usual * SECOND + random.between(-1, 1) * 500,
        // The lease of a promoter that died.
        () => 5.5 * SECOND,
        // Cancelled ones' marks go (T6).
        () => random.between(60, 200) * SECOND,
        () => random.between(1, 4_000) * SECOND,
      ])(),
    );
  }
  return operations;
}

/** Where a promotion is at its weakest. */
const ambushesOf = (queueId: string): readonly (Ambush | undefined)[] => [
  undefined,
  // Appended, and its timers not yet deleted.
  { pk: `log#${queueId}#`, on: "writes", chance: 0.5, does: "crash" },
  { pk: `log#${queueId}#`, on: "writes", chance: 0.5, does: "late" },
  { pk: `log#${queueId}#`, on: "writes", chance: 0.3, does: "lost" },
  // Between the promoter's item as read and as written, a put that comes late, a deletion half done.
  { pk: "timer#", on: "all", chance: 0.2, does: "freeze" },
  { pk: "timer#", on: "writes", chance: 0.2, does: "late" },
  { pk: "timer#", on: "writes", chance: 0.2, does: "crash" },
  // Written down, or not.
  { pk: "promoted#", on: "all", chance: 0.4, does: "crash" },
];

async function caller(sim: Simulation, operations: Operations, queue: Incarnation): Promise<void> {
  const { random, scheduler, auditor } = sim;
  for (let left = random.int(2, 8); left > 0; left -= 1) {
    await random.pick([
      () => operations.send(queue, random.chance(0.05) ? 300 : random.int(1, 6)),
      () => operations.send(queue, random.int(1, 6)),
      async () => {
        const given = await operations.receiveFrom(queue, {
          max: random.pick([1, 10, 100]),
          ...(random.chance(0.3) ? { waitSeconds: random.pick([2, 20]) } : {}),
        });
        if (given !== undefined && given.length > 0 && random.chance(0.8))
          await operations.ackAll(given);
      },
      () => operations.janitor(),
      async () => {
        const waiting = auditor.messages.filter(
          ({ id, outgoing, deliveries, cancels }) =>
            id !== undefined &&
            (outgoing.delaySeconds ?? 0) > 9 &&
            deliveries.length === 0 &&
            cancels.every(({ outcome }) => outcome !== "done"),
        );
        if (waiting.length > 0) await operations.cancel(random.pick(waiting.slice(-20)));
      },
      // A copy of the put may come after the mark's time.
      async () => {
        const before = operations.times;
        operations.times = () => ({ delaySeconds: 11 });
        const known = auditor.messages.length;
        await operations.send(queue, 3);
        operations.times = before;
        for (const message of auditor.messages.slice(known, known + 3))
          await operations.cancel(message);
        await scheduler.sleep(random.between(11, 16) * SECOND);
        await operations.receiveFrom(queue, { max: 1 });
      },
      () =>
        random.chance(0.2)
          ? operations.changeTo(queue, { lanes: random.int(1, 3) })
          : operations.look(),
    ])();
    await scheduler.sleep(random.skewed(1, 3_000));
  }
}
