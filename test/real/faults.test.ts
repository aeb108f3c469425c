/**
 * Several services on a real engine whose answers get lost, late, cut and refused, judged by the
 * simulation's auditor. Hunts what only the real thing has: what the SDK says of a failure, what an
 * engine does with a request that nobody waits for any more.
 *
 * The faults come from a seed; the order of things does not, for it is the machine's.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { QueueName } from "../../src/core/types.ts";
import { startEngine } from "../../src/local/engine.ts";
import type { MessageView } from "../../src/service/api.ts";
import { findDynamoDbLocal, serveDynamoDbLocal } from "../engines/dynamodb-local.ts";
import { startEngineFront } from "../engines/engine-front.ts";
import { startFaultProxy } from "../engines/fault-proxy.ts";
import type { FaultProxy, Target } from "../engines/fault-proxy.ts";
import { drain } from "../sim/drain.ts";
import type { Sent } from "../sim/ledger.ts";
import { Operations } from "../sim/operations.ts";
import { difference, numberOf } from "../sim/payload.ts";
import { Violation } from "../sim/violation.ts";
import { RealDeployment } from "./deployment.ts";
import { checkPlaces } from "./places.ts";

const CALLERS = 8;
const ACTS_PER_CALLER = 60;
/** One by default; more for a longer hunt. */
const SEEDS = Array.from(
  { length: Number(process.env["LANEMQ_REAL_SEEDS"] ?? 1) },
  (_, i) => i + 1,
);

const DEAD = "dead" as QueueName;
const RETRIED = "retried" as QueueName;
const PLAIN = "plain" as QueueName;

/** As often as it is named here. */
const ACTS = [
  ...repeat(12, "send" as const),
  ...repeat(12, "receive" as const),
  ...repeat(9, "ack" as const),
  ...repeat(3, "release" as const),
  ...repeat(2, "extend" as const),
  ...repeat(1, "look" as const),
  ...repeat(1, "redrive" as const),
  ...repeat(1, "janitor" as const),
];

const local = await findDynamoDbLocal();
const engines: readonly {
  readonly name: string;
  readonly returnsFoundItem: boolean;
  readonly start?: () => Promise<{ target: Target; close(): Promise<void> }>;
}[] = [
  {
    name: "dynalite",
    returnsFoundItem: false,
    async start() {
      const engine = await startEngine();
      const front = await startEngineFront(engine);
      return {
        target: front,
        async close() {
          await front.close();
          await engine.close();
        },
      };
    },
  },
  {
    name: "home" in local ? "DynamoDB Local" : `DynamoDB Local (skipped: ${local.missing})`,
    returnsFoundItem: true,
    ...("home" in local && {
      async start() {
        const server = await serveDynamoDbLocal(local.home);
        return { target: server, close: () => server.close() };
      },
    }),
  },
];

describe.each(engines)("$name", ({ start, returnsFoundItem }) => {
  let proxy: FaultProxy;
  let close = async (): Promise<void> => {};
  beforeAll(async () => {
    if (start === undefined) return;
    const engine = await start();
    proxy = await startFaultProxy(engine.target);
    close = async () => {
      await proxy.close();
      await engine.close();
    };
  });
  afterAll(() => close());

  test.skipIf(start === undefined).each(SEEDS)(
    "loses nothing that it confirmed, gives nothing back that was acked, and drains; seed %i",
    { timeout: 180_000 },
    async (seed) => {
      const deployment = new RealDeployment({ seed, proxy, returnsFoundItem });
      try {
        const operations = await storm(deployment, seed);
        await drain(deployment, operations);
        await settled(deployment, operations);
      } finally {
        deployment.close();
      }
    },
  );
});

async function storm(deployment: RealDeployment, seed: number): Promise<Operations> {
  const { random, scheduler } = deployment;
  const operations = new Operations(deployment);
  await deployment.open();
  // Each seed has queues of its own on the engine.
  const name = (queue: QueueName) => `${queue}-${seed}` as QueueName;
  await operations.create(name(DEAD), {}, true);
  await operations.create(
    name(RETRIED),
    { leaseSeconds: 1, maxReceives: 2, deadLetter: { queue: name(DEAD) } },
    false,
  );
  await operations.create(name(PLAIN), { leaseSeconds: 2, lanes: 2 }, false);
  deployment.storm();
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      for (let act = 0; act < ACTS_PER_CALLER; act += 1) {
        await operations[random.pick(ACTS)]();
        await scheduler.sleep(random.skewed(1, 1_000));
      }
    }),
  );
  return operations;
}

/** The storm has been one, and after it every log holds each message once. */
async function settled(deployment: RealDeployment, operations: Operations): Promise<void> {
  const { auditor, faults } = deployment;
  for (const [kind, count] of Object.entries(faults.counts))
    expect(count, `faults: ${kind}`).toBeGreaterThan(0);
  expect(deployment.deaths).toBeGreaterThan(0);
  const confirmed = auditor.messages.filter(({ span }) => span.outcome === "done");
  expect(confirmed.length).toBeGreaterThan(auditor.messages.length / 4);
  expect(auditor.messages.some(({ moves }) => moves.size > 0)).toBe(true);
  const queues = operations.queues.values();
  const identify = (view: MessageView): Sent => {
    const message = auditor.messages[(numberOf(view.body) ?? 0) - 1];
    const differs = message && difference(message.outgoing, view);
    if (message === undefined || differs !== undefined)
      throw new Violation("phantom", `${view.id} has ${differs ?? "what nobody sent"}`);
    return message;
  };
  const { value: homes } = await deployment.call("browse", (service) =>
    checkPlaces(service, queues, identify),
  );
  expect(confirmed.filter((message) => homes?.has(message) !== true)).toEqual([]);
}

function repeat<T>(times: number, value: T): T[] {
  return Array.from({ length: times }, () => value);
}
