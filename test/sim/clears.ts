/**
 * Schedules for clearing a queue (K1, K2): messages with ids that are repeated, and scheduled ones, some
 * due as the clearing comes, while promoters crash, freeze and write late.
 */
import type { QueueName } from "../../src/core/types.ts";
import { queueKey } from "../../src/store/keys.ts";
import { drawFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import type { Ambush } from "./instance.ts";
import type { Incarnation } from "./ledger.ts";
import { OnceAuditor } from "./once-auditor.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

const SECOND = 1_000;
const QUEUE = "queue1" as QueueName;
const WINDOW_SECONDS = 7_200;

export function drawClearFaults(random: Random): FaultPlan {
  const plan = drawFaults(random);
  return {
    ...plan,
    throttled: plan.throttled / 8,
    unavailable: plan.unavailable / 8,
    crash: random.pick([0, 0.01, 0.03]),
    freeze: random.pick([0, 0, 0.02]),
    requestLost: random.pick([0, 0, 0.03]),
    replyLost: random.pick([0, 0, 0.05]),
    late: random.pick([0, 0.1, 0.2]),
    doubled: random.pick([0, 0.1]),
  };
}

interface Stage {
  readonly sim: Simulation;
  readonly operations: Operations;
  readonly auditor: OnceAuditor;
  readonly queue: Incarnation;
}

export async function runClears(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(2, 3); at > 0; at -= 1) sim.start();
  const dedup = { scope: "queue", windowSeconds: WINDOW_SECONDS, contentBased: false } as const;
  const settings = { retentionSeconds: 864_000, leaseSeconds: random.pick([1, 5]), dedup };
  await operations.create(QUEUE, { ...settings, lanes: random.pick([1, 1, 2]) }, false);
  const queue = operations.queues.get(QUEUE);
  if (queue === undefined) return operations;
  const item = await sim.engine.store.get("catalog", queueKey(QUEUE), { consistent: true });
  const ambushes = ambushesOf(item?.["queueId"] as string);
  const auditor = new OnceAuditor(sim, WINDOW_SECONDS * SECOND, queue.purges);
  operations.verdicts.push(() => auditor.verdict());
  const stage: Stage = { sim, operations, auditor, queue };
  for (let round = random.int(2, 5); round > 0; round -= 1) {
    sim.world.faults = sim.plan;
    sim.world.ambush = random.pick(ambushes);
    for (let more = random.int(1, 3); more > 0; more -= 1) auditor.deed();
    const callers = random.int(1, 3);
    await Promise.all([clearer(stage), ...Array.from({ length: callers }, () => caller(stage))]);
    sim.world.ambush = undefined;
    // Until other instances have heard of it, and what was scheduled would be due.
    await scheduler.sleep(random.pick([0, 1, 3, 12, 45, 45, 90]) * SECOND);
  }
  return operations;
}

/** Where what is cleared may slip through. */
const ambushesOf = (queueId: string): readonly (Ambush | undefined)[] => [
  undefined,
  { pk: `log#${queueId}#`, on: "writes", chance: 0.3, does: "late" },
  { pk: "timer#", on: "all", chance: 0.1, does: "freeze" },
  { pk: "timer#", on: "writes", chance: 0.2, does: "late" },
  { pk: "timer#", on: "writes", chance: 0.1, does: "crash" },
];

async function clearer({ sim, operations, queue }: Stage): Promise<void> {
  const { random, scheduler } = sim;
  for (let left = random.int(1, 2); left > 0; left -= 1) {
    await scheduler.sleep(random.skewed(0.5, random.pick([50, 2_000, 12_000])));
    await operations.clear(queue);
  }
}

async function caller({ sim, operations, auditor, queue }: Stage): Promise<void> {
  const { random, scheduler } = sim;
  for (let left = random.int(2, 6); left > 0; left -= 1) {
    await random.pick([
      async () => {
        operations.times = () => ({ delaySeconds: random.pick([1, 2, 3, 11, 60]) });
        await operations.send(queue, random.int(1, 6));
        operations.times = undefined;
      },
      async () => {
        const some = auditor.deeds.slice(-4);
        for (let attempt = random.int(1, 3); attempt > 0; attempt -= 1)
          if (await auditor.send(queue, [random.pick(some)])) break;
      },
      async () => {
        const given = await operations.receiveFrom(queue, { max: random.pick([1, 10, 100]) });
        if (given !== undefined && given.length > 0) await operations.ackAll(given);
      },
      () => operations.janitor(),
    ])();
    await scheduler.sleep(random.skewed(0.5, random.pick([100, 3_000, 8_000])));
  }
}
