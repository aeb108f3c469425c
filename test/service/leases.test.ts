import { describe, expect, it } from "vitest";
import type { ReceiptResult, ReceivedMessage, Service } from "../../src/service/api.ts";
import {
  ALL,
  bodyOf,
  crash,
  createWorld,
  DEAD,
  drain,
  Q,
  receiptsOf,
  statusesOf,
  text,
  texts,
  throttled,
  unknown,
} from "./fixture.ts";
import { first, isSegmentUpdate, tampered } from "./tampered.ts";
import type { Call, Fault } from "./tampered.ts";

const NOW_FREE = { delaySeconds: 0, countAttempt: true };

/** A queue with so many messages, all leased in one call. */
async function leased(
  count: number,
  options: { fault?: Fault; times?: number; leaseSeconds?: number } = {},
) {
  const world = createWorld();
  const state = { isOn: false };
  const fault = first(
    options.times ?? 1,
    (call) => state.isOn && isSegmentUpdate(call),
    options.fault ?? {},
  );
  const tamperedStore = tampered(world.store, fault);
  const service = world.instance(tamperedStore.store);
  await service.putQueue(Q, { lanes: 1, leaseSeconds: options.leaseSeconds ?? 30 });
  await service.send(Q, texts(count));
  const messages = await service.receive(Q, { max: count, group: "default" });
  state.isOn = true;
  const depth = async () => (await service.getQueue(Q)).depth;
  return {
    world,
    service,
    messages,
    receipts: receiptsOf(messages),
    depth,
    calls: tamperedStore.calls,
  };
}

const receivesOf = (messages: readonly ReceivedMessage[]) => messages.map((one) => one.receives);

describe("ack", () => {
  it("answers in order: done, gone, invalid, and the same for the same receipt twice in one call", async () => {
    const { service, receipts } = await leased(3);
    await service.ack(Q, [receipts[1] ?? ""]);
    const [a = "", b = "", c = ""] = receipts;
    const results = await service.ack(Q, [c, "forged", b, a, c]);
    expect(statusesOf(results)).toEqual(["done", "invalid", "gone", "done", "done"]);
    expect(statusesOf(await service.ack(Q, [c, a]))).toEqual(["gone", "gone"]);
  });

  it("of nothing but invalid receipts is refused, without a read of lanes", async () => {
    const { service, calls } = await leased(1);
    calls.length = 0;
    await expect(service.ack(Q, ["forged", ""])).rejects.toMatchObject({ code: "receipt-invalid" });
    await expect(service.release(Q, ["forged"], NOW_FREE)).rejects.toMatchObject({
      code: "receipt-invalid",
    });
    expect(calls.filter((call) => call.table === "lanes")).toEqual([]);
  });

  it("R2: of a receipt of another queue, or of a queue of the same name before, is invalid", async () => {
    const { world, service, receipts } = await leased(1);
    await service.putQueue(DEAD, {});
    await expect(service.ack(DEAD, receipts)).rejects.toMatchObject({ code: "receipt-invalid" });
    await service.deleteQueue(Q);
    await expect(service.ack(Q, receipts)).rejects.toMatchObject({ code: "queue-not-found" });
    await world.advance(61_000);
    await service.putQueue(Q, {});
    await expect(service.ack(Q, receipts)).rejects.toMatchObject({ code: "receipt-invalid" });
  });

  it("C3: after the lease ran out is done, where nobody has claimed the message again", async () => {
    const { world, service, receipts } = await leased(1);
    await world.advance(3_600_000);
    expect(statusesOf(await service.ack(Q, receipts))).toEqual(["done"]);
    expect(await drain(service)).toEqual([]);
  });

  it("C3: by one who lost the message to another is gone, and the other's stays", async () => {
    const { world, service, receipts } = await leased(1);
    await world.advance(30_000);
    const again = await service.receive(Q, ALL);
    expect(statusesOf(await service.ack(Q, receipts))).toEqual(["gone"]);
    expect(statusesOf(await service.ack(Q, receiptsOf(again)))).toEqual(["done"]);
  });

  it("C3: many callers at once are one write, and each gets its own answers", async () => {
    const { service, receipts, calls } = await leased(50);
    calls.length = 0;
    const answers = await Promise.all(
      receipts.map((receipt) => service.ack(Q, [receipt, receipt])),
    );
    expect(answers.map(statusesOf)).toEqual(receipts.map(() => ["done", "done"]));
    expect(calls.filter(isSegmentUpdate).length).toBeLessThanOrEqual(3);
  });

  it("A1: whose answer was lost says done once it is repeated", async () => {
    const { world, service, receipts, depth } = await leased(3, {
      fault: { throws: unknown, applied: true },
    });
    expect(statusesOf(await world.through(service.ack(Q, receipts)))).toEqual([
      "done",
      "done",
      "done",
    ]);
    expect(await depth()).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  it("A1: that was lost on its way is made again", async () => {
    const { world, service, receipts, depth } = await leased(2, { fault: { throws: unknown } });
    expect(statusesOf(await world.through(service.ack(Q, receipts)))).toEqual(["done", "done"]);
    expect(await depth()).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  it("A1: whose answer was lost does not say done of what another lease holds by now", async () => {
    const world = createWorld();
    const other = world.instance();
    const state = { isOn: false };
    const fault = first(1, (call) => state.isOn && isSegmentUpdate(call), {
      throws: unknown,
      before: () => other.receive(Q, { ...ALL, leaseSeconds: 500 }),
    });
    const service = world.instance(tampered(world.store, fault).store);
    await service.putQueue(Q, {});
    await service.send(Q, [text("a")]);
    const receipts = receiptsOf(await service.receive(Q, ALL));
    await world.advance(30_000);
    state.isOn = true;
    expect(statusesOf(await world.through(service.ack(Q, receipts)))).toEqual(["gone"]);
    expect((await service.getQueue(Q)).depth.leased).toBe(1);
  });

  it("A1: in doubt, nothing is said of what has left a lease that runs on, and others have had", async () => {
    const world = createWorld();
    const other = world.instance();
    const state = { isOn: false };
    const take = async () => other.ack(Q, receiptsOf(await other.receive(Q, ALL)));
    const fault = (call: Call) => {
      if (!state.isOn || !isSegmentUpdate(call)) return undefined;
      state.isOn = false;
      return { throws: unknown, before: take };
    };
    const service = world.instance(tampered(world.store, fault).store);
    await service.putQueue(Q, { lanes: 1, leaseSeconds: 60 });
    for (const stale of [undefined, "accept"] as const) {
      await service.send(Q, texts(2));
      const [one = "", rest = ""] = receiptsOf(await service.receive(Q, ALL));
      // By somebody else, who alone knows where it has gone.
      await other.extend(Q, [one], { leaseSeconds: 0 });
      state.isOn = true;
      const acked = world.through(service.ack(Q, [one], stale === undefined ? {} : { stale }));
      if (stale === undefined)
        await expect(acked).rejects.toMatchObject({ code: "outcome-unknown" });
      else expect(statusesOf(await acked)).toEqual(["gone"]);
      expect(statusesOf(await service.ack(Q, [rest]))).toEqual(["done"]);
    }
  });

  it("that is throttled says so, and did nothing", async () => {
    const { world, service, receipts, depth } = await leased(2, { fault: { throws: throttled } });
    await expect(world.through(service.ack(Q, receipts))).rejects.toMatchObject({
      code: "throttled",
    });
    expect((await depth()).leased).toBe(2);
  });
});

describe("release", () => {
  it("makes messages ready at once, the attempt counted, and spends the receipt", async () => {
    const { service, receipts } = await leased(3);
    expect(statusesOf(await service.release(Q, receipts, NOW_FREE))).toEqual([
      "done",
      "done",
      "done",
    ]);
    const again = await service.receive(Q, ALL);
    expect(receivesOf(again)).toEqual([2, 2, 2]);
    expect(statusesOf(await service.ack(Q, receipts))).toEqual(["gone", "gone", "gone"]);
    expect(statusesOf(await service.extend(Q, receipts, { leaseSeconds: 60 }))).toEqual([
      "gone",
      "gone",
      "gone",
    ]);
  });

  it("without counting the attempt leaves the count as it was before the receive, though made twice", async () => {
    const { service, receipts } = await leased(2);
    const uncounted = { delaySeconds: 0, countAttempt: false };
    expect(statusesOf(await service.release(Q, receipts, uncounted))).toEqual(["done", "done"]);
    expect(statusesOf(await service.release(Q, receipts, uncounted))).toEqual(["gone", "gone"]);
    expect(receivesOf(await service.receive(Q, ALL))).toEqual([1, 1]);
  });

  it("of some leaves the others leased under the receipts they had", async () => {
    const { service, receipts, depth } = await leased(5);
    await service.release(Q, receipts.slice(1, 3), NOW_FREE);
    expect(await depth()).toEqual({ ready: 2, leased: 3, delayed: 0 });
    expect((await service.receive(Q, ALL)).map(bodyOf)).toEqual(["m1", "m2"]);
    const kept = [receipts[0] ?? "", receipts[3] ?? "", receipts[4] ?? ""];
    expect(statusesOf(await service.ack(Q, kept))).toEqual(["done", "done", "done"]);
  });

  it("with a delay shows messages as delayed, and gives them when it is over", async () => {
    const { world, service, messages, receipts, depth } = await leased(2);
    await service.release(Q, receipts, { delaySeconds: 100, countAttempt: true });
    expect(await depth()).toEqual({ ready: 0, leased: 0, delayed: 2 });
    const { groups } = await service.lookUp(Q, messages[0]?.id ?? "");
    expect(groups["default"]).toEqual({ state: "delayed", visibleAt: world.now() + 100_000 });
    await world.advance(99_999);
    expect(await service.receive(Q, ALL)).toEqual([]);
    await world.advance(1);
    expect(receivesOf(await service.receive(Q, ALL))).toEqual([2, 2]);
  });

  it("C4: of more members than an expression takes is one move", async () => {
    const { service, receipts, depth } = await leased(200);
    const some = receipts.slice(0, 150);
    expect(new Set(statusesOf(await service.release(Q, some, NOW_FREE)))).toEqual(
      new Set(["done"]),
    );
    expect(await depth()).toEqual({ ready: 150, leased: 50, delayed: 0 });
    expect(new Set(statusesOf(await service.ack(Q, receipts.slice(150))))).toEqual(
      new Set(["done"]),
    );
  });

  it("answers in order with gone, invalid and repeated receipts among them", async () => {
    const { service, receipts } = await leased(3);
    const [a = "", b = "", c = ""] = receipts;
    await service.ack(Q, [b]);
    const results = await service.release(Q, [a, b, "forged", c, a], NOW_FREE);
    expect(statusesOf(results)).toEqual(["done", "gone", "invalid", "done", "done"]);
  });

  it("after the lease ran out is done where nobody has claimed the message, gone where somebody has", async () => {
    const { world, service, receipts } = await leased(2);
    await world.advance(31_000);
    const [again] = await service.receive(Q, { max: 1, group: "default" });
    const results = await service.release(Q, receipts, NOW_FREE);
    expect(statusesOf(results)).toEqual(["gone", "done"]);
    expect(statusesOf(await service.ack(Q, [again?.receipt ?? ""]))).toEqual(["done"]);
  });

  it("C4: drops what is acked while it is under way, and moves the rest", async () => {
    const world = createWorld();
    const other = world.instance();
    const acks: string[] = [];
    const state = { isOn: false };
    const fault = first(1, (call) => state.isOn && isSegmentUpdate(call), {
      before: () => other.ack(Q, acks),
    });
    const service = world.instance(tampered(world.store, fault).store);
    await service.putQueue(Q, { lanes: 1 });
    await service.send(Q, texts(3));
    const receipts = receiptsOf(await service.receive(Q, ALL));
    acks.push(receipts[1] ?? "");
    state.isOn = true;
    expect(statusesOf(await service.release(Q, receipts, NOW_FREE))).toEqual([
      "done",
      "gone",
      "done",
    ]);
    expect((await service.receive(Q, ALL)).map(bodyOf)).toEqual(["m0", "m2"]);
  });

  it("whose answer was lost is recognised as done", async () => {
    const { world, service, receipts, depth } = await leased(2, {
      fault: { throws: unknown, applied: true },
    });
    const results = await world.through(service.release(Q, receipts, NOW_FREE));
    expect(statusesOf(results)).toEqual(["done", "done"]);
    expect(await depth()).toEqual({ ready: 2, leased: 0, delayed: 0 });
  });
});

describe("extend", () => {
  it("of a whole lease keeps its receipts good, and its time runs from now", async () => {
    const { world, service, receipts } = await leased(2);
    await world.advance(20_000);
    expect(await service.extend(Q, receipts, { leaseSeconds: 60 })).toEqual([
      { status: "done" },
      { status: "done" },
    ]);
    await world.advance(59_999);
    expect(await service.receive(Q, ALL)).toEqual([]);
    expect(statusesOf(await service.ack(Q, receipts.slice(0, 1)))).toEqual(["done"]);
    await world.advance(1);
    expect(receivesOf(await service.receive(Q, ALL))).toEqual([2]);
  });

  it("F1: of some gives new receipts for those, and the old ones stay good as long", async () => {
    const { world, service, receipts } = await leased(3);
    const results = await service.extend(Q, receipts.slice(0, 2), { leaseSeconds: 600 });
    expect(statusesOf(results)).toEqual(["done", "done"]);
    const renewed = results.map((result) => result.receipt ?? "");
    expect(new Set(renewed).size).toBe(2);
    await world.advance(31_000);
    expect((await service.receive(Q, ALL)).map(bodyOf)).toEqual(["m2"]);
    const [, old = ""] = receipts;
    expect(statusesOf(await service.ack(Q, [renewed[0] ?? "", old]))).toEqual(["done", "done"]);
    expect(statusesOf(await service.ack(Q, renewed))).toEqual(["gone", "gone"]);
  });

  it("C4: of more members than an expression takes gives receipts for each", async () => {
    const { service, receipts } = await leased(180);
    const results = await service.extend(Q, receipts.slice(0, 140), { leaseSeconds: 600 });
    const renewed = results.map((result) => result.receipt ?? "");
    const all = [...renewed, ...receipts.slice(140)];
    expect(new Set(statusesOf(await service.ack(Q, all)))).toEqual(new Set(["done"]));
  });

  it("to nothing gives the message back at once", async () => {
    const { service, receipts } = await leased(1);
    await service.extend(Q, receipts, { leaseSeconds: 0 });
    expect(receivesOf(await service.receive(Q, ALL))).toEqual([2]);
  });

  it("C2: after the lease ran out takes it back where nobody has claimed it", async () => {
    const { world, service, receipts } = await leased(1);
    await world.advance(31_000);
    expect(statusesOf(await service.extend(Q, receipts, { leaseSeconds: 60 }))).toEqual(["done"]);
    expect(await service.receive(Q, ALL)).toEqual([]);
  });

  it("whose answer was lost is recognised, whole and in part", async () => {
    for (const count of [3, 2]) {
      const { world, service, receipts } = await leased(3, {
        fault: { throws: unknown, applied: true },
      });
      const results = await world.through(
        service.extend(Q, receipts.slice(0, count), { leaseSeconds: 600 }),
      );
      expect(statusesOf(results)).toEqual(receipts.slice(0, count).map(() => "done"));
      await world.advance(31_000);
      expect(await service.receive(Q, ALL)).toHaveLength(3 - count);
      const good = results.map((result, index) => result.receipt ?? receipts[index] ?? "");
      expect(new Set(statusesOf(await service.ack(Q, good)))).toEqual(new Set(["done"]));
    }
  });

  it("C4: that was lost on its way is made again, though one of its leases was meanwhile extended alike", async () => {
    const world = createWorld();
    const other = world.instance();
    const state = { first: "" };
    const fault = first(1, (call) => state.first !== "" && isSegmentUpdate(call), {
      throws: unknown,
      before: () => other.extend(Q, [state.first], { leaseSeconds: 600 }),
    });
    const service = world.instance(tampered(world.store, fault).store);
    await service.putQueue(Q, { lanes: 1, leaseSeconds: 30 });
    await service.send(Q, texts(3));
    const receipts = receiptsOf(await service.receive(Q, ALL));
    // From here on two leases have what one was claimed with.
    await service.extend(Q, receipts.slice(0, 1), { leaseSeconds: 20 });
    state.first = receipts[0] ?? "";
    const results = await world.through(service.extend(Q, receipts, { leaseSeconds: 600 }));
    expect(statusesOf(results)).toEqual(["done", "done", "done"]);
    await world.advance(599_999);
    expect(await service.receive(Q, ALL)).toEqual([]);
    await world.advance(1);
    expect(await service.receive(Q, ALL)).toHaveLength(3);
  });

  it("C4: that was lost on its way is made again, though what it extends was meanwhile parted alike", async () => {
    const world = createWorld();
    const other = world.instance();
    const state = { receipts: [] as readonly string[] };
    const fault = first(1, (call) => state.receipts.length > 0 && isSegmentUpdate(call), {
      throws: unknown,
      before: async () => {
        await other.extend(Q, state.receipts.slice(1), { leaseSeconds: 20 });
        await other.extend(Q, state.receipts.slice(0, 1), { leaseSeconds: 600 });
      },
    });
    const service = world.instance(tampered(world.store, fault).store);
    await service.putQueue(Q, { lanes: 1, leaseSeconds: 30 });
    await service.send(Q, texts(2));
    const receipts = receiptsOf(await service.receive(Q, ALL));
    state.receipts = receipts;
    const results = await world.through(service.extend(Q, receipts, { leaseSeconds: 600 }));
    expect(statusesOf(results)).toEqual(["done", "done"]);
    await world.advance(599_999);
    expect(await service.receive(Q, ALL)).toEqual([]);
  });
});

describe("what fails in the middle", () => {
  type Do = (service: Service, receipts: readonly string[]) => Promise<readonly ReceiptResult[]>;
  const calls: Readonly<Record<string, Do>> = {
    ack: (service, receipts) => service.ack(Q, receipts),
    release: (service, receipts) => service.release(Q, receipts, NOW_FREE),
    extend: (service, receipts) => service.extend(Q, receipts, { leaseSeconds: 60 }),
  };

  /** A service for which certain calls fail, one after the other, and receipts of one lease. */
  async function failing(count: number, faults: readonly [(call: Call) => boolean, Fault][]) {
    const world = createWorld();
    const plain = world.instance();
    await plain.putQueue(Q, { lanes: 1 });
    await plain.send(Q, texts(count));
    const receipts = receiptsOf(await plain.receive(Q, ALL));
    const left = [...faults];
    const { store } = tampered(world.store, (call) =>
      left[0]?.[0](call) === true ? left.shift()?.[1] : undefined,
    );
    return { world, plain, receipts, left, service: world.instance(store) };
  }

  it.each(Object.entries(calls))(
    "%s: in doubt, no later error says that nothing was done",
    async (name, run) => {
      const isSegmentGet = ({ op, pk, sk }: Call) =>
        op === "get" && pk.startsWith("cursor#") && sk.includes("#");
      const doubt: [(call: Call) => boolean, Fault] = [isSegmentUpdate, { throws: unknown }];
      const cases: [(call: Call) => boolean, Fault][] = [[isSegmentUpdate, { throws: throttled }]];
      if (name !== "ack") cases.push([isSegmentGet, { throws: throttled }]);
      for (const then of cases) {
        const { world, service, receipts, left } = await failing(2, [doubt, then]);
        await expect(world.through(run(service, receipts))).rejects.toMatchObject({
          code: "outcome-unknown",
        });
        expect(left).toEqual([]);
      }
    },
  );

  it.each(Object.entries(calls))(
    "%s: once a part is done, no error says that nothing was",
    async (name, run) => {
      const { plain, service, receipts, left } = await failing(150, []);
      // From here on each of them has a lease of its own.
      for (const receipt of receipts) await plain.extend(Q, [receipt], { leaseSeconds: 50 });
      let updates = 0;
      left.push([
        (call) => isSegmentUpdate(call) && ++updates === (name === "ack" ? 3 : 2),
        { throws: throttled },
      ]);
      await expect(run(service, receipts)).rejects.toMatchObject({ code: "outcome-unknown" });
      expect(left).toEqual([]);
    },
  );

  it("A4: an ack in doubt that meets a purge half way does not say that nothing was done", async () => {
    const isSwitch = ({ sets }: Call) =>
      sets?.["generation"] !== undefined && sets["next"] === undefined;
    const { world, plain, receipts, service, left } = await failing(2, []);
    const dying = tampered(world.store, first(1, isSwitch, { throws: crash })).store;
    const after = () =>
      expect(world.instance(dying).purgeQueue(Q)).rejects.toThrow("the process has ended");
    left.push([isSegmentUpdate, { throws: unknown, applied: true, after }]);
    await expect(world.through(service.ack(Q, receipts))).rejects.toMatchObject({
      code: "outcome-unknown",
    });
    expect(left).toEqual([]);
    expect(await drain(plain)).toEqual([]);
  });
});

describe("a claim whose answer was lost", () => {
  it("C1: recognises its own lease, and delivers what it leased, once", async () => {
    const world = createWorld();
    const fault = first(1, isSegmentUpdate, { throws: unknown, applied: true });
    const service = world.instance(tampered(world.store, fault).store);
    await service.putQueue(Q, { lanes: 1 });
    await service.send(Q, texts(4));
    const got = await world.through(service.receive(Q, { max: 2, group: "default" }));
    expect(got.map(bodyOf)).toEqual(["m0", "m1"]);
    expect(statusesOf(await service.ack(Q, receiptsOf(got)))).toEqual(["done", "done"]);
    expect((await service.receive(Q, ALL)).map(bodyOf)).toEqual(["m2", "m3"]);
  });

  it("C1: that was not applied is made again, and nothing is skipped", async () => {
    const world = createWorld();
    const service = world.instance(
      tampered(world.store, first(1, isSegmentUpdate, { throws: unknown })).store,
    );
    await service.putQueue(Q, { lanes: 1 });
    await service.send(Q, texts(4));
    const got = await world.through(service.receive(Q, ALL));
    expect(got.map((one) => [bodyOf(one), one.receives])).toEqual([
      ["m0", 1],
      ["m1", 1],
      ["m2", 1],
      ["m3", 1],
    ]);
  });
});
