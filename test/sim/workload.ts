/**
 * What callers do in a schedule: bursts of operations by several callers at once, and the gaps between
 * them, with times biased towards the fences of the protocol.
 */
import type { QueueName } from "../../src/core/types.ts";
import { LIMITS } from "../../src/core/limits.ts";
import type { SettingChange } from "./ledger.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const DEAD = "dead" as QueueName;

type Act = keyof Pick<
  Operations,
  | "send"
  | "receive"
  | "ack"
  | "release"
  | "extend"
  | "change"
  | "purge"
  | "recreate"
  | "janitor"
  | "redrive"
  | "look"
>;

/** How often each is done; a schedule draws its own leanings. */
const WEIGHTS: Readonly<Record<Act, number>> = {
  send: 30,
  receive: 30,
  ack: 20,
  release: 5,
  extend: 4,
  change: 2,
  purge: 0.7,
  recreate: 0.3,
  janitor: 1,
  redrive: 1,
  look: 2,
};

const PACES: readonly (readonly [number, number])[] = [
  [0.1, 5],
  [0.1, 50],
  [1, 3_000],
  [100, 30_000],
];

export async function runWorkload(sim: Simulation): Promise<Operations> {
  const { random } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(1, 4); at > 0; at -= 1) sim.start();
  await createQueues(sim, operations);
  sim.world.faults = sim.plan;
  const weights = leanings(random);
  const bursts = random.int(2, 7);
  for (let burst = 0; burst < bursts; burst += 1) {
    const pace = random.pick(PACES);
    const callers = random.int(1, 6);
    await Promise.all(
      Array.from({ length: callers }, () =>
        caller(sim, operations, weights, pace, random.int(2, 14)),
      ),
    );
    await sim.scheduler.sleep(gap(sim));
  }
  return operations;
}

async function createQueues(sim: Simulation, operations: Operations): Promise<void> {
  const { random } = sim;
  await operations.create(DEAD, { retentionSeconds: 20 * 86_400 }, true);
  for (let number = random.int(1, 2); number > 0; number -= 1) {
    const settings: SettingChange = {
      retentionSeconds: random.pick([60, 600, 3_600, 86_400, 864_000]),
      leaseSeconds: random.pick([1, 5, 30]),
      lanes: random.pick(["auto", 1, 1, 2, 4]),
      ...(random.chance(0.2) ? { delaySeconds: random.pick([1, 10]) } : {}),
      ...(random.chance(0.15) ? { eraseOnAck: true } : {}),
      ...(random.chance(0.4) ? { maxReceives: random.int(1, 4), deadLetter: { queue: DEAD } } : {}),
    };
    await operations.create(`queue${number}` as QueueName, settings, false);
  }
}

async function caller(
  sim: Simulation,
  operations: Operations,
  weights: ReadonlyMap<Act, number>,
  [shortest, longest]: readonly [number, number],
  count: number,
): Promise<void> {
  for (let at = 0; at < count; at += 1) {
    await operations[weighted(sim.random, weights)]();
    await sim.scheduler.sleep(sim.random.skewed(shortest, longest));
  }
}

function leanings(random: Random): ReadonlyMap<Act, number> {
  const weights = new Map<Act, number>();
  for (const act of Object.keys(WEIGHTS) as Act[]) {
    const isRare = WEIGHTS[act] < 3;
    weights.set(act, isRare && random.chance(0.5) ? 0 : WEIGHTS[act] * random.skewed(0.3, 3));
  }
  return weights;
}

function weighted(random: Random, weights: ReadonlyMap<Act, number>): Act {
  let left = random.unit() * [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  for (const [act, weight] of weights) {
    left -= weight;
    if (left < 0) return act;
  }
  return "receive";
}

/** Time until the next burst: anything, or right around something that is to happen then. */
function gap(sim: Simulation): number {
  const { random } = sim;
  if (random.chance(0.45)) {
    const fence = nextFence(sim);
    if (fence !== undefined)
      return Math.max(
        0,
        fence - sim.scheduler.now + random.pick([-1, 1]) * random.skewed(1, 40 * SECOND),
      );
  }
  return random.pick([
    () => random.between(0, SECOND),
    () => random.between(0, 10 * SECOND),
    () => 30 * SECOND + random.between(-5, 5) * SECOND,
    () => random.between(0.5, 2) * MINUTE,
    () => 10 * MINUTE + random.between(-40, 40) * SECOND,
    () => 20 * MINUTE + random.between(-40, 40) * SECOND,
    () => random.between(0.5, 3) * HOUR,
    () => random.skewed(1, 72) * HOUR,
  ])();
}

function nextFence(sim: Simulation): number | undefined {
  const { random, engine, scheduler, auditor } = sim;
  const fences: number[] = [];
  for (const { key, ttl } of engine.ttls.values()) {
    if (!key.pk.startsWith("log#")) continue;
    const at = ttl * SECOND;
    fences.push(at, at - LIMITS.sealTtlMarginMs, at - LIMITS.appendTtlMarginMs);
  }
  for (const since of engine.anchoredAt.values()) {
    fences.push(since + LIMITS.anchorTrustedMs, since + LIMITS.anchorRenewableMs);
  }
  for (const lease of auditor.leases.slice(-20)) if (!lease.over) fences.push(lease.untilLow);
  const ahead = fences.filter((at) => at > scheduler.now);
  return ahead.length === 0 ? undefined : random.pick(ahead);
}
