import { describe, expect, it } from "vitest";
import { epochMs, groupName } from "../../src/core/types.ts";
import type { GroupName } from "../../src/core/types.ts";
import type { Service, StartFrom } from "../../src/service/api.ts";
import {
  ALL,
  bodyOf,
  crash,
  createWorld,
  DEAD,
  drain,
  idsOf,
  Q,
  receiptsOf,
  recordOf,
  statusesOf,
  text,
  texts,
} from "./fixture.ts";
import type { World } from "./fixture.ts";
import { first, tampered } from "./tampered.ts";
import type { Call } from "./tampered.ts";

const DEFAULT = groupName("default");
const AUDIT = groupName("audit");
const MINUTE = 60_000;

const isCursorWrite = (call: Call) =>
  call.op === "update" && call.pk.startsWith("cursor#") && !call.sk.includes("#");

async function start(settings = {}) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, { lanes: 1, leaseSeconds: 60, ...settings });
  return { world, service };
}

const seek = (service: Service, from: StartFrom, group: GroupName = DEFAULT) =>
  service.seekGroup(Q, group, from);

async function drainGroup(service: Service, group: GroupName): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const batch = await service.receive(Q, { max: 1_000, group });
    if (batch.length === 0) return bodies;
    bodies.push(...batch.map(bodyOf));
    await service.ack(Q, receiptsOf(batch));
  }
}

/** Lanes with messages of many senders, all but one of them retired once they are drained. */
async function retired(world: World, service: Service) {
  for (const sender of Array.from({ length: 12 }, () => world.instance()))
    await sender.send(Q, [text("m")]);
  expect(await drain(service)).toHaveLength(12);
  await service.patchQueue(Q, { lanes: 1 });
  for (let round = 0; round < 3; round++) await service.runJanitor(epochMs(world.now() + MINUTE));
  expect((await recordOf(world)).lanes.ended.every(({ isDrained }) => isDrained)).toBe(true);
}

describe("a seek", () => {
  it("back brings everything again: acked, leased, waiting, and not yet received", async () => {
    const { service } = await start();
    await service.send(Q, texts(8));
    const got = await service.receive(Q, { ...ALL, max: 6 });
    await service.ack(Q, receiptsOf(got).slice(0, 2));
    await service.release(Q, receiptsOf(got).slice(2, 4), { delaySeconds: 99, countAttempt: true });
    const { begins, group } = await seek(service, "earliest");
    expect([begins, group.depth]).toEqual(["earliest", { ready: 8, leased: 0, delayed: 0 }]);
    const again = await service.receive(Q, ALL);
    expect(again.map(bodyOf)).toEqual(texts(8).map(bodyOf));
    expect(again.every(({ receives }) => receives === 1)).toBe(true);
  });

  it("makes receipts from before it worthless", async () => {
    const { service } = await start();
    await service.send(Q, texts(3));
    const held = receiptsOf(await service.receive(Q, ALL));
    await seek(service, "earliest");
    const gone = ["gone", "gone", "gone"];
    expect(statusesOf(await service.ack(Q, held))).toEqual(gone);
    expect(statusesOf(await service.extend(Q, held, { leaseSeconds: 60 }))).toEqual(gone);
    const release = { delaySeconds: 0, countAttempt: true };
    expect(statusesOf(await service.release(Q, held, release))).toEqual(gone);
    expect(await drain(service)).toHaveLength(3);
  });

  it("forward passes over what lies between, leased or not, and nothing that comes after", async () => {
    const { world, service } = await start();
    await service.send(Q, texts(5));
    await service.receive(Q, { ...ALL, max: 2 });
    expect((await seek(service, "latest")).begins).toBe("latest");
    await service.send(Q, texts(2, "new"));
    await world.advance(2 * MINUTE);
    expect(await drain(service)).toEqual(["new0", "new1"]);
  });

  it("is of one group alone", async () => {
    const { service } = await start();
    await service.send(Q, texts(4));
    await service.putGroup(Q, AUDIT, { from: "earliest", settings: {} });
    expect(await drainGroup(service, AUDIT)).toHaveLength(4);
    expect(await drain(service)).toHaveLength(4);
    await seek(service, "earliest", AUDIT);
    expect(await drain(service)).toEqual([]);
    expect(await drainGroup(service, AUDIT)).toHaveLength(4);
  });

  it("leads into the middle of an entry, and cuts and closes from there on", async () => {
    const { service } = await start();
    const ids = idsOf(await service.send(Q, texts(200)));
    await drain(service);
    await seek(service, { id: ids[77] ?? "" });
    const got: string[] = [];
    for (;;) {
      const batch = await service.receive(Q, { ...ALL, max: 3 });
      if (batch.length === 0) break;
      got.push(...batch.map(bodyOf));
      if (got.length % 2 === 0) await service.ack(Q, receiptsOf(batch));
    }
    expect(got).toEqual(texts(200).map(bodyOf).slice(77));
    expect((await service.getQueue(Q)).depth.ready).toBe(0);
  });

  it("brings purged messages again, for nothing but their retention ends them", async () => {
    const { service } = await start();
    await service.send(Q, texts(3));
    await service.purgeQueue(Q);
    await seek(service, "earliest");
    expect(await drain(service)).toHaveLength(3);
  });

  it("before the first message that is left goes to the earliest, and says so", async () => {
    const { world, service } = await start({ retentionSeconds: 600 });
    const [old = ""] = idsOf(await service.send(Q, texts(2, "old")));
    await world.advance(3 * 3_600_000);
    await world.sweep();
    await service.send(Q, texts(2, "new"));
    await drain(service);
    expect((await seek(service, { id: old })).begins).toBe("earliest");
    expect(await drain(service)).toEqual(["new0", "new1"]);
    const time = epochMs(world.now() - 86_400_000);
    expect((await seek(service, { time })).begins).toBe("earliest");
    expect(await drain(service)).toEqual(["new0", "new1"]);
  });

  it("on an empty queue is the beginning of it", async () => {
    const { world, service } = await start();
    expect((await seek(service, { time: world.now() })).begins).toBe("earliest");
    expect((await seek(service, "latest")).begins).toBe("earliest");
    await service.send(Q, texts(2));
    expect(await drain(service)).toHaveLength(2);
  });

  it("by time begins where the log does behind a hole", async () => {
    const { world, service } = await start({ retentionSeconds: 3_600 });
    for (let hour = 0; hour < 6; hour++) {
      await service.send(Q, [text(`h${hour}`)]);
      await world.advance(1_700_000);
    }
    await world.sweep();
    await drain(service);
    await seek(service, { time: epochMs(world.now() - 2 * 1_700_000 - 60_000) });
    expect(await drain(service)).toEqual(["h4", "h5"]);
  });

  it("lets a scheduled message be named once it is in the log", async () => {
    const { world, service } = await start();
    const [id = ""] = idsOf(await service.send(Q, [{ ...text("later"), delaySeconds: 120 }]));
    await expect(seek(service, { id })).rejects.toMatchObject({ code: "message-not-found" });
    await world.advance(3 * MINUTE);
    await service.send(Q, texts(1));
    expect((await drain(service)).toSorted()).toEqual(["later", "m0"]);
    await seek(service, { id });
    expect(await drain(service)).toContain("later");
  });

  it("is refused where nothing is left to go back to, or no such group is", async () => {
    const { service } = await start({ eraseOnAck: true });
    await expect(seek(service, "earliest")).rejects.toMatchObject({ code: "queue-conflict" });
    const missing = service.seekGroup(Q, AUDIT, "earliest");
    await expect(missing).rejects.toMatchObject({ code: "group-not-found" });
  });
});

describe("a seek and ended lanes", () => {
  it("back makes them readable again, for instances that took them for finished, too", async () => {
    const { world, service } = await start({ lanes: 3 });
    await retired(world, service);
    const other = world.instance();
    expect(await other.receive(Q, ALL)).toEqual([]);
    await seek(service, "earliest");
    expect(await drain(service)).toHaveLength(12);
    await seek(service, "earliest");
    await world.advance(11_000);
    expect(await drain(other)).toHaveLength(12);
  });

  it("that fails half-way leaves none of them passed by", async () => {
    const { world, service } = await start({ lanes: 3 });
    await retired(world, service);
    const lost = first(1, (call) => isCursorWrite(call) && call.pk.endsWith("#2"), {
      throws: crash,
    });
    const { store } = tampered(world.store, lost);
    await expect(seek(world.instance(store), "earliest")).rejects.toThrow("ended");
    // A round that looks before the rest is done marks nothing.
    await service.runJanitor(epochMs(world.now() + MINUTE));
    await world.advance(11_000);
    expect((await drain(world.instance())).length).toBeGreaterThan(0);
    await seek(service, "earliest");
    expect(await drain(world.instance())).toHaveLength(12);
    await service.runJanitor(epochMs(world.now() + MINUTE));
    expect((await recordOf(world)).lanes.ended.every(({ isDrained }) => isDrained)).toBe(true);
  });
});

describe("a seek where order is kept", () => {
  const keyed = (key: string, body: string) => ({ ...text(body), key });

  it("brings a key's messages in order, from lane sets that have ended, too", async () => {
    const { world, service } = await start({ order: "key", lanes: 2 });
    const keys = ["a", "b", "c", "d", "e"];
    const sendAll = async (round: number) => {
      await world.advance(11_000);
      const sent = keys.map((key) => keyed(key, `${key}${round}`));
      await world.through(service.send(Q, sent));
    };
    const rounds = [0, 1, 2, 3];
    for (const round of rounds) {
      await sendAll(round);
      await world.through(service.patchQueue(Q, { lanes: 3 + round }));
    }
    const expected = keys.map((key) => rounds.map((round) => `${key}${round}`));
    const byKey = (bodies: readonly string[]) =>
      keys.map((key) => bodies.filter((body) => body.startsWith(key)));
    expect(byKey(await world.through(drain(service)))).toEqual(expected);
    const other = world.instance();
    expect(await world.through(other.receive(Q, ALL))).toEqual([]);
    await world.through(seek(service, "earliest"));
    // It has what it knew before the seek: that all old lanes are finished.
    expect(byKey(await world.through(drain(other)))).toEqual(expected);
    await world.through(seek(service, "earliest"));
    const one = { ...ALL, max: 1 };
    const [held] = await world.through(other.receive(Q, one));
    const next = await world.through(service.receive(Q, ALL));
    const own = held === undefined ? "" : bodyOf(held).charAt(0);
    expect(next.map(bodyOf).filter((body) => body.startsWith(own))).toEqual([]);
  });
});

describe("Y5: seeks at once", () => {
  it("the later one wins on every lane, though the earlier comes last", async () => {
    const { world, service } = await start({ lanes: 4 });
    for (const sender of Array.from({ length: 16 }, () => world.instance()))
      await sender.send(Q, [text("m")]);
    const slow = first(1, isCursorWrite, { before: () => seek(service, "latest") });
    const { store } = tampered(world.store, slow);
    await seek(world.instance(store), "earliest");
    expect(await drain(world.instance())).toEqual([]);
  });

  it("one that dies before it switches is finished by whoever reads the cursor", async () => {
    const { world, service } = await start();
    await service.send(Q, texts(3));
    await drain(service);
    let writes = 0;
    const dying = tampered(world.store, (call) =>
      call.pk.startsWith("cursor#") && call.op !== "get" && ++writes === 2
        ? { throws: crash }
        : undefined,
    );
    await expect(seek(world.instance(dying.store), "earliest")).rejects.toThrow("ended");
    expect(await drain(world.instance())).toHaveLength(3);
  });

  it("a claim under way is not carried over", async () => {
    const { world, service } = await start();
    await service.send(Q, texts(3));
    await service.receive(Q, { ...ALL, max: 1 });
    const slow = first(1, (call) => call.op === "update" && call.sk.includes("#0#"), {
      before: () => seek(service, "earliest"),
    });
    const { store } = tampered(world.store, slow);
    const late = await world.through(world.instance(store).receive(Q, ALL));
    expect(late.map(bodyOf)).toEqual(["m0", "m1", "m2"]);
    expect(statusesOf(await service.ack(Q, receiptsOf(late)))).toEqual(["done", "done", "done"]);
  });
});

describe("dead letters and a seek", () => {
  it("what died before it may die again", async () => {
    const { world, service } = await start({ leaseSeconds: 1 });
    await service.putQueue(DEAD, {});
    await service.patchQueue(Q, { maxReceives: 1, deadLetter: { queue: DEAD } });
    await service.send(Q, texts(2));
    for (let life = 0; life < 2; life++) {
      expect(await service.receive(Q, ALL)).toHaveLength(2);
      await world.advance(5_000);
      expect(await service.receive(Q, ALL)).toEqual([]);
      expect(await drain(service, DEAD)).toHaveLength(2);
      await seek(service, "earliest");
    }
  });
});
