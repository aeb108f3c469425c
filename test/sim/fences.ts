/**
 * Schedules for the rules that need hours (L4–L8): one lane whose entries are short-lived, a few
 * senders at a time, and waits that end right around what the lane is about to go through: the last
 * entry's `ttl`, ten and two minutes before it, ten and twenty minutes after its anchor.
 *
 * After each burst everything is received at once, for what is sent here lives for a minute only.
 */
import { LIMITS } from "../../src/core/limits.ts";
import type { QueueName } from "../../src/core/types.ts";
import { empty } from "./drain.ts";
import { calm } from "./faults.ts";
import { Operations } from "./operations.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

const SECOND = 1_000;
const QUEUE = "queue1" as QueueName;
const LEASE_SECONDS = 1;
/** A message younger than this is not yet missed. */
const SPARE_MS = 2 * SECOND;

export async function runFences(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(2, 4); at > 0; at -= 1) sim.start();
  const retentionSeconds = random.pick([60, 60, 120, 600]);
  await operations.create(
    QUEUE,
    { retentionSeconds, leaseSeconds: LEASE_SECONDS, lanes: 1 },
    false,
  );
  const isClose = random.chance(0.5);
  if (random.chance(0.2)) await overslept(sim, operations);
  for (let burst = random.int(4, 12); burst > 0; burst -= 1) {
    sim.world.faults = sim.plan;
    const longest = random.pick([10, SECOND, 20 * SECOND]);
    await Promise.all([
      ...Array.from({ length: random.int(1, 4) }, () => sender(sim, operations, longest)),
      ...Array.from({ length: random.pick([0, 0, 1, 2]) }, () => reader(sim, operations, longest)),
    ]);
    sim.world.faults = calm(sim.plan);
    await checkpoint(sim, operations);
    await scheduler.sleep(untilFence(sim, isClose));
  }
  return operations;
}

/**
 * A sender is suspended between two reads of one append, until what others have put meanwhile at the
 * tail that it has just read of, or just made, has come and gone (L6).
 */
async function overslept(sim: Simulation, operations: Operations): Promise<void> {
  const { random, scheduler } = sim;
  sim.world.ambush = {
    ...random.pick([
      { pk: "anchor#", on: "writes" } as const,
      { pk: "anchor#", on: "writes" } as const,
      { pk: "log#", on: "all" } as const,
    ]),
    chance: 1,
    does: "freeze",
    forMs: 4 * 3_600_000,
    once: true,
  };
  const sent = operations.send(undefined, random.int(1, 3));
  await scheduler.sleep(30 * SECOND);
  sim.world.ambush = undefined;
  for (let left = random.int(1, 4); left > 0; left -= 1) {
    await operations.send(undefined, random.int(1, 3));
    await reader(sim, operations, SECOND);
  }
  const isGone = random.chance(0.5);
  await scheduler.sleep(
    isGone
      ? Math.max(0, sim.engine.lastEntryGoesAt() - scheduler.now) + random.between(2, 60) * SECOND
      : random.between(21, 50) * 60 * SECOND,
  );
  const pace = random.pick([SECOND, 10 * SECOND]);
  const others = Array.from({ length: random.int(0, 2) }, () => [
    sender(sim, operations, pace),
    reader(sim, operations, pace),
  ]);
  await scheduler.sleep(random.between(0, pace));
  for (const { instance } of sim.members) instance.thaw();
  await Promise.all([sent, ...others.flat()]);
  await checkpoint(sim, operations);
}

async function sender(sim: Simulation, operations: Operations, longest: number): Promise<void> {
  for (let count = sim.random.int(1, 3); count > 0; count -= 1) {
    await operations.send();
    await sim.scheduler.sleep(sim.random.skewed(1, longest));
  }
}

/** Right behind the senders, where gaps and restarts show. */
async function reader(sim: Simulation, operations: Operations, longest: number): Promise<void> {
  const queue = operations.queues.get(QUEUE);
  for (let count = queue === undefined ? 0 : sim.random.int(1, 6); count > 0; count -= 1) {
    const given =
      queue === undefined ? undefined : await operations.receiveFrom(queue, { max: 10 });
    if (given !== undefined && given.length > 0) await operations.ackAll(given);
    await sim.scheduler.sleep(sim.random.skewed(1, longest));
  }
}

/** Everything that is there comes out now, and nothing that must be there is missing. */
async function checkpoint(sim: Simulation, operations: Operations): Promise<void> {
  // A crash or a freeze may still be on its way; and what a clock that is ahead has sent is not yet
  // visible to one that is behind, which also takes leases for longer ones.
  await sim.scheduler.sleep(2 * sim.plan.skewMs + 20 * sim.plan.latencyMs);
  for (const { instance } of sim.members) instance.thaw();
  // A reader's call that nobody waits for any more may still claim.
  const calls = [...sim.auditor.receives.values()].flat();
  while (calls.some(({ span }) => span.settledAt === Infinity)) await sim.scheduler.sleep(SECOND);
  await sim.scheduler.sleep(
    LEASE_SECONDS * SECOND + sim.skewMarginMs + 2 * sim.plan.skewMs + 1_000,
  );
  const startedAt = sim.scheduler.now;
  for (const queue of operations.queues.values()) await empty(sim, operations, queue);
  const missing = sim.auditor
    .outstanding(sim.scheduler.now + SPARE_MS + 4 * sim.plan.skewMs)
    .find((message) => message.span.to < startedAt);
  if (missing === undefined) return;
  throw new Violation(
    "lost",
    `m${missing.number} (${missing.id ?? "?"}) does not come, though it lives until ${missing.expiresLow}`,
  );
}

/** `isClose`: within what clocks and requests are off by, where decisions cross. */
function untilFence(sim: Simulation, isClose: boolean): number {
  const { random, scheduler, engine } = sim;
  const now = scheduler.now;
  const last = sim.engine.lastEntryGoesAt();
  const anchors = [...engine.anchoredAt.values()].flatMap((since) => [
    since + LIMITS.anchorTrustedMs,
    since + LIMITS.anchorRenewableMs,
  ]);
  const fences = [
    last,
    last - LIMITS.sealTtlMarginMs,
    last - LIMITS.appendTtlMarginMs,
    ...anchors,
  ].filter((at) => at > now);
  const offBy = isClose ? sim.plan.skewMs + 10 * sim.plan.latencyMs : 40 * SECOND;
  if (fences.length === 0 || random.chance(isClose ? 0 : 0.15))
    return random.pick([30 * SECOND, 5 * SECOND, 900 * SECOND, 4_000 * SECOND]);
  return Math.max(0, random.pick(fences) - now + random.pick([-1, 1]) * random.skewed(1, offBy));
}
