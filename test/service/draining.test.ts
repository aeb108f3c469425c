/** Hunts for receives that drain and mix keys, or give what is behind a message that is leased. */
import { beforeEach, describe, expect, test } from "vitest";
import type { OutgoingMessage } from "../../src/core/message.ts";
import type { ReceivedMessage, Service } from "../../src/service/api.ts";
import { ALL, bodyOf, createWorld, Q, receiptsOf, text } from "./fixture.ts";
import type { World } from "./fixture.ts";

let world: World;
let service: Service;

beforeEach(async () => {
  world = createWorld();
  service = world.instance();
  await service.putQueue(Q, { order: "key", lanes: 1 });
});

/** `a1`: the first message of key a. */
const keyed = (name: string): OutgoingMessage => ({ ...text(name), key: name.slice(0, 1) });
const send = async (...names: string[]) => {
  for (const name of names) await service.send(Q, [keyed(name)]);
};
const drain = (max = 10, options: { leaseSeconds?: number } = {}) =>
  service.receive(Q, { ...ALL, max, drain: true, ...options });
const bodies = (messages: readonly ReceivedMessage[]) => messages.map(bodyOf);
const ack = (messages: readonly ReceivedMessage[]) => service.ack(Q, receiptsOf(messages));

const pick = (messages: readonly ReceivedMessage[], ...names: string[]) =>
  messages.filter((message) => names.includes(bodyOf(message)));

describe("a receive that drains", () => {
  test("gives all of one key, then of the next", async () => {
    await send("a1", "b1", "a2", "a3");
    expect(bodies(await drain())).toEqual(["a1", "a2", "a3", "b1"]);
  });

  test("leaves other keys alone while there is enough of the first, and costs no more than any", async () => {
    await send("a1", "b1", "a2", "c1", "a3");
    world.requests.length = 0;
    expect(bodies(await drain(2))).toEqual(["a1", "a2"]);
    expect(world.requests.reduce((sum, one) => sum + one.writeUnits, 0)).toBe(1);
    expect(bodies(await drain(1))).toEqual(["b1"]);
    expect(bodies(await drain())).toEqual(["c1"]);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 1, leased: 4, delayed: 0 });
  });

  test("goes on with a key once all that was leased of it is acked, and not before", async () => {
    await send("a1", "b1", "a2", "b2", "a3", "a4", "c1");
    const held = await drain(2);
    expect(bodies(held)).toEqual(["a1", "a2"]);
    await ack(pick(held, "a1"));
    expect(bodies(await drain())).toEqual(["b1", "b2", "c1"]);
    await ack(pick(held, "a2"));
    expect(bodies(await drain())).toEqual(["a3", "a4"]);
  });

  test("sending to a key that is leased does not free it", async () => {
    await send("a1");
    const held = await drain();
    await send("a2");
    expect(await drain()).toEqual([]);
    await ack(held);
    expect(bodies(await drain())).toEqual(["a2"]);
  });

  test("gives what has run out in order, before what is fresh of its key", async () => {
    await send("a1", "a2", "a3", "b1");
    await drain(2, { leaseSeconds: 1 });
    await world.advance(1_001);
    expect(bodies(await drain())).toEqual(["a1", "a2", "a3", "b1"]);
  });

  test.each([
    [0, []],
    [1, ["a1"]],
    [2, ["a1", "a2"]],
  ])(
    "of three run-out ones of which number %i was extended, gives what is before that",
    async (number, expected) => {
      await send("a1", "a2", "a3");
      const held = await drain(10, { leaseSeconds: 1 });
      const one = receiptsOf(held).slice(number, number + 1);
      await service.extend(Q, one, { leaseSeconds: 4 });
      await world.advance(2_500);
      expect(bodies(await drain())).toEqual(expected);
    },
  );

  test("two at once share no key", async () => {
    await send("a1", "b1", "a2", "b2", "a3", "b3");
    const [one, other] = await Promise.all([drain(2), drain(2)]);
    const given = [bodies(one), bodies(other)].map((names) => names.join(" "));
    expect(given.sort()).toEqual(["a1 a2", "b1 b2"]);
  });

  test("works off everything, each key in order", async () => {
    const names = Array.from({ length: 60 }, (_, at) => `${"abcd"[at % 4]}${Math.floor(at / 4)}`);
    await service.send(Q, names.slice(0, 30).map(keyed));
    await send(...names.slice(30));
    const seen: string[] = [];
    for (let messages = await drain(7); messages.length > 0; messages = await drain(7)) {
      seen.push(...bodies(messages));
      await ack(messages);
    }
    expect([...seen].sort()).toEqual([...names].sort());
    for (const key of "abcd")
      expect(seen.filter((name) => name.startsWith(key))).toEqual(
        names.filter((name) => name.startsWith(key)),
      );
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });
});
