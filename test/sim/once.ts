/**
 * Schedules for sends that are stored exactly once (E1–E5, G3, R5): callers who repeat what they have no
 * answer for, at once and through other instances, several at the same time, and again when the window
 * of the first one ends; lanes that come and go meanwhile, and entries that go by TTL.
 */
import type { QueueName } from "../../src/core/types.ts";
import { drawFaults } from "./faults.ts";
import type { FaultPlan } from "./faults.ts";
import type { Incarnation } from "./ledger.ts";
import { OnceAuditor } from "./once-auditor.ts";
import type { Deed, KeyedDeed } from "./once-auditor.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";

const SECOND = 1_000;
const ONCE = "queue1" as QueueName;
const KEYED = "queue2" as QueueName;
/** No request under a key is repeated later. */
const WEEK_SECONDS = 604_800;

export function drawOnceFaults(random: Random): FaultPlan {
  const plan = drawFaults(random);
  const often = (most: number): number => (random.chance(0.5) ? random.between(0.02, most) : 0);
  return {
    ...plan,
    throttled: plan.throttled / 4,
    unavailable: plan.unavailable / 4,
    crash: random.pick([0, 0.02, 0.06]),
    freeze: random.pick([0, 0, 0.02]),
    replyLost: often(0.2),
    requestLost: often(0.1),
    doubled: often(0.2),
    late: often(0.2),
    ttl: random.pick(["atOnce", "atOnce", "mixed"]),
  };
}

interface Stage {
  readonly sim: Simulation;
  readonly operations: Operations;
  readonly auditor: OnceAuditor;
  readonly once: Incarnation;
  readonly keyed: Incarnation;
}

export async function runOnce(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  const operations = new Operations(sim);
  for (let at = random.int(2, 4); at > 0; at -= 1) sim.start();
  const windowSeconds = random.pick([60, 300, 300, 7_200]);
  const dedup = { scope: "queue", windowSeconds, contentBased: false } as const;
  const settings = {
    // An hour behind its expiry an entry may go: with the longest window only its ids keep it (E4).
    retentionSeconds: windowSeconds > 3_600 ? 60 : random.pick([60, 864_000, 864_000]),
    leaseSeconds: 1,
    lanes: random.pick([1, 1, 2, 3]),
    eraseOnAck: random.chance(0.2),
  };
  await operations.create(ONCE, { ...settings, dedup }, false);
  await operations.create(
    KEYED,
    {
      retentionSeconds: 864_000,
      leaseSeconds: 1,
      lanes: random.pick([1, 2, 3]),
      dedup: { ...dedup, windowSeconds: WEEK_SECONDS },
    },
    false,
  );
  const [once, keyed] = [operations.queues.get(ONCE), operations.queues.get(KEYED)];
  if (once === undefined || keyed === undefined) return operations;
  const auditor = new OnceAuditor(sim, windowSeconds * SECOND);
  operations.verdicts.push(() => auditor.verdict());
  const stage: Stage = { sim, operations, auditor, once, keyed };
  for (let round = random.int(2, 5); round > 0; round -= 1) {
    sim.world.faults = sim.plan;
    const deeds = auditor.deeds.slice(-4);
    const requests = auditor.requests.slice(-2);
    for (let more = random.int(1, 4); more > 0; more -= 1) deeds.push(auditor.deed());
    if (random.chance(0.5))
      requests.push(auditor.request(keyed, random.pick([1, 3, 20, random.int(257, 600)])));
    await Promise.all([
      ...Array.from({ length: random.int(1, 4) }, () => sender(stage, deeds)),
      ...requests.flatMap((request) =>
        Array.from({ length: random.pick([1, 1, 2]) }, () => repeater(stage, request)),
      ),
      ...Array.from({ length: random.pick([0, 1, 1]) }, () => others(stage)),
    ]);
    await scheduler.sleep(pause(stage));
  }
  return operations;
}

/** Sends ids, some of them together, and repeats what has no answer. */
async function sender({ sim, auditor, once }: Stage, deeds: readonly Deed[]): Promise<void> {
  const { random, scheduler } = sim;
  for (let left = random.int(1, 4); left > 0; left -= 1) {
    await scheduler.sleep(random.skewed(0.5, random.pick([5, 500, 20_000])));
    const some = Array.from({ length: random.pick([1, 1, 2, 5]) }, () => random.pick(deeds));
    for (let attempt = random.int(1, 3); attempt > 0; attempt -= 1) {
      const isAnswered = await auditor.send(once, some);
      if (isAnswered && random.chance(0.7)) break;
    }
  }
}

async function repeater({ sim, auditor, keyed }: Stage, request: KeyedDeed): Promise<void> {
  const { random, scheduler } = sim;
  for (let left = random.int(1, 3); left > 0; left -= 1) {
    await scheduler.sleep(random.skewed(0.5, random.pick([5, 500, 20_000])));
    await auditor.sendKeyed(keyed, request);
  }
}

/** What else goes on in the queues: other senders at the same places, receives, lanes that change. */
async function others({ sim, operations, once, keyed }: Stage): Promise<void> {
  const { random, scheduler } = sim;
  for (let left = random.int(1, 6); left > 0; left -= 1) {
    await scheduler.sleep(random.skewed(0.5, 3_000));
    const queue = random.pick([once, keyed]);
    await random.pick([
      () => operations.send(queue, random.pick([1, 3])),
      () => operations.send(queue, random.pick([1, 3])),
      async () => {
        const given = await operations.receiveFrom(queue, { max: random.pick([1, 10, 100]) });
        if (given !== undefined && given.length > 0) await operations.ackAll(given);
      },
      () => operations.changeTo(queue, { lanes: random.pick([1, 2, 3]) }),
      () => operations.janitor(),
    ])();
  }
}

/** Until the next round: soon, or right when the window of something sent ends. */
function pause({ sim, auditor }: Stage): number {
  const { random, scheduler } = sim;
  const ends = auditor.windowEnds().filter((at) => at > scheduler.now);
  if (ends.length === 0 || random.chance(0.4))
    return random.pick([0.1, 5, 40, 400, 4_000]) * SECOND * random.between(0.5, 1.5);
  const off = random.pick([0, 0, 30, 60, 90]) * SECOND;
  const jitter = random.pick([-1, 1]) * random.skewed(1, 20 * SECOND);
  return Math.max(0, random.pick(ends) + off + jitter - scheduler.now);
}
