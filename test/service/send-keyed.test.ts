/** Hunts for requests that are stored twice though they had an idempotency key, or stored in part for good. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OutgoingMessage } from "../../src/core/message.ts";
import { laneId } from "../../src/core/types.ts";
import type { SendResult } from "../../src/service/api.ts";
import { decodeSlots, encodeSlots } from "../../src/service/requests.ts";
import {
  ALL,
  bodyOf,
  crash,
  createWorld,
  drain,
  idsOf,
  isDense,
  logOf,
  Q,
  text,
  texts,
  unknown,
} from "./fixture.ts";
import { first, isLogPut, tampered } from "./tampered.ts";
import type { Call, Fault } from "./tampered.ts";

const KEY = { idempotencyKey: "import 7" };
const MINUTE = 60_000;

const isRecordPut = ({ op, pk }: Call): boolean => op === "put" && pk.includes("#request#");
const isRepeat = (results: readonly SendResult[]): boolean =>
  results.every((result) => "id" in result && result.duplicate === true);

async function worldWith(lanes: number) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, { lanes });
  return { world, service };
}

describe("a request under an idempotency key", () => {
  it("gives back the first answer, by whichever instance, and stores nothing more", async () => {
    const { world, service } = await worldWith(3);
    const messages = texts(600);
    const results = await world.through(service.send(Q, messages, KEY));
    for (const instance of [service, world.instance()]) {
      const again = await world.through(instance.send(Q, messages, KEY));
      expect(idsOf(again)).toEqual(idsOf(results));
      expect(isRepeat(again)).toBe(true);
    }
    const received = await service.receive(Q, ALL);
    expect(new Map(received.map((one) => [one.id, bodyOf(one)]))).toEqual(
      new Map(idsOf(results).map((id, index) => [id, `m${index}`])),
    );
  });

  it("R4: is refused for anything else, by a clear code", async () => {
    const { service } = await worldWith(1);
    await service.send(Q, texts(2), KEY);
    for (const other of [texts(1), texts(3), [text("m1"), text("m0")]])
      await expect(service.send(Q, other, KEY)).rejects.toMatchObject({
        code: "idempotency-key-reused",
        errors: [{ path: "headers.idempotency-key" }],
      });
    expect(await drain(service)).toEqual(["m0", "m1"]);
  });

  it("is another one on another queue, and once the window is over", async () => {
    const { world, service } = await worldWith(1);
    await service.putQueue("other" as typeof Q, { lanes: 1 });
    await service.send(Q, texts(1), KEY);
    expect(isRepeat(await service.send("other" as typeof Q, texts(2), KEY))).toBe(false);
    await world.advance(4 * MINUTE);
    expect(isRepeat(await service.send(Q, texts(1), KEY))).toBe(true);
    await world.advance(3 * MINUTE);
    expect(isRepeat(await service.send(Q, texts(5), KEY))).toBe(false);
  });

  it("is not used up by a request that was refused", async () => {
    const { service } = await worldWith(1);
    await service.patchQueue(Q, { maxMessageBytes: 10 });
    await expect(service.send(Q, [text("x".repeat(11))], KEY)).rejects.toMatchObject({
      code: "message-too-large",
    });
    expect(isRepeat(await service.send(Q, texts(1), KEY))).toBe(false);
  });

  it("leaves messages with ids of their own to those", async () => {
    const { service } = await worldWith(1);
    const once = (dedupId: string): OutgoingMessage => ({ ...text(dedupId), dedupId });
    const [id] = idsOf(await service.send(Q, [once("a")]));
    const batch = [text("x"), once("a"), text("y"), once("b")];
    const results = await service.send(Q, batch, KEY);
    expect(results.map((one) => "id" in one && one.duplicate === true)).toEqual([
      false,
      true,
      false,
      false,
    ]);
    expect(idsOf(results)[1]).toBe(id);
    expect(idsOf(await service.send(Q, batch, KEY))).toEqual(idsOf(results));
    expect((await drain(service)).sort()).toEqual(["a", "b", "x", "y"]);
  });

  it("of large messages writes their parts once", async () => {
    const { world, service } = await worldWith(1);
    const messages = [text("x".repeat(600_000)), text("small")];
    const results = await service.send(Q, messages, KEY);
    const parts = () =>
      world.store.items("lanes").filter(({ pk }) => pk.startsWith("part#")).length;
    const before = parts();
    expect(idsOf(await service.send(Q, messages, KEY))).toEqual(idsOf(results));
    expect(parts()).toBe(before);
    expect((await drain(service)).map(({ length }) => length)).toEqual([600_000, 5]);
  });

  it("sent many times at once by many is stored once", async () => {
    const { world } = await worldWith(2);
    const instances = [world.instance(), world.instance(), world.instance()];
    const calls = Array.from({ length: 9 }, async (_, at) =>
      instances[at % 3]?.send(Q, texts(300), KEY),
    );
    const results = await world.through(Promise.all(calls));
    expect(new Set(results.map((one) => idsOf(one ?? []).join())).size).toBe(1);
    expect(await drain(world.instance())).toHaveLength(300);
  });

  it("that ends at any write is finished by its repeat: what is missing is stored, nothing twice", async () => {
    for (let at = 1; at <= 10; at++) {
      for (const applied of [false, true]) {
        const { world } = await worldWith(2);
        let writes = 0;
        const { store } = tampered(world.store, ({ op, pk }): Fault | undefined => {
          if (op === "get" || op === "query" || !/^(dedup|log|anchor)#/.test(pk)) return undefined;
          writes += 1;
          return writes < at ? undefined : { throws: crash, applied: applied && writes === at };
        });
        const messages = texts(600);
        await world.through(world.instance(store).send(Q, messages, KEY)).catch(() => undefined);
        const other = world.instance();
        await world.through(other.send(Q, [text("between")]));
        const results = await world.through(world.instance().send(Q, messages, KEY));
        const again = await world.through(other.send(Q, messages, KEY));
        expect(idsOf(again)).toEqual(idsOf(results));
        expect(isRepeat(again)).toBe(true);
        const bodies = await world.through(drain(other));
        expect(bodies.toSorted()).toEqual(
          ["between", ...messages.map(({ body }) => String(body))].toSorted(),
        );
        for (const lane of [0, 1]) expect(isDense(await logOf(world, Q, lane))).toBe(true);
      }
    }
  });

  it("whose record or put has an unknown outcome settles that by itself", async () => {
    for (const matches of [isRecordPut, isLogPut]) {
      for (const applied of [false, true]) {
        const { world, service } = await worldWith(1);
        const { store } = tampered(world.store, first(1, matches, { throws: unknown, applied }));
        const results = await world.through(world.instance(store).send(Q, texts(3), KEY));
        expect(isRepeat(results)).toBe(false);
        expect(idsOf(await service.send(Q, texts(3), KEY))).toEqual(idsOf(results));
        expect(await drain(service)).toEqual(["m0", "m1", "m2"]);
      }
    }
  });

  it("costs one write unit, whatever the number of its messages; a repeat one", async () => {
    const { world, service } = await worldWith(1);
    await service.send(Q, [text("warm")]);
    const writes = async (count: number, key?: string) => {
      world.requests.length = 0;
      await service.send(Q, texts(count), key === undefined ? {} : { idempotencyKey: key });
      return world.requests.reduce((sum, request) => sum + request.writeUnits, 0);
    };
    for (const count of [1, 10, 100])
      expect(await writes(count, `key ${count}`)).toBe((await writes(count)) + 1);
    expect(await writes(100, "key 100")).toBe(1);
  });
});

describe("where order is kept", () => {
  const keyed = (count: number): OutgoingMessage[] =>
    texts(count).map((message, index) => ({ ...message, key: `k${index % 5}` }));

  it("names a place in each lane at once: one write unit more for all of them", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { order: "key", lanes: 4 });
    await world.through(service.send(Q, keyed(40)));
    const writes = async (key?: string) => {
      world.requests.length = 0;
      await world.through(
        service.send(Q, keyed(40), key === undefined ? {} : { idempotencyKey: key }),
      );
      return world.requests.reduce((sum, request) => sum + request.writeUnits, 0);
    };
    expect(await writes("k")).toBe((await writes()) + 1);
  });

  it("what was not stored before the lanes changed is refused rather than put out of order", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { order: "key", lanes: 2 });
    const dying = tampered(world.store, (call) =>
      isLogPut(call) ? { throws: crash } : undefined,
    ).store;
    await world.through(world.instance(dying).send(Q, keyed(20), KEY)).catch(() => undefined);
    await world.through(service.patchQueue(Q, { lanes: 3 }));
    await world.through(service.runJanitor((world.now() + 20_000) as never));
    const results = await world.through(world.instance().send(Q, keyed(20), KEY));
    const refused = results.filter((one) => "error" in one && one.error.code === "queue-conflict");
    // A lane that held one key alone can move as a whole.
    const stored = results.filter((one) => "id" in one);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length + stored.length).toBe(20);
    expect(await world.through(drain(service))).toHaveLength(stored.length);
    await world.through(service.send(Q, keyed(20), { idempotencyKey: "another" }));
    expect(await world.through(drain(service))).toHaveLength(20);
  });

  it("of messages with ids of their own, each is found or stored in its key's order", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { order: "key", lanes: 2 });
    const all = keyed(20).map((message, index) => ({ ...message, dedupId: `${index}` }));
    const dying = tampered(world.store, first(1, isLogPut, { throws: crash })).store;
    await world.through(world.instance(dying).send(Q, all.slice(0, 12))).catch(() => undefined);
    await world.through(world.instance().send(Q, all));
    const byKey = new Map<string, number[]>();
    for (;;) {
      const given = await world.through(service.receive(Q, ALL));
      if (given.length === 0) break;
      for (const one of given)
        byKey.set(one.key ?? "", [
          ...(byKey.get(one.key ?? "") ?? []),
          Number(bodyOf(one).slice(1)),
        ]);
      await service.ack(
        Q,
        given.map(({ receipt }) => receipt),
      );
    }
    for (const [key, numbers] of byKey)
      expect(numbers).toEqual([0, 5, 10, 15].map((step) => step + Number(key.slice(1))));
    expect(byKey.size).toBe(5);
  });
});

describe("which message is in which slot", () => {
  it("is read as it was written, whatever the slots", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -1, max: 40 }), { minLength: 1, maxLength: 300 }),
        (of) => {
          const used = [...new Set(of.filter((slot) => slot >= 0))];
          const indexes = used.map((slot) =>
            of.flatMap((one, index) => (one === slot ? [index] : [])),
          );
          const slots = indexes.map((one) => ({ lane: laneId(0), indexes: one }));
          expect(decodeSlots(encodeSlots(of.length, slots))).toEqual(indexes);
        },
      ),
    );
  });

  it("takes few bytes where they follow one another", () => {
    const slots = [0, 1].map((half) => ({
      lane: laneId(0),
      indexes: Array.from({ length: 256 }, (_, index) => half * 256 + index),
    }));
    expect(encodeSlots(512, slots)).toBe("0*74 1*74");
  });
});
