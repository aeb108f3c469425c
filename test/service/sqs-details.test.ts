/**
 * Hunts for what SQS knows of a message getting lost on its way: from instance to instance, into a
 * dead-letter queue and back, by a timer; and for headers that an item cannot hold.
 */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import type { OutgoingMessage } from "../../src/core/message.ts";
import type { ReceivedMessage } from "../../src/service/api.ts";
import { ALL, createWorld, DEAD, logOf, Q, text } from "./fixture.ts";
import type { World } from "./fixture.ts";

const KIB = 1024;
const LEASE_MS = 30_000;
/** DynamoDB's limit. */
const ITEM_BYTES = 400 * KIB;

const SQS = { types: { size: "Number.int", image: "Binary" }, trace: "Root=1-abc;Sampled=1" };
const HEADERS = { size: "42", image: "AAEC", plain: "text" };
const detailed = (more: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
  ...text("m"),
  headers: HEADERS,
  sqs: SQS,
  ...more,
});

const receiveOne = async (world: World, queue = Q): Promise<ReceivedMessage> => {
  const [message] = await world.instance().receive(queue, ALL);
  if (message === undefined) throw new Error("nothing was received");
  return message;
};

describe("what SQS knows of a message", () => {
  it("is received by every instance, and browsed", async () => {
    const world = createWorld();
    await world.instance().putQueue(Q, {});
    await world.instance().send(Q, [detailed(), text("plain")]);
    const messages = await world.instance().receive(Q, ALL);
    expect(messages.map(({ sqs }) => sqs)).toEqual([SQS, undefined]);
    const { messages: browsed } = await world.instance().browse(Q, { limit: 10 });
    expect(browsed.map(({ sqs, headers }) => ({ sqs, headers }))).toEqual([
      { sqs: SQS, headers: HEADERS },
      { sqs: undefined, headers: {} },
    ]);
  });

  it("waits with it on a timer", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, {});
    await service.send(Q, [detailed({ delaySeconds: 60 })]);
    expect(await service.receive(Q, ALL)).toEqual([]);
    await world.advance(61_000);
    expect((await receiveOne(world)).sqs).toEqual(SQS);
  });

  it("goes to the dead-letter queue and back, and so does the id that it was sent with", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(DEAD, {});
    await service.putQueue(Q, { maxReceives: 1, deadLetter: { queue: DEAD } });
    await service.send(Q, [detailed({ dedupId: "d" })]);
    expect((await receiveOne(world)).sentAs).toBe("send#d");
    await world.advance(LEASE_MS);
    expect(await service.receive(Q, ALL)).toEqual([]);
    expect(await receiveOne(world, DEAD)).toMatchObject({ sqs: SQS, sentAs: "send#d" });
    await world.advance(LEASE_MS);
    await service.redrive(DEAD, {});
    expect(await receiveOne(world)).toMatchObject({ sqs: SQS, sentAs: "send#d", headers: HEADERS });
  });
});

describe("headers of the greatest size", () => {
  /** What no deflate makes smaller. */
  const noise = (length: number): string => {
    let state = 1;
    const bytes = Uint8Array.from({ length }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return state >> 16;
    });
    return Buffer.from(bytes).toString("base64").slice(0, length);
  };
  const headers = { a: noise(LIMITS.attributeBytes - 1) };

  it.each([0, 1, 300 * KIB, 600 * KIB])(
    "fit an item beside a body of %i bytes, which stands in parts",
    async (length) => {
      const world = createWorld();
      const service = world.instance();
      await service.putQueue(Q, { lanes: 1 });
      await service.send(Q, [
        detailed({ headers, body: Buffer.from(noise(length)) }),
        text("next"),
      ]);
      const log = await logOf(world);
      for (const entry of log) {
        const { pk, sk, body } = entry as { pk: string; sk: string; body?: unknown };
        const size = body instanceof Uint8Array ? body.length : 0;
        expect(size + pk.length + sk.length + 200).toBeLessThan(ITEM_BYTES);
      }
      const received = await world.instance().receive(Q, ALL);
      expect(received.map(({ body }) => body.length)).toEqual([length, 4]);
      expect(received[0]?.headers).toEqual(headers);
    },
  );

  it("fit a timer, and the entry that it is promoted to", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { lanes: 1 });
    await service.send(Q, [detailed({ headers, delaySeconds: 60 })]);
    const [timer] = world.store
      .items("lanes")
      .filter(({ pk, sk }) => pk.startsWith("timer#") && sk !== "-");
    const body = timer?.["body"];
    expect(body instanceof Uint8Array && body.length).toBeLessThan(ITEM_BYTES - 1_000);
    await world.advance(61_000);
    expect((await receiveOne(world)).headers).toEqual(headers);
  });
});
