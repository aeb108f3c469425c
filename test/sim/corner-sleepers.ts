/**
 * Corners of who sleeps over what has been read, and wakes when others have gone on; and of who clears a
 * queue and dies.
 */
import type { Ambush } from "./instance.ts";
import { OnceAuditor } from "./once-auditor.ts";
import { by, DAY_SECONDS, made, MINUTE, newcomer, SECOND, sprung } from "./stage.ts";
import type { Stage } from "./stage.ts";

/** Whoever sleeps is woken. */
const ASLEEP = { chance: 1, does: "freeze", forMs: 240 * MINUTE, once: true } as const;
/** No request that was read late is read later. */
const READ_MS = 10 * SECOND;

/**
 * L6: a tail is slept over until the entry before it is to be touched, which would then outlive what others
 * have put behind it (L4).
 */
export async function touchedBehind(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const queue = await made(stage, { retentionSeconds: 60, leaseSeconds: 1, lanes: 1 });
  await operations.send(queue, random.int(1, 3));
  const goesAt = sim.engine.lastEntryGoesAt();
  await scheduler.sleep(random.between(0, 15) * MINUTE);
  const sleeper = newcomer(sim);
  sim.world.ambush = { ...ASLEEP, pk: "log#", on: "all" };
  const sent = by(sim, sleeper, () => operations.send(queue, random.int(1, 3)));
  if (await sprung(sim)) {
    await scheduler.sleep(READ_MS);
    await operations.send(queue, random.int(1, 3));
    await scheduler.sleep(goesAt - random.between(3, 9) * MINUTE - scheduler.now);
    sleeper.instance.thaw();
  }
  await sent;
  await scheduler.sleep(random.between(20, 40) * MINUTE);
  await operations.send(queue, random.int(1, 3));
}

/**
 * K1: a clearing's cancellations come late, when a promoter has read the timers as due; it sleeps, or its
 * put is on its way, until another clearing, which finds none, is over.
 */
export async function clearedBehind(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  sim.calm();
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 5, lanes: 1 });
  const scheduled = async (count: number, delaySeconds: number): Promise<void> => {
    operations.times = () => ({ delaySeconds });
    await operations.send(queue, count);
    operations.times = undefined;
  };
  // Others may have been promoted before.
  for (let left = random.pick([0, 1, 1]); left > 0; left -= 1) {
    await scheduled(1, 1);
    await scheduler.sleep(3 * SECOND);
    await operations.receiveFrom(queue, { max: 10 });
  }
  const skewMs = 2 * sim.plan.skewMs;
  const dueFrom = scheduler.now + 12 * SECOND - skewMs;
  await scheduled(random.int(1, 3), 12);
  const dueBy = scheduler.now + 12 * SECOND + skewMs;
  // The last moment at which they are cancelled, and not waited for.
  const cancelledAt = dueFrom - SECOND - sim.skewMarginMs - random.between(0.3, 0.6) * SECOND;
  await scheduler.sleep(cancelledAt - scheduler.now);
  const forMs = random.between(2, 6) * SECOND;
  sim.world.ambush = { pk: "timer#", on: "writes", chance: 1, does: "late", forMs };
  const clearing = operations.clear(queue);
  await scheduler.sleep(dueBy + 50 - scheduler.now);
  const promoter = newcomer(sim);
  sim.world.ambush = random.pick(PROMOTING);
  const promoted = by(sim, promoter, () =>
    operations.receiveFrom(queue, { max: 10, leaseSeconds: 1 }),
  );
  await sprung(sim);
  await clearing;
  await scheduler.sleep(forMs + SECOND);
  for (let left = 3; left > 0 && queue.purges.at(-1)?.outcome !== "done"; left -= 1)
    await operations.clear(queue);
  promoter.instance.thaw();
  await promoted;
  await scheduler.sleep(60 * SECOND);
  await operations.receiveFrom(queue, { max: 10, leaseSeconds: 1 });
}

/** K2: a clearing ends before it has passed over everything; ids that are repeated then are not forgotten. */
export async function clearedHalfWay(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  const windowSeconds = 7_200;
  const queue = await made(stage, {
    retentionSeconds: DAY_SECONDS,
    leaseSeconds: 5,
    lanes: random.int(1, 2),
    dedup: { scope: "queue", windowSeconds, contentBased: false },
  });
  const auditor = new OnceAuditor(sim, windowSeconds * SECOND, queue.purges);
  operations.verdicts.push(() => auditor.verdict());
  const deeds = Array.from({ length: random.int(1, 3) }, () => auditor.deed());
  await auditor.send(queue, deeds);
  await scheduler.sleep(SECOND);
  const does = random.pick(["crash", "lost"] as const);
  sim.world.ambush = { pk: "cursor#", on: "writes", chance: 1, does, once: true };
  await operations.clear(queue);
  sim.world.ambush = undefined;
  // Until everybody would have heard of it.
  await scheduler.sleep(12 * SECOND);
  for (let left = 2; left > 0; left -= 1) await auditor.send(queue, deeds);
}

const PROMOTING: readonly Ambush[] = [
  // No place is named yet.
  { ...ASLEEP, pk: "promoted#", on: "all" },
  { ...ASLEEP, pk: "promoted#", on: "all" },
  // One is named, and nothing stands there.
  { ...ASLEEP, pk: "timer#", sk: "-", on: "writes" },
  { pk: "log#", on: "writes", chance: 1, does: "late", forMs: 30 * SECOND, once: true },
];
