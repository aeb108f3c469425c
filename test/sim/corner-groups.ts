/**
 * Corners of consumer groups: seeks to a time, to a message, by two at once, and to a lane said to be done
 * with; a first group whose maker dies, or is held up.
 */
import { epochMs, groupName } from "../../src/core/types.ts";
import { GroupAuditor } from "./group-auditor.ts";
import { begun } from "./ledger.ts";
import type { Incarnation } from "./ledger.ts";
import { numberOf } from "./payload.ts";
import { DAY_SECONDS, made, QUEUE, SECOND, sprung } from "./stage.ts";
import type { Stage } from "./stage.ts";
import { Violation } from "./violation.ts";

/** B2, B3: to a time with some quiet around it, or to a message, which is then the first of its lane. */
export async function soughtByTime(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler, auditor } = sim;
  sim.calm();
  const queue = await made(stage, {
    retentionSeconds: DAY_SECONDS,
    leaseSeconds: 5,
    lanes: random.int(1, 3),
  });
  const group = await grouped(stage, queue);
  for (let left = random.int(1, 4); left > 0; left -= 1) await operations.send(queue, 2);
  await scheduler.sleep(20 * SECOND);
  const time = scheduler.now;
  await scheduler.sleep(20 * SECOND);
  const known = auditor.messages.length;
  for (let left = random.int(3, 12); left > 0; left -= 1) {
    await operations.send(queue, random.int(1, 4));
    await scheduler.sleep(random.between(0, 3 * SECOND));
  }
  const message = random.chance(0.5) ? undefined : random.pick(auditor.messages.slice(known));
  const id = message?.id;
  const from = id === undefined ? { time: epochMs(Math.floor(time)) } : { id };
  const span = begun(scheduler.now);
  await sim.call("seek", (service) => service.seekGroup(QUEUE, GROUP, from), span);
  group.beginnings.push({
    span,
    from: message === undefined ? time : message.span.to + 2 * sim.plan.skewMs + 1,
  });
  const got = await takeAll(stage, group);
  sim.audit(() => group.checkNothingLost(scheduler.now));
  if (message !== undefined && !got.has(message.number))
    throw new Violation("lost", `m${message.number}, which the group was to begin with`);
}

/** Y5: a seek that is held up on its lane comes to it when a later one has been there. */
export async function soughtTwice(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  sim.calm();
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 5, lanes: 1 });
  const group = await grouped(stage, queue);
  await operations.send(queue, random.int(1, 6));
  sim.world.ambush = { pk: "cursor#", on: "writes", chance: 1, does: "slow", once: true };
  const early = sim.call("seek", (service) => service.seekGroup(QUEUE, GROUP, "earliest"));
  await sprung(sim);
  const span = begun(scheduler.now);
  await sim.call("seek", (service) => service.seekGroup(QUEUE, GROUP, "latest"), span);
  await early;
  // Its number is known to be the greater one, however long the other took.
  group.beginnings.push({ span, from: "latest" });
  await operations.send(queue, random.int(1, 3));
  await takeAll(stage, group);
  sim.audit(() => group.checkNothingLost(scheduler.now));
}

/** Y2: a group is said to be through with a lane, by what was known before it was sent back to it. */
export async function soughtWhileMarked(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  sim.calm();
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 5, lanes: 2 });
  const group = await grouped(stage, queue);
  for (let left = 8; left > 0; left -= 1) await operations.send(queue, random.int(1, 2));
  await operations.changeTo(queue, { lanes: 1 });
  await scheduler.sleep(12 * SECOND);
  await takeAll(stage, group);
  for (let left = 4, isMet = false; left > 0 && !isMet; left -= 1) {
    sim.world.ambush = { pk: "group#", on: "writes", chance: 1, does: "slow", once: true };
    const tended = operations.janitor();
    isMet = await sprung(sim);
    const span = begun(scheduler.now);
    await sim.call("seek", (service) => service.seekGroup(QUEUE, GROUP, "earliest"), span);
    group.beginnings.push({ span, from: "earliest" });
    await tended;
    await scheduler.sleep(12 * SECOND);
    await takeAll(stage, group);
    sim.audit(() => group.checkNothingLost(scheduler.now));
  }
}

/**
 * Y3: a queue's first group stands, and its maker dies; or it takes so long that the janitor has taken it
 * for one that was never made. A purge passes over its messages all the same.
 */
export async function madeHalfWay(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { random, scheduler } = sim;
  sim.calm();
  const queue = await made(stage, { retentionSeconds: DAY_SECONDS, leaseSeconds: 5, lanes: 1 });
  await operations.send(queue, random.int(1, 4));
  const does = random.pick(["crash", "slow"] as const);
  sim.world.ambush = { pk: "group#", on: "writes", chance: 1, does, once: true };
  const group = grouped(stage, queue);
  await sprung(sim);
  if (does === "slow") await operations.janitor();
  await group;
  // Whoever is there says that it is, and reads.
  const auditor = await grouped(stage, queue);
  await scheduler.sleep(SECOND);
  await operations.purge(queue);
  await scheduler.sleep(SECOND);
  await takeAll(stage, auditor);
}

const GROUP = groupName("readers");

async function grouped({ sim }: Stage, queue: Incarnation): Promise<GroupAuditor> {
  const auditor = new GroupAuditor(GROUP, queue, sim.auditor.messages, () => true);
  const span = begun(sim.scheduler.now);
  const request = { from: "earliest", settings: {} } as const;
  await sim.call("group", (service) => service.putGroup(QUEUE, GROUP, request), span);
  auditor.beginnings.push({ span, from: "earliest" });
  return auditor;
}

/** What the group has, by number. */
async function takeAll({ sim }: Stage, group: GroupAuditor): Promise<ReadonlySet<number>> {
  const got = new Set<number>();
  for (let left = 8; left > 0; left -= 1) {
    const span = begun(sim.scheduler.now);
    const request = { max: 100, group: GROUP, leaseSeconds: 60 };
    const { value = [] } = await sim.call(
      "receive",
      (service) => service.receive(QUEUE, request),
      span,
    );
    sim.audit(() => group.delivered(span, value));
    for (const { body } of value) got.add(numberOf(body) ?? 0);
    if (value.length > 0) {
      const acking = begun(sim.scheduler.now);
      const receipts = value.map(({ receipt }) => receipt);
      const acks = await sim.call("ack", (service) => service.ack(QUEUE, receipts), acking);
      value.forEach(({ body }, index) =>
        group.acked(acking, numberOf(body) ?? 0, acks.value?.[index]?.status === "done"),
      );
    }
    await sim.scheduler.sleep(SECOND);
  }
  return got;
}
