/**
 * The end of a schedule: the faults stop, everything gets still, and what is left must come out.
 *
 * An empty answer while something claimable stands in a queue is a failure by itself, for a receive
 * answers "empty" only when it has looked everywhere.
 */
import type { Deployment } from "./deployment.ts";
import { APPLIED_LATE_MS } from "./faulty-store.ts";
import type { Delivered, Incarnation } from "./ledger.ts";
import type { Operations } from "./operations.ts";
import { Violation } from "./violation.ts";

/** The time for which an interrupted dead-lettering is left alone, and then some. */
const DEAD_LEASE_MS = 70_000;
const RECEIVES_PER_QUEUE = 400;
/** Left for a dead-letter queue, redriven from there, dead-lettered once more; then mostly nothing is left. */
const PASSES = 3;
/** More, while something comes: where order is kept, lanes open only when those before them are passed. */
const PASSES_AT_MOST = 12;

export async function drain(sim: Deployment, operations: Operations): Promise<void> {
  sim.calm();
  await sim.scheduler.sleep(APPLIED_LATE_MS + 10_000);
  // Who was about to be suspended has been by now.
  sim.calm();
  const queues = [...operations.queues.values()].sort(
    (a, b) => Number(a.takesDead) - Number(b.takesDead),
  );
  if (sim.random.chance(0.5)) await checkDepth(sim, operations, queues);
  const blockedUntil = Math.max(
    operations.leasedUntil,
    // Sends of unknown outcome may have been made only now, and then schedule from now on.
    ...sim.auditor.messages
      .filter(({ span }) => span.outcome !== "done")
      .map(({ outgoing }) => sim.scheduler.now + (outgoing.delaySeconds ?? 0) * 1_000),
    ...sim.auditor.leases.filter((lease) => !lease.over).map((lease) => lease.untilLow),
    // Whose caller had gone may have leased until its very end.
    ...[...sim.auditor.receives.values()]
      .flat()
      .filter(({ span }) => span.outcome !== "done" && span.settledAt < Infinity)
      .map(({ span, leaseMs }) => span.settledAt + leaseMs),
  );
  await sim.scheduler.sleep(
    Math.max(0, blockedUntil - sim.scheduler.now) + 4 * sim.plan.skewMs + 15_000,
  );
  // Again and again: what was left half way to another queue goes on when its lease has run out, and
  // that may be to a queue that has been emptied before.
  let hasCome = true;
  for (let pass = 0; pass < PASSES || (hasCome && pass < PASSES_AT_MOST); pass += 1) {
    hasCome = false;
    for (const queue of queues) {
      // M2: what one clock has just moved here, another does not see until it is as late there.
      if (queue.takesDead) await sim.scheduler.sleep(2 * sim.plan.skewMs + 1);
      hasCome = (await empty(sim, operations, queue)) || hasCome;
    }
    await sim.scheduler.sleep(DEAD_LEASE_MS + 4 * sim.plan.skewMs);
  }
  operations.lowerExpiries();
  const left = sim.auditor.outstanding(sim.scheduler.now);
  const first = left[0];
  if (first !== undefined) {
    throw new Violation(
      "lost",
      `m${first.number} (${first.id ?? "?"}, sent to ${first.queue.name} at ${first.span.from}..${first.span.to}, kept until ${first.expiresLow}, ` +
        `delivered ${first.deliveries.length} times) and ${left.length - 1} others are in no queue`,
    );
  }
  for (const queue of queues) await checkEmpty(sim, queue);
}

/** Gives whether anything was there. */
export async function empty(
  sim: Deployment,
  operations: Operations,
  queue: Incarnation,
): Promise<boolean> {
  for (let round = 0; round < RECEIVES_PER_QUEUE; round += 1) {
    const given: Delivered[] | undefined = await operations.receiveFrom(queue, {
      max: sim.random.pick([10, 100, 1_000]),
      leaseSeconds: 30,
      // What is due is promoted within a second where somebody waits, and then has the queue's delay.
      ...(operations.times === undefined ? {} : { waitSeconds: 18 }),
    });
    if (given === undefined)
      throw new Violation("drains", `receive of ${queue.name} fails without faults`);
    if (given.length === 0) return round > 0;
    await operations.ackAll(given);
    // Whoever meets a purge that was left unfinished closes what was claimed a moment ago.
    const isPurgeLeft = queue.purges.some((purge) => purge.outcome !== "done");
    const kept = isPurgeLeft ? undefined : given.find((lease) => !lease.over);
    if (kept !== undefined)
      throw new Violation("drains", `m${kept.message.number} cannot be acked without faults`);
  }
  throw new Violation("drains", `${queue.name} is not empty after ${RECEIVES_PER_QUEUE} receives`);
}

async function checkEmpty(sim: Deployment, queue: Incarnation): Promise<void> {
  const { value } = await sim.call(`get ${queue.name}`, (service) => service.getQueue(queue.name));
  if (value === undefined)
    throw new Violation("drains", `get of ${queue.name} fails without faults`);
  const { ready, leased, delayed } = value.depth;
  if (ready + leased + delayed !== 0)
    throw new Violation("depth", `${queue.name} is empty, and says ${JSON.stringify(value.depth)}`);
}

/** What is surely there, and what may be, against what the queue says. */
async function checkDepth(
  sim: Deployment,
  operations: Operations,
  queues: readonly Incarnation[],
): Promise<void> {
  for (const queue of queues) {
    if (operations.haveMoved || queues.some((one) => one.hadDeadLettering)) continue;
    const now = sim.scheduler.now;
    const { value } = await sim.call(`get ${queue.name}`, (service) =>
      service.getQueue(queue.name),
    );
    if (value === undefined)
      throw new Violation("drains", `get of ${queue.name} fails without faults`);
    const said = value.depth.ready + value.depth.leased + value.depth.delayed;
    const here = sim.auditor.messages.filter(
      (message) => message.queue === queue && message.span.outcome !== "refused",
    );
    const surely = here.filter(
      (message) =>
        message.span.outcome === "done" &&
        message.ackTries === 0 &&
        message.waived === undefined &&
        (message.outgoing.delaySeconds ?? 0) === 0 &&
        message.expiresLow > now + 4 * sim.plan.skewMs + 1_000,
    ).length;
    // A call goes by name: begun in an earlier life of the queue, it may have sent to this one.
    const perhaps = sim.auditor.messages.filter(
      (message) =>
        message.queue.name === queue.name &&
        message.span.outcome !== "refused" &&
        message.ackedAt === Infinity,
    ).length;
    if (said < surely || said > perhaps) {
      throw new Violation(
        "depth",
        `${queue.name} says ${JSON.stringify(value.depth)}, there are ${surely} to ${perhaps}`,
      );
    }
  }
}
