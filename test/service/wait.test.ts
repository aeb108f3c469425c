import { describe, expect, it } from "vitest";
import {
  ALL,
  bodyOf,
  createWorld,
  drain,
  Q,
  receiptsOf,
  text,
  texts,
  throttled,
} from "./fixture.ts";
import { first, gate, isSegmentUpdate, tampered } from "./tampered.ts";

async function queue(settings = {}) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, { lanes: 1, leaseSeconds: 30, ...settings });
  return { world, service };
}

/** When a wait ended, and with what. */
function ending(
  world: ReturnType<typeof createWorld>,
  call: Promise<readonly { body: Uint8Array }[]>,
) {
  const began = world.now();
  const state: { after?: number; bodies?: string[] } = {};
  void call.then((messages) => {
    state.after = world.now() - began;
    state.bodies = messages.map(bodyOf);
  });
  return state;
}

const wait = (seconds: number) => ({ ...ALL, waitSeconds: seconds });

describe("a long wait", () => {
  it("ends empty at its deadline, not before and not after", async () => {
    const { world, service } = await queue();
    const state = ending(world, service.receive(Q, wait(20)));
    await world.advance(19_999);
    expect(state).toEqual({});
    await world.advance(1);
    expect(state).toEqual({ after: 20_000, bodies: [] });
  });

  it("of no length looks once and answers at once", async () => {
    const { world, service } = await queue({ waitSeconds: 20 });
    const state = ending(world, service.receive(Q, wait(0)));
    await world.advance(0);
    expect(state).toEqual({ after: 0, bodies: [] });
  });

  it("is as long as the queue says where the call says nothing", async () => {
    const { world, service } = await queue({ waitSeconds: 3 });
    const state = ending(world, service.receive(Q, ALL));
    await world.advance(60_000);
    expect(state).toEqual({ after: 3_000, bodies: [] });
  });

  it("wakes when a delay ends, hardly later", async () => {
    const { world, service } = await queue({ delaySeconds: 7 });
    await service.send(Q, [text("a")]);
    const state = ending(world, service.receive(Q, wait(20)));
    await world.advance(7_999 - 1_000);
    expect(state).toEqual({});
    await world.advance(151);
    expect(state.bodies).toEqual(["a"]);
  });

  it("wakes when a lease runs out", async () => {
    const { world, service } = await queue({ leaseSeconds: 5 });
    await service.send(Q, [text("a")]);
    await service.receive(Q, ALL);
    const state = ending(world, service.receive(Q, wait(20)));
    await world.advance(5_999 - 1_000);
    expect(state).toEqual({});
    await world.advance(151);
    expect(state.bodies).toEqual(["a"]);
  });

  it("wakes at once when something is sent or given back in this process", async () => {
    const { world, service } = await queue();
    const sent = ending(world, service.receive(Q, wait(20)));
    await world.advance(3_003);
    await service.send(Q, [text("a")]);
    await world.advance(0);
    expect(sent).toEqual({ after: 3_003, bodies: ["a"] });
    const [message] = await service.browse(Q, { limit: 1 }).then(({ messages }) => messages);
    expect(message && bodyOf(message)).toBe("a");
    await world.advance(30_000);
    const held = await service.receive(Q, ALL);
    const freed = ending(world, service.receive(Q, wait(20)));
    await world.advance(1_001);
    await service.release(Q, receiptsOf(held), { delaySeconds: 0, countAttempt: true });
    await world.advance(0);
    expect(freed).toEqual({ after: 1_001, bodies: ["a"] });
  });

  it("finds within about a second what another instance sent", async () => {
    const { world, service } = await queue();
    const state = ending(world, service.receive(Q, wait(20)));
    await world.advance(10_000);
    await world.instance().send(Q, [text("a")]);
    await world.advance(1_100);
    expect(state.bodies).toEqual(["a"]);
  });

  it("looks less and less often while nothing comes", async () => {
    const { world, service } = await queue();
    await service.receive(Q, ALL);
    world.requests.length = 0;
    const state = ending(world, service.receive(Q, wait(20)));
    await world.advance(20_000);
    expect(state.after).toBe(20_000);
    expect(world.requests.filter(({ table }) => table === "lanes").length).toBeLessThan(100);
  });

  it("V3: ends when the caller hangs up, and leases nothing more", async () => {
    const { world, service } = await queue();
    const caller = new AbortController();
    const state = ending(world, service.receive(Q, { ...wait(20), signal: caller.signal }));
    await world.advance(2_000);
    caller.abort();
    await world.advance(0);
    expect(state).toEqual({ after: 2_000, bodies: [] });
    await service.send(Q, [text("a")]);
    await world.advance(20_000);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 1, leased: 0, delayed: 0 });
  });

  it("V3: leases nothing for one who hung up while others' round was under way", async () => {
    const open = gate();
    const world = createWorld();
    const service = world.instance(
      tampered(world.store, first(1, isSegmentUpdate, { before: () => open.closed })).store,
    );
    await service.putQueue(Q, { lanes: 1 });
    await service.send(Q, texts(2));
    const one = service.receive(Q, { max: 1, group: "default" });
    const caller = new AbortController();
    const other = service.receive(Q, { max: 1, group: "default", signal: caller.signal });
    await world.advance(0);
    caller.abort();
    open.open();
    expect([(await one).map(bodyOf), await other]).toEqual([["m0"], []]);
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 1, leased: 1, delayed: 0 });
  });

  it("ends with the error that met it, where it has nothing to give", async () => {
    const { world } = await queue();
    const busy = tampered(world.store, (call) =>
      call.op === "query" ? { throws: throttled } : undefined,
    );
    await expect(
      world.through(world.instance(busy.store).receive(Q, wait(20))),
    ).rejects.toMatchObject({ code: "throttled" });
  });

  it("by several callers gives each message to one of them, each its share", async () => {
    const { world, service } = await queue();
    const calls = [2, 3, 4].map((max) =>
      service.receive(Q, { max, group: "default", waitSeconds: 20 }),
    );
    await world.advance(1_000);
    await service.send(Q, texts(9));
    await world.advance(20_000);
    const answers = (await Promise.all(calls)).map((messages) => messages.map(bodyOf));
    expect(answers.map((bodies) => bodies.length)).toEqual([2, 3, 4]);
    expect(answers.flat().sort()).toEqual(texts(9).map(bodyOf));
  });

  it("ends when the queue is deleted meanwhile", async () => {
    const { world, service } = await queue();
    const waiting = service.receive(Q, wait(20));
    const outcome = waiting.then(
      () => "empty",
      (error: { code: string }) => error.code,
    );
    await service.deleteQueue(Q);
    await world.advance(20_000);
    expect(await outcome).toBe("queue-not-found");
  });
});

describe("a receive", () => {
  it("V2: answers empty only when every lane and segment has been looked at", async () => {
    const { world, service } = await queue({ lanes: 16 });
    for (let index = 0; index < 40; index++)
      await world.through(world.instance().send(Q, [text(`${index}`)]));
    const reader = world.instance();
    const seen: string[] = [];
    for (;;) {
      const batch = await reader.receive(Q, { max: 1, group: "default", leaseSeconds: 600 });
      if (batch.length === 0) break;
      seen.push(...batch.map(bodyOf));
    }
    expect(new Set(seen).size).toBe(40);
    expect((await service.getQueue(Q)).depth.leased).toBe(40);
  });

  it("gives what it has leased though a later lane failed", async () => {
    const { world } = await queue({ lanes: 4 });
    for (let index = 0; index < 20; index++)
      await world.through(world.instance().send(Q, [text(`${index}`)]));
    let updates = 0;
    const failing = tampered(world.store, (call) =>
      isSegmentUpdate(call) && updates++ > 0 ? { throws: throttled } : undefined,
    );
    const got = await world.through(world.instance(failing.store).receive(Q, ALL));
    expect(got.length).toBeGreaterThan(0);
    expect((await world.instance().getQueue(Q)).depth.leased).toBe(got.length);
  });

  it("with a lease of no length gives each message once in a call, and it is ready again after", async () => {
    const { world, service } = await queue();
    await service.send(Q, texts(30));
    const got = await service.receive(Q, { ...ALL, leaseSeconds: 0 });
    expect(new Set(got.map(({ id }) => id)).size).toBe(got.length);
    expect(got).toHaveLength(30);
    await world.advance(1);
    expect(await service.receive(Q, ALL)).toHaveLength(30);
  });

  it("C7: after conflicts with another's claims serves the lane from two segments, and loses nothing", async () => {
    const { world, service } = await queue();
    for (let index = 0; index < 20; index++) await service.send(Q, texts(20, `${index}-`));
    const [a, b] = [world.instance(), world.instance()];
    const meeting = first(8, isSegmentUpdate, {
      before: () => b.receive(Q, { max: 3, group: "default" }),
    });
    const met = world.instance(tampered(world.store, meeting).store);
    for (let round = 0; round < 8; round++)
      await world.through(met.receive(Q, { max: 3, group: "default" }));
    await world.advance(30_000);
    expect((await drain(a)).length).toBe(400);
  });
});
