/**
 * One simulated deployment: an engine, instances of the service that come and go, and callers that
 * reach them and remember what they were told.
 *
 * A caller's call ends with an answer, an error, or nothing: its instance died, or the caller's own
 * patience ended, while the instance may still work on it.
 */
import { isLaneError } from "../../src/core/errors.ts";
import type { Service } from "../../src/service/api.ts";
import { createService } from "../../src/service/service.ts";
import { Auditor } from "./auditor.ts";
import type { Deployment } from "./deployment.ts";
import { Engine } from "./engine.ts";
import { FaultCounts, calm } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import { createFaultyStore } from "./faulty-store.ts";
import { Instance } from "./instance.ts";
import type { World } from "./instance.ts";
import { begun } from "./ledger.ts";
import type { Span } from "./ledger.ts";
import { LogAuditor } from "./log-auditor.ts";
import { Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";
import { Violation } from "./violation.ts";

/** What an instance needs of its settings beyond their 10 s: reading them, and a clock set back. */
export const SETTINGS_SLACK_MS = 25_000;

const GATHER_MS = 2;

export interface Member {
  readonly instance: Instance;
  readonly service: Service;
}

export class Simulation implements Deployment {
  readonly world: World;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly engine: Engine;
  readonly auditor: Auditor;
  readonly plan: FaultPlan;
  readonly members: Member[] = [];
  /** The first thing found wrong. */
  failure: Error | undefined;
  /** How long a caller waits: API Gateway gives up after 30 s. Who sleeps with the server does not notice. */
  patienceMs = 30_000;
  /** Instances wait for callers who come together, as the embedded service does. */
  gathers = false;
  /** C5, as every instance is told. */
  readonly skewMarginMs: number;
  readonly #log: LogAuditor;
  #born = 0;
  #calls = 0;

  constructor(
    seed: number,
    drawPlan: (random: Random) => FaultPlan,
    trace?: (line: string) => void,
  ) {
    this.random = new Random(seed);
    this.plan = drawPlan(this.random);
    this.scheduler = new Scheduler(1_800_000_000_000 + this.random.int(0, 86_400_000));
    const counts = new FaultCounts();
    this.world = {
      scheduler: this.scheduler,
      random: this.random.fork(),
      faults: calm(this.plan),
      ambush: undefined,
      met: new Map(),
      counts,
      trace:
        trace === undefined
          ? undefined
          : (line) => trace(`${this.scheduler.now.toFixed(3)} ${line}`),
    };
    this.engine = new Engine(this.world);
    this.#log = new LogAuditor((key) => this.engine.store.peek("lanes", key));
    this.engine.onWrite = (change) => this.#log.wrote(change);
    this.skewMarginMs = Math.max(2 * this.plan.skewMs, this.random.pick([0, 500, 2_000]));
    const { skewMs, throttled, unavailable, replyLost, requestLost, late, doubled, crash, freeze } =
      this.plan;
    const { met } = this.world;
    const isFaultless =
      throttled + unavailable + replyLost + requestLost + late + doubled + crash + freeze === 0;
    this.auditor = new Auditor({
      skewMs,
      skewMarginMs: this.skewMarginMs,
      cachedMs: 10_000 + SETTINGS_SLACK_MS + 2 * skewMs,
      isReliable: (from) => isFaultless && Math.max(0, ...met.values()) < from,
      keepsClaims: () =>
        late + crash + freeze === 0 && !met.has("late") && !met.has("crash") && !met.has("freeze"),
    });
  }

  get trace(): World["trace"] {
    return this.world.trace;
  }

  check(): void {
    const failure = this.failure ?? this.#log.failure;
    if (failure !== undefined) throw failure;
  }

  start(): Member {
    const instance = new Instance(`i${(this.#born += 1)}`, this.world);
    const random = this.world.random.fork();
    const service = createService({
      store: createFaultyStore(this.world, this.engine, instance),
      clock: { now: () => instance.now() },
      sleep: (ms, signal) => instance.sleep(ms, signal),
      random: () => random.unit(),
      randomBytes: (length) => random.bytes(length),
      skewMarginMs: this.skewMarginMs,
      relaxed: false,
      ...(this.gathers ? { gather: () => instance.sleep(GATHER_MS) } : {}),
    });
    const member = { instance, service };
    this.members.push(member);
    return member;
  }

  calm(): void {
    this.world.faults = calm(this.plan);
    this.world.ambush = undefined;
    for (const { instance } of this.members) instance.thaw();
  }

  /** Any instance; a dead one is replaced. */
  anyMember(): Member {
    const at = this.random.int(0, this.members.length - 1);
    const member = this.members[at];
    if (member !== undefined && !member.instance.isDead) return member;
    const fresh = this.start();
    this.members.pop();
    this.members[at] = fresh;
    return fresh;
  }

  /** Calls a member of the deployment; `span` says how it went, the value is there when it is `done`. */
  async call<T>(
    what: string,
    run: (service: Service) => Promise<T>,
    span: Span = begun(this.scheduler.now),
    { instance, service }: Member = this.anyMember(),
  ): Promise<{ span: Span; value: T | undefined; error: unknown }> {
    const name = `#${(this.#calls += 1)} ${what}`;
    this.trace?.(`${name} calls ${instance.name}`);
    const ended = await new Promise<{ outcome: Span["outcome"]; value?: T; error?: unknown }>(
      (resolve) => {
        const outlives = instance.onDeath(() => {
          span.settledAt = Math.min(span.settledAt, this.scheduler.now);
          resolve({ outcome: "unknown" });
        });
        this.scheduler.after(this.patienceMs, () => resolve({ outcome: "unknown" }));
        instance.enter(() => {
          run(service).then(
            (value) => {
              outlives();
              span.settledAt = this.scheduler.now;
              resolve({ outcome: "done", value });
            },
            (error: unknown) => {
              outlives();
              span.settledAt = this.scheduler.now;
              resolve({ outcome: this.#judge(name, error), error });
            },
          );
        });
      },
    );
    span.to = this.scheduler.now;
    span.outcome = ended.outcome;
    this.trace?.(
      `${name}: ${ended.outcome}${ended.error === undefined ? "" : ` ${isLaneError(ended.error) ? ended.error.code : "?"}`}`,
    );
    this.check();
    return { span, value: ended.value, error: ended.error };
  }

  /** Runs a check of the auditor; its finding ends the schedule. */
  audit(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.fail(error);
    }
    this.check();
  }

  fail(error: unknown): void {
    this.failure ??= error instanceof Error ? error : new Error(String(error));
  }

  #judge(name: string, error: unknown): Span["outcome"] {
    if (!isLaneError(error) || error.code === "internal") {
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.fail(new Violation("crash", `${name}: ${detail}`));
      return "unknown";
    }
    return error.code === "outcome-unknown" ? "unknown" : "refused";
  }
}
