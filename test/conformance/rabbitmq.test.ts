/**
 * RabbitMQ itself is the oracle: the same exchanges, bindings and messages, and each queue must end with
 * the same messages. `bin/install-rabbitmq.sh` installs it; without it this is skipped, and says so.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ExchangeSettings } from "../../src/core/exchange.ts";
import { exchangeName, queueName } from "../../src/core/types.ts";
import { findRabbitMq, startRabbitMq } from "../engines/rabbitmq.ts";
import type { RabbitMq } from "../engines/rabbitmq.ts";
import { ALL, createWorld, text } from "../service/fixture.ts";
import type { World } from "../service/fixture.ts";
import { endOnLaneMq } from "./on-lanemq.ts";
import { endOnRabbitMq, refuseUntilGone } from "./on-rabbitmq.ts";
import { topologyOf } from "./topology.ts";

const SEEDS = Array.from({ length: 60 }, (_, index) => index + 1);
const found = findRabbitMq();
const name = found === undefined ? "RabbitMQ (not installed: skipped)" : "RabbitMQ";

describe.skipIf(found === undefined)(name, () => {
  let rabbit: RabbitMq;
  beforeAll(async () => {
    if (found !== undefined) rabbit = await startRabbitMq(found);
  });
  afterAll(() => rabbit?.stop());

  test("routes as LaneMQ does: random exchanges, bindings and messages", async () => {
    let routed = 0;
    let returned = 0;
    for (const seed of SEEDS) {
      const plan = topologyOf(seed);
      const there = await endOnRabbitMq(rabbit.connection, plan);
      expect({ seed, ...(await endOnLaneMq(createWorld(), plan)) }).toEqual({ seed, ...there });
      routed += Object.values(there.queues).reduce((sum, { length }) => sum + length, 0);
      returned += there.returned.length;
    }
    // The plans are worth something only if much is routed, and much is not.
    expect(routed).toBeGreaterThan(SEEDS.length * 60);
    expect(returned).toBeGreaterThan(SEEDS.length * 5);
  });

  test("writes x-death as LaneMQ does: twice through one queue, and then through another", async () => {
    expect(await deathsOnLaneMq(createWorld())).toEqual(await deathsOnRabbitMq(rabbit));
  });

  test("writes x-death as LaneMQ does of what expires unread", async () => {
    expect(await expiryOnLaneMq(createWorld())).toEqual(await expiryOnRabbitMq(rabbit));
  });
});

interface Ended {
  readonly deaths: unknown;
  readonly first: readonly unknown[];
  readonly routingKey: unknown;
  readonly exchange: unknown;
}

/** A message that nobody reads expires, and goes through an exchange. */
async function expiryOnRabbitMq({ connection }: RabbitMq): Promise<Ended> {
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange("expired", "fanout");
  await channel.assertQueue("expired-end");
  await channel.bindQueue("expired-end", "expired", "");
  await channel.assertQueue("short", { deadLetterExchange: "expired", messageTtl: 50 });
  channel.sendToQueue("short", Buffer.from("m"));
  await channel.waitForConfirms();
  for (let look = 0; look < 100; look++) {
    const message = await channel.get("expired-end", { noAck: true });
    if (message === false) {
      await untilLater();
      continue;
    }
    await channel.close();
    const headers: Record<string, unknown> = message.properties.headers ?? {};
    return ended(headers["x-death"] as Record<string, unknown>[], headers, message.fields);
  }
  throw new Error("RabbitMQ lost the message.");
}

async function expiryOnLaneMq(world: World): Promise<Ended> {
  const service = world.instance();
  const [expired, end, short] = [exchangeName("expired"), queueName("end"), queueName("short")];
  await service.putExchange(expired, { type: "fanout", alternate: null, mandatory: false });
  await service.putQueue(end, {});
  await service.putBinding(expired, "end", { queue: end });
  await service.putQueue(short, {
    retentionSeconds: 60,
    onExpired: "deadLetter",
    deadLetter: { exchange: expired },
  });
  await service.send(short, [text("m")]);
  await world.advance(61_000);
  expect(await service.receive(short, ALL)).toEqual([]);
  const [message] = await service.receive(end, ALL);
  if (message === undefined) throw new Error("LaneMQ lost the message.");
  const deaths = JSON.parse(message.headers["x-death"] ?? "[]") as Record<string, unknown>[];
  return ended(deaths, message.headers, message);
}

const untilLater = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

const KEY = "work.a";
const DEATHS = ["count", "reason", "queue", "exchange", "routing-keys"] as const;
const FIRST = ["queue", "reason", "exchange"].map((field) => `x-first-death-${field}`);

function ended(
  deaths: readonly Readonly<Record<string, unknown>>[],
  headers: Readonly<Record<string, unknown>>,
  { exchange, routingKey }: { exchange?: unknown; routingKey?: unknown },
): Ended {
  return {
    // When it died is each one's own time.
    deaths: deaths.map((death) => DEATHS.map((field) => [field, death[field]])),
    first: FIRST.map((field) => headers[field]),
    exchange,
    routingKey,
  };
}

/** inbox → work, where it dies → dead → parked; the same again; and on from there: parked-dead → end. */
async function deathsOnRabbitMq({ connection }: RabbitMq): Promise<Ended[]> {
  const channel = await connection.createConfirmChannel();
  const quorum = (exchange: string, key?: string) => ({
    durable: true,
    arguments: {
      "x-queue-type": "quorum",
      "x-delivery-limit": 1,
      "x-dead-letter-exchange": exchange,
      ...(key === undefined ? {} : { "x-dead-letter-routing-key": key }),
    },
  });
  for (const exchange of ["inbox", "dead", "parked-dead"])
    await channel.assertExchange(exchange, exchange === "dead" ? "direct" : "topic");
  await channel.assertQueue("work", quorum("dead", "parking"));
  await channel.assertQueue("parked", quorum("parked-dead"));
  await channel.assertQueue("end");
  await channel.bindQueue("work", "inbox", "work.#");
  await channel.bindQueue("parked", "dead", "parking");
  await channel.bindQueue("end", "parked-dead", "#");
  const results: Ended[] = [];
  let headers: Record<string, unknown> = { h: "1" };
  for (let round = 0; round < 2; round++) {
    channel.publish("inbox", KEY, Buffer.from("m"), { headers });
    await channel.waitForConfirms();
    await refuseUntilGone(connection, "work");
    if (round === 1) await refuseUntilGone(connection, "parked");
    const message = await channel.get(round === 0 ? "parked" : "end", { noAck: true });
    if (message === false) throw new Error("RabbitMQ lost the message.");
    headers = message.properties.headers ?? {};
    const deaths = headers["x-death"] as Record<string, unknown>[];
    results.push(ended(deaths, headers, message.fields));
  }
  await channel.close();
  return results;
}

async function deathsOnLaneMq(world: World): Promise<Ended[]> {
  const service = world.instance();
  const exchange = async (given: string, type: ExchangeSettings["type"]) => {
    const settings = { type, alternate: null, mandatory: true };
    await service.putExchange(exchangeName(given), settings);
  };
  await exchange("inbox", "topic");
  await exchange("dead", "direct");
  await exchange("parked-dead", "topic");
  const dying = { maxReceives: 1, leaseSeconds: 1 };
  const [work, parked, end] = ["work", "parked", "end"].map((one) => queueName(one));
  if (work === undefined || parked === undefined || end === undefined) throw new Error();
  await service.putQueue(work, {
    ...dying,
    deadLetter: { exchange: exchangeName("dead"), routingKey: "parking" },
  });
  await service.putQueue(parked, {
    ...dying,
    deadLetter: { exchange: exchangeName("parked-dead") },
  });
  await service.putQueue(end, {});
  await service.putBinding(exchangeName("inbox"), "b", { queue: work, routingKey: "work.#" });
  await service.putBinding(exchangeName("dead"), "b", { queue: parked, routingKey: "parking" });
  await service.putBinding(exchangeName("parked-dead"), "b", { queue: end, routingKey: "#" });
  const results: Ended[] = [];
  let headers: Readonly<Record<string, string>> = { h: "1" };
  for (let round = 0; round < 2; round++) {
    await service.publish(exchangeName("inbox"), [{ ...text("m"), headers, routingKey: KEY }]);
    for (const queue of round === 0 ? [work] : [work, parked]) {
      await service.receive(queue, ALL);
      await world.advance(1_000);
      await service.receive(queue, ALL);
    }
    const at = round === 0 ? parked : end;
    const [message] = await service.receive(at, ALL);
    if (message === undefined) throw new Error("LaneMQ lost the message.");
    await service.ack(at, [message.receipt]);
    headers = message.headers;
    const deaths = JSON.parse(headers["x-death"] ?? "[]") as Record<string, unknown>[];
    results.push(ended(deaths, headers, message));
  }
  return results;
}
