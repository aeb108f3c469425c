/**
 * A real deployment: several services, each with its own caches, its own client and its own clock, over
 * one engine behind a proxy that fails.
 *
 * I1  What a dead instance had under way may still reach the engine, but nothing of it comes back.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { isLaneError } from "../../src/core/errors.ts";
import { epochMs } from "../../src/core/types.ts";
import type { Service } from "../../src/service/api.ts";
import { createService } from "../../src/service/service.ts";
import type { Deps } from "../../src/service/deps.ts";
import { sleep } from "../../src/store/sleep.ts";
import { createDynamoDbClient } from "../../src/store/dynamodb-client.ts";
import { createDynamoDbStore } from "../../src/store/dynamodb.ts";
import type { Store } from "../../src/store/port.ts";
import { ensureTables } from "../../src/store/tables.ts";
import { TABLES } from "../engines/engine.ts";
import type { FaultProxy } from "../engines/fault-proxy.ts";
import { Auditor } from "../sim/auditor.ts";
import type { Deployment } from "../sim/deployment.ts";
import { begun } from "../sim/ledger.ts";
import type { Span } from "../sim/ledger.ts";
import { Random } from "../sim/random.ts";
import { Violation } from "../sim/violation.ts";
import { FastClock } from "./clock.ts";
import { Faults } from "./faults.ts";

const SPEED = 10;
const SKEW_MS = 300;
const SKEW_MARGIN_MS = 1_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** A busy machine is no fault of the engine's. */
const PATIENT_MS = 30_000;
/** Instances act on settings that are this old, and then some. */
const CACHED_MS = 35_000;
const INSTANCES = 3;
/** Of a call: that its instance is gone, or all connections are cut. */
const DEATH = 0.03;
const CUT = 0.005;

interface Instance {
  readonly service: Service;
  readonly died: Promise<void>;
  die(): void;
}

export interface Options {
  readonly seed: number;
  readonly proxy: FaultProxy;
  /** Whether refusals of the engine carry the item. */
  readonly returnsFoundItem: boolean;
}

export class RealDeployment implements Deployment {
  readonly random: Random;
  readonly faults: Faults;
  readonly auditor: Auditor;
  readonly plan = { skewMs: SKEW_MS };
  readonly scheduler: Deployment["scheduler"];
  deaths = 0;
  readonly #clock: FastClock;
  readonly #options: Options;
  #instances: Instance[] = [];
  #isCalm = false;
  #failure: Error | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.random = new Random(options.seed);
    this.faults = new Faults(this.random.fork());
    this.#clock = new FastClock(1_800_000_000_000, SPEED);
    const clock = this.#clock;
    this.scheduler = {
      get now() {
        return clock.now;
      },
      sleep: (ms) => this.#sleep(ms),
    };
    this.auditor = new Auditor({
      skewMs: SKEW_MS,
      skewMarginMs: SKEW_MARGIN_MS,
      cachedMs: CACHED_MS,
      isReliable: () => false,
    });
  }

  async open(): Promise<void> {
    const client = this.#client(PATIENT_MS);
    await ensureTables(client, TABLES, wait);
    client.destroy();
    this.#instances = Array.from({ length: INSTANCES }, () => this.#start());
  }

  storm(): void {
    this.#options.proxy.fault = () => this.faults.next();
  }

  /** With new instances, for those of the storm give a request half a second by the machine's clock. */
  calm(): void {
    this.#options.proxy.fault = () => undefined;
    this.#clock.slowDown();
    this.#isCalm = true;
    for (const instance of this.#instances) instance.die();
    this.#instances = Array.from({ length: INSTANCES }, () => this.#start());
  }

  close(): void {
    for (const instance of this.#instances) instance.die();
  }

  async call<T>(
    _what: string,
    run: (service: Service) => Promise<T>,
    span: Span = begun(this.scheduler.now),
  ): Promise<{ span: Span; value: T | undefined; error: unknown }> {
    const instance = this.#any();
    let ended: { outcome: Span["outcome"]; value?: T; error?: unknown } = { outcome: "unknown" };
    await Promise.race([
      instance.died,
      run(instance.service).then(
        (value) => (ended = { outcome: "done", value }),
        (error: unknown) => (ended = { outcome: this.#judge(error), error }),
      ),
    ]);
    span.to = this.scheduler.now;
    span.settledAt = span.to;
    span.outcome = ended.outcome;
    this.check();
    return { span, value: ended.value, error: ended.error };
  }

  audit(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.fail(error);
    }
    this.check();
  }

  fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
  }

  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  readonly trace = undefined;

  #judge(error: unknown): Span["outcome"] {
    if (error instanceof Violation) {
      this.fail(error);
      return "unknown";
    }
    if (!isLaneError(error) || error.code === "internal") {
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.fail(new Violation("crash", detail));
      return "unknown";
    }
    return error.code === "outcome-unknown" ? "unknown" : "refused";
  }

  async #sleep(ms: number): Promise<void> {
    if (!this.#isCalm) return wait(this.#clock.machineMs(ms));
    await this.#options.proxy.idle();
    this.#clock.jump(ms);
  }

  #any(): Instance {
    const at = this.random.int(0, INSTANCES - 1);
    const found = this.#instances[at] ?? this.#start();
    if (this.#isCalm) return found;
    if (this.random.chance(CUT)) this.#options.proxy.cut();
    if (this.random.chance(DEATH)) {
      this.deaths += 1;
      found.die();
      this.#instances[at] = this.#start();
    }
    return this.#instances[at] ?? found;
  }

  #start(): Instance {
    const clock = this.#clock;
    const skewMs = this.random.between(-SKEW_MS, SKEW_MS);
    const random = this.random.fork();
    const client = this.#client();
    let isDead = false;
    let end = (): void => {};
    const died = new Promise<void>((resolve) => (end = resolve));
    const realSleep: Deps["sleep"] = (ms, signal) => sleep(clock.machineMs(ms), signal);
    const store = createDynamoDbStore({
      client,
      tables: TABLES,
      sleep: realSleep,
      random: () => random.unit(),
      returnsFoundItem: this.#options.returnsFoundItem,
    });
    const service = createService({
      store: mortal(store, () => isDead),
      clock: { now: () => epochMs(Math.floor(clock.now + skewMs)) },
      sleep: realSleep,
      random: () => random.unit(),
      randomBytes,
      skewMarginMs: SKEW_MARGIN_MS,
      relaxed: false,
    });
    return {
      service,
      died,
      die() {
        isDead = true;
        end();
        client.destroy();
      },
    };
  }

  #client(
    requestTimeoutMs = this.#isCalm ? PATIENT_MS : this.#clock.machineMs(REQUEST_TIMEOUT_MS),
  ) {
    return createDynamoDbClient({
      endpoint: this.#options.proxy.url,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
      requestTimeoutMs,
    });
  }
}

/** I1 */
function mortal(store: Store, isDead: () => boolean): Store {
  const never = new Promise<never>(() => {});
  const held = async <T>(run: () => Promise<T>): Promise<T> => {
    if (isDead()) return never;
    try {
      const value = await run();
      return isDead() ? await never : value;
    } catch (error) {
      if (isDead()) return never;
      throw error;
    }
  };
  return {
    get: (...args) => held(() => store.get(...args)),
    query: (...args) => held(() => store.query(...args)),
    put: (...args) => held(() => store.put(...args)),
    update: (...args) => held(() => store.update(...args)),
    delete: (...args) => held(() => store.delete(...args)),
  };
}
