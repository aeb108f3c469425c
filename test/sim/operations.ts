/**
 * The operations that callers do, each with its bookkeeping: what is told to the auditor before the
 * call, and what its answer means.
 */
import { isLaneError } from "../../src/core/errors.ts";
import type { OutgoingMessage } from "../../src/core/message.ts";
import type { QueueName } from "../../src/core/types.ts";
import { epochMs } from "../../src/core/types.ts";
import type { AckOptions, ReceiptResult, Service } from "../../src/service/api.ts";
import type { Deployment } from "./deployment.ts";
import { begun, Incarnation, overAt } from "./ledger.ts";
import type { Delivered, Sent, SettingChange, Span } from "./ledger.ts";
import { Violation } from "./violation.ts";

const DEFAULT_LEASE_SECONDS = 30;
const RECENT_LEASES = 60;
/** A queue is missed by all that follows; instances may be frozen for many minutes. */
const CREATE_ATTEMPTS = 400;

export class Operations {
  /** The present life of each queue. */
  readonly queues = new Map<QueueName, Incarnation>();
  /** The longest time for which a lease may block a message, by true time. */
  leasedUntil = 0;
  /** How many different ones are sent where order is kept. */
  keys = 4;
  /** The one that is sent, in place of these. */
  key: string | undefined;
  /** Times of their own that messages are sent with. */
  times:
    | (() => Pick<OutgoingMessage, "delaySeconds" | "ttlSeconds" | "priority" | "tenant">)
    | undefined;
  /** Messages may be in other queues than they were sent to. */
  haveMoved = false;
  /** What is judged when everything has drained. */
  readonly verdicts: (() => Promise<void>)[] = [];
  readonly #redrives: Span[] = [];
  readonly #sim: Deployment;
  /** Names whose queue may or may not exist. */
  readonly #limbo = new Set<QueueName>();

  constructor(sim: Deployment) {
    this.#sim = sim;
  }

  async create(name: QueueName, settings: SettingChange, takesDead: boolean): Promise<void> {
    const sim = this.#sim;
    const span = begun(sim.scheduler.now);
    const before = this.queues.get(name);
    const queue = new Incarnation(name, span, settings, takesDead, before);
    for (let attempt = 0; attempt < CREATE_ATTEMPTS; attempt += 1) {
      // Instances may be suspended again as often as they wake.
      if (attempt === CREATE_ATTEMPTS / 4) sim.calm();
      const trial = attempt === 0 ? span : begun(sim.scheduler.now);
      if (attempt > 0) queue.changing(trial, settings);
      // Calls go by name: what is sent to the one before meets this one once it is there.
      before?.changing(trial, settings);
      await sim.call(`put ${name}`, (service) => service.putQueue(name, settings), trial);
      if (trial.outcome === "done") {
        this.#limbo.delete(name);
        this.queues.set(name, queue);
        return;
      }
      await sim.scheduler.sleep(sim.random.between(1_000, 15_000));
    }
    throw new Violation("drains", `queue ${name} could not be made in ${CREATE_ATTEMPTS} attempts`);
  }

  async send(queue: Incarnation = this.#any(), count: number = this.#count()): Promise<void> {
    const { auditor, scheduler } = this.#sim;
    const span = begun(scheduler.now);
    // Each with a span of its own, for its fate may differ from its call's.
    const first = auditor.messages.length + 1;
    const messages = Array.from({ length: count }, () =>
      auditor.sending(queue, { ...span }, this.#size(count), {
        ...this.#key(queue),
        first,
        times: this.times?.() ?? {},
      }),
    );
    this.#waiveIfClosing(queue, messages);
    const outgoing = messages.map((message) => message.outgoing);
    const label = `send ${queue.name} m${messages[0]?.number}+${count}`;
    const call = await this.#sim.call(label, (service) => service.send(queue.name, outgoing), span);
    messages.forEach((message, index) => {
      Object.assign(message.span, {
        to: span.to,
        outcome: span.outcome,
        settledAt: span.settledAt,
      });
      this.#sim.audit(() => auditor.sent(message, call.value?.[index]));
      const due = message.span.from + (message.outgoing.delaySeconds ?? 0) * 1_000;
      this.leasedUntil = Math.max(this.leasedUntil, due);
    });
    this.#sim.audit(() => auditor.sentInOrder(messages));
    if (call.value !== undefined && call.value.length !== count) {
      this.#sim.fail(new Violation("lost", `${label} has ${call.value.length} answers`));
    }
    this.#waiveIfClosing(queue, messages);
  }

  /** Asks for a scheduled message not to be delivered. */
  async cancel(message: Sent): Promise<void> {
    const { auditor, scheduler } = this.#sim;
    const { id, queue } = message;
    if (id === undefined) return;
    const span = begun(scheduler.now);
    auditor.times.cancelling(message, span);
    const { error } = await this.#sim.call(
      `cancel m${message.number}`,
      (service) => service.cancelScheduled(queue.name, id),
      span,
    );
    // Cancelled by an earlier call, or gone: that says nothing of what may still be delivered.
    if (isLaneError(error, "message-not-found")) span.outcome = "unknown";
    if (span.outcome === "refused") auditor.times.cancelRefused(message);
    if (span.outcome === "done" && message.deliveries.length > 0)
      this.#sim.fail(
        new Violation(
          "cancelled",
          `m${message.number} was delivered, and is cancelled by ${span.to}`,
        ),
      );
  }

  async receive(): Promise<void> {
    const { random } = this.#sim;
    const queue = this.#any();
    const leaseSeconds = random.pick([undefined, undefined, 0, 1, 2, 10, 60]);
    await this.receiveFrom(queue, {
      max: random.pick([1, 1, 3, 10, 100, 1_000]),
      ...(random.chance(0.2) ? { waitSeconds: random.pick([1, 5, 20]) } : {}),
      ...(leaseSeconds === undefined ? {} : { leaseSeconds }),
    });
  }

  /** `undefined`: no answer. */
  async receiveFrom(
    queue: Incarnation,
    request: { max: number; waitSeconds?: number; leaseSeconds?: number; drain?: boolean },
  ): Promise<Delivered[] | undefined> {
    const { auditor, scheduler } = this.#sim;
    const span = begun(scheduler.now);
    const spans = auditor.receives.get(queue.name) ?? [];
    auditor.receives.set(queue.name, spans);
    const leaseSeconds = request.leaseSeconds ?? queue.latest().leaseSeconds ?? 0;
    spans.push({ span, isShort: leaseSeconds < 10, leaseMs: leaseSeconds * 1_000 });
    const call = await this.#sim.call(
      `receive ${queue.name} ${JSON.stringify(request)}`,
      (service) => service.receive(queue.name, { ...request, group: "default" }),
      span,
    );
    this.leasedUntil = Math.max(
      this.leasedUntil,
      span.to +
        Math.max(request.leaseSeconds ?? DEFAULT_LEASE_SECONDS, DEFAULT_LEASE_SECONDS) * 1_000,
    );
    if (call.value === undefined) return undefined;
    const views = call.value;
    if (views.length > request.max)
      this.#sim.fail(new Violation("phantom", `${views.length} messages for ${request.max} asked`));
    let given: Delivered[] = [];
    const { leaseSeconds: asked, drain } = request;
    this.#sim.audit(() => (given = auditor.delivered(queue, span, views, asked, drain)));
    this.#sim.trace?.(`  gives ${given.map((lease) => `m${lease.message.number}`).join(" ")}`);
    return given;
  }

  async ack(): Promise<void> {
    const leases = this.#someLeases();
    if (leases.length === 0) return this.receive();
    const again = this.#sim.random.chance(0.1) ? this.ackAll(leases) : undefined;
    await this.ackAll(leases);
    await again;
  }

  async ackAll(leases: readonly Delivered[], stale?: AckOptions["stale"]): Promise<void> {
    const { auditor } = this.#sim;
    for (const lease of leases) auditor.acking(lease, this.#sim.scheduler.now);
    const what = stale === undefined ? "ack" : `ack (${stale})`;
    const { span, results } = await this.#withReceipts(what, leases, (service, name, receipts) =>
      service.ack(name, receipts, stale === undefined ? {} : { stale }),
    );
    leases.forEach((lease, index) =>
      this.#sim.audit(() => auditor.acked(lease, span, results?.[index], stale)),
    );
  }

  async release(): Promise<void> {
    const leases = this.#someLeases();
    if (leases.length === 0) return this.receive();
    await this.releaseAll(leases);
  }

  async releaseAll(leases: readonly Delivered[]): Promise<void> {
    const { auditor, random } = this.#sim;
    const request = {
      delaySeconds: random.pick([0, 0, 0, 1, 20]),
      countAttempt: random.chance(0.7),
    };
    const span = begun(this.#sim.scheduler.now);
    this.leasedUntil = Math.max(this.leasedUntil, span.from + 120_000);
    for (const lease of leases) {
      auditor.touching(lease, span);
      if (!request.countAttempt) lease.uncounted = true;
      for (const company of this.#companyOf(lease)) {
        auditor.touching(company, span);
        company.uncounted = true;
      }
    }
    const { results } = await this.#withReceipts(
      "release",
      leases,
      (service, name, receipts) => service.release(name, receipts, request),
      span,
    );
    leases.forEach((lease, index) =>
      auditor.released(lease, request.countAttempt, results?.[index]),
    );
  }

  async extend(): Promise<void> {
    const leases = this.#someLeases();
    if (leases.length === 0) return this.receive();
    await this.extendAll(leases);
  }

  async extendAll(
    leases: readonly Delivered[],
    leaseSeconds: number = this.#sim.random.pick([0, 1, 10, 30, 60]),
    { isStray = false, keepsReceipt = false }: { isStray?: boolean; keepsReceipt?: boolean } = {},
  ): Promise<void> {
    const { auditor } = this.#sim;
    const span = begun(this.#sim.scheduler.now);
    this.leasedUntil = Math.max(this.leasedUntil, span.from + 120_000);
    for (const lease of leases)
      if (isStray) auditor.straying(lease, span);
      else auditor.touching(lease, span);
    const request = { leaseSeconds, ...(isStray ? { stale: "accept" as const } : {}) };
    const { results } = await this.#withReceipts(
      `extend (${leaseSeconds} s)`,
      leases,
      (service, name, receipts) => service.extend(name, receipts, request),
      span,
    );
    const how = { isStray, keepsReceipt };
    leases.forEach((lease, index) =>
      this.#sim.audit(() => auditor.extended(lease, span, leaseSeconds, results?.[index], how)),
    );
  }

  async change(): Promise<void> {
    const { random } = this.#sim;
    const queue = this.#any();
    const settings: SettingChange = random.pick<() => SettingChange>([
      () => ({ retentionSeconds: random.pick([60, 600, 3_600, 86_400, 864_000]) }),
      () => ({ retentionSeconds: random.pick([60, 600, 3_600, 86_400, 864_000]) }),
      () =>
        queue.hadDeadLettering
          ? { maxReceives: random.pick([1, 2, 5, null]) }
          : { leaseSeconds: random.pick([1, 5, 30]) },
      () => ({ delaySeconds: random.pick([0, 0, 1, 10]) }),
      () => ({ lanes: random.pick(["auto", 1, 2, 3, 6]) }),
      () => ({ lanes: random.pick(["auto", 1, 2, 3, 6]) }),
      () => ({ leaseSeconds: random.pick([1, 5, 30]) }),
    ])();
    if (queue.takesDead && settings.retentionSeconds !== undefined) return;
    await this.changeTo(queue, settings);
  }

  async changeTo(queue: Incarnation, settings: SettingChange): Promise<void> {
    const span = begun(this.#sim.scheduler.now);
    queue.changing(span, settings);
    await this.#sim.call(
      `patch ${queue.name} ${JSON.stringify(settings)}`,
      (service) => service.patchQueue(queue.name, settings),
      span,
    );
  }

  async purge(queue: Incarnation = this.#any()): Promise<void> {
    const span = begun(this.#sim.scheduler.now);
    queue.purges.push(span);
    this.#waiveAll(queue, "purged");
    await this.#sim.call(`purge ${queue.name}`, (service) => service.purgeQueue(queue.name), span);
  }

  async clear(queue: Incarnation): Promise<void> {
    const span = begun(this.#sim.scheduler.now);
    queue.purges.push(span);
    this.#waiveAll(queue, "cleared");
    await this.#sim.call(`clear ${queue.name}`, (service) => service.clearQueue(queue.name), span);
  }

  async recreate(queue: Incarnation = this.#any()): Promise<void> {
    const { scheduler, random } = this.#sim;
    if (queue.takesDead || this.#limbo.has(queue.name)) return;
    this.#limbo.add(queue.name);
    const span = begun(scheduler.now);
    queue.deletion = span;
    this.#waiveAll(queue, "deleted");
    await this.#sim.call(
      `delete ${queue.name}`,
      (service) => service.deleteQueue(queue.name),
      span,
    );
    const trials = [span];
    for (let attempt = 0; span.outcome !== "done" && attempt < 40; attempt += 1) {
      await scheduler.sleep(random.between(1_000, 40_000));
      const trial = begun(scheduler.now);
      trials.push(trial);
      const { error } = await this.#sim.call(
        `delete ${queue.name} again`,
        (service) => service.deleteQueue(queue.name),
        trial,
      );
      // Not there any more: an earlier one did it.
      const isGone = trial.outcome === "done" || isLaneError(error, "queue-not-found");
      if (isGone) Object.assign(span, { to: trial.to, outcome: "done" });
    }
    // A deletion that is still at work somewhere would take the next queue of this name.
    while (trials.some((trial) => trial.settledAt > scheduler.now)) await scheduler.sleep(5_000);
    await scheduler.sleep(random.pick([0, random.between(0, 120_000)]));
    await this.create(queue.name, queue.latest(), false);
  }

  async janitor(): Promise<void> {
    this.leasedUntil = Math.max(this.leasedUntil, this.#sim.scheduler.now + 90_000);
    const deadline = epochMs(this.#sim.scheduler.now + 25_000);
    await this.#sim.call("janitor", (service) => service.runJanitor(deadline));
  }

  async redrive(): Promise<void> {
    const { random, scheduler, auditor } = this.#sim;
    const dead = [...this.queues.values()].find((queue) => queue.takesDead);
    if (dead === undefined) return;
    const target = this.#any();
    const to = random.chance(0.5) && !target.takesDead ? target : undefined;
    const max = random.chance(0.5) ? random.int(1, 20) : undefined;
    const span = begun(scheduler.now);
    this.moving(span);
    for (const message of auditor.messages) {
      if (!message.queue.mayLoseToOthers) continue;
      if (to?.deletion !== undefined || message.queue.deletion !== undefined)
        message.waived ??= "redriven to a queue that is deleted";
    }
    await this.#sim.call(
      `redrive to ${to?.name ?? "source"} max ${max ?? "all"}`,
      (service) =>
        service.redrive(dead.name, {
          ...(to === undefined ? {} : { to: to.name }),
          ...(max === undefined ? {} : { max }),
        }),
      span,
    );
  }

  /** Dead letters may be moved to other queues meanwhile. */
  moving(span: Span): void {
    this.haveMoved = true;
    this.#redrives.push(span);
    this.lowerExpiries();
  }

  /** A message that was dead-lettered or redriven lives by its new queue's retention, from then on. */
  lowerExpiries(): void {
    const dead = [...this.queues.values()].filter((queue) => queue.takesDead);
    const inDead = Math.min(
      ...dead.flatMap((queue) =>
        queue.possible("retentionSeconds", 345_600, 0, Infinity, Infinity),
      ),
    );
    const shortest = Math.min(
      ...[...this.queues.values()].flatMap((queue) =>
        queue.possible("retentionSeconds", 345_600, 0, Infinity, Infinity),
      ),
    );
    for (const message of this.#sim.auditor.messages) {
      if (!message.queue.mayLoseToOthers) continue;
      if (message.queue.hadDeadLettering) {
        const diesAt = message.span.from - 2 * this.#sim.plan.skewMs + inDead * 1_000;
        message.expiresLow = Math.min(message.expiresLow, diesAt);
      }
      for (const redrive of this.#redrives) {
        if (overAt(redrive) < message.span.from) continue;
        const movedAt = Math.max(redrive.from, message.span.from);
        message.expiresLow = Math.min(
          message.expiresLow,
          movedAt - 2 * this.#sim.plan.skewMs + shortest * 1_000,
        );
      }
    }
  }

  async look(): Promise<void> {
    const { random } = this.#sim;
    const queue = this.#any();
    if (random.chance(0.5)) {
      await this.#sim.call(`get ${queue.name}`, (service) => service.getQueue(queue.name));
      return;
    }
    await this.#sim.call(`browse ${queue.name}`, (service) =>
      service.browse(queue.name, { limit: random.int(1, 200) }),
    );
  }

  async #withReceipts(
    what: string,
    leases: readonly Delivered[],
    run: (
      service: Service,
      name: QueueName,
      receipts: readonly string[],
    ) => Promise<readonly ReceiptResult[]>,
    span: Span = begun(this.#sim.scheduler.now),
  ): Promise<{ span: Span; results: readonly ReceiptResult[] | undefined }> {
    const queue = leases[0]?.in;
    if (queue === undefined) return { span, results: undefined };
    const label = `${what} ${queue.name} ${leases.map((lease) => `m${lease.message.number}`).join(" ")}`;
    const receipts = leases.map((lease) => lease.receipt);
    const { value } = await this.#sim.call(
      label,
      (service) => run(service, queue.name, receipts),
      span,
    );
    if (value !== undefined)
      this.#sim.trace?.(`  says ${value.map((result) => result.status).join(" ")}`);
    return { span, results: value };
  }

  /** Mostly what was given lately and not yet acked, of one queue. */
  #someLeases(): Delivered[] {
    const { random, auditor } = this.#sim;
    const recent = auditor.leases
      .slice(-RECENT_LEASES)
      .filter((lease) => !lease.over || random.chance(0.05));
    if (recent.length === 0) return [];
    const first = random.pick(recent);
    const same = recent.filter(
      (lease) => lease.in === first.in && (random.chance(0.7) || lease === first),
    );
    return same.slice(0, random.int(1, 40));
  }

  #any(): Incarnation {
    return this.#sim.random.pick([...this.queues.values()]);
  }

  #count(): number {
    const { random } = this.#sim;
    return random.chance(0.5) ? 1 : Math.round(random.skewed(1, random.chance(0.1) ? 600 : 30));
  }

  /** Where order is kept, what else of the key is leased may go back with a release. */
  #companyOf(lease: Delivered): Delivered[] {
    const { key } = lease.message;
    if (key === undefined) return [];
    return this.#sim.auditor.leases.filter(
      (other) =>
        other !== lease && other.in === lease.in && other.message.key === key && !other.over,
    );
  }

  #key(queue: Incarnation): { key?: string } {
    const isKeyed = queue.latest().order === "key";
    return isKeyed ? { key: this.key ?? `k${this.#sim.random.int(0, this.keys - 1)}` } : {};
  }

  /** Mostly small; some that need entries of their own, and rarely ones that go into parts. */
  #size(count: number): number {
    const { random } = this.#sim;
    if (count > 30 || random.chance(0.92)) return random.int(8, 120);
    if (random.chance(0.97)) return random.int(200, 20_000);
    return count <= 3 ? random.int(30_000, 500_000) : 30_000;
  }

  /** What is in a queue, or may be there because it can have been dead-lettered and redriven. */
  #waiveAll(queue: Incarnation, why: string): void {
    for (const message of this.#sim.auditor.messages) {
      if (message.queue === queue || message.queue.mayLoseToOthers) message.waived ??= why;
    }
  }

  /** What is sent while a purge looks where its lanes end, or to a queue that is deleted, may fall to it. */
  #waiveIfClosing(queue: Incarnation, messages: readonly Sent[]): void {
    const sentFrom = messages[0]?.span.from ?? 0;
    const isClosing =
      queue.deletion !== undefined || queue.purges.some((purge) => purge.settledAt >= sentFrom);
    if (isClosing)
      for (const message of messages)
        message.waived ??= "sent while its queue was purged or deleted";
  }
}
