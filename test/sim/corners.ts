/**
 * Schedules of one scene each, which goes straight to where a rule is at its weakest: what other kinds
 * come by once in hundreds of schedules happens here in every second one. A scene makes its own trouble;
 * other faults are rare.
 */
import { GRAVES, QUEUES } from "../../src/store/keys.ts";
import { madeHalfWay, soughtByTime, soughtTwice, soughtWhileMarked } from "./corner-groups.ts";
import { ackedInDoubt, renewed } from "./corner-leases.ts";
import { startedTwice } from "./corner-moves.ts";
import { clearedBehind, clearedHalfWay, touchedBehind } from "./corner-sleepers.ts";
import { drawFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import type { Ambush } from "./instance.ts";
import type { Incarnation } from "./ledger.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";
import { DAY_SECONDS, DEAD, LIST, made, QUEUE, SECOND, sprung } from "./stage.ts";
import type { Stage } from "./stage.ts";

export function drawCornerFaults(random: Random): FaultPlan {
  const plan = drawFaults(random);
  const isCalm = random.chance(0.5);
  const seldom = (rate: number): number => (isCalm ? 0 : rate / 5);
  return {
    ...plan,
    throttled: seldom(plan.throttled),
    unavailable: seldom(plan.unavailable),
    replyLost: seldom(plan.replyLost),
    requestLost: seldom(plan.requestLost),
    late: seldom(plan.late),
    doubled: seldom(plan.doubled),
    crash: 0,
    freeze: 0,
    skewMs: random.pick([0, 20, 200]),
    latencyMs: random.pick([1, 4, 10]),
    ttl: random.pick(["atOnce", "atOnce", "mixed"]),
  };
}

export const runCorners = (sim: Simulation): Promise<Operations> => runScene(sim, SCENES);

type Scene = (stage: Stage) => Promise<void>;

/** One of these. */
export async function runScene(sim: Simulation, scenes: readonly Scene[]): Promise<Operations> {
  const { random } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(2, 4); at > 0; at -= 1) sim.start();
  sim.world.faults = sim.plan;
  await random.pick(scenes)({ sim, operations });
  sim.world.ambush = undefined;
  return operations;
}

const SCENES: readonly Scene[] = [
  unread,
  leaving,
  passedByAPurge,
  renewed,
  ackedInDoubt,
  firstLists,
  clash,
  buried,
  soughtByTime,
  soughtTwice,
  soughtWhileMarked,
  madeHalfWay,
  extendedBehind,
  switchedLate,
  carriedLate,
  announcedLate,
  lateCopies,
  touchedBehind,
  clearedBehind,
  clearedHalfWay,
  startedTwice,
];

/** L9: the lanes of a set expire unread, their end entries too, before anybody comes to the next set. */
async function unread(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const queue = await made(stage, {
    order: "key",
    retentionSeconds: 60,
    leaseSeconds: 1,
    lanes: random.int(1, 2),
  });
  await operations.send(queue, random.int(1, 5));
  await operations.changeTo(queue, { lanes: random.int(3, 4) });
  for (let round = 3; round > 0; round -= 1) {
    await operations.janitor();
    await scheduler.sleep(12 * SECOND);
  }
  await scheduler.sleep(random.pick([200, 4_000, 8_000]) * SECOND);
  await operations.changeTo(queue, { retentionSeconds: DAY_SECONDS });
  await scheduler.sleep(12 * SECOND);
  await operations.send(queue, random.int(1, 5));
}

/** T1: what has had its receives is on its way, and does not get there, while others of its key wait. */
async function leaving(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  await operations.create(DEAD, { retentionSeconds: 20 * DAY_SECONDS, lanes: 1 }, true);
  operations.keys = random.pick([1, 1, 2]);
  const queue = await made(stage, {
    order: "key",
    retentionSeconds: 10 * DAY_SECONDS,
    leaseSeconds: 1,
    lanes: 1,
    maxReceives: random.pick([1, 1, 2]),
    deadLetter: { queue: DEAD },
  });
  await operations.send(queue, random.int(4, 12));
  for (let round = random.int(2, 4); round > 0; round -= 1) {
    await operations.receiveFrom(queue, { max: 1, leaseSeconds: 1 });
    await scheduler.sleep(SECOND + sim.skewMarginMs + 2 * sim.plan.skewMs + 100);
    sim.world.ambush = {
      pk: random.pick(["dedup#", "dedup#", "log#"]),
      on: "writes",
      chance: 1,
      does: "lost",
    };
    // Who moves it tries for long, and its caller has to hear what else it took.
    const { patienceMs } = sim;
    sim.patienceMs = 300 * SECOND;
    const given = await operations.receiveFrom(queue, { max: random.int(1, 3), leaseSeconds: 1 });
    sim.patienceMs = patienceMs;
    sim.world.ambush = undefined;
    if (given !== undefined && given.length > 0 && random.chance(0.3))
      await operations.ackAll(given.slice(0, 1));
    await scheduler.sleep(random.pick([1, 70, 70]) * SECOND);
  }
}

/** H1: a purge is announced, and left there; what the head passes by until it is finished came behind it. */
async function passedByAPurge(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  operations.keys = random.int(1, 3);
  const queue = await made(stage, {
    order: "key",
    retentionSeconds: DAY_SECONDS,
    leaseSeconds: random.pick([2, 30]),
    lanes: 1,
  });
  await operations.send(queue, random.int(1, 3));
  for (const _ of sim.members) await operations.receiveFrom(queue, { max: 1, leaseSeconds: 1 });
  sim.world.ambush = {
    pk: "cursor#",
    sk: "default",
    on: "writes",
    chance: 1,
    does: random.pick(["crash", "freeze"]),
    forMs: 60 * SECOND,
    once: true,
  };
  await operations.purge(queue);
  sim.world.ambush = undefined;
  for (let round = random.int(2, 4); round > 0; round -= 1) {
    await operations.send(queue, random.int(2, 6));
    await operations.receiveFrom(queue, { max: random.int(1, 2), leaseSeconds: 2 });
  }
  await scheduler.sleep(random.between(0, 10 * SECOND));
  await operations.janitor();
}

/** C7: the first to write down a list of segments is late, and comes when others have taken some off it. */
async function firstLists(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const queue = await made(stage, {
    retentionSeconds: 10 * DAY_SECONDS,
    leaseSeconds: 30,
    lanes: 1,
    eraseOnAck: random.chance(0.3),
  });
  await operations.send(queue, random.int(90, 150));
  const taker = async (): Promise<void> => {
    for (let left = random.int(30, 50); left > 0; left -= 1) {
      const given = await operations.receiveFrom(queue, { max: 1, leaseSeconds: 600 });
      if (given !== undefined && given.length > 0) await operations.ackAll(given);
      await scheduler.sleep(random.skewed(0.5, 20));
    }
  };
  // Before anything is acked, or there would be no cut.
  const held = (
    await Promise.all(
      Array.from({ length: 24 }, () =>
        operations.receiveFrom(queue, { max: 1, leaseSeconds: 600 }),
      ),
    )
  ).flatMap((given) => given ?? []);
  sim.world.ambush = {
    pk: "cursor#",
    sk: "default",
    on: "writes",
    chance: 1,
    does: random.pick(["slow", "late", "late"]),
    forMs: random.between(0, 20) * SECOND,
    once: true,
  };
  const takers = Array.from({ length: random.int(2, 3) }, taker);
  await scheduler.sleep(random.between(0, 500));
  await operations.ackAll(held);
  await Promise.all(takers);
  sim.world.ambush = undefined;
  await scheduler.sleep(random.pick([30, 700]) * SECOND);
  await taker();
  await scheduler.sleep(4_000 * SECOND);
}

/** D2: several change a queue's record at once, and what they have read of it is no more. */
async function clash(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 1, lanes: 1 });
  sim.world.ambush = { pk: QUEUES, on: "writes", chance: 0.5, does: "slow" };
  await Promise.all(
    random.shuffle([2, 4, 8]).map((lanes) => operations.changeTo(queue, { lanes })),
  );
  sim.world.ambush = undefined;
  // Each by what its instance knows of the lanes.
  for (let left = random.int(10, 20); left > 0; left -= 1) await operations.send(queue, 1);
  await scheduler.sleep(random.between(0, 15) * SECOND);
  await operations.janitor();
}

/** D4: who buries a deleted queue is suspended right before, until there is another of its name. */
async function buried(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 1, lanes: 1 });
  await operations.send(queue, 1);
  const remade = operations.recreate(queue);
  await scheduler.sleep(60 * SECOND + random.between(0, 1_000) + sim.plan.skewMs);
  sim.world.ambush = {
    pk: GRAVES,
    on: "writes",
    chance: 1,
    does: "freeze",
    forMs: random.between(40, 140) * SECOND,
    once: true,
  };
  await operations.janitor();
  sim.world.ambush = undefined;
  await remade;
  await operations.send(operations.queues.get(QUEUE), random.int(1, 5));
  await scheduler.sleep(180 * SECOND);
}

/** C4: a lease is extended while somebody who comes by finishes a purge, and carries it over as it was. */
async function extendedBehind(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 2, lanes: 1 });
  await leavePurge(stage, queue);
  await operations.send(queue, random.int(1, 3));
  const given = await operations.receiveFrom(queue, { max: random.int(1, 3), leaseSeconds: 2 });
  if (given === undefined || given.length === 0) return;
  sim.world.ambush = { pk: "cursor#", on: "writes", chance: 1, does: "slow", once: true };
  const changed = random.chance(0.7)
    ? operations.extendAll(given, 30)
    : operations.releaseAll(given.slice(0, 1));
  await sprung(sim);
  await stranger(sim);
  await changed;
  await scheduler.sleep(2 * SECOND + sim.skewMarginMs + 2 * sim.plan.skewMs + 300);
  await operations.receiveFrom(queue, { max: 10, leaseSeconds: 20 });
}

/** C8: of two who finish a purge, one is so late that there has been another since. */
async function switchedLate(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 2, lanes: 1 });
  await leavePurge(stage, queue);
  await operations.send(queue, sim.random.int(1, 3));
  await finishTwice(stage, LIST);
  await operations.purge(queue);
  await sendAndTake(stage, queue);
  await forgotten(stage, queue);
}

/** C8: of two who carry over what came behind a purge, one is so late that others have gone on with it. */
async function carriedLate(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random } = sim;
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 2, lanes: 1 });
  await leavePurge(stage, queue);
  await operations.send(queue, random.int(2, 5));
  await operations.receiveFrom(queue, { max: random.int(1, 2), leaseSeconds: 60 });
  await finishTwice(stage, { pk: "cursor#", on: "writes", chance: 0.5 });
  await sendAndTake(stage, queue);
  await forgotten(stage, queue);
}

/** One whose write comes late meets another, who has none of that trouble. */
async function finishTwice({ sim }: Stage, where: Omit<Ambush, "does">): Promise<void> {
  const forMs = sim.random.between(0, 3_000);
  sim.world.ambush = { ...where, does: "late", forMs, once: true };
  void stranger(sim);
  await sprung(sim);
  await stranger(sim);
}

/** C8: a purge is announced late, when another has come and gone. */
async function announcedLate(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random } = sim;
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 2, lanes: 1 });
  await operations.send(queue, random.int(1, 3));
  sim.world.ambush = { ...LIST, does: "slow", once: true };
  const late = operations.purge(queue);
  await sprung(sim);
  await operations.send(queue, random.int(1, 3));
  await operations.purge(queue);
  await sendAndTake(stage, queue);
  await late;
  await forgotten(stage, queue);
}

/** A purge is announced, and its purger dies; all who are left know of the list as it was. */
export async function leavePurge({ sim, operations }: Stage, queue: Incarnation): Promise<void> {
  await operations.send(queue, sim.random.int(1, 3));
  for (let left = 3 * sim.members.length; left > 0; left -= 1)
    await operations.receiveFrom(queue, { max: 1, leaseSeconds: 1 });
  sim.world.ambush = { ...LIST, does: "crash", once: true };
  await operations.purge(queue);
  sim.world.ambush = undefined;
  const alive = sim.members.filter(({ instance }) => !instance.isDead);
  sim.members.splice(0, sim.members.length, ...alive);
}

/** Somebody new looks at the queue, and so reads its list of segments. */
export const stranger = (sim: Simulation): Promise<unknown> =>
  sim.call("look", (service) => service.getQueue(QUEUE), undefined, sim.start());

/** Until nobody believes in the list as they knew it, and what was closed is perhaps gone. */
async function forgotten({ sim, operations }: Stage, queue: Incarnation): Promise<void> {
  await sim.scheduler.sleep(sim.random.pick([20, 700, 4_500]) * SECOND);
  await operations.receiveFrom(queue, { max: 10, leaseSeconds: 2 });
}

async function sendAndTake({ sim, operations }: Stage, queue: Incarnation): Promise<void> {
  await operations.send(queue, sim.random.int(1, 4));
  const given = await operations.receiveFrom(queue, { max: 10, leaseSeconds: 30 });
  if (given !== undefined && given.length > 0) await operations.ackAll(given);
}

/** T6: a timer's put is taken for lost, made again, and comes all the same when the timer is cancelled and due. */
async function lateCopies(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler, auditor } = sim;
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 1, lanes: 1 });
  operations.times = () => ({ delaySeconds: 18 });
  await operations.send(queue, 1);
  for (let left = random.int(2, 4); left > 0; left -= 1) {
    const known = auditor.messages.length;
    sim.world.ambush = {
      pk: "timer#",
      on: "writes",
      chance: 1,
      does: "late",
      forMs: random.between(15, 50) * SECOND,
      once: true,
    };
    await operations.send(queue, 1);
    sim.world.ambush = undefined;
    for (const message of auditor.messages.slice(known)) await operations.cancel(message);
  }
  for (let left = 6; left > 0; left -= 1) {
    await scheduler.sleep(random.between(5, 15) * SECOND);
    await operations.receiveFrom(queue, { max: 10, waitSeconds: 2 });
  }
}
