import { describe, expect, it } from "vitest";
import { laneId, queueId } from "../../src/core/types.ts";
import { parseMessageId } from "../../src/core/receipt.ts";
import type { MessageState } from "../../src/service/api.ts";
import {
  ALL,
  bodyOf,
  createWorld,
  drain,
  idsOf,
  logOf,
  Q,
  receiptsOf,
  text,
  texts,
} from "./fixture.ts";

async function queue(settings = {}) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, { lanes: 1, ...settings });
  return { world, service };
}

const placeOf = (id: string | undefined) => {
  const place = parseMessageId(id ?? "");
  if (place === undefined) throw new Error("not an id");
  return place;
};

describe("browsing", () => {
  it("shows every live message once over its pages, whatever their size, and leases none", async () => {
    const { service } = await queue();
    await service.send(Q, texts(300, "a"));
    await service.send(Q, texts(20, "b"));
    for (const limit of [1, 7, 256, 1_000]) {
      const seen: string[] = [];
      let from: { lane: ReturnType<typeof laneId>; offset: number } | undefined;
      do {
        const page = await service.browse(Q, { limit, ...(from === undefined ? {} : { from }) });
        expect(page.messages.length).toBeLessThanOrEqual(limit);
        seen.push(...page.messages.map(bodyOf));
        from = page.next;
      } while (from !== undefined && seen.length < 1_000);
      expect(seen).toEqual([...texts(300, "a"), ...texts(20, "b")].map(bodyOf));
    }
    expect((await service.getQueue(Q)).depth.ready).toBe(320);
  });

  it("goes lane by lane, or through one lane only", async () => {
    const { world, service } = await queue({ lanes: 3 });
    for (let index = 0; index < 20; index++)
      await world.through(world.instance().send(Q, [text(`m${index}`)]));
    const all = (await service.browse(Q, { limit: 100 })).messages;
    expect(all).toHaveLength(20);
    const lanes = all.map(({ id }) => placeOf(id).lane);
    expect(lanes).toEqual(lanes.toSorted((a, b) => a - b));
    const one = (await service.browse(Q, { limit: 100, lane: laneId(1) })).messages;
    expect(one.map(({ id }) => id)).toEqual(
      all.map(({ id }) => id).filter((id) => placeOf(id).lane === 1),
    );
    expect(one.length).toBeGreaterThan(0);
  });

  it("begins at a place, also within an entry, and goes on into later lanes", async () => {
    const { world, service } = await queue({ lanes: 2 });
    for (let index = 0; index < 12; index++)
      await world.through(world.instance().send(Q, texts(3, `${index}-`)));
    const all = (await service.browse(Q, { limit: 100 })).messages;
    for (const start of [0, 1, 2, 17, 35]) {
      const { lane, offset } = placeOf(all[start]?.id);
      const rest = (await service.browse(Q, { limit: 100, from: { lane, offset } })).messages;
      expect(rest.map(({ id }) => id)).toEqual(all.slice(start).map(({ id }) => id));
    }
  });

  it("refuses to begin at a message of another queue", async () => {
    const { service } = await queue();
    const from = { lane: laneId(0), offset: 0, queueId: queueId("another00000") };
    await expect(service.browse(Q, { limit: 1, from })).rejects.toMatchObject({
      code: "invalid-request",
      errors: [expect.objectContaining({ path: "from" })],
    });
  });

  it("shows acked and leased messages, and none that has expired", async () => {
    const { world, service } = await queue({ retentionSeconds: 60 });
    await service.send(Q, texts(2, "old"));
    await world.advance(30_000);
    await service.send(Q, texts(2, "new"));
    const got = await service.receive(Q, ALL);
    await service.ack(Q, receiptsOf(got).slice(0, 3));
    expect((await service.browse(Q, { limit: 9 })).messages).toHaveLength(4);
    await world.advance(30_000);
    expect((await service.browse(Q, { limit: 9 })).messages.map(bodyOf)).toEqual(["new0", "new1"]);
  });

  it("finds what stands behind a long stretch of expired entries", async () => {
    const { world, service } = await queue({ retentionSeconds: 60 });
    for (let index = 0; index < 400; index++) await service.send(Q, [text("old")]);
    await world.advance(61_000);
    await service.send(Q, [text("new")]);
    const seen: string[] = [];
    let page = await service.browse(Q, { limit: 9 });
    for (let call = 0; call < 50; call++) {
      seen.push(...page.messages.map(bodyOf));
      if (page.next === undefined) break;
      page = await service.browse(Q, { limit: 9, from: page.next });
    }
    expect(seen).toEqual(["new"]);
  });

  it("ends a page before it is larger than an answer may be, but never without a message", async () => {
    const { service } = await queue();
    const large = { ...text(""), body: Buffer.alloc(1_000_000, "x") };
    await service.send(Q, [large, large, large, large, large, large]);
    const page = await service.browse(Q, { limit: 100 });
    expect(page.messages.length).toBeGreaterThan(1);
    expect(page.messages.length).toBeLessThan(5);
    const rest = await service.browse(Q, { limit: 100, ...(page.next && { from: page.next }) });
    expect(page.messages.length + rest.messages.length).toBe(6);
  });
});

describe("looking a message up", () => {
  async function stateOf(
    act: (one: Awaited<ReturnType<typeof queue>>) => Promise<unknown>,
    settings = {},
  ) {
    const one = await queue({ leaseSeconds: 30, retentionSeconds: 600, ...settings });
    const [id = ""] = idsOf(await one.service.send(Q, texts(3)));
    await act(one);
    const { groups } = await one.service.lookUp(Q, id);
    return { state: groups["default"], now: one.world.now() };
  }

  const expectState = async (
    expected: (now: number) => MessageState,
    act: (one: Awaited<ReturnType<typeof queue>>) => Promise<unknown>,
    settings = {},
  ) => {
    const { state, now } = await stateOf(act, settings);
    expect(state).toEqual(expected(now));
  };

  const one = { max: 1, group: "default" };

  it("says ready of what nobody has claimed, and of what was given back or ran out", async () => {
    await expectState(
      () => ({ state: "ready" }),
      async () => undefined,
    );
    await expectState(
      () => ({ state: "ready" }),
      async ({ world, service }) => {
        await service.receive(Q, one);
        await world.advance(30_000);
      },
    );
    await expectState(
      () => ({ state: "ready" }),
      async ({ service }) =>
        service.release(Q, receiptsOf(await service.receive(Q, one)), {
          delaySeconds: 0,
          countAttempt: true,
        }),
    );
  });

  it("says leased until when, and how often it was received", async () => {
    await expectState(
      (now) => ({ state: "leased", leaseExpiresAt: (now + 30_000) as never, receives: 1 }),
      ({ service }) => service.receive(Q, one),
    );
    await expectState(
      (now) => ({ state: "leased", leaseExpiresAt: (now + 30_000) as never, receives: 2 }),
      async ({ world, service }) => {
        await service.receive(Q, one);
        await world.advance(30_000);
        await service.receive(Q, one);
      },
    );
  });

  it("says delayed until when, by the queue's delay or a release's", async () => {
    await expectState(
      (now) => ({ state: "delayed", visibleAt: (now + 40_000) as never }),
      async ({ world }) => world.advance(60_000),
      { delaySeconds: 100 },
    );
    await expectState(
      (now) => ({ state: "delayed", visibleAt: (now + 50_000) as never }),
      async ({ service }) =>
        service.release(Q, receiptsOf(await service.receive(Q, one)), {
          delaySeconds: 50,
          countAttempt: true,
        }),
    );
  });

  it("says acked of what was acked, also when its segment has been closed since", async () => {
    await expectState(
      () => ({ state: "acked" }),
      async ({ service }) => service.ack(Q, receiptsOf(await service.receive(Q, one))),
    );
    await expectState(
      () => ({ state: "acked" }),
      async ({ world, service }) => {
        for (let round = 0; round < 3; round++) {
          await service.send(Q, texts(100));
          const receipts: string[] = [];
          for (let index = 0; index < 80; index++)
            receipts.push(...receiptsOf(await service.receive(Q, one)));
          await service.ack(Q, receipts);
        }
        await drain(service);
        await drain(world.instance());
      },
    );
  });

  it("says acked of what a purge passed over", async () => {
    await expectState(
      () => ({ state: "acked" }),
      ({ service }) => service.purgeQueue(Q),
    );
  });

  it("says expired while TTL has not taken it, and does not find it after", async () => {
    const { world, service } = await queue({ retentionSeconds: 60 });
    const [id = ""] = idsOf(await service.send(Q, texts(1)));
    await world.advance(60_000);
    expect((await service.lookUp(Q, id)).groups["default"]).toEqual({ state: "expired" });
    await world.advance(2 * 3_600_000);
    await world.sweep();
    await expect(world.instance().lookUp(Q, id)).rejects.toMatchObject({
      code: "message-not-found",
    });
  });

  it("does not find what is no id, nor another queue's message, nor a place where nothing stands", async () => {
    const { world, service } = await queue();
    const [id = ""] = idsOf(await service.send(Q, texts(1)));
    const [entry] = await logOf(world);
    const beyond = `${id.split("-")[0]}-0-${(Number(entry?.sk) + 1).toString(36)}`;
    const foreign = id.replace(/^\w+/, "another00000");
    for (const text of ["", "x", beyond, foreign, `${id.split("-")[0]}-5-0`])
      await expect(service.lookUp(Q, text)).rejects.toMatchObject({ code: "message-not-found" });
  });
});
