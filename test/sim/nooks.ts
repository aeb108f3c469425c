/**
 * More schedules of one scene each, as corners are: of readers and holders, each of which meets somebody
 * else at one moment. They are a kind of their own, so that the corners' scenes come as often as ever.
 */
import { drawCornerFaults, leavePurge, runScene, stranger } from "./corners.ts";
import type { FaultPlan } from "./faults.ts";
import type { Incarnation } from "./ledger.ts";
import type { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";
import { by, DAY_SECONDS, DEAD, LIST, made, MINUTE, newcomer, SECOND, sprung } from "./stage.ts";
import type { Stage } from "./stage.ts";

/** Without what would mostly spoil a scene: calls refused before it begins, and clocks set anew within it. */
export function drawNookFaults(random: Random): FaultPlan {
  return { ...drawCornerFaults(random), throttled: 0, unavailable: 0, clockStep: 0 };
}

export const runNooks = (sim: Simulation): Promise<Operations> => runScene(sim, SCENES);

const SCENES: readonly ((stage: Stage) => Promise<void>)[] = [
  overtaken,
  closedInDoubt,
  extendedInDoubt,
  heldBeforeOthers,
  splitInDoubt,
  movedAsleep,
  extendedLate,
];

/** L8: two entries come one after the other while somebody reads, who sees the second without the first. */
async function overtaken(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 30, lanes: 1 });
  // Who stores an entry knows it, and does not read it.
  const reader = newcomer(sim);
  const receive = (): Promise<unknown> =>
    by(sim, reader, () => operations.receiveFrom(queue, { max: 10 }));
  const { latencyMs } = sim.plan;
  for (let round = random.int(2, 4); round > 0; round -= 1) {
    await operations.send(queue, random.int(1, 2));
    await receive();
    sim.world.ambush = {
      pk: "log#",
      on: "all",
      chance: 1,
      does: "torn",
      forMs: 100 * latencyMs,
      once: true,
    };
    const received = receive();
    await sprung(sim);
    await scheduler.sleep(4 * latencyMs);
    for (let left = random.int(2, 3); left > 0; left -= 1) await operations.send(queue, 1);
    await received;
  }
}

/**
 * A4: nobody hears of an ack, and before it is repeated, a purge that was left half way goes on, and is left
 * again when it has closed the segment.
 */
async function closedInDoubt(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 60, lanes: 1 });
  await leavePurge(stage, queue);
  // What is sent while the purge may still look for the lane's end may be passed over.
  await scheduler.sleep(SECOND);
  await operations.send(queue, random.int(1, 3));
  const given = await operations.receiveFrom(queue, { max: 10, leaseSeconds: 60 });
  if (given === undefined || given.length === 0) return;
  sim.world.ambush = { pk: "cursor#", on: "writes", chance: 1, does: "unheard", once: true };
  const acked = operations.ackAll(given);
  await sprung(sim);
  await scheduler.sleep(random.between(0.1, 0.5) * SECOND);
  sim.world.ambush = { ...LIST, does: "lost", once: true };
  await stranger(sim);
  sim.world.ambush = undefined;
  await acked;
}

/**
 * C4: a holder extends what by now stands in two leases, and its request is lost; somebody extends one of them
 * to the very same time.
 */
async function extendedInDoubt(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 30, lanes: 1 });
  await operations.send(queue, random.int(2, 5));
  const given = await operations.receiveFrom(queue, { max: 10, leaseSeconds: 10 });
  if (given === undefined || given.length < 2) return;
  const moved = random.int(1, given.length - 1);
  const keeps = { keepsReceipt: true };
  await operations.extendAll(given.slice(moved), random.int(8, 10), keeps);
  await scheduler.sleep(random.between(1, 500));
  // Of one clock, so that a second later a second less comes to the same.
  const holder = sim.anyMember();
  const extend = (count: number, seconds: number): Promise<void> =>
    by(sim, holder, () => operations.extendAll(given.slice(0, count), seconds, keeps));
  sim.world.ambush = { pk: "cursor#", on: "writes", chance: 1, does: "lost", once: true };
  const whole = extend(given.length, 60);
  await scheduler.sleep(SECOND);
  sim.world.ambush = undefined;
  await extend(moved, 59);
  await whole;
  await scheduler.sleep(6 * SECOND + sim.skewMarginMs + 2 * sim.plan.skewMs);
  await operations.receiveFrom(queue, { max: 10, leaseSeconds: 20 });
  await operations.ackAll(given);
}

/**
 * A1: one message of a lease is given back and taken by somebody else, whom it has died under before its first
 * holder hears of an ack that was lost. The lease runs on.
 */
async function splitInDoubt(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random } = sim;
  const queue = await mortal(stage, { leaseSeconds: 60, deadSeconds: 20 * DAY_SECONDS });
  await operations.send(queue, random.int(2, 4));
  const given = await operations.receiveFrom(queue, { max: 10, leaseSeconds: 120 });
  if (given === undefined || given.length < 2) return;
  const split = given.slice(0, random.int(1, given.length - 1));
  await operations.extendAll(split, 0, { keepsReceipt: true });
  sim.world.ambush = { pk: "cursor#", on: "writes", chance: 1, does: "lost", once: true };
  const acked = operations.ackAll(split);
  await sprung(sim);
  await operations.receiveFrom(queue, { max: 10, leaseSeconds: 1 });
  await acked;
}

/**
 * C6: who moves dead letters back sleeps once it has taken them, for hours, in which others do it, and all that
 * says so goes.
 */
async function movedAsleep(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const queue = await mortal(stage, { leaseSeconds: 1, deadSeconds: 120 });
  await operations.send(queue, random.int(1, 3));
  await operations.receiveFrom(queue, { max: 10, leaseSeconds: 1 });
  await scheduler.sleep(2 * SECOND + sim.skewMarginMs + 2 * sim.plan.skewMs);
  await operations.receiveFrom(queue, { max: 1, leaseSeconds: 1 });
  await scheduler.sleep(SECOND);
  const sleeper = newcomer(sim);
  sim.world.ambush = {
    pk: random.pick(["cursor#", "cursor#", "log#"]),
    on: "all",
    chance: random.pick([0.3, 1]),
    does: "freeze",
    forMs: 240 * MINUTE,
    once: true,
  };
  const moved = by(sim, sleeper, () => operations.redrive());
  if (await sprung(sim)) {
    await scheduler.sleep(LEAVING_MS + sim.skewMarginMs + 2 * sim.plan.skewMs);
    await operations.redrive();
    const given = await operations.receiveFrom(queue, { max: 10, leaseSeconds: 60 });
    if (given !== undefined && given.length > 0) await operations.ackAll(given);
    await scheduler.sleep(random.between(64, 80) * MINUTE);
    sleeper.instance.thaw();
  }
  await moved;
}

/**
 * T1: a holder extends what it has of a key behind what somebody else has taken back since its lease ran out,
 * or takes back while its request is under way.
 */
async function extendedLate(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const queue = await keyed(stage);
  operations.key = "a";
  for (let left = random.int(1, 2); left > 0; left -= 1)
    await operations.send(queue, random.int(1, 3));
  const given = await operations.receiveFrom(queue, { max: 10, leaseSeconds: 1 });
  if (given === undefined || given.length < 2) return;
  await scheduler.sleep(SECOND + sim.skewMarginMs + 2 * sim.plan.skewMs + 100);
  const takeBack = () => operations.receiveFrom(queue, { max: 1, leaseSeconds: 60 });
  const extend = () => operations.extendAll(given.slice(1), 60);
  if (random.chance(0.5)) {
    await takeBack();
    await extend();
    return;
  }
  sim.world.ambush = { pk: "cursor#", on: "writes", chance: 1, does: "slow", once: true };
  const extended = extend();
  await sprung(sim);
  await takeBack();
  await extended;
}

const keyed = (stage: Stage): Promise<Incarnation> =>
  made(stage, { order: "key", retentionSeconds: DAY_SECONDS, leaseSeconds: 30, lanes: 1 });

/** A queue whose messages die with their first lease. */
async function mortal(
  stage: Stage,
  { leaseSeconds, deadSeconds }: { leaseSeconds: number; deadSeconds: number },
): Promise<Incarnation> {
  await stage.operations.create(DEAD, { retentionSeconds: deadSeconds, lanes: 1 }, true);
  return made(stage, {
    retentionSeconds: DAY_SECONDS,
    leaseSeconds,
    lanes: 1,
    maxReceives: 1,
    deadLetter: { queue: DEAD },
  });
}

/** For so long others leave alone what somebody moves. */
const LEAVING_MS = 61 * SECOND;

/**
 * H1: of two keys that were passed by, what waits longest has expired, and what comes in its place stands behind
 * the other key's: both go to one lease, which runs out.
 */
async function heldBeforeOthers(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const queue = await keyed(stage);
  const send = async (key: string, ttlSeconds?: number): Promise<void> => {
    operations.key = key;
    operations.times = ttlSeconds === undefined ? undefined : () => ({ ttlSeconds });
    await operations.send(queue, random.int(1, 2));
    operations.times = undefined;
  };
  await send("a");
  await send("b");
  const first = await operations.receiveFrom(queue, { max: 10, leaseSeconds: 60 });
  await send("a", 3);
  await send("b");
  await send("a");
  await send("c");
  // Comes by them, for their keys are in flight.
  await operations.receiveFrom(queue, { max: 1, leaseSeconds: 60 });
  await scheduler.sleep(4 * SECOND + 2 * sim.plan.skewMs);
  if (first !== undefined && first.length > 0) await operations.ackAll(first);
  for (let left = 2; left > 0; left -= 1) {
    await operations.receiveFrom(queue, { max: 10, leaseSeconds: 1 });
    await scheduler.sleep(SECOND + sim.skewMarginMs + 2 * sim.plan.skewMs + 100);
  }
}
