/**
 * Hunts for a message that stands twice though its sender gave it an id, and for a confirmed send without
 * its message: crashes after every write, lost replies, callers that meet, and the ends of windows.
 */
import { describe, expect, it } from "vitest";
import type { OutgoingMessage } from "../../src/core/message.ts";
import type { SendResult, Service } from "../../src/service/api.ts";
import type { Store } from "../../src/store/port.ts";
import {
  ALL,
  bodyOf,
  crash,
  createWorld,
  drain,
  idsOf,
  logOf,
  Q,
  receiptsOf,
  recordOf,
  text,
  throttled,
  unknown,
} from "./fixture.ts";
import type { World } from "./fixture.ts";
import { first, gate, isLogPut, tampered } from "./tampered.ts";
import type { Call, Fault } from "./tampered.ts";

const MINUTE = 60_000;

const once = (dedupId: string, body = dedupId, key?: string): OutgoingMessage => ({
  ...text(body),
  dedupId,
  ...(key === undefined ? {} : { key }),
});

const isNaming = ({ op, pk }: Call): boolean => op === "update" && pk.startsWith("dedup#");

const duplicates = (results: readonly SendResult[]): boolean[] =>
  results.map((result) => "id" in result && result.duplicate === true);

async function worldWith(settings: Parameters<Service["putQueue"]>[1] = { lanes: 1 }) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, settings);
  return { world, service };
}

describe("a repeat", () => {
  it("within the window answers the first id, by whichever instance, and stores nothing", async () => {
    const { world, service } = await worldWith({ lanes: 4 });
    const [id] = idsOf(await service.send(Q, [once("a", "first")]));
    for (const instance of [service, world.instance(), world.instance()]) {
      const results = await instance.send(Q, [once("a", "second")]);
      expect(results).toEqual([{ id, duplicate: true }]);
    }
    expect(await drain(service)).toEqual(["first"]);
  });

  it("after an ack, and after a purge, is still one", async () => {
    const { service } = await worldWith();
    const [id] = idsOf(await service.send(Q, [once("a")]));
    expect(await drain(service)).toEqual(["a"]);
    expect(await service.send(Q, [once("a")])).toEqual([{ id, duplicate: true }]);
    await service.purgeQueue(Q);
    expect(await service.send(Q, [once("a")])).toEqual([{ id, duplicate: true }]);
    expect(await drain(service)).toEqual([]);
  });

  it("of an erased message is one", async () => {
    const { world, service } = await worldWith({ lanes: 1, eraseOnAck: true });
    const [id] = idsOf(await service.send(Q, [once("a")]));
    await service.ack(Q, receiptsOf(await service.receive(Q, ALL)));
    expect((await logOf(world))[0]).toMatchObject({ erased: true });
    expect(await world.instance().send(Q, [once("a")])).toEqual([{ id, duplicate: true }]);
  });

  it("is recognised for the window, 5 min by default, and stored anew a minute after it", async () => {
    const { world, service } = await worldWith();
    const [id] = idsOf(await service.send(Q, [once("a", "first")]));
    await world.advance(5 * MINUTE - 1_000);
    expect(await service.send(Q, [once("a")])).toEqual([{ id, duplicate: true }]);
    await world.advance(MINUTE + 2_000);
    const [again] = await service.send(Q, [once("a", "second")]);
    expect(again).toEqual({ id: expect.not.stringMatching(id ?? "") });
    expect(await drain(service)).toEqual(["first", "second"]);
  });

  it("L4: is recognised for as long as the queue says, though the message is long gone by then", async () => {
    const dedup = { scope: "queue", windowSeconds: 604_800, contentBased: false } as const;
    const { world, service } = await worldWith({ lanes: 1, retentionSeconds: 60, dedup });
    const [id] = idsOf(await service.send(Q, [once("a")]));
    for (let day = 0; day < 7; day++) {
      await world.advance(86_000_000);
      await world.sweep();
      expect(await service.send(Q, [once("a")])).toEqual([{ id, duplicate: true }]);
    }
  });

  it("within one batch is stored once", async () => {
    const { service } = await worldWith();
    const results = await service.send(Q, [once("a", "1"), text("2"), once("a", "3"), once("b")]);
    expect(duplicates(results)).toEqual([false, false, true, false]);
    expect(new Set(idsOf(results)).size).toBe(3);
    expect((await drain(service)).sort()).toEqual(["1", "2", "b"]);
  });

  it("in a batch with what is new stores what is new, and answers each in its place", async () => {
    const { world, service } = await worldWith({ lanes: 3 });
    const before = idsOf(await service.send(Q, [once("b"), once("d")]));
    const results = await world.instance().send(
      Q,
      ["a", "b", "c", "d"].map((id) => once(id)),
    );
    expect(duplicates(results)).toEqual([false, true, false, true]);
    expect([idsOf(results)[1], idsOf(results)[3]]).toEqual(before);
    expect((await drain(service)).sort()).toEqual(["a", "b", "c", "d"]);
  });

  it("is told by content where the queue asks for that, and by an id that says otherwise", async () => {
    const dedup = { scope: "queue", windowSeconds: 300, contentBased: true } as const;
    const { service } = await worldWith({ lanes: 1, dedup });
    await service.send(Q, [text("same")]);
    const results = await service.send(Q, [text("same"), text("other"), once("x", "same")]);
    expect(duplicates(results)).toEqual([true, false, false]);
  });

  it("is of one key only where the scope is the key", async () => {
    const dedup = { scope: "key", windowSeconds: 300, contentBased: false } as const;
    const { service } = await worldWith({ lanes: 1, dedup });
    await service.send(Q, [once("a", "1", "k")]);
    const results = await service.send(Q, [
      once("a", "2", "l"),
      once("a", "3", "k"),
      once("a", "4"),
    ]);
    expect(duplicates(results)).toEqual([false, true, false]);
  });

  it("E3: is found in a lane that has been retired since", async () => {
    const { world, service } = await worldWith({ lanes: 2 });
    const ids = idsOf(await service.send(Q, [once("a")]));
    await service.patchQueue(Q, { lanes: 1 });
    await world.through(service.runJanitor((world.now() + 20_000) as never));
    const other = world.instance();
    expect(await world.through(other.send(Q, [once("a")]))).toEqual([
      { id: ids[0], duplicate: true },
    ]);
  });

  it("of a large message writes its parts once", async () => {
    const { world, service } = await worldWith();
    const body = "x".repeat(600_000);
    const [id] = idsOf(await service.send(Q, [once("a", body)]));
    const parts = () =>
      world.store.items("lanes").filter(({ pk }) => pk.startsWith("part#")).length;
    const before = parts();
    expect(await service.send(Q, [once("a", body)])).toEqual([{ id, duplicate: true }]);
    expect(parts()).toBe(before);
  });
});

describe("callers who send one id at the same time", () => {
  it("G3: of one instance make one entry with it once", async () => {
    const { world, service } = await worldWith();
    const calls = Array.from({ length: 20 }, (_, index) =>
      service.send(Q, [once("a", `${index}`)]),
    );
    const results = (await world.through(Promise.all(calls))).flat();
    expect(new Set(idsOf(results)).size).toBe(1);
    expect(duplicates(results).filter((isOne) => !isOne)).toHaveLength(1);
    expect(await drain(service)).toHaveLength(1);
  });

  it("of many instances store it once", async () => {
    const { world } = await worldWith({ lanes: 3 });
    const calls = Array.from({ length: 8 }, () => world.instance().send(Q, [once("a"), once("b")]));
    const results = await world.through(Promise.all(calls));
    expect(new Set(results.map((one) => idsOf(one).join())).size).toBe(1);
    expect((await drain(world.instance())).sort()).toEqual(["a", "b"]);
  });

  it("with others without ids take one entry each, and no more", async () => {
    const open = gate();
    const world = createWorld();
    const { store } = tampered(world.store, first(1, isLogPut, { before: () => open.closed }));
    const service = world.instance(store);
    await service.putQueue(Q, { lanes: 1 });
    const calls = [service.send(Q, [text("first")])];
    await world.advance(0);
    for (let index = 0; index < 5; index++)
      calls.push(service.send(Q, [text(`plain${index}`)]), service.send(Q, [once(`once${index}`)]));
    await world.advance(0);
    open.open();
    await world.through(Promise.all(calls));
    expect((await logOf(world)).map((entry) => entry["count"])).toEqual([1, 5, 5]);
  });
});

describe("a sender that ends in the middle", () => {
  /** An instance that ends at its write of that number, before or after it is applied. */
  function mortal(world: World, at: number, isApplied: boolean): Store {
    let writes = 0;
    return tampered(world.store, ({ op, pk }): Fault | undefined => {
      if (op === "get" || op === "query" || !/^(dedup|log|anchor)#/.test(pk)) return undefined;
      writes += 1;
      if (writes < at) return undefined;
      return { throws: crash, applied: isApplied && writes === at };
    }).store;
  }

  it("whatever write it ends at: the repeat stores what is missing and nothing twice", async () => {
    for (let at = 1; at <= 8; at++) {
      for (const isApplied of [false, true]) {
        const { world, service } = await worldWith({ lanes: 2 });
        const messages = ["a", "b", "c"].map((id) => once(id));
        await world
          .through(world.instance(mortal(world, at, isApplied)).send(Q, messages))
          .catch(() => 0);
        await service.send(Q, [text("between")]);
        const results = await world.through(world.instance().send(Q, messages));
        expect(idsOf(await service.send(Q, messages))).toEqual(idsOf(results));
        expect((await drain(service)).sort()).toEqual(["a", "b", "between", "c"]);
      }
    }
  });

  it("E3: is finished at the place that it named", async () => {
    const { world, service } = await worldWith();
    await service.send(Q, [text("before")]);
    const dying = tampered(world.store, first(1, isLogPut, { throws: crash })).store;
    await expect(world.instance(dying).send(Q, [once("a")])).rejects.toThrow();
    const named = world.store.items("lanes").find(({ pk }) => pk.startsWith("dedup#"));
    const [id] = idsOf(await service.send(Q, [once("a")]));
    expect(id).toContain(Number(named?.["offset"]).toString(36));
  });
});

describe("an outcome that is unknown", () => {
  it("of the put, applied or not, is settled by the call itself, and is no duplicate", async () => {
    for (const fault of [{ throws: unknown }, { throws: unknown, applied: true }]) {
      const { world, service } = await worldWith();
      const { store } = tampered(world.store, first(1, isLogPut, fault));
      const results = await world.through(world.instance(store).send(Q, [once("a")]));
      expect(duplicates(results)).toEqual([false]);
      expect(await service.send(Q, [once("a")])).toEqual([
        { id: idsOf(results)[0], duplicate: true },
      ]);
      expect(await drain(service)).toEqual(["a"]);
    }
  });

  it("of the record, applied or not, is settled by the call itself", async () => {
    for (const fault of [{ throws: unknown }, { throws: unknown, applied: true }]) {
      const { world, service } = await worldWith();
      const { store } = tampered(world.store, first(1, isNaming, fault));
      await world.through(world.instance(store).send(Q, [once("a"), once("b")]));
      expect((await drain(service)).sort()).toEqual(["a", "b"]);
    }
  });

  it("S2: is told where it stays unknown, also when the engine throttles afterwards", async () => {
    const { world } = await worldWith();
    let puts = 0;
    const { store } = tampered(world.store, (call) => {
      if (isLogPut(call)) return (puts += 1) === 1 ? { throws: unknown } : { throws: throttled };
      return undefined;
    });
    const call = world.through(world.instance(store).send(Q, [once("a")]));
    await expect(call).rejects.toMatchObject({ code: "outcome-unknown" });
  });

  it("S2: is not said of what surely was not stored", async () => {
    const { world } = await worldWith();
    const { store } = tampered(world.store, (call) =>
      isNaming(call) ? { throws: throttled } : undefined,
    );
    const call = world.through(world.instance(store).send(Q, [once("a")]));
    await expect(call).rejects.toMatchObject({ code: "throttled" });
    expect(await drain(world.instance())).toEqual([]);
  });
});

describe("E5: the end of a window", () => {
  it("ends a call that was suspended over it, so that nothing is stored beside its repeat's", async () => {
    const { world, service } = await worldWith();
    const open = gate();
    const { store } = tampered(world.store, first(1, isNaming, { after: () => open.closed }));
    const suspended = world.instance(store).send(Q, [once("a", "suspended")]);
    const settled = suspended.then(
      () => "stored",
      (error: unknown) => (error as { code: string }).code,
    );
    await world.advance(10_000);
    await service.send(Q, [once("a", "repeat")]);
    await world.advance(6 * MINUTE + 10_000);
    open.open();
    expect(await world.through(settled)).toBe("throttled");
    expect(await drain(service)).toEqual(["repeat"]);
  });

  it("of what a repeat finds is put off before it is put under it", async () => {
    const { world, service } = await worldWith();
    const dying = tampered(world.store, first(1, isLogPut, { throws: crash })).store;
    await expect(world.instance(dying).send(Q, [once("a")])).rejects.toThrow();
    await world.advance(5 * MINUTE + 45_000);
    await service.send(Q, [once("a")]);
    const named = world.store.items("lanes").find(({ pk }) => pk.startsWith("dedup#"));
    expect(Number(named?.["ttl"]) * 1000 - world.now()).toBeGreaterThanOrEqual(5 * MINUTE);
    const [entry] = await logOf(world);
    expect(entry?.["ttl"]).toBeGreaterThanOrEqual(named?.["ttl"] as number);
  });
});

it("on a timer is refused, by field, and nothing of the batch is sent", async () => {
  const { service } = await worldWith();
  const batch = [text("fine"), { ...once("a"), delaySeconds: 60 }];
  await expect(service.send(Q, batch)).rejects.toMatchObject({
    code: "invalid-request",
    errors: [{ path: "messages[1].dedupId" }],
  });
  expect(await drain(service)).toEqual([]);
  expect(await service.send(Q, [{ ...once("a"), delaySeconds: 0 }])).toHaveLength(1);
});

describe("what it costs", () => {
  it("is one write unit a message more, and none for a queue that does not use it", async () => {
    const { world, service } = await worldWith();
    await service.send(Q, [text("warm")]);
    const writes = async (message: OutgoingMessage) => {
      world.requests.length = 0;
      await service.send(Q, [message]);
      return world.requests.reduce((sum, request) => sum + request.writeUnits, 0);
    };
    expect(await writes(text("plain"))).toBe(1);
    expect(await writes(once("a"))).toBe(2);
    expect(world.requests.reduce((sum, request) => sum + request.readUnits, 0)).toBe(0);
    expect((await recordOf(world)).lanes.open).toHaveLength(1);
    expect((await service.receive(Q, ALL)).map(bodyOf)).toEqual(["warm", "plain", "a"]);
  });
});
