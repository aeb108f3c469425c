/**
 * Schedules for move tasks (N2–N5): dead letters are moved by tasks that are started, run and cancelled by
 * several instances at once, which crash and freeze half way; what they leave is gone on with.
 */
import type { QueueName } from "../../src/core/types.ts";
import { epochMs } from "../../src/core/types.ts";
import { queueKey } from "../../src/store/keys.ts";
import type { Incarnation } from "./ledger.ts";
import { begun } from "./ledger.ts";
import type { Ambush } from "./instance.ts";
import { MoveAuditor } from "./move-auditor.ts";
import { Operations } from "./operations.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

const SECOND = 1_000;
const DEAD = "dead" as QueueName;
const OTHER = "queue2" as QueueName;
/** As many as are listed. */
const TASKS_MAX = 10;
/** Within these, each of 20 s, a task that nothing disturbs comes to its end. */
const LAST_ROUNDS = 12;

interface Mover {
  readonly sim: Simulation;
  readonly operations: Operations;
  readonly auditor: MoveAuditor;
  starts: number;
}

export async function runMoves(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(2, 4); at > 0; at -= 1) sim.start();
  const lasting = { retentionSeconds: 864_000 };
  await operations.create(DEAD, { ...lasting, lanes: random.pick([1, 1, 2]) }, true);
  await operations.create(OTHER, { ...lasting, lanes: 1 }, false);
  const source = {
    ...lasting,
    leaseSeconds: 1,
    lanes: 1,
    maxReceives: 1,
    deadLetter: { queue: DEAD },
  };
  await operations.create("queue1" as QueueName, source, false);
  const [dead, other, from] = [...operations.queues.values()];
  const item = await sim.engine.store.get("catalog", queueKey(DEAD), { consistent: true });
  if (dead === undefined || other === undefined || from === undefined) return operations;
  // Tasks go on until the end.
  operations.moving(begun(scheduler.now));
  const mover = { sim, operations, auditor: audited(sim), starts: 0 };
  const ambushes = ambushesOf(item?.["queueId"] as string);
  for (let round = random.int(2, 5); round > 0; round -= 1) {
    sim.world.faults = sim.plan;
    sim.world.ambush = random.pick(ambushes);
    const callers = random.int(2, 5);
    await Promise.all(Array.from({ length: callers }, () => caller(mover, from, [dead, other])));
    sim.world.ambush = undefined;
    await scheduler.sleep(random.pick([2, 10, 31, 35, 63, 130]) * SECOND + 2 * sim.plan.skewMs);
  }
  operations.verdicts.push(() => finish(mover));
  return operations;
}

function audited(sim: Simulation): MoveAuditor {
  const auditor = new MoveAuditor(sim);
  const onWrite = sim.engine.onWrite;
  sim.engine.onWrite = (change) => {
    onWrite?.(change);
    auditor.wrote(change);
  };
  return auditor;
}

/** Where a task is at its weakest. */
const ambushesOf = (dead: string): readonly (Ambush | undefined)[] => [
  undefined,
  // Claimed for a move, and not yet put anywhere; put, and not yet removed.
  { pk: "log#", on: "writes", chance: 0.5, does: "crash" },
  { pk: "dedup#", on: "writes", chance: 0.3, does: "crash" },
  { pk: `cursor#${dead}#`, on: "writes", chance: 0.3, does: "crash" },
  // Its progress, its end, and what comes behind that.
  { pk: "moveTask", on: "writes", chance: 0.3, does: "crash" },
  { pk: "moveTask", on: "writes", chance: 0.3, does: "freeze" },
  { pk: "moveTask", on: "writes", chance: 0.3, does: "late" },
  { pk: "moveTask", on: "writes", chance: 0.3, does: "lost" },
  // A runner that goes on when its lease is over.
  { pk: `cursor#${dead}#`, on: "writes", chance: 0.3, does: "freeze", forMs: 40_000 },
];

async function caller(
  mover: Mover,
  source: Incarnation,
  others: readonly Incarnation[],
): Promise<void> {
  const { random, scheduler } = mover.sim;
  const { operations } = mover;
  const die = async (): Promise<void> => {
    await operations.send(source, random.int(1, 6));
    await operations.receiveFrom(source, { max: 10, leaseSeconds: 1 });
    await scheduler.sleep(1_000 + mover.sim.skewMarginMs + 2 * mover.sim.plan.skewMs);
    await operations.receiveFrom(source, { max: 10, leaseSeconds: 1 });
  };
  for (let left = random.int(2, 7); left > 0; left -= 1) {
    await random.pick([
      die,
      die,
      () => start(mover),
      () => start(mover),
      () => run(mover, random.int(2, 25) * SECOND),
      () => run(mover, random.int(2, 25) * SECOND),
      () => cancel(mover),
      () => operations.janitor(),
      async () => {
        const given = await operations.receiveFrom(random.pick(others), { max: 10 });
        if (given !== undefined && given.length > 0) await operations.ackAll(given);
      },
    ])();
    await scheduler.sleep(random.skewed(1, 2_000));
  }
}

async function start(mover: Mover): Promise<void> {
  const { random } = mover.sim;
  if (mover.starts >= TASKS_MAX) return;
  mover.starts += 1;
  const request = {
    ...(random.chance(0.5) ? { to: OTHER } : {}),
    ...(random.chance(0.4) ? { ratePerSecond: random.pick([1, 5, 500]) } : {}),
  };
  const { value, span } = await mover.sim.call(`start move ${JSON.stringify(request)}`, (service) =>
    service.startMove(DEAD, request),
  );
  if (value === undefined || !("task" in value)) return;
  mover.sim.trace?.(`  started ${value.task.taskId}, ${value.task.status}`);
  mover.auditor.started(value.task);
  mover.auditor.seen(value.task, span.from);
}

const run = async ({ sim }: Mover, forMs: number): Promise<void> => {
  await sim.call("run moves", (service) => service.runMoves(epochMs(sim.scheduler.now + forMs)));
};

const list = async ({ sim }: Mover) =>
  (await sim.call("list moves", (service) => service.listMoves(DEAD, TASKS_MAX))).value;

async function cancel(mover: Mover): Promise<void> {
  const [task] = (await list(mover)) ?? [];
  if (task === undefined) return;
  const { value, span } = await mover.sim.call(`cancel ${task.taskId}`, (service) =>
    service.cancelMove(DEAD, task.taskId),
  );
  if (value !== undefined && "task" in value) mover.auditor.cancelled(value.task, span.from);
}

/** Nothing is left to move, and no fault is left: every task ends, and is listed. */
async function finish(mover: Mover): Promise<void> {
  const { sim } = mover;
  for (let round = 0; round < LAST_ROUNDS; round += 1) {
    await run(mover, 20 * SECOND);
    await sim.scheduler.sleep(10 * SECOND);
  }
  const listed = await list(mover);
  if (listed === undefined) throw new Violation("moves", "tasks cannot be listed without faults");
  mover.auditor.finish(listed);
  sim.check();
}
