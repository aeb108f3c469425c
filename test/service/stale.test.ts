/** Hunts for receipts that lose their message, and for those that reach one that is somebody else's. */
import { beforeEach, describe, expect, test } from "vitest";
import { openReceipt, sealReceipt } from "../../src/core/receipt.ts";
import type { ReceivedMessage, Service } from "../../src/service/api.ts";
import {
  ALL,
  bodyOf,
  createWorld,
  DEAD,
  drain,
  Q,
  receiptsOf,
  recordOf,
  statusesOf,
  texts,
  throttled,
  unknown,
} from "./fixture.ts";
import type { World } from "./fixture.ts";
import { first, isSegmentUpdate, tampered } from "./tampered.ts";
import type { Call } from "./tampered.ts";

let world: World;
let service: Service;

beforeEach(async () => {
  world = createWorld();
  service = world.instance();
  await service.putQueue(Q, { lanes: 1 });
});

const ACCEPT = { stale: "accept" } as const;
const REFUSE = { stale: "refuse" } as const;

const leased = async (count: number, leaseSeconds = 30): Promise<readonly ReceivedMessage[]> => {
  await service.send(Q, texts(count));
  return service.receive(Q, { ...ALL, leaseSeconds });
};
const receive = (leaseSeconds = 30) => service.receive(Q, { ...ALL, leaseSeconds });
const extend = (receipts: readonly string[], leaseSeconds: number, stale?: "accept") =>
  service.extend(Q, receipts, { leaseSeconds, ...(stale === undefined ? {} : { stale }) });
const ack = async (receipts: readonly string[], options?: { stale: "accept" | "refuse" }) =>
  statusesOf(await service.ack(Q, receipts, options));
const depth = async () => (await service.getQueue(Q)).depth;

describe("F1: a receipt after extensions of parts of its lease", () => {
  test("is good for acks, extensions and releases, however often its message has moved", async () => {
    const receipts = receiptsOf(await leased(6));
    for (let turn = 0; turn < 3; turn++)
      for (const receipt of receipts)
        expect(statusesOf(await extend([receipt], 60 + turn))).toEqual(["done"]);
    await world.advance(31_000);
    expect(await receive()).toEqual([]);
    expect(statusesOf(await extend(receipts, 100))).toEqual(receipts.map(() => "done"));
    const [a = "", b = "", ...rest] = receipts;
    const now = { delaySeconds: 0, countAttempt: true };
    expect(statusesOf(await service.release(Q, [a], now))).toEqual(["done"]);
    expect(await ack([a])).toEqual(["gone"]);
    expect(await ack([b, ...rest])).toEqual(["done", ...rest.map(() => "done")]);
    expect((await receive()).map(bodyOf)).toEqual(["m0"]);
  });

  test("given back by one that was renewed twice, the newest and the first are good alike", async () => {
    const receipts = receiptsOf(await leased(3));
    const [second] = await extend(receipts.slice(0, 2), 60);
    const [third] = await extend([second?.receipt ?? ""], 90);
    const names = [receipts[0] ?? "", second?.receipt ?? "", third?.receipt ?? ""];
    expect(new Set(names).size).toBe(3);
    for (const name of names) expect(statusesOf(await extend([name], 120))).toEqual(["done"]);
    expect(await ack(names)).toContain("done");
    expect(await ack(names)).toEqual(["gone", "gone", "gone"]);
    expect((await depth()).leased).toBe(2);
  });

  test("is gone once somebody else has its message, and theirs stays", async () => {
    const receipts = receiptsOf(await leased(2));
    await extend(receipts.slice(0, 1), 40);
    await world.advance(41_000);
    const again = receiptsOf(await receive());
    expect(await ack(receipts)).toEqual(["gone", "gone"]);
    expect(statusesOf(await extend(receipts, 60))).toEqual(["gone", "gone"]);
    expect(await ack(again)).toEqual(["done", "done"]);
  });

  test("is good while others move the rest of its lease, and a move in between is followed", async () => {
    const other = world.instance();
    const state = { receipt: "" };
    const fault = first(1, (call) => state.receipt !== "" && isSegmentUpdate(call), {
      before: () => other.extend(Q, [state.receipt], { leaseSeconds: 99 }),
    });
    const own = world.instance(tampered(world.store, fault).store);
    const receipts = receiptsOf(await leased(2));
    state.receipt = receipts[0] ?? "";
    expect(statusesOf(await own.ack(Q, [state.receipt]))).toEqual(["done"]);
    expect(await depth()).toEqual({ ready: 0, leased: 1, delayed: 0 });
  });

  test("of the first version is good for the lease that it names", async () => {
    const [message] = await leased(2);
    const { queueId, secret } = await recordOf(world);
    const opened = openReceipt(message?.receipt ?? "", queueId, secret);
    if (opened === undefined) throw new Error("it does not open");
    expect(opened.claimedAt).toBe(world.now());
    const { claimedAt: _, ...old } = opened;
    expect(await ack([sealReceipt(old, secret)])).toEqual(["done"]);
  });

  test("costs one write to ack, and one more where another process has moved its message", async () => {
    const receipts = receiptsOf(await leased(3));
    const [renewed] = await extend(receipts.slice(0, 1), 60);
    const writes = async (receipt: string) => {
      world.requests.length = 0;
      await ack([receipt]);
      return world.requests.filter(({ table, writeUnits }) => table === "lanes" && writeUnits > 0)
        .length;
    };
    expect(await writes(renewed?.receipt ?? "")).toBe(1);
    expect(await writes(receipts[1] ?? "")).toBe(1);
    const [, , third = ""] = receipts;
    expect(await writes(third)).toBe(1);
    const more = receiptsOf(await leased(3));
    await extend(more.slice(0, 1), 60);
    expect(await writes(more[0] ?? "")).toBe(1);
    await world.instance().extend(Q, more.slice(1, 2), { leaseSeconds: 60 });
    expect(await writes(more[1] ?? "")).toBe(2);
  });
});

describe("extending to nothing", () => {
  test("gives one message back at once, and its receipt stays good until somebody has it", async () => {
    const own = createWorld({ skewMarginMs: 1_000 });
    const instance = own.instance();
    await instance.putQueue(Q, { lanes: 1 });
    await instance.send(Q, texts(3));
    const receipts = receiptsOf(await instance.receive(Q, ALL));
    await instance.extend(Q, receipts.slice(1, 2), { leaseSeconds: 0 });
    expect((await instance.getQueue(Q)).depth).toEqual({ ready: 1, leased: 2, delayed: 0 });
    expect(statusesOf(await instance.extend(Q, receipts.slice(1, 2), { leaseSeconds: 5 }))).toEqual(
      ["done"],
    );
    expect(await instance.receive(Q, ALL)).toEqual([]);
    await instance.extend(Q, receipts, { leaseSeconds: 0 });
    const again = await instance.receive(Q, ALL);
    expect(new Set(again.map((one) => `${bodyOf(one)} ${one.receives}`))).toEqual(
      new Set(["m0 2", "m1 2", "m2 2"]),
    );
    expect(statusesOf(await instance.ack(Q, receipts))).toEqual(["gone", "gone", "gone"]);
  });

  test("wakes who waits", async () => {
    const receipts = receiptsOf(await leased(1));
    const waiting = service.receive(Q, { ...ALL, waitSeconds: 20 });
    await world.advance(3_000);
    await extend(receipts, 0);
    await world.advance(0);
    expect((await waiting).map(bodyOf)).toEqual(["m0"]);
  });
});

describe("A3: a stale receipt that is accepted", () => {
  test("acks after the lease has run out, given back, or taken by another", async () => {
    const receipts = receiptsOf(await leased(3, 1));
    await extend(receipts.slice(1, 2), 0);
    await world.advance(1_001);
    const taken = await service.receive(Q, { ...ALL, max: 2 });
    expect(taken).toHaveLength(2);
    expect(await ack(receipts, ACCEPT)).toEqual(["done", "done", "done"]);
    expect(await depth()).toEqual({ ready: 0, leased: 0, delayed: 0 });
    expect(await ack(receiptsOf(taken), ACCEPT)).toEqual(["gone", "gone"]);
    await world.advance(60_000);
    expect(await drain(service)).toEqual([]);
  });

  test("acks what was released with a delay, and what was released uncounted", async () => {
    const receipts = receiptsOf(await leased(2));
    const back = { delaySeconds: 9, countAttempt: false };
    await service.release(Q, receipts, back);
    expect(await ack(receipts)).toEqual(["gone", "gone"]);
    expect(await ack(receipts, ACCEPT)).toEqual(["done", "done"]);
    expect(await depth()).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  test("is gone, made twice or after another's ack, also where the answer was lost", async () => {
    const state = { isOn: false };
    const fault = first(1, (call) => state.isOn && isSegmentUpdate(call), {
      throws: unknown,
      applied: true,
    });
    const own = world.instance(tampered(world.store, fault).store);
    const receipts = receiptsOf(await leased(1, 1));
    await world.advance(1_001);
    await receive();
    state.isOn = true;
    const results = await world.through(own.ack(Q, receipts, ACCEPT));
    expect(["done", "gone"]).toContain(results[0]?.status);
    expect(await ack(receipts, ACCEPT)).toEqual(["gone"]);
    expect(await depth()).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  test("F3: leaves alone what is on its way to another queue", async () => {
    await service.putQueue(DEAD, {});
    const state = { isOn: false };
    const fault = first(1, (call) => state.isOn && call.pk.startsWith("dedup#"), {
      throws: throttled,
    });
    const own = world.instance(tampered(world.store, fault).store);
    await service.patchQueue(Q, { maxReceives: 1, deadLetter: { queue: DEAD } });
    const receipts = receiptsOf(await leased(1, 1));
    await world.advance(1_001);
    state.isOn = true;
    await world.through(own.receive(Q, ALL)).catch(() => undefined);
    expect(await ack(receipts, ACCEPT)).toEqual(["gone"]);
    await world.advance(61_000);
    await receive();
    expect(await drain(service, DEAD)).toEqual(["m0"]);
  });

  test("extends and gives back whoever has it", async () => {
    const receipts = receiptsOf(await leased(1, 1));
    await world.advance(1_001);
    const again = receiptsOf(await receive(30));
    expect(statusesOf(await extend(receipts, 0))).toEqual(["gone"]);
    expect(statusesOf(await extend(receipts, 0, "accept"))).toEqual(["done"]);
    expect((await receive()).map(({ receives }) => receives)).toEqual([3]);
    expect(await ack(again)).toEqual(["gone"]);
    expect(statusesOf(await extend(receipts, 60, "accept"))).toEqual(["done"]);
    expect(await ack(receipts)).toEqual(["gone"]);
  });
});

describe("A3: a stale receipt that is refused", () => {
  test("acks while its lease runs, extended ones, too, and not from its end on", async () => {
    const receipts = receiptsOf(await leased(4, 2));
    await extend(receipts.slice(0, 2), 5);
    expect(await ack(receipts.slice(3), REFUSE)).toEqual(["done"]);
    await world.advance(2_000);
    expect(await ack(receipts, REFUSE)).toEqual(["done", "done", "expired", "gone"]);
    expect(await depth()).toEqual({ ready: 1, leased: 0, delayed: 0 });
    expect((await receive()).map(bodyOf)).toEqual(["m2"]);
    expect(await ack(receipts, REFUSE)).toEqual(["gone", "gone", "expired", "gone"]);
  });

  test("is refused once its message was given back, and good again once it was extended", async () => {
    const receipts = receiptsOf(await leased(1));
    await extend(receipts, 0);
    expect(await ack(receipts, REFUSE)).toEqual(["expired"]);
    await extend(receipts, 9);
    expect(await ack(receipts, REFUSE)).toEqual(["done"]);
  });

  test("of a lease that is extended meanwhile is good", async () => {
    const other = world.instance();
    const receipts = receiptsOf(await leased(2, 2));
    const state = { isOn: false };
    const fault = first(1, (call) => state.isOn && isSegmentUpdate(call), {
      before: () => other.extend(Q, receipts.slice(0, 1), { leaseSeconds: 50 }),
    });
    const own = world.instance(tampered(world.store, fault).store);
    await world.advance(1_999);
    state.isOn = true;
    expect(statusesOf(await own.ack(Q, receipts, REFUSE))).toEqual(["done", "done"]);
  });

  test("and others in one call: each by its own lease", async () => {
    const short = receiptsOf(await leased(1, 1));
    const long = receiptsOf(await leased(1, 60));
    await world.advance(1_000);
    const answers = await Promise.all([ack(short, REFUSE), ack(long, REFUSE)]);
    expect(answers).toEqual([["expired"], ["done"]]);
    expect(await ack(short)).toEqual(["done"]);
  });

  test("whose answer was lost says done once it is repeated", async () => {
    const state = { isOn: false };
    const fault = first(1, (call) => state.isOn && isSegmentUpdate(call), {
      throws: unknown,
      applied: true,
    });
    const own = world.instance(tampered(world.store, fault).store);
    const receipts = receiptsOf(await leased(2));
    state.isOn = true;
    expect(statusesOf(await world.through(own.ack(Q, receipts, REFUSE)))).toEqual(["done", "done"]);
  });
});

describe("within a limit in all", () => {
  const within = (receipts: readonly string[], leaseSeconds: number) =>
    service
      .extend(Q, receipts, { leaseSeconds, withinSeconds: 100, stale: "accept" })
      .then(statusesOf);

  test("an attempt is extended up to it, from when it began", async () => {
    const receipts = receiptsOf(await leased(2, 90));
    expect(await within(receipts, 100)).toEqual(["done", "done"]);
    await world.advance(40_000);
    expect(await within(receipts.slice(0, 1), 60)).toEqual(["done"]);
    expect(await within(receipts, 61)).toEqual(["tooLong", "tooLong"]);
    await world.advance(60_000);
    const again = receiptsOf(await receive());
    expect(await within(again, 100)).toEqual(["done", "done"]);
    expect(await within(receipts, 0)).toEqual(["done", "done"]);
  });
});

describe("A4: after a purge", () => {
  test("what it carried over is acked where it stands, what it passed over is gone", async () => {
    const before = receiptsOf(await leased(1));
    const state = { isOn: true };
    const late: string[] = [];
    // Sent and leased between the purge's look at the tail and its first step.
    const fault = first(1, (call) => state.isOn && call.pk.startsWith("cursor#"), {
      before: async () => {
        late.push(...receiptsOf(await leased(2)));
      },
    });
    await world.instance(tampered(world.store, fault).store).purgeQueue(Q);
    expect(late).toHaveLength(2);
    expect(await depth()).toEqual({ ready: 0, leased: 2, delayed: 0 });
    expect(await ack([...before, ...late.slice(0, 1)])).toEqual(["gone", "done"]);
    expect(await ack([...before, ...late], ACCEPT)).toEqual(["gone", "gone", "done"]);
    expect(await depth()).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  test("one that is under way is waited for", async () => {
    const receipts = receiptsOf(await leased(1));
    const isSwitch = ({ op, pk, sets }: Call) =>
      op === "update" &&
      pk.startsWith("cursor#") &&
      "generation" in (sets ?? {}) &&
      !("next" in (sets ?? {}));
    const cut = tampered(world.store, first(1, isSwitch, { throws: throttled }));
    await expect(world.instance(cut.store).purgeQueue(Q)).rejects.toThrow();
    await expect(ack(receipts, ACCEPT)).rejects.toMatchObject({ code: "throttled" });
    expect(await receive()).toEqual([]);
    expect(await ack(receipts, ACCEPT)).toEqual(["gone"]);
  });
});
