/**
 * Schedules for the life of segments (C7) and for erasure, which reads them (X1): segments that are cut,
 * have a successor, are drained, closed, taken off the list, and gone an hour later.
 *
 * Each scene stops one of these steps half way, or lets somebody sleep through all of them, and then
 * waits until what should be gone is gone.
 */
import { groupId, laneId } from "../../src/core/types.ts";
import type { QueueId, QueueName } from "../../src/core/types.ts";
import { parseCursor } from "../../src/service/cursor.ts";
import { cursorKey, queueKey, segmentKey } from "../../src/store/keys.ts";
import { drawFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import type { Delivered, Incarnation } from "./ledger.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;
/** More than one segment holds leases of one message for. */
const PLENTY = 70;
const LONG_LEASE_SECONDS = 3_000;

export function drawCutFaults(random: Random): FaultPlan {
  const plan = drawFaults(random);
  return {
    ...plan,
    throttled: plan.throttled / 4,
    unavailable: plan.unavailable / 4,
    requestLost: plan.requestLost / 4,
    replyLost: plan.replyLost / 4,
    crash: plan.crash / 4,
    freeze: 0,
    latencyMs: random.pick([1, 10, 40]),
    ttl: random.pick(["atOnce", "atOnce", "atOnce", "mixed"]),
  };
}

export async function runCuts(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(2, 4); at > 0; at -= 1) sim.start();
  const name = "queue1" as QueueName;
  const settings = {
    retentionSeconds: 20 * 86_400,
    leaseSeconds: 30,
    lanes: 1,
    eraseOnAck: random.chance(0.4),
  };
  await operations.create(name, settings, false);
  const queue = operations.queues.get(name);
  if (queue === undefined) return operations;
  for (let round = random.int(1, 3); round > 0; round -= 1) {
    if (random.chance(0.7)) sim.world.faults = sim.plan;
    await random.pick([abandoned, contested, overslept, overslept, forgotten])(
      sim,
      operations,
      queue,
    );
    sim.calm();
    await scheduler.sleep(2 * SECOND);
    await takeAll(sim, operations, queue);
  }
  return operations;
}

/** The list of segments does not learn of a cut, while what was claimed before it is acked. */
async function abandoned(sim: Simulation, operations: Operations, queue: Incarnation) {
  const { random } = sim;
  await operations.send(queue, random.int(PLENTY / 2, 2 * PLENTY));
  sim.world.ambush = {
    pk: "cursor#",
    sk: "default",
    on: "writes",
    chance: random.pick([0.7, 1]),
    does: random.pick(["lost", "lost", "crash"]),
  };
  const given = await takeSingly(sim, operations, queue, random.int(PLENTY / 3, PLENTY));
  await operations.ackAll(given);
  sim.world.ambush = undefined;
}

/** Several change the list at once, each for its own reason, and nobody comes by for more than an hour. */
async function contested(sim: Simulation, operations: Operations, queue: Incarnation) {
  const { random, scheduler } = sim;
  await operations.send(queue, random.int(2 * PLENTY, 3 * PLENTY));
  const takers = random.int(2, 3);
  const taken = await Promise.all(
    Array.from({ length: takers }, () =>
      takeSingly(sim, operations, queue, random.int(PLENTY / 3, PLENTY)),
    ),
  );
  const given = taken.flat();
  await operations.ackAll(random.chance(0.7) ? given : given.filter(() => random.chance(0.9)));
  for (let burst = random.int(2, 4); burst > 0; burst -= 1) {
    await Promise.all(
      Array.from({ length: random.int(2, 3) }, async () => {
        await scheduler.sleep(random.between(0, 6 * sim.plan.latencyMs));
        for (let left = random.int(1, 3); left > 0; left -= 1)
          await operations.receiveFrom(queue, { max: random.pick([1, 1, 30]), leaseSeconds: 60 });
      }),
    );
    await scheduler.sleep(random.between(1.02, 1.3) * HOUR);
  }
}

/** A receive sleeps, its caller with it, while others take all there is, and until what they closed is gone. */
async function overslept(sim: Simulation, operations: Operations, queue: Incarnation) {
  const { random, scheduler } = sim;
  await operations.send(queue, random.int(PLENTY, 3 * PLENTY));
  const given = random.chance(0.3)
    ? await takeSingly(sim, operations, queue, random.int(1, PLENTY))
    : await untilCut(sim, operations, queue);
  if (random.chance(0.5)) await operations.ackAll(given);
  // What an instance knows of the list it believes for ten minutes.
  await scheduler.sleep(random.pick([0, 700]) * SECOND);
  sim.world.ambush = {
    pk: random.pick(["cursor#", "log#"]),
    on: "all",
    chance: random.pick([0.5, 1]),
    does: "freeze",
    forMs: DAY,
    once: true,
  };
  const { patienceMs } = sim;
  sim.patienceMs = 30 * HOUR;
  const sleeper = operations.receiveFrom(queue, { max: 10, leaseSeconds: 60 });
  await scheduler.sleep(2 * SECOND);
  sim.patienceMs = patienceMs;
  sim.world.ambush = undefined;
  // The last segment of a list is never closed: what the sleeper sees as the last has to be cut as well.
  const more = await untilCut(sim, operations, queue);
  await operations.ackAll([...given, ...more]);
  await takeAll(sim, operations, queue);
  await scheduler.sleep(random.between(1.02, 1.3) * HOUR);
  for (const { instance } of sim.members) instance.thaw();
  const late = await sleeper;
  if (late !== undefined && late.length > 0) await operations.ackAll(late);
}

/** What is acked is to be erased, and has gone with its ttl before that comes to it. */
async function forgotten(sim: Simulation, operations: Operations, queue: Incarnation) {
  const { random, scheduler, engine } = sim;
  await operations.send(queue, random.int(1, 3));
  const given = await takeSingly(sim, operations, queue, random.int(1, 3));
  sim.world.ambush = {
    pk: random.pick(["cursor#", "log#"]),
    on: "all",
    chance: random.pick([0.5, 1]),
    does: "freeze",
    forMs: 100 * DAY,
    once: true,
  };
  const acked = operations.ackAll(given);
  await scheduler.sleep(2 * SECOND);
  sim.world.ambush = undefined;
  const last = Math.max(0, ...[...engine.ttls.values()].map(({ ttl }) => ttl * SECOND));
  await scheduler.sleep(Math.max(0, last - scheduler.now) + random.between(2, 60) * SECOND);
  for (const { instance } of sim.members) instance.thaw();
  await acked;
}

/** Right after a segment was cut and its successor listed, where nobody has claimed yet. */
async function untilCut(
  sim: Simulation,
  operations: Operations,
  queue: Incarnation,
): Promise<Delivered[]> {
  const { store } = sim.engine;
  const given: Delivered[] = [];
  const record = store.peek("catalog", queueKey(queue.name));
  const stand = [record?.["queueId"] as QueueId, laneId(0), groupId("default")] as const;
  for (let left = PLENTY; left > 0; left -= 1) {
    given.push(...(await takeSingly(sim, operations, queue, 1)));
    const { generation, segments } = parseCursor(store.peek("lanes", cursorKey(...stand)));
    const last = segments.at(-1);
    if (segments.length < 2 || last === undefined) continue;
    if (store.peek("lanes", segmentKey(...stand, generation, last)) === undefined) break;
  }
  return given;
}

async function takeSingly(
  sim: Simulation,
  operations: Operations,
  queue: Incarnation,
  count: number,
): Promise<Delivered[]> {
  const given: Delivered[] = [];
  const request = { max: 1, leaseSeconds: LONG_LEASE_SECONDS };
  for (let left = count; left > 0; left -= 1) {
    const startedAt = sim.scheduler.now;
    given.push(...((await operations.receiveFrom(queue, request)) ?? []));
    // An ambush has been met: what it was meant to catch has been caught.
    if (sim.world.ambush !== undefined && sim.scheduler.now > startedAt + 4 * SECOND) break;
  }
  return given;
}

/** Until segments are drained, closed, and off the list. */
async function takeAll(sim: Simulation, operations: Operations, queue: Incarnation): Promise<void> {
  for (let left = 12, empty = 0; left > 0 && empty < 3; left -= 1) {
    const given = await operations.receiveFrom(queue, { max: 100, leaseSeconds: 60 });
    if (given !== undefined && given.length > 0) await operations.ackAll(given);
    else empty += 1;
    await sim.scheduler.sleep(sim.random.between(0.1, 20) * SECOND);
  }
}
