/**
 * Schedules for consumer groups (C8, C9, Y1–Y5, U2): some are made, sought, deleted and made again while
 * others send, receive, ack and purge, and while lanes come and go.
 */
import { groupName } from "../../src/core/types.ts";
import type { GroupName, QueueName } from "../../src/core/types.ts";
import { isLaneError } from "../../src/core/errors.ts";
import { drawFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import { APPLIED_LATE_MS } from "./faulty-store.ts";
import { GroupAuditor } from "./group-auditor.ts";
import { begun } from "./ledger.ts";
import type { Incarnation, Span } from "./ledger.ts";
import { Operations } from "./operations.ts";
import { numberOf } from "./payload.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

const QUEUE = "queue1" as QueueName;
const SECOND = 1_000;
const LEASE_SECONDS = 5;
const RECEIVES = 300;

/** What `payload` gives every fourth message. */
const FILTER = { headers: { number: [{ exists: true }] } };

export function drawGroupFaults(random: Random): FaultPlan {
  const plan = drawFaults(random);
  return {
    ...plan,
    throttled: plan.throttled / 4,
    unavailable: plan.unavailable / 4,
    crash: random.pick([0, 0.01, 0.03]),
    freeze: random.pick([0, 0, 0.01]),
    latencyMs: random.pick([1, 10, 40]),
  };
}

export async function runGroups(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(1, 4); at > 0; at -= 1) sim.start();
  const settings = { retentionSeconds: 864_000, leaseSeconds: LEASE_SECONDS };
  await operations.create(QUEUE, { ...settings, lanes: random.pick([1, 2, 3]) }, false);
  const queue = operations.queues.get(QUEUE);
  if (queue === undefined) return operations;
  const members = [
    new Member(sim, queue, groupName("all"), false),
    new Member(sim, queue, groupName("some"), true),
  ];
  for (let round = random.int(2, 6); round > 0; round -= 1) {
    sim.world.faults = sim.plan;
    await Promise.all([
      ...members.flatMap((member) => [act(sim, member), act(sim, member)]),
      busy(sim, operations, queue),
      busy(sim, operations, queue),
    ]);
    await scheduler.sleep(random.pick([0, 1, 20, 100, 4_000]) * SECOND);
  }
  sim.calm();
  await scheduler.sleep(APPLIED_LATE_MS + 60 * SECOND);
  sim.calm();
  await scheduler.sleep(60 * SECOND);
  for (const member of members) await member.drain();
  return operations;
}

async function act(sim: Simulation, member: Member): Promise<void> {
  const { random, scheduler } = sim;
  for (let left = random.int(2, 8); left > 0; left -= 1) {
    await scheduler.sleep(random.skewed(0.5, random.pick([20, 500, 3_000])));
    const what = random.unit();
    if (what < 0.15) await member.seek();
    else if (what < 0.2) await member.remake();
    else await member.receive();
  }
}

async function busy(sim: Simulation, operations: Operations, queue: Incarnation): Promise<void> {
  const { random, scheduler } = sim;
  for (let left = random.int(2, 6); left > 0; left -= 1) {
    await scheduler.sleep(random.skewed(0.5, random.pick([20, 500, 3_000])));
    const what = random.unit();
    if (what < 0.08) await operations.purge(queue);
    else if (what < 0.2) await operations.changeTo(queue, { lanes: random.pick([1, 2, 4]) });
    else if (what < 0.35) await operations.janitor();
    else await operations.send(queue, random.pick([1, 3, 40]));
  }
}

const TRIALS_WITH_FAULTS = 50;

/** One group, made anew now and then. */
class Member {
  readonly #sim: Simulation;
  readonly #queue: Incarnation;
  readonly #name: GroupName;
  readonly #isFiltered: boolean;
  #auditor: GroupAuditor | undefined;
  #isChanging = false;
  /** Changes go by name: one that is still at work somewhere would meet the next group of its name. */
  readonly #changes: Span[] = [];

  constructor(sim: Simulation, queue: Incarnation, name: GroupName, isFiltered: boolean) {
    this.#sim = sim;
    this.#queue = queue;
    this.#name = name;
    this.#isFiltered = isFiltered;
  }

  async receive(): Promise<number> {
    const auditor = this.#auditor;
    if (auditor === undefined) return this.#make();
    const { random } = this.#sim;
    const span = begun(this.#sim.scheduler.now);
    const request = { max: random.pick([1, 5, 100]), group: this.#name };
    const label = `receive ${this.#name}`;
    const { value } = await this.#sim.call(
      label,
      (service) => service.receive(QUEUE, request),
      span,
    );
    if (value === undefined || this.#auditor !== auditor) return 0;
    this.#sim.audit(() => auditor.delivered(span, value));
    if (value.length > 0 && random.chance(0.7)) {
      const some = value.slice(0, random.int(1, value.length));
      const acking = begun(this.#sim.scheduler.now);
      const receipts = some.map(({ receipt }) => receipt);
      const acked = await this.#sim.call(
        `ack ${this.#name}`,
        (service) => service.ack(QUEUE, receipts),
        acking,
      );
      some.forEach((view, index) => {
        const isSure = acked.value?.[index]?.status === "done";
        const isGone = acked.value?.[index]?.status === "gone" && acked.span.outcome === "done";
        if (!isGone || !isSure) auditor.acked(acking, numberOf(view.body) ?? 0, isSure);
      });
    }
    return value.length;
  }

  async seek(): Promise<void> {
    const auditor = this.#auditor;
    if (auditor === undefined) return;
    const from = this.#sim.random.pick(["earliest", "earliest", "latest"] as const);
    const span = begun(this.#sim.scheduler.now);
    this.#changes.push(span);
    auditor.beginnings.push({ span, from });
    const label = `seek ${this.#name} ${from}`;
    await this.#sim.call(label, (service) => service.seekGroup(QUEUE, this.#name, from), span);
  }

  async remake(): Promise<void> {
    if (this.#isChanging || this.#auditor === undefined) return;
    this.#isChanging = true;
    this.#auditor = undefined;
    for (let isThere = true; isThere;) {
      const { span, error } = await this.#sim.call(`delete ${this.#name}`, (service) =>
        service.deleteGroup(QUEUE, this.#name),
      );
      this.#changes.push(span);
      isThere = span.outcome !== "done" && !isLaneError(error, "group-not-found");
      await this.#sim.scheduler.sleep(this.#sim.random.pick([0, 55, 90]) * SECOND);
    }
    while (this.#changes.some((one) => one.settledAt > this.#sim.scheduler.now))
      await this.#sim.scheduler.sleep(5 * SECOND);
    if (this.#changes.some(({ outcome }) => outcome !== "done"))
      await this.#sim.scheduler.sleep(APPLIED_LATE_MS);
    this.#isChanging = false;
  }

  async #make(): Promise<number> {
    if (this.#isChanging) return 0;
    this.#isChanging = true;
    const accepts = (number: number) => !this.#isFiltered || number % 4 === 0;
    const { messages } = this.#sim.auditor;
    const auditor = new GroupAuditor(this.#name, this.#queue, messages, accepts);
    const from = this.#sim.random.pick(["earliest", "latest"] as const);
    const request = { from, settings: this.#isFiltered ? { filter: FILTER } : {} };
    const span = begun(this.#sim.scheduler.now);
    for (let isMade = false, trials = 0; !isMade; trials += 1) {
      // Of a queue of many lanes, an answer takes so many requests that one of them mostly fails.
      if (trials === TRIALS_WITH_FAULTS) this.#sim.calm();
      const { span: trial } = await this.#sim.call(`put ${this.#name}`, (service) =>
        service.putGroup(QUEUE, this.#name, request),
      );
      this.#changes.push(trial);
      isMade = trial.outcome === "done";
      // One at a time: calls that pile up on a frozen instance would freeze it again when it thaws.
      while (trial.settledAt > this.#sim.scheduler.now) await this.#sim.scheduler.sleep(5 * SECOND);
      if (!isMade) await this.#sim.scheduler.sleep(2 * SECOND);
    }
    // Which of the trials made it is not known: it began at some time from the first to the last.
    Object.assign(span, {
      to: this.#sim.scheduler.now,
      outcome: "done",
      settledAt: this.#sim.scheduler.now,
    });
    auditor.beginnings.push({ span, from });
    this.#auditor = auditor;
    this.#isChanging = false;
    return 0;
  }

  /** Without faults: everything comes out, and depth is 0 then. */
  async drain(): Promise<void> {
    const auditor = this.#auditor;
    if (auditor === undefined) return;
    let empty = 0;
    for (let left = RECEIVES; empty < 3; left -= 1) {
      if (left === 0) throw new Violation("drains", `${this.#name} never becomes empty`);
      const got = await this.receive();
      empty = got === 0 ? empty + 1 : 0;
      if (got === 0) await this.#sim.scheduler.sleep((LEASE_SECONDS + 20) * SECOND);
    }
    this.#sim.audit(() => auditor.checkNothingLost(this.#sim.scheduler.now));
    // What a filter keeps out counts until a claim has passed it, and a seek left half-way moves when it is met.
    const isSettled = auditor.beginnings.every(({ span }) => span.outcome === "done");
    if (!this.#isFiltered && isSettled) await this.#checkDepth();
  }

  async #checkDepth(): Promise<void> {
    const { value } = await this.#sim.call(`get ${this.#name}`, (service) =>
      service.getGroup(QUEUE, this.#name),
    );
    if (value === undefined)
      throw new Violation("drains", `get of ${this.#name} fails without faults`);
    const { ready, leased, delayed } = value.depth;
    if (ready + leased + delayed !== 0)
      throw new Violation("depth", `${this.#name} is empty, says ${JSON.stringify(value.depth)}`);
  }
}
