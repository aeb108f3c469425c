/** Scheduled messages as callers see them; how they get into the log is promoter.test.ts's. */
import { describe, expect, it } from "vitest";
import { epochMs } from "../../src/core/types.ts";
import type { OutgoingMessage } from "../../src/core/message.ts";
import type { SendResult } from "../../src/service/api.ts";
import { partsKey, promoterKey, timersKey } from "../../src/store/keys.ts";
import {
  ALL,
  bodyOf,
  createWorld,
  drain,
  idsOf,
  logOf,
  Q,
  receiptsOf,
  recordOf,
  text,
  texts,
  unknown,
} from "./fixture.ts";
import type { World } from "./fixture.ts";
import { first, tampered } from "./tampered.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

async function queue(settings = {}) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, { lanes: 1, ...settings });
  return { world, service };
}

const delayed = (delaySeconds: number, ...bodies: string[]): OutgoingMessage[] =>
  bodies.map((body) => ({ ...text(body), delaySeconds }));

const idOf = ([result]: readonly SendResult[]): string => idsOf(result ? [result] : [])[0] ?? "";

const timersOf = async (world: World) => {
  const pk = timersKey((await recordOf(world)).queueId, 0);
  return world.store.items("lanes").filter((item) => item.pk === pk && item.sk !== "-");
};

describe("a delay", () => {
  it("keeps a message back until it is over, whatever else is sent", async () => {
    const { world, service } = await queue();
    const [later, now] = await service.send(Q, [...delayed(60, "later"), text("now")]);
    expect(later).toMatchObject({ deliverAt: world.now() + 60_000 });
    expect(now).toEqual({ id: expect.any(String) });
    expect(await drain(service)).toEqual(["now"]);
    await world.advance(59_999);
    expect(await drain(service)).toEqual([]);
    await world.advance(1);
    expect(await drain(service)).toEqual(["later"]);
    expect(await timersOf(world)).toEqual([]);
  });

  it("answers in the order of the request", async () => {
    const { service } = await queue();
    const results = await service.send(Q, [
      text("a"),
      ...delayed(5, "b"),
      text("c"),
      ...delayed(9, "d"),
    ]);
    expect(results.map((one) => "deliverAt" in one)).toEqual([false, true, false, true]);
    expect(new Set(idsOf(results)).size).toBe(4);
  });

  it("that is past is none, and the answer says so", async () => {
    const { world, service } = await queue();
    const past = { ...text("a"), deliverAt: epochMs(world.now() - 5) };
    expect(await service.send(Q, [past])).toEqual([{ id: expect.any(String), isPast: true }]);
    expect(await drain(service)).toEqual(["a"]);
  });

  it("past a year refuses the whole request, by its field", async () => {
    const { world, service } = await queue();
    const far = { ...text("b"), deliverAt: epochMs(world.now() + 365 * 24 * HOUR + 1) };
    await expect(service.send(Q, [text("a"), far])).rejects.toMatchObject({
      code: "invalid-request",
      errors: [{ path: "messages[1].deliverAt", message: "is more than 365 days away" }],
    });
    expect(await drain(service)).toEqual([]);
  });

  it("of a year is kept, and the message then lives as long as any", async () => {
    const { world, service } = await queue({ retentionSeconds: 3_600 });
    await service.send(Q, [{ ...text("a"), deliverAt: epochMs(world.now() + 365 * 24 * HOUR) }]);
    await world.advance(365 * 24 * HOUR + HOUR - 1);
    await world.sweep();
    const [message] = await service.receive(Q, ALL);
    expect(message?.expiresAt).toBe(world.now() + 1);
  });

  it("ends within a second while somebody waits in another instance", async () => {
    const { world, service } = await queue();
    const other = world.instance();
    await other.send(Q, delayed(3_600, "far"));
    await world.advance(20_000);
    let receivedAt = 0;
    const waiting = service.receive(Q, { ...ALL, waitSeconds: 20 });
    void waiting.then(() => (receivedAt = world.now()));
    await world.advance(300);
    await other.send(Q, delayed(2, "soon"));
    const due = world.now() + 2_000;
    await world.advance(5_000);
    expect((await waiting).map(bodyOf)).toEqual(["soon"]);
    expect(receivedAt).toBeGreaterThanOrEqual(due);
    expect(receivedAt).toBeLessThan(due + 1_000);
  });

  it("ends by the janitor where nobody receives", async () => {
    const { world, service } = await queue();
    await service.send(Q, delayed(30, "a", "b"));
    await world.advance(60_000);
    await world.instance().runJanitor(epochMs(world.now() + 50_000));
    expect((await service.browse(Q, { limit: 10 })).messages.map(bodyOf).sort()).toEqual([
      "a",
      "b",
    ]);
  });

  it("T5: is not shortened by a queue's own delay, nor does it hold up what comes after", async () => {
    const { world, service } = await queue({ delaySeconds: 10 });
    await service.send(Q, delayed(30, "scheduled"));
    await world.advance(21_000);
    await service.receive(Q, ALL);
    await service.send(Q, texts(1, "usual"));
    await world.advance(8_999);
    expect(await service.receive(Q, ALL)).toEqual([]);
    await world.advance(1_001);
    expect((await service.receive(Q, ALL)).map(bodyOf)).toEqual(["scheduled", "usual0"]);
  });

  it("of a large body costs its bytes once: they stand in parts", async () => {
    const { world, service } = await queue();
    const body = "x".repeat(3_000) + Math.random();
    const large = Buffer.from(Array.from({ length: 3_000 }, (_, at) => (at * 7919) % 251)).toString(
      "latin1",
    );
    await service.send(Q, [...delayed(5, large), ...delayed(5, body)]);
    for (const item of await timersOf(world))
      expect((item["body"] as Uint8Array).length).toBeLessThan(1_000);
    await world.advance(5_000);
    expect((await drain(service)).sort()).toEqual([large, body].sort());
  });

  it("is retried without a second timer when the engine's answer was lost", async () => {
    const { world } = await queue();
    const { store } = tampered(
      world.store,
      first(1, (call) => call.op === "put" && call.pk.startsWith("timer#"), {
        throws: unknown,
        applied: true,
      }),
    );
    const service = world.instance(store);
    await world.through(service.send(Q, delayed(5, "a")));
    expect(await timersOf(world)).toHaveLength(1);
    await world.advance(5_000);
    expect(await drain(service)).toEqual(["a"]);
  });

  it("costs a queue that never used one nothing", async () => {
    const { world, service } = await queue();
    await service.send(Q, texts(1));
    world.requests.length = 0;
    await service.receive(Q, ALL);
    const before = world.requests.length;
    expect(before).toBeGreaterThan(0);
    await service.send(Q, delayed(60, "a"));
    await service
      .release(Q, receiptsOf(await service.receive(Q, ALL)), {
        delaySeconds: 0,
        countAttempt: false,
      })
      .catch(() => undefined);
    world.requests.length = 0;
    await service.receive(Q, ALL);
    expect(world.requests.length - before).toBeLessThanOrEqual(1);
  });
});

describe("a message with a time to live of its own", () => {
  it("is not delivered past it, and what lives on is, wherever it stands", async () => {
    const { world, service } = await queue();
    const short = { ...text("short"), ttlSeconds: 5 };
    await service.send(Q, [short, text("a"), short, text("b"), short]);
    await world.advance(4_999);
    expect((await service.receive(Q, { ...ALL, leaseSeconds: 0 })).map(bodyOf)).toEqual([
      "short",
      "a",
      "short",
      "b",
      "short",
    ]);
    await world.advance(1);
    expect(await drain(service)).toEqual(["a", "b"]);
  });

  it("lives from when its schedule is due", async () => {
    const { world, service } = await queue();
    await service.send(Q, [{ ...text("a"), delaySeconds: 60, ttlSeconds: 5 }]);
    await world.advance(64_999);
    expect(await drain(service)).toEqual(["a"]);
    await service.send(Q, [{ ...text("b"), delaySeconds: 60, ttlSeconds: 5 }]);
    await world.advance(65_000);
    expect(await drain(service)).toEqual([]);
    expect(await timersOf(world)).toEqual([]);
  });
});

describe("what is scheduled", () => {
  it("is listed in the order in which it is due, page by page, over all shards", async () => {
    const { service } = await queue({ lanes: 4 });
    const bodies = Array.from({ length: 25 }, (_, at) => `m${at}`);
    await service.send(
      Q,
      bodies.flatMap((body, at) => delayed(100 + ((at * 7) % 25), body)),
    );
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await service.listScheduled(Q, {
        limit: 4,
        ...(after === undefined ? {} : { after }),
      });
      expect(page.messages.length).toBeLessThanOrEqual(4);
      seen.push(...page.messages.map(bodyOf));
      after = page.next;
    } while (after !== undefined);
    const order = bodies.toSorted((a, b) => dueOf(a) - dueOf(b));
    expect(seen).toEqual(order);
    function dueOf(body: string) {
      return (Number(body.slice(1)) * 7) % 25;
    }
  });

  it("is found by its id, before it is due and after, and its place then stands beside it", async () => {
    const { world, service } = await queue();
    const id = idOf(await service.send(Q, delayed(20, "a")));
    await service.send(Q, delayed(20, "b"));
    expect(await service.lookUp(Q, id)).toMatchObject({
      id,
      groups: { default: { state: "scheduled", deliverAt: world.now() + 20_000 } },
    });
    await world.advance(20_000);
    const received = await service.receive(Q, ALL);
    const mine = received.find((message) => bodyOf(message) === "a");
    expect(mine).toMatchObject({ id, place: expect.any(String) });
    expect(await service.lookUp(Q, id)).toMatchObject({
      id,
      place: mine?.place,
      groups: { default: { state: "leased" } },
    });
    expect(await service.lookUp(Q, mine?.place ?? "")).toMatchObject({ id });
  });

  it("of a queue that is gone goes by TTL, and its promoter with the queue", async () => {
    const { world, service } = await queue();
    await service.send(Q, delayed(5, "a"));
    await service.send(Q, delayed(600, "b"));
    await world.advance(5_000);
    await drain(service);
    const { queueId } = await recordOf(world);
    await service.deleteQueue(Q);
    await world.advance(2 * HOUR);
    await service.runJanitor(epochMs(world.now() + 50_000));
    await world.advance(2 * HOUR);
    await service.runJanitor(epochMs(world.now() + 50_000));
    const key = promoterKey(queueId, 0);
    expect(await world.store.get("lanes", key, { consistent: true })).toBeUndefined();
    await world.advance(10 * 24 * HOUR);
    await world.sweep();
    expect(world.store.count("lanes")).toBe(0);
  });

  it("is left alone by a purge", async () => {
    const { world, service } = await queue();
    await service.send(Q, [text("now"), ...delayed(60, "later")]);
    await service.purgeQueue(Q);
    await world.advance(60_000);
    expect(await drain(service)).toEqual(["later"]);
  });
});

describe("a cancellation", () => {
  it("is confirmed once, and the message never comes", async () => {
    const { world, service } = await queue();
    const id = idOf(await service.send(Q, delayed(60, "a")));
    await service.cancelScheduled(Q, id);
    await expect(service.cancelScheduled(Q, id)).rejects.toMatchObject({
      code: "message-not-found",
    });
    expect((await service.listScheduled(Q, { limit: 10 })).messages).toEqual([]);
    await expect(service.lookUp(Q, id)).rejects.toMatchObject({ code: "message-not-found" });
    await world.advance(HOUR);
    expect(await drain(service)).toEqual([]);
    expect(await timersOf(world)).toEqual([]);
  });

  it.each([
    ["T3: within ten seconds of its time", 50_001],
    ["after it was delivered", 61_000],
  ])("is refused %s", async (_, after) => {
    const { world, service } = await queue();
    const id = idOf(await service.send(Q, delayed(60, "a")));
    await world.advance(after);
    await service.receive(Q, ALL);
    await expect(service.cancelScheduled(Q, id)).rejects.toMatchObject({ code: "not-cancellable" });
    await world.advance(60_000);
    expect(await drain(service)).toEqual(["a"]);
  });

  it("of a message that was never scheduled is refused, of one of another queue not known", async () => {
    const { service } = await queue();
    const id = idOf(await service.send(Q, texts(1)));
    await expect(service.cancelScheduled(Q, id)).rejects.toMatchObject({ code: "not-cancellable" });
    for (const other of ["zzzzzzzzzz99-0-0", "zzzzzzzzzz99-t0-zzzzzzzz-0123456789", "rubbish"])
      await expect(service.cancelScheduled(Q, other)).rejects.toMatchObject({
        code: "message-not-found",
      });
  });

  it("T3: that takes until its time has come is not confirmed", async () => {
    const { world, service } = await queue();
    const id = idOf(await service.send(Q, delayed(60, "a")));
    const { store } = tampered(
      world.store,
      first(1, (call) => call.op === "update" && call.pk.startsWith("timer#"), {
        after: () => world.advance(55_000),
      }),
    );
    await world.advance(10_000);
    await expect(world.instance(store).cancelScheduled(Q, id)).rejects.toMatchObject({
      code: "outcome-unknown",
    });
  });

  it("whose answer was lost is known by its mark", async () => {
    const { world, service } = await queue();
    const id = idOf(await service.send(Q, delayed(60, "a")));
    const { store } = tampered(
      world.store,
      first(1, (call) => call.op === "update" && call.pk.startsWith("timer#"), {
        throws: unknown,
        applied: true,
      }),
    );
    await world.instance(store).cancelScheduled(Q, id);
    await world.advance(HOUR);
    expect(await drain(service)).toEqual([]);
  });

  it("T6: is not undone by a late copy of the put", async () => {
    const { world, service } = await queue();
    const id = idOf(await service.send(Q, delayed(20, "a")));
    const [timer] = await timersOf(world);
    if (timer === undefined) throw new Error("nothing was scheduled");
    await service.cancelScheduled(Q, id);
    await world.advance(30_000);
    await service.receive(Q, ALL);
    await world.store.put("lanes", timer, { is: "absent", path: ["pk"] });
    await world.advance(200_000);
    expect(await drain(service)).toEqual([]);
    expect(await timersOf(world)).toEqual([]);
    expect(await logOf(world)).toEqual([]);
  });

  it("really deletes a large body where the queue erases", async () => {
    const { world, service } = await queue({ eraseOnAck: true });
    const body = Array.from({ length: 5_000 }, (_, at) => (at * at).toString(36)).join("");
    const id = idOf(await service.send(Q, delayed(60, body)));
    const prefix = partsKey((await recordOf(world)).queueId, "");
    const parts = () => world.store.items("lanes").filter(({ pk }) => pk.startsWith(prefix));
    expect(parts().length).toBeGreaterThan(0);
    await service.cancelScheduled(Q, id);
    expect(parts()).toEqual([]);
  });
});
