/**
 * Schedules for queues whose messages have priorities or tenants: lanes that open when they are first
 * used, choices by whose backlog waits, and the growth and retirement of both, under the usual faults.
 */
import type { QueueName } from "../../src/core/types.ts";
import { Operations } from "./operations.ts";
import type { Simulation } from "./simulation.ts";

const SHARED = "queue1" as QueueName;

export async function runSharing(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(1, 4); at > 0; at -= 1) sim.start();
  const hasPriorities = random.chance(0.5);
  operations.times = () =>
    hasPriorities
      ? random.pick([{ priority: random.int(0, 9) }, { priority: 0 }, {}])
      : random.pick([{ tenant: `t${random.int(0, 3)}` }, {}]);
  await operations.create(
    SHARED,
    {
      retentionSeconds: random.pick([600, 3_600, 864_000]),
      leaseSeconds: random.pick([1, 5, 30]),
      lanes: random.pick(["auto", "auto", 1, 3]),
      ...(hasPriorities ? { priorities: random.pick(["strict", "weighted"] as const) } : {}),
    },
    false,
  );
  const queue = operations.queues.get(SHARED);
  if (queue === undefined) return operations;
  sim.world.faults = sim.plan;
  for (let round = random.int(2, 5); round > 0; round -= 1) {
    await Promise.all(
      Array.from({ length: random.int(1, 4) }, async () => {
        for (let left = random.int(3, 10); left > 0; left -= 1) {
          await random.pick([
            () => operations.send(queue),
            () => operations.send(queue),
            () => operations.receive(),
            () => operations.ack(),
            () => operations.release(),
            () => operations.janitor(),
            () => operations.changeTo(queue, { lanes: random.pick(["auto", 1, 2, 3]) }),
          ])();
          await scheduler.sleep(random.skewed(0.5, 1_000));
        }
      }),
    );
    await scheduler.sleep(
      random.pick([random.between(0, 60_000), random.skewed(1, 5) * 3_600_000]),
    );
  }
  return operations;
}
