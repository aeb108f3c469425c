/**
 * Schedules for messages on their way to another queue (C6, E1–E4): most die, movers crash and freeze
 * half way, and the next step comes right when their leases, or what is remembered of them, run out.
 */
import type { QueueName } from "../../src/core/types.ts";
import { queueKey } from "../../src/store/keys.ts";
import { drawFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import type { Incarnation } from "./ledger.ts";
import type { Ambush } from "./instance.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

const SECOND = 1_000;
const DEAD = "dead" as QueueName;

export function drawLetterFaults(random: Random): FaultPlan {
  const plan = drawFaults(random);
  return {
    ...plan,
    throttled: plan.throttled / 2,
    unavailable: plan.unavailable / 2,
    crash: random.pick([0, 0.03, 0.1]),
    freeze: random.pick([0, 0.02, 0.06]),
    requestLost: random.pick([0, 0, 0.1]),
    late: random.pick([0, 0, 0.1, 0.3]),
    ttl: random.pick(["atOnce", "atOnce", "mixed", "never"]),
  };
}

export async function runLetters(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(2, 4); at > 0; at -= 1) sim.start();
  await operations.create(
    DEAD,
    {
      retentionSeconds: random.pick([60, 600, 20 * 86_400]),
      lanes: random.pick([1, 2, 3]),
      eraseOnAck: random.chance(0.2),
    },
    true,
  );
  for (const name of ["queue1", "queue2"].slice(0, random.int(1, 2)) as QueueName[]) {
    const settings = {
      retentionSeconds: random.pick([3_600, 864_000, 864_000]),
      leaseSeconds: 1,
      lanes: 1,
      maxReceives: random.int(1, 2),
      deadLetter: { queue: DEAD },
      eraseOnAck: random.chance(0.2),
    };
    await operations.create(name, settings, false);
  }
  const dead = operations.queues.get(DEAD);
  const item = await sim.engine.store.get("catalog", queueKey(DEAD), { consistent: true });
  const ambushes = ambushesOf(item?.["queueId"] as string);
  const sources = [...operations.queues.values()].filter((queue) => queue !== dead);
  if (dead === undefined) return operations;
  if (random.chance(0.3))
    await unfinished(sim, operations, random.pick(sources), dead, item?.["queueId"] as string);
  for (let round = random.int(3, 7); round > 0; round -= 1) {
    sim.world.faults = sim.plan;
    sim.world.ambush = random.pick(ambushes);
    const callers = random.int(1, 4);
    await Promise.all(
      Array.from({ length: callers }, () => caller(sim, operations, sources, dead)),
    );
    sim.world.ambush = undefined;
    // What has arrived is taken at once, and what is left half way goes on only when that is forgotten.
    const isForgotten = random.chance(0.25);
    if (isForgotten) await operations.receiveFrom(dead, { max: 100, leaseSeconds: 2 });
    const pauses = isForgotten ? [4_500] : [2, 3, 3, 10, 34, 36, 40, 63, 65, 80, 130, 4_000, 8_000];
    await scheduler.sleep(random.pick(pauses) * SECOND + 2 * sim.plan.skewMs);
  }
  return operations;
}

/**
 * One move, stopped at its weakest: its mover dies between the put and the removal, and comes back to it
 * when what it put has gone by its ttl; or is suspended right before the put, while another goes on with it.
 */
async function unfinished(
  sim: Simulation,
  operations: Operations,
  source: Incarnation,
  dead: Incarnation,
  deadId: string,
): Promise<void> {
  const { random, scheduler } = sim;
  const runOut = SECOND + sim.skewMarginMs + 2 * sim.plan.skewMs + 100;
  const one = { max: 10, leaseSeconds: 1 };
  await operations.send(source, random.int(1, 3));
  for (let left = 2; left > 0; left -= 1) {
    await operations.receiveFrom(source, one);
    await scheduler.sleep(runOut);
  }
  const isCrash = random.chance(0.5);
  sim.world.ambush = {
    pk: isCrash || random.chance(0.5) ? `log#${deadId}#` : "dedup#",
    on: "writes",
    chance: 1,
    does: isCrash ? "crash" : "freeze",
    forMs: 140 * SECOND,
    once: true,
  };
  await operations.receiveFrom(source, one);
  sim.world.ambush = undefined;
  if (isCrash) {
    const given = await operations.receiveFrom(dead, { max: 100, leaseSeconds: 2 });
    if (given !== undefined && random.chance(0.7)) await operations.ackAll(given);
    await scheduler.sleep(4_500 * SECOND);
  } else {
    await scheduler.sleep(random.between(34, 60) * SECOND);
  }
  for (let left = 3; left > 0; left -= 1) {
    await operations.receiveFrom(source, one);
    await scheduler.sleep(runOut);
  }
}

/** Where a move is at its weakest. */
const ambushesOf = (dead: string): readonly (Ambush | undefined)[] => [
  undefined,
  // Appended, and not yet removed at its source.
  { pk: `log#${dead}#`, on: "writes", chance: 0.5, does: "crash" },
  // Taken for lost, and yet to be applied.
  { pk: `log#${dead}#`, on: "writes", chance: 0.5, does: "late" },
  // Between a record as read and as written.
  { pk: "dedup#", on: "all", chance: 0.3, does: "freeze" },
  // Named, and put there by somebody else meanwhile.
  { pk: "dedup#", on: "writes", chance: 0.5, does: "freeze", forMs: 130_000 },
  { pk: `log#${dead}#`, on: "writes", chance: 0.5, does: "freeze", forMs: 130_000 },
  // The ack of what leaves meanwhile.
  { pk: "cursor#", on: "writes", chance: 0.2, does: "lost" },
];

async function caller(
  sim: Simulation,
  operations: Operations,
  sources: readonly Incarnation[],
  dead: Incarnation,
): Promise<void> {
  const { random, scheduler } = sim;
  for (let left = random.int(1, 6); left > 0; left -= 1) {
    const source = random.pick(sources);
    await random.pick([
      () => operations.send(source, random.int(1, 4)),
      () => operations.receiveFrom(source, { max: random.pick([1, 10]), leaseSeconds: 1 }),
      async () => {
        const given = await operations.receiveFrom(source, { max: 10, leaseSeconds: 1 });
        if (given === undefined || given.length === 0) return;
        if (random.chance(0.5))
          sim.world.ambush = { pk: "cursor#", on: "writes", chance: 1, does: "lost", once: true };
        await Promise.all([
          operations.ackAll(given),
          // While the ack is in doubt, the last of its receives has run out.
          scheduler
            .sleep(1_000 + sim.skewMarginMs + sim.plan.skewMs + random.between(0, 1_500))
            .then(() => operations.receiveFrom(source, { max: 1 })),
        ]);
      },
      () => operations.janitor(),
      () => operations.redrive(),
      () => operations.changeTo(source, { maxReceives: random.pick([1, 2, 5, null]) }),
      () => operations.send(dead, 1),
      async () => {
        const given = await operations.receiveFrom(dead, { max: 10, leaseSeconds: 2 });
        if (given !== undefined && given.length > 0 && random.chance(0.7))
          await operations.ackAll(given);
      },
    ])();
    await scheduler.sleep(random.skewed(1, 2_000));
  }
}
