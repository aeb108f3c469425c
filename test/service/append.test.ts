import { describe, expect, it } from "vitest";
import { Tails } from "../../src/service/tail.ts";
import { laneId } from "../../src/core/types.ts";
import {
  ALL,
  anchorOf,
  bodyOf,
  crash,
  createWorld,
  drain,
  idsOf,
  isDense,
  logOf,
  offsetOf,
  Q,
  recordOf,
  text,
  texts,
  unknown,
} from "./fixture.ts";
import type { World } from "./fixture.ts";
import { first, isLogPut, isLogQuery, tampered } from "./tampered.ts";
import type { Call } from "./tampered.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** A world with one queue whose entries live an hour and a minute. */
async function shortLived(): Promise<{ world: World; service: ReturnType<World["instance"]> }> {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, { retentionSeconds: 60 });
  return { world, service };
}

const ENTRY_LIFE = MINUTE + HOUR;
const ttlMs = (entry: { readonly [name: string]: unknown } | undefined) =>
  (entry?.["ttl"] as number) * 1000;

describe("L1: a lane", () => {
  it("is dense though two instances append by turns, each after a conflict with the other", async () => {
    const world = createWorld();
    const [a, b] = [world.instance(), world.instance()];
    await a.putQueue(Q, { lanes: 1 });
    await a.send(Q, texts(3, "a"));
    await b.send(Q, texts(2, "b"));
    const sends = [a, b, a, b].map(
      (one, index) => () => one.send(Q, texts(index + 1, `c${index}-`)),
    );
    for (const send of sends) await world.through(send());
    const log = await logOf(world);
    expect(isDense(log)).toBe(true);
    expect(log).toHaveLength(6);
    expect(world.events.filter(({ type }) => type === "appendConflict").length).toBeGreaterThan(0);
    expect(await drain(a)).toHaveLength(15);
  });

  it("holds each message where its id says", async () => {
    const { world, service } = await shortLived();
    await service.send(Q, texts(2));
    const [id] = idsOf(await service.send(Q, [text("third")]));
    const log = await logOf(world);
    expect(id).toBe(`${(await recordOf(world)).queueId}-0-${(offsetOf(log[0]) + 2).toString(36)}`);
    expect(bodyOf(await service.lookUp(Q, id ?? ""))).toBe("third");
  });
});

describe("L3: a put whose answer is lost", () => {
  it("is stored once, where it had been applied", async () => {
    const world = createWorld();
    const { store } = tampered(world.store, first(1, isLogPut, { throws: unknown, applied: true }));
    const service = world.instance(store);
    await service.putQueue(Q, {});
    const [id] = idsOf(await world.through(service.send(Q, [text("once")])));
    expect((await service.receive(Q, ALL)).map((one) => [one.id, bodyOf(one)])).toEqual([
      [id, "once"],
    ]);
    expect(await logOf(world)).toHaveLength(1);
  });

  it("is stored once, where it had not been applied", async () => {
    const world = createWorld();
    const { store } = tampered(world.store, first(2, isLogPut, { throws: unknown }));
    const service = world.instance(store);
    await service.putQueue(Q, {});
    await world.through(service.send(Q, [text("once")]));
    expect(await drain(service)).toEqual(["once"]);
  });

  it("is stored once though the belief is gone and others appended behind it before the retry", async () => {
    const world = createWorld();
    const other = world.instance();
    await other.putQueue(Q, { lanes: 1 });
    const lost = {
      throws: unknown,
      applied: true,
      after: async () => {
        await other.send(Q, texts(2, "other"));
        await world.advance(31 * SECOND);
      },
    };
    const service = world.instance(tampered(world.store, first(1, isLogPut, lost)).store);
    const [id] = idsOf(await world.through(service.send(Q, [text("once")])));
    expect(await drain(other)).toEqual(["once", "other0", "other1"]);
    expect(bodyOf(await other.lookUp(Q, id ?? ""))).toBe("once");
  });

  it("is stored elsewhere, once, where another's entry stands in its place", async () => {
    const world = createWorld();
    const other = world.instance();
    await other.putQueue(Q, { lanes: 1 });
    await other.send(Q, [text("before")]);
    const service = world.instance(
      tampered(world.store, first(1, isLogPut, { throws: unknown })).store,
    );
    const sending = service.send(Q, [text("once")]);
    await world.advance(0);
    await other.send(Q, texts(2, "other"));
    const [id] = idsOf(await world.through(sending));
    expect((await drain(other)).sort()).toEqual(["before", "once", "other0", "other1"]);
    expect(bodyOf(await other.lookUp(Q, id ?? ""))).toBe("once");
  });

  it("is said to be unknown where no answer ever comes", async () => {
    const world = createWorld();
    const { store } = tampered(world.store, first(1_000, isLogPut, { throws: unknown }));
    const service = world.instance(store);
    await service.putQueue(Q, {});
    await expect(world.through(service.send(Q, [text("?")]))).rejects.toMatchObject({
      code: "outcome-unknown",
      retryable: false,
    });
  });
});

describe("L4: the ttl of an entry", () => {
  it("is an hour past its messages' expiry at least, and never before that of the entry before it", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { retentionSeconds: 86_400 });
    await service.send(Q, [text("long")]);
    await service.patchQueue(Q, { retentionSeconds: 60 });
    await service.send(Q, [text("short")]);
    await service.patchQueue(Q, { retentionSeconds: 3 * 86_400 });
    await service.send(Q, [text("longest")]);
    const ttls = (await logOf(world)).map(ttlMs);
    const from = world.now();
    expect(ttls).toEqual(
      [86_400_000, 86_400_000, 3 * 86_400_000].map((life) => from + life + HOUR),
    );
  });

  it("does not lengthen the life of the messages in it", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { retentionSeconds: 86_400 });
    await service.send(Q, [text("long")]);
    await service.patchQueue(Q, { retentionSeconds: 60 });
    await service.send(Q, [text("short")]);
    await world.advance(MINUTE);
    expect(await drain(service)).toEqual(["long"]);
  });
});

describe("L5: an append", () => {
  it("behind an entry that has more than 10 min leaves it as it is", async () => {
    const { world, service } = await shortLived();
    await service.send(Q, [text("a")]);
    await world.advance(ENTRY_LIFE - 10 * MINUTE - 1);
    await service.send(Q, [text("b")]);
    const [a] = await logOf(world);
    expect(ttlMs(a)).toBe(world.now() + 10 * MINUTE + 1);
  });

  it("behind one that has 10 min or less first gives it 30 min, and stays in its run", async () => {
    for (const left of [10 * MINUTE, 2 * MINUTE]) {
      const { world, service } = await shortLived();
      await service.send(Q, [text("a")]);
      await world.advance(ENTRY_LIFE - left);
      await service.send(Q, [text("b")]);
      const log = await logOf(world);
      expect(ttlMs(log[0])).toBe(world.now() + 30 * MINUTE);
      expect(ttlMs(log[1])).toBeGreaterThanOrEqual(ttlMs(log[0]));
      expect(isDense(log)).toBe(true);
    }
  });

  it("behind one that has less than 2 min seals it and begins a new run, past every earlier offset", async () => {
    for (const left of [2 * MINUTE - 1, 0, -5 * MINUTE]) {
      const { world, service } = await shortLived();
      await service.send(Q, [text("a")]);
      await world.advance(ENTRY_LIFE - left);
      await service.send(Q, [text("b")]);
      const log = await logOf(world);
      expect(log[0]?.["sealed"]).toBe(true);
      expect(offsetOf(log[1])).toBe(world.now() * 1024);
      expect(await drain(service)).toEqual(["b"]);
    }
  });

  it("raises no ttl twice: an entry that was touched may have a successor by then", async () => {
    const { world, service } = await shortLived();
    await service.send(Q, [text("a")]);
    await world.advance(ENTRY_LIFE - 5 * MINUTE);
    await service.send(Q, [text("b")]);
    const touched = ttlMs((await logOf(world))[0]);
    await world.advance(MINUTE);
    await service.send(Q, [text("c")]);
    expect(ttlMs((await logOf(world))[0])).toBe(touched);
  });

  it("that meets a seal when it touches does not append behind it", async () => {
    const { world, service } = await shortLived();
    await service.send(Q, [text("a")]);
    await world.advance(ENTRY_LIFE - 2 * MINUTE - 5 * SECOND);
    const slow = world.instance(
      tampered(
        world.store,
        first(1, (call) => call.op === "update" && call.sets?.["ttl"] !== undefined, {
          before: async () => {
            await world.advance(10 * SECOND);
            await service.send(Q, [text("b")]);
          },
        }),
      ).store,
    );
    await world.through(slow.send(Q, [text("c")]));
    const log = await logOf(world);
    expect(log[0]?.["sealed"]).toBe(true);
    expect(isDense(log.slice(1))).toBe(true);
    expect(await drain(service)).toEqual(["b", "c"]);
  });

  it("that slept while it read the lane does not touch what has a successor by then, whose life it would pass", async () => {
    const { world, service } = await shortLived();
    await service.send(Q, [text("a")]);
    const slow = world.instance(
      tampered(
        world.store,
        first(1, isLogQuery, {
          after: async () => {
            await world.advance(20 * MINUTE);
            await world.through(service.send(Q, [text("b")]));
            await world.advance(ENTRY_LIFE - 25 * MINUTE);
          },
        }),
      ).store,
    );
    await world.through(slow.send(Q, [text("c")]));
    const log = await logOf(world);
    expect(isDense(log)).toBe(true);
    const left = log.slice(0, 2).map((entry) => ttlMs(entry) - world.now());
    expect(left).toEqual([5 * MINUTE, 25 * MINUTE]);
  });

  it("that slept while it touched does not append behind what was sealed since", async () => {
    const { world, service } = await shortLived();
    await service.send(Q, [text("a")]);
    await world.advance(ENTRY_LIFE - 5 * MINUTE);
    const touches = (call: Call) => call.op === "update" && call.sets?.["ttl"] !== undefined;
    const slow = world.instance(
      tampered(
        world.store,
        first(1, touches, {
          after: async () => {
            await world.advance(29 * MINUTE);
            await world.through(world.instance().send(Q, [text("b")]));
          },
        }),
      ).store,
    );
    await world.through(slow.send(Q, [text("c")]));
    const log = await logOf(world);
    expect(log[0]?.["sealed"]).toBe(true);
    expect(isDense(log.slice(1))).toBe(true);
  });

  it("that meets a touch when it seals goes on behind the touched entry", async () => {
    const { world, service } = await shortLived();
    await service.send(Q, [text("a")]);
    await world.advance(ENTRY_LIFE - 3 * MINUTE);
    const reads = (call: Call) => call.op === "update" && call.sets?.["sealed"] === true;
    const late = world.instance(
      tampered(
        world.store,
        first(1, reads, {
          before: async () => {
            const [a] = await logOf(world);
            if (a === undefined) throw new Error("no entry");
            const ttl = Math.floor((world.now() + 30 * MINUTE) / 1000);
            await world.store.put("lanes", { ...a, ttl });
          },
        }),
      ).store,
    );
    await world.advance(MINUTE + 1);
    await world.through(late.send(Q, [text("c")]));
    const log = await logOf(world);
    expect(log[0]?.["sealed"]).toBeUndefined();
    expect(isDense(log)).toBe(true);
  });

  it("that finds the last entry gone when it touches creates nothing in its place", async () => {
    const { world, service } = await shortLived();
    await service.send(Q, [text("a")]);
    await world.advance(ENTRY_LIFE - 3 * MINUTE);
    const [a] = await logOf(world);
    const slow = world.instance(
      tampered(
        world.store,
        first(1, (call) => call.op === "update" && call.sets?.["ttl"] !== undefined, {
          before: async () => {
            await world.advance(SECOND);
            await world.store.delete("lanes", { pk: a?.pk ?? "", sk: a?.sk ?? "" });
          },
        }),
      ).store,
    );
    await world.through(slow.send(Q, [text("b")]));
    const log = await logOf(world);
    expect(log).toHaveLength(1);
    expect(offsetOf(log[0])).toBeGreaterThan(offsetOf(a));
    expect(await drain(service)).toEqual(["b"]);
  });
});

describe("L6: a tail", () => {
  const lookedUp = (calls: readonly Call[]) =>
    calls.filter((call) => call.pk.startsWith("anchor#") || call.op === "query");

  it("is believed for 30 s after it was shown, and then read again: the anchor first, then the log", async () => {
    const world = createWorld();
    const { store, calls } = tampered(world.store, () => undefined);
    const service = world.instance(store);
    await service.putQueue(Q, { lanes: 1 });
    await service.send(Q, [text("a")]);
    calls.length = 0;
    await world.advance(29_999);
    await service.send(Q, [text("b")]);
    expect(lookedUp(calls)).toEqual([]);
    await world.advance(30_000);
    await service.send(Q, [text("c")]);
    expect(lookedUp(calls).map(({ op, pk }) => `${op} ${pk.split("#")[0]}`)).toEqual([
      "get anchor",
      "query log",
    ]);
  });

  it("is not believed when the clock was set back", async () => {
    const world = createWorld();
    const tails = new Tails(world.deps());
    const tail = { offset: 0, last: undefined, seenAt: world.now() + 1 };
    expect(tails.isBelievable(tail as Parameters<Tails["isBelievable"]>[0])).toBe(false);
  });

  it("is checked before every attempt: a retry after 30 s does not put where it believed it was", async () => {
    const { world, service: other } = await shortLived();
    await other.send(Q, [text("a")]);
    const [a] = await logOf(world);
    await world.advance(ENTRY_LIFE - 11 * MINUTE);
    // The process stands still while all of the lane is deleted.
    const frozen = {
      throws: unknown,
      before: async () => {
        await world.store.delete("lanes", { pk: a?.pk ?? "", sk: a?.sk ?? "" });
        await world.advance(31 * SECOND);
      },
    };
    const slow = world.instance(tampered(world.store, first(1, isLogPut, frozen)).store);
    const sending = slow.send(Q, [text("late")]);
    const outcome = await world.through(sending.then(idsOf, (error: unknown) => error));
    const log = await logOf(world);
    expect([outcome, log.length]).toEqual([
      expect.objectContaining({ code: "outcome-unknown" }),
      0,
    ]);
  });
});

describe("L7: a lane without entries", () => {
  it("begins a run at now × 1024, by its anchor", async () => {
    const { world, service } = await shortLived();
    await service.send(Q, [text("a")]);
    const anchor = await anchorOf(world);
    expect(anchor).toMatchObject({ base: world.now() * 1024, since: world.now() });
    expect(anchor?.["ttl"]).toBeUndefined();
    expect(offsetOf((await logOf(world))[0])).toBe(world.now() * 1024);
  });

  /** An anchor that its writer set, and then ended before its put. */
  async function anchored(ageMs: number) {
    const { world, service } = await shortLived();
    const dying = world.instance(
      tampered(world.store, first(1, isLogPut, { throws: crash })).store,
    );
    await expect(dying.send(Q, [text("lost")])).rejects.toThrow("has ended");
    const before = await anchorOf(world);
    await world.advance(ageMs);
    await service.send(Q, [text("a")]);
    const [entry] = await logOf(world);
    return { world, before, after: await anchorOf(world), at: offsetOf(entry) };
  }

  it("goes on at the base of an anchor younger than 10 min, which says then that it is used", async () => {
    const { before, after, at } = await anchored(10 * MINUTE - 1);
    expect(after).toEqual({ ...before, used: true });
    expect(at).toBe(before?.["base"]);
  });

  it("renews an anchor of 10 to 20 min with the same base", async () => {
    for (const age of [10 * MINUTE, 20 * MINUTE - 1]) {
      const { world, before, after, at } = await anchored(age);
      expect(after).toMatchObject({ base: before?.["base"], since: world.now() });
      expect(after?.["token"]).not.toBe(before?.["token"]);
      expect(at).toBe(before?.["base"]);
    }
  });

  it("sets a new base once the anchor is 20 min old", async () => {
    const { world, before, after, at } = await anchored(20 * MINUTE);
    expect(after?.["base"]).toBe(world.now() * 1024);
    expect(after?.["base"]).toBeGreaterThan(before?.["base"] as number);
    expect(at).toBe(after?.["base"]);
  });

  it("goes past the last base though the clock was behind when it was set", async () => {
    const { world, service } = await shortLived();
    const { queueId } = await recordOf(world);
    const base = (world.now() + HOUR) * 1024;
    const key = { pk: `anchor#${queueId}#0`, sk: "-" };
    await world.store.put("lanes", { ...key, base, since: world.now() - HOUR, token: "t" });
    await service.send(Q, [text("a")]);
    expect(offsetOf((await logOf(world))[0])).toBe(base + 1);
  });

  it("begins a new run though the anchor is young, where its run had entries: clocks may step back", async () => {
    const { world, service } = await shortLived();
    await service.send(Q, texts(3));
    const [first] = await logOf(world);
    await drain(service);
    await world.store.delete("lanes", { pk: first?.pk ?? "", sk: first?.sk ?? "" });
    await world.instance().send(Q, [text("new")]);
    expect(offsetOf((await logOf(world))[0])).toBeGreaterThanOrEqual(offsetOf(first) + 3);
    expect(await drain(service)).toEqual(["new"]);
  });

  it("keeps its run where who read it empty slept while another appended", async () => {
    const world = createWorld();
    const awake = world.instance();
    await awake.putQueue(Q, { lanes: 1 });
    const { queueId } = await recordOf(world);
    const base = world.now() * 1024;
    const key = { pk: `anchor#${queueId}#0`, sk: "-" };
    await world.store.put("lanes", { ...key, base, since: world.now(), token: "t" });
    const isLogRead = ({ op, pk }: Call) => op === "query" && pk.startsWith("log#");
    // The mark that the run is used comes too late to be seen.
    const { store: awakeStore } = tampered(world.store, ({ op, sets }) =>
      op === "update" && sets?.["used"] === true ? { throws: unknown } : undefined,
    );
    const { store } = tampered(
      world.store,
      first(1, isLogRead, {
        before: async () => {
          await world.through(world.instance(awakeStore).send(Q, texts(2, "awake")));
          await world.advance(HOUR);
        },
        show: (page) => ({ ...page, items: [] }),
      }),
    );
    await world.through(world.instance(store).send(Q, [text("slept")]));
    const log = await logOf(world);
    expect(log.map(offsetOf)).toEqual([base, base + 2]);
    expect(await drain(awake)).toHaveLength(3);
  });

  it("after TTL took all of it begins a new run, and old readers find it", async () => {
    const { world, service } = await shortLived();
    await service.send(Q, texts(3));
    expect(await drain(service)).toHaveLength(3);
    await world.advance(2 * HOUR);
    await world.sweep();
    expect(await logOf(world)).toEqual([]);
    await service.send(Q, [text("new")]);
    expect(await drain(service)).toEqual(["new"]);
  });

  it("is begun once by two who find it empty together", async () => {
    const { world, service } = await shortLived();
    const isAnchor = (call: Call) => call.op === "update" && call.pk.startsWith("anchor#");
    const slow = world.instance(
      tampered(
        world.store,
        first(1, isAnchor, {
          before: async () => {
            await world.advance(5);
            await service.send(Q, [text("fast")]);
          },
        }),
      ).store,
    );
    await world.through(slow.send(Q, [text("slow")]));
    const log = await logOf(world);
    expect(log).toHaveLength(2);
    expect(isDense(log)).toBe(true);
    expect(offsetOf(log[0])).toBe((await anchorOf(world))?.["base"]);
  });

  it("L9: has no tail once its anchor says that it ended, though TTL took the end entry", async () => {
    const { world } = await shortLived();
    const { queueId } = await recordOf(world);
    const key = { pk: `anchor#${queueId}#0`, sk: "-" };
    await world.store.put("lanes", { ...key, base: 1, since: 1, token: "t", ended: true });
    expect(await new Tails(world.deps()).appendable(queueId, laneId(0))).toBe("ended");
  });
});
