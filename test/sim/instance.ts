/**
 * One running instance of the service: its clock, its sleep, its life.
 *
 * I1  Everything that reaches an instance's code from outside comes through `enter`: a dead instance's
 *     promises never settle, a frozen one's wait until it thaws.
 * I2  A clock is off by no more than the plan's skew, however often it is set.
 */
import type { EpochMs } from "../../src/core/types.ts";
import { epochMs } from "../../src/core/types.ts";
import type { Signal } from "../../src/core/signal.ts";
import type { FaultCounts, FaultPlan } from "./faults.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

export interface World {
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** Replaced by a calm one when the faults end. */
  faults: FaultPlan;
  /** Trouble that waits for requests of one sort; ends with the faults. */
  ambush: Ambush | undefined;
  /** When a request last met one. */
  readonly met: Map<Ambush["does"], number>;
  readonly counts: FaultCounts;
  readonly trace: ((line: string) => void) | undefined;
}

export interface Ambush {
  /** What the keys of the requests begin with. */
  readonly pk: string;
  /** Their sort key, where only one item is meant. */
  readonly sk?: string;
  readonly on: "writes" | "all";
  readonly chance: number;
  /**
   * The instance dies or is suspended as the request arrives; or (writes) the request never arrives, only
   * past its time-out, or seconds late, and is answered all the same; or it arrives, and seconds later again;
   * or nobody hears of it; or it is refused. Or a query reads its high keys later than its low ones.
   */
  readonly does:
    "crash" | "freeze" | "lost" | "late" | "slow" | "doubled" | "unheard" | "throttled" | "torn";
  /** About how long it is suspended, else for one or two minutes; how late it is past its time-out; how far apart it reads. */
  readonly forMs?: number;
  /** Over when one request has met it. */
  readonly once?: boolean;
}

const AMBUSH_FREEZES_MS = [70_000, 100_000] as const;

/** Below this a stop is a pause, above it caches are stale: the protocol's fences lie in between. */
const FREEZES_MS = [
  5_000, 5_000, 31_000, 31_000, 61_000, 61_000, 125_000, 605_000, 660_000, 4_500_000,
] as const;

export class Instance {
  readonly name: string;
  readonly #world: World;
  #state: "up" | "frozen" | "dead" = "up";
  #freezes = 0;
  #skewMs: number;
  readonly #whenDead = new Set<() => void>();
  readonly #whenThawed: (() => void)[] = [];

  constructor(name: string, world: World) {
    this.name = name;
    this.#world = world;
    this.#skewMs = this.#drawSkew();
  }

  get isDead(): boolean {
    return this.#state === "dead";
  }

  now(): EpochMs {
    return epochMs(Math.floor(this.#world.scheduler.now + this.#skewMs));
  }

  sleep(delayMs: number, signal?: Signal): Promise<void> {
    return new Promise((resolve) => {
      this.at(this.#world.scheduler.now + Math.max(0, delayMs), resolve);
      signal?.addEventListener("abort", resolve);
      if (signal?.aborted === true) resolve();
    });
  }

  at(time: number, run: () => void): void {
    this.#world.scheduler.at(time, () => this.enter(run));
  }

  enter(run: () => void): void {
    if (this.#state === "frozen") {
      this.#whenThawed.push(run);
    } else if (this.#state === "up") {
      run();
    }
  }

  /** What it gives back takes that back. */
  onDeath(run: () => void): () => void {
    this.#whenDead.add(run);
    return () => this.#whenDead.delete(run);
  }

  crash(): void {
    if (this.#state === "dead") return;
    this.#state = "dead";
    this.#world.trace?.(`${this.name} crashes`);
    const running = [...this.#whenDead];
    this.#whenDead.clear();
    for (const run of running) run();
  }

  ambushed({ forMs }: Ambush): void {
    this.freeze(forMs === undefined ? AMBUSH_FREEZES_MS : [forMs]);
  }

  freeze(lengths: readonly number[] = FREEZES_MS): void {
    if (this.#state !== "up") return;
    const { scheduler, random, trace } = this.#world;
    const forMs = random.pick(lengths) * random.between(0.8, 1.2);
    this.#state = "frozen";
    const freeze = ++this.#freezes;
    trace?.(`${this.name} freezes for ${Math.round(forMs)} ms`);
    scheduler.at(scheduler.now + forMs, () => {
      if (freeze === this.#freezes) this.thaw();
    });
  }

  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#state = "up";
    this.#world.trace?.(`${this.name} thaws`);
    const { scheduler, random } = this.#world;
    for (const run of this.#whenThawed.splice(0))
      scheduler.after(random.between(0, 3), () => this.enter(run));
  }

  stepClock(): void {
    this.#skewMs = this.#drawSkew();
    this.#world.trace?.(`${this.name} clock is off by ${Math.round(this.#skewMs)} ms`);
  }

  #drawSkew(): number {
    const { random, faults } = this.#world;
    return random.between(-faults.skewMs, faults.skewMs);
  }
}
