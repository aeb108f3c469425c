/**
 * Schedules for publishes that are repeated until they are confirmed, and for dead letters through an
 * exchange (H1, I3, C6): bindings come and go meanwhile, and those who append to one of several queues
 * die or are held up between them.
 *
 * It keeps its own account, for a message here stands in several queues: of each queue what the last
 * answer named, once, and of a balanced pair at most one.
 */
import { exchangeName, queueName } from "../../src/core/types.ts";
import type { BindingTarget } from "../../src/core/exchange.ts";
import type { ExchangeName, QueueName } from "../../src/core/types.ts";
import type { OutgoingMessage } from "../../src/core/message.ts";
import type { PublishResult, SendResult, Service } from "../../src/service/api.ts";
import { queueKey } from "../../src/store/keys.ts";
import type { FaultPlan } from "./faults.ts";
import { APPLIED_LATE_MS } from "./faulty-store.ts";
import type { Ambush } from "./instance.ts";
import { drawLetterFaults } from "./letters.ts";
import { Operations } from "./operations.ts";
import type { Random } from "./random.ts";
import type { Simulation } from "./simulation.ts";
import { Violation } from "./violation.ts";

const SECOND = 1_000;
const DAY_SECONDS = 86_400;
const ATTEMPTS = 60;
/** The time for which an interrupted dead-lettering is left alone, and then some. */
const LEAVING_MS = 70 * SECOND;

const [COPY_1, COPY_2, LEFT, RIGHT, WORK, GRAVE_1, GRAVE_2] = [
  "copy1",
  "copy2",
  "left",
  "right",
  "work",
  "grave1",
  "grave2",
].map((name) => queueName(name)) as [
  QueueName,
  QueueName,
  QueueName,
  QueueName,
  QueueName,
  QueueName,
  QueueName,
];
const [ALL, ONE, DEAD] = ["all", "one", "dead"].map((name) => exchangeName(name)) as [
  ExchangeName,
  ExchangeName,
  ExchangeName,
];

export const drawRoutedFaults = (random: Random): FaultPlan => drawLetterFaults(random);

interface Published {
  readonly body: string;
  /** As the last answer said. */
  queues: readonly string[];
  /** An answer has said that every queue has it. */
  isConfirmed: boolean;
}

interface Buried {
  readonly body: string;
  /** Its send was confirmed. */
  readonly isSure: boolean;
}

export async function runRouted(sim: Simulation): Promise<Operations> {
  const { random, scheduler } = sim;
  for (let at = random.int(2, 3); at > 0; at -= 1) sim.start();
  await prepare(sim);
  const published: Published[] = [];
  const buried: Buried[] = [];
  const ambushes = await ambushesOf(sim);
  for (let round = random.int(2, 4); round > 0; round -= 1) {
    sim.world.faults = sim.plan;
    sim.world.ambush = random.pick(ambushes);
    await Promise.all([
      ...Array.from({ length: random.int(1, 3) }, () => publisher(sim, published)),
      worker(sim, buried),
      binder(sim),
    ]);
    sim.world.ambush = undefined;
    await scheduler.sleep(random.pick([2, 10, 65, 130]) * SECOND);
  }
  sim.calm();
  await scheduler.sleep(APPLIED_LATE_MS + 10 * SECOND);
  await bury(sim);
  await judge(sim, published, buried);
  return new Operations(sim);
}

/** Again until it is confirmed. */
async function surely<T>(
  sim: Simulation,
  what: string,
  run: (service: Service) => Promise<T>,
): Promise<T> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const { value, span } = await sim.call(what, run);
    if (span.outcome === "done") return value as T;
    await sim.scheduler.sleep(sim.random.between(100, 5_000));
  }
  throw new Violation("drains", `${what} fails without faults`);
}

async function prepare(sim: Simulation): Promise<void> {
  const lasting = {
    retentionSeconds: 20 * DAY_SECONDS,
    dedup: { scope: "queue", windowSeconds: 7 * DAY_SECONDS, contentBased: false },
    lanes: sim.random.pick([1, 1, 2]),
  } as const;
  const exchange = (name: ExchangeName, type: "fanout" | "balance") =>
    surely(sim, `exchange ${name}`, (service) =>
      service.putExchange(name, {
        type,
        ...(type === "balance" ? { by: sim.random.pick(["random", "roundRobin"] as const) } : {}),
        alternate: null,
        mandatory: true,
      }),
    );
  for (const name of [COPY_1, COPY_2, LEFT, RIGHT, GRAVE_1, GRAVE_2])
    await surely(sim, `put ${name}`, (service) => service.putQueue(name, lasting));
  await exchange(ALL, "fanout");
  await exchange(ONE, "balance");
  await exchange(DEAD, "fanout");
  await surely(sim, "put work", (service) =>
    service.putQueue(WORK, {
      ...lasting,
      leaseSeconds: 1,
      maxReceives: 1,
      deadLetter: { exchange: DEAD },
    }),
  );
  const bindings: readonly (readonly [ExchangeName, BindingTarget])[] = [
    [ALL, { queue: COPY_1 }],
    [ALL, { queue: COPY_2 }],
    [ALL, { exchange: ONE }],
    [ONE, { queue: LEFT }],
    [ONE, { queue: RIGHT }],
    [DEAD, { queue: GRAVE_1 }],
    [DEAD, { queue: GRAVE_2 }],
  ];
  for (const [from, to] of bindings)
    await surely(sim, `bind ${from}`, (service) =>
      service.putBinding(from, to.queue ?? to.exchange ?? "", to),
    );
}

/** Where a publish or a burial is at its weakest: between one queue and the next. */
async function ambushesOf(sim: Simulation): Promise<readonly (Ambush | undefined)[]> {
  const idOf = async (name: QueueName): Promise<string> => {
    const item = await sim.engine.store.get("catalog", queueKey(name), { consistent: true });
    return item?.["queueId"] as string;
  };
  const [copy, left, grave] = [await idOf(COPY_2), await idOf(LEFT), await idOf(GRAVE_2)];
  return [
    undefined,
    { pk: `log#${copy}#`, on: "writes", chance: 0.6, does: "crash" },
    { pk: `log#${left}#`, on: "writes", chance: 0.6, does: "late" },
    { pk: `log#${left}#`, on: "writes", chance: 0.6, does: "lost" },
    { pk: `log#${grave}#`, on: "writes", chance: 0.6, does: "crash" },
    { pk: "choice#", on: "all", chance: 0.4, does: "crash" },
    { pk: "dedup#", on: "all", chance: 0.3, does: "freeze" },
    { pk: "cursor#", on: "writes", chance: 0.2, does: "lost" },
  ];
}

async function publisher(sim: Simulation, published: Published[]): Promise<void> {
  const { random, scheduler } = sim;
  for (let left = random.int(1, 3); left > 0; left -= 1) {
    const batch = Array.from({ length: random.int(1, 3) }, (): Published => {
      const one = { body: `p${published.length}`, queues: [], isConfirmed: false };
      published.push(one);
      return one;
    });
    const messages = batch.map(({ body }) => ({ ...textOf(body), dedupId: body }));
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const { value } = await sim.call(`publish ${messages.length}`, (service) =>
        service.publish(ALL, messages),
      );
      batch.forEach((one, index) => {
        const result = value?.[index];
        one.queues = queuesOf(result) ?? one.queues;
        one.isConfirmed ||= result !== undefined && !("error" in result);
      });
      if (value?.every((result) => !("error" in result)) === true) break;
      await scheduler.sleep(random.skewed(10, 20_000));
    }
    // Some are repeated though they have been confirmed: their sender was not told.
    if (random.chance(0.5))
      await sim.call("publish again", (service) => service.publish(ALL, messages));
    await scheduler.sleep(random.skewed(10, 5_000));
  }
}

const queuesOf = (result: PublishResult | undefined): readonly string[] | undefined =>
  result === undefined || "unroutable" in result ? undefined : result.queues;

/** Sends what is to die, and takes it once. */
async function worker(sim: Simulation, buried: Buried[]): Promise<void> {
  const { random, scheduler } = sim;
  for (let left = random.int(1, 3); left > 0; left -= 1) {
    const bodies = Array.from(
      { length: random.int(1, 3) },
      (_, index) => `w${buried.length + index}`,
    );
    const messages = bodies.map((body) => ({ ...textOf(body), dedupId: body }));
    const { value } = await sim.call("send", (service) => service.send(WORK, messages));
    const isSure = (result: SendResult | undefined): boolean =>
      result !== undefined && !("error" in result);
    buried.push(...bodies.map((body, index) => ({ body, isSure: isSure(value?.[index]) })));
    await sim.call("receive", (service) => service.receive(WORK, { max: 10, group: "default" }));
    await scheduler.sleep(random.pick([500, 1_500, 4_000]));
    if (random.chance(0.5)) await sim.call("janitor", runJanitor(sim));
  }
}

/** Takes bindings of the balanced pair away and brings them back. */
async function binder(sim: Simulation): Promise<void> {
  const { random, scheduler } = sim;
  for (let left = random.int(0, 3); left > 0; left -= 1) {
    await scheduler.sleep(random.skewed(100, 30_000));
    const queue = random.pick([LEFT, RIGHT]);
    if (random.chance(0.6))
      await sim.call(`unbind ${queue}`, (service) => service.deleteBinding(ONE, queue));
    else await sim.call(`bind ${queue}`, (service) => service.putBinding(ONE, queue, { queue }));
  }
}

/** Everything in `work` dies. */
async function bury(sim: Simulation): Promise<void> {
  for (let quiet = 0; quiet < 2;) {
    const given = await surely(sim, "receive", (service) =>
      service.receive(WORK, { max: 1_000, group: "default" }),
    );
    await sim.scheduler.sleep(LEAVING_MS + 4 * sim.plan.skewMs);
    await surely(sim, "janitor", runJanitor(sim));
    quiet = given.length === 0 ? quiet + 1 : 0;
  }
}

const runJanitor = (sim: Simulation) => (service: Service) =>
  service.runJanitor((sim.scheduler.now + 300 * SECOND) as Parameters<Service["runJanitor"]>[0]);

async function judge(
  sim: Simulation,
  published: readonly Published[],
  buried: readonly Buried[],
): Promise<void> {
  const found = new Map<QueueName, ReadonlyMap<string, number>>();
  for (const name of [COPY_1, COPY_2, LEFT, RIGHT, GRAVE_1, GRAVE_2])
    found.set(name, await bodiesIn(sim, name));
  const times = (name: QueueName, body: string): number => found.get(name)?.get(body) ?? 0;
  for (const [name, bodies] of found)
    for (const [body, count] of bodies)
      if (count > 1) throw new Violation("twice", `${body} stands in ${name} ${count} times`);
  for (const { body, queues, isConfirmed } of published) {
    const wanted = isConfirmed ? [...queues, COPY_1, COPY_2] : queues;
    const missing = wanted.find((name) => times(queueName(name), body) === 0);
    if (missing !== undefined)
      throw new Violation("lost", `${body} was said to be in ${missing}, and is not`);
    if (times(LEFT, body) + times(RIGHT, body) > 1)
      throw new Violation("twice", `${body} stands in both queues of the balanced pair`);
  }
  for (const { body, isSure } of buried) {
    for (const grave of [GRAVE_1, GRAVE_2])
      if (isSure && times(grave, body) === 0)
        throw new Violation("lost", `${body} died and is not in ${grave}`);
    const [first, second] = [times(GRAVE_1, body), times(GRAVE_2, body)];
    if (first !== second)
      throw new Violation("deadLetter", `${body} is ${first} and ${second} times in the graves`);
  }
}

async function bodiesIn(sim: Simulation, name: QueueName): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  type From = NonNullable<Parameters<Service["browse"]>[1]["from"]>;
  for (let from: From | undefined, more = true; more;) {
    const start = from;
    const { messages, next } = await surely(sim, `browse ${name}`, (service) =>
      service.browse(name, { limit: 1_000, ...(start === undefined ? {} : { from: start }) }),
    );
    for (const { body } of messages) {
      const text = Buffer.from(body).toString();
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    from = next;
    more = next !== undefined;
  }
  return counts;
}

const textOf = (body: string): OutgoingMessage => ({
  kind: "text",
  body: Buffer.from(body),
  contentType: "text/plain; charset=utf-8",
  headers: {},
});
