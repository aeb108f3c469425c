import { describe, expect, it } from "vitest";
import type { LaneError } from "../../src/core/errors.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { messageId, parseMessageId } from "../../src/core/receipt.ts";
import { epochMs, groupName, laneId, offset, queueName } from "../../src/core/types.ts";
import type { GroupName } from "../../src/core/types.ts";
import type { Service, StartFrom } from "../../src/service/api.ts";
import { groupsKey } from "../../src/store/keys.ts";
import type { Store } from "../../src/store/port.ts";
import {
  ALL,
  bodyOf,
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
  unknown,
} from "./fixture.ts";
import type { World } from "./fixture.ts";
import { first, tampered } from "./tampered.ts";
import type { Call } from "./tampered.ts";

const AUDIT = groupName("audit");
const STATS = groupName("stats");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const put = (service: Service, from: StartFrom = "earliest", name: GroupName = AUDIT) =>
  service.putGroup(Q, name, { from, settings: {} });

const of = (group: GroupName, max = 1_000) => ({ max, group });

async function drainGroup(service: Service, group: GroupName = AUDIT): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const batch = await service.receive(Q, of(group));
    if (batch.length === 0) return bodies.sort();
    bodies.push(...batch.map(bodyOf));
    await service.ack(Q, receiptsOf(batch));
  }
}

async function start(settings = {}) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, settings);
  return { world, service };
}

const janitor = (world: World, service: Service = world.instance()) =>
  service.runJanitor(epochMs(world.now() + MINUTE));

const isRecordPut = (call: Call) => call.op === "put" && call.pk.startsWith("group#");

/** A store in which something comes right before a group's record is put. */
function beforeRecord(world: World, before: () => Promise<unknown>): Store {
  return tampered(world.store, first(1, isRecordPut, { before })).store;
}

describe("consumer groups", () => {
  it("each get every message, and ack for themselves alone", async () => {
    const { service } = await start();
    await put(service);
    await service.send(Q, texts(5));
    const mine = await service.receive(Q, of(AUDIT));
    expect(mine.map(bodyOf)).toEqual(["m0", "m1", "m2", "m3", "m4"]);
    expect(statusesOf(await service.ack(Q, receiptsOf(mine).slice(0, 3)))).toEqual([
      "done",
      "done",
      "done",
    ]);
    expect((await service.getGroup(Q, AUDIT)).depth).toEqual({ ready: 0, leased: 2, delayed: 0 });
    expect((await service.getQueue(Q)).depth).toEqual({ ready: 5, leased: 0, delayed: 0 });
    expect(await drain(service)).toHaveLength(5);
  });

  it("add no write to a send", async () => {
    const { world, service } = await start();
    const writesOf = async () => {
      world.requests.length = 0;
      await service.send(Q, texts(100));
      return world.requests.reduce((sum, { writeUnits }) => sum + writeUnits, 0);
    };
    await writesOf();
    const alone = await writesOf();
    await put(service);
    await put(service, "earliest", STATS);
    expect(await writesOf()).toBe(alone);
  });

  it("begin with the earliest message: no cursor is written", async () => {
    const { world, service } = await start({ lanes: 3 });
    await service.send(Q, texts(4));
    expect(await drain(service)).toHaveLength(4);
    expect((await put(service)).begins).toBe("earliest");
    expect(world.store.items("lanes").filter(({ sk }) => sk.length === 12)).toEqual([]);
    expect(await drainGroup(service)).toEqual(["m0", "m1", "m2", "m3"]);
  });

  it("begin behind all that was sent before", async () => {
    const { world, service } = await start({ lanes: 3 });
    for (const sender of [1, 2, 3, 4].map(() => world.instance()))
      await sender.send(Q, texts(5, "old"));
    expect((await put(service, "latest")).begins).toBe("latest");
    expect((await service.getGroup(Q, AUDIT)).depth.ready).toBe(0);
    await world.instance().send(Q, texts(2, "new"));
    expect(await drainGroup(service)).toEqual(["new0", "new1"]);
  });

  it("begin at a time: nothing sent since is passed over, little before it comes", async () => {
    const { world, service } = await start();
    for (let minute = 0; minute < 60; minute++) {
      await service.send(Q, [text(`m${String(minute).padStart(2, "0")}`)]);
      await world.advance(MINUTE);
    }
    const time = epochMs(world.now() - 20 * MINUTE);
    expect((await put(service, { time })).begins).toBe("within");
    expect((await drainGroup(service))[0]).toBe("m40");
    const early = epochMs(world.now() - 90 * MINUTE);
    expect((await put(service, { time: early }, STATS)).begins).toBe("earliest");
    expect(await drainGroup(service, STATS)).toHaveLength(60);
  });

  it("begin at a time within a burst of entries", async () => {
    const { world, service } = await start();
    for (let index = 0; index < 150; index++) {
      await service.send(Q, [text(String(index).padStart(3, "0"))]);
      await world.advance(100);
    }
    await put(service, { time: epochMs(world.now() - 3_000) });
    expect((await drainGroup(service))[0]).toBe("120");
  });

  it("begin at a message: exactly there on its lane, by its time on the others", async () => {
    const { world, service } = await start({ lanes: 2 });
    const senders = Array.from({ length: 8 }, () => world.instance());
    const ids = new Map<string, string>();
    for (const round of ["a", "b", "c"]) {
      for (const [index, sender] of senders.entries()) {
        const results = await sender.send(Q, texts(3, `${round}${index}-`));
        idsOf(results).forEach((id, at) => ids.set(`${round}${index}-m${at}`, id));
      }
      await world.advance(HOUR);
    }
    expect((await put(service, { id: ids.get("b3-m1") ?? "" })).begins).toBe("within");
    const got = await drainGroup(service);
    expect(got).toContain("b3-1");
    expect(got).not.toContain("b3-0");
    expect(got.some((body) => body.startsWith("a"))).toBe(false);
    expect(got.filter((body) => body.startsWith("c"))).toHaveLength(24);
  });
});

describe("the life of a group", () => {
  it("is updated by a second put, which leaves it where it is", async () => {
    const { service } = await start();
    await service.putQueue(DEAD, {});
    await service.send(Q, texts(3));
    expect((await put(service)).begins).toBe("earliest");
    expect(await drainGroup(service)).toHaveLength(3);
    const settings = { maxReceives: 3, deadLetter: { queue: DEAD } };
    const again = await service.putGroup(Q, AUDIT, { from: "earliest", settings });
    expect(again.begins).toBeUndefined();
    expect(again.group.settings).toEqual(settings);
    expect(await drainGroup(service)).toEqual([]);
  });

  it("is listed by name, behind the default one", async () => {
    const { service } = await start();
    await put(service, "latest", STATS);
    await put(service, "latest", AUDIT);
    const names = (await service.listGroups(Q)).map(({ name }) => name);
    expect(names).toEqual(["default", "audit", "stats"]);
    expect((await service.getGroup(Q, groupName("default"))).name).toBe("default");
  });

  it("is unknown before and after", async () => {
    const { world, service } = await start();
    const missing = { code: "group-not-found" };
    await expect(service.receive(Q, of(AUDIT))).rejects.toMatchObject(missing);
    await expect(service.getGroup(Q, AUDIT)).rejects.toMatchObject(missing);
    await expect(service.deleteGroup(Q, AUDIT)).rejects.toMatchObject(missing);
    await put(service);
    await service.deleteGroup(Q, AUDIT);
    await expect(service.receive(Q, of(AUDIT))).rejects.toMatchObject(missing);
    await expect(service.deleteGroup(Q, AUDIT)).rejects.toMatchObject(missing);
    await world.advance(11_000);
    await expect(world.instance().receive(Q, of(AUDIT))).rejects.toMatchObject(missing);
  });

  it("ends for good: one of its name is another", async () => {
    const { world, service } = await start();
    await service.send(Q, texts(4));
    await put(service);
    const held = await service.receive(Q, of(AUDIT, 2));
    await service.ack(Q, receiptsOf(held).slice(0, 1));
    await service.deleteGroup(Q, AUDIT);
    await expect(put(service)).rejects.toMatchObject({ code: "group-recently-deleted" });
    await world.advance(MINUTE);
    await put(service);
    expect((await service.receive(Q, of(AUDIT))).map(({ receives }) => receives)).toEqual([
      1, 1, 1, 1,
    ]);
  });

  it("leaves nothing behind: the janitor clears its cursors an hour later, and no one else's", async () => {
    const { world, service } = await start({ lanes: 2 });
    for (const sender of [1, 2, 3].map(() => world.instance())) await sender.send(Q, texts(3));
    const cursorsOf = async () => {
      const { queueId } = await recordOf(world);
      const items = world.store
        .items("lanes")
        .filter(({ pk }) => pk.startsWith(`cursor#${queueId}`));
      return new Set(items.map(({ sk }) => sk.split("#")[0]));
    };
    await put(service, "earliest", STATS);
    await service.receive(Q, of(STATS));
    await service.receive(Q, ALL);
    await put(service);
    await service.receive(Q, of(AUDIT));
    await service.deleteGroup(Q, AUDIT);
    await world.advance(2 * MINUTE);
    await put(service);
    await service.receive(Q, of(AUDIT));
    await service.deleteGroup(Q, AUDIT);
    await janitor(world);
    expect((await cursorsOf()).size).toBe(4);
    await world.advance(HOUR);
    await janitor(world);
    expect((await cursorsOf()).size).toBe(2);
    const { queueId, groups } = await recordOf(world);
    const left = world.store.items("catalog").filter(({ pk }) => pk === groupsKey(queueId));
    expect(left.map(({ sk }) => sk)).toEqual([STATS]);
    await service.deleteGroup(Q, STATS);
    await world.advance(2 * HOUR);
    await janitor(world);
    expect(groups.size).toBeGreaterThan(0);
    expect((await recordOf(world)).groups.size).toBe(0);
    expect((await cursorsOf()).size).toBe(1);
  });

  it("ends with its queue", async () => {
    const { world, service } = await start();
    await put(service);
    const { queueId } = await recordOf(world);
    await service.deleteQueue(Q);
    await world.advance(2 * MINUTE);
    await janitor(world);
    await world.advance(2 * HOUR);
    await janitor(world);
    expect(world.store.items("catalog").filter(({ pk }) => pk === groupsKey(queueId))).toEqual([]);
  });

  it("has a bound on how many there are", async () => {
    const { service } = await start();
    for (let index = 0; index < LIMITS.groupsPerQueue; index++)
      await put(service, "earliest", groupName(`g${index}`));
    const more = put(service, "earliest", groupName("one-more"));
    await expect(more).rejects.toMatchObject({ code: "group-conflict" });
    await put(service, "earliest", groupName("g7"));
    await service.deleteGroup(Q, groupName("g7"));
    await put(service, "earliest", groupName("one-more"));
  });

  it("is not the default group's, which goes with its queue", async () => {
    const { service } = await start();
    const conflict = { code: "group-conflict" };
    await expect(put(service, "latest", groupName("default"))).rejects.toMatchObject(conflict);
    await expect(service.deleteGroup(Q, groupName("default"))).rejects.toMatchObject(conflict);
  });

  it("is not on a queue that erases what is acked, nor the other way round", async () => {
    const { world, service } = await start({ eraseOnAck: true });
    await expect(put(service)).rejects.toMatchObject({ code: "queue-conflict" });
    await service.patchQueue(Q, { eraseOnAck: false });
    await put(service);
    const erasing = () => service.patchQueue(Q, { eraseOnAck: true });
    await expect(erasing()).rejects.toMatchObject({ code: "queue-conflict" });
    await service.deleteGroup(Q, AUDIT);
    await world.advance(MINUTE);
    await expect(erasing()).resolves.toMatchObject({ settings: { eraseOnAck: true } });
  });

  it("does not begin on a queue that came to erase while it was being made", async () => {
    const { world, service } = await start();
    const late = beforeRecord(world, () => service.patchQueue(Q, { eraseOnAck: true }));
    // Taken for what a failed creation left, the name keeps no queue from erasing.
    await expect(put(world.instance(late))).rejects.toMatchObject({ code: "queue-conflict" });
    await expect(service.getGroup(Q, AUDIT)).rejects.toMatchObject({ code: "group-not-found" });
  });

  it("is found by the janitor though that took its name for a leftover meanwhile", async () => {
    const { world, service } = await start();
    const slow = beforeRecord(world, () => janitor(world, service));
    await put(world.instance(slow));
    expect([...(await recordOf(world)).groups]).toEqual([AUDIT]);
  });

  it("survives a creation whose answer was lost: putting it again changes nothing", async () => {
    const { world, service } = await start();
    await service.send(Q, texts(2, "old"));
    const lost = first(1, isRecordPut, { throws: unknown, applied: true });
    const { store: lossy } = tampered(world.store, lost);
    await expect(put(world.instance(lossy), "latest")).rejects.toMatchObject({
      code: "outcome-unknown",
    });
    await service.send(Q, texts(2, "new"));
    expect((await put(service, "latest")).begins).toBeUndefined();
    expect(await drainGroup(service)).toEqual(["new0", "new1"]);
  });

  it("does not begin at what is to come, or was never sent, or was sent elsewhere", async () => {
    const { world, service } = await start();
    await service.putQueue(DEAD, {});
    const [elsewhere = ""] = idsOf(await service.send(DEAD, [text("a")]));
    const [id = ""] = idsOf(await service.send(Q, [text("b")]));
    const place = parseMessageId(id);
    if (place === undefined) throw new Error("no id");
    const code = (from: StartFrom) =>
      put(service, from).catch((error: unknown) => (error as LaneError).code);
    expect(await code({ time: epochMs(world.now() + 5_000) })).toBe("invalid-request");
    const next = messageId({ ...place, offset: offset(place.offset + 1) });
    expect(await code({ id: next })).toBe("message-not-found");
    expect(await code({ id: messageId({ ...place, lane: laneId(7) }) })).toBe("message-not-found");
    expect(await code({ id: elsewhere })).toBe("message-not-found");
    expect(await code({ id: "no-id" })).toBe("invalid-request");
  });
});

describe("what a group sets for itself", () => {
  const rule = { maxReceives: 2, deadLetter: { queue: DEAD } };

  it("its dead letters go their own way, and say whose they are", async () => {
    const { world, service } = await start({ leaseSeconds: 1 });
    await service.putQueue(DEAD, {});
    await service.putGroup(Q, AUDIT, { from: "earliest", settings: rule });
    await service.send(Q, texts(2));
    for (let round = 0; round < 2; round++) {
      expect(await service.receive(Q, of(AUDIT))).toHaveLength(2);
      expect(await service.receive(Q, { ...ALL, leaseSeconds: 1 })).toHaveLength(2);
      await world.advance(5_000);
    }
    expect(await service.receive(Q, of(AUDIT))).toEqual([]);
    expect(await service.receive(Q, ALL)).toHaveLength(2);
    const dead = await service.receive(DEAD, ALL);
    expect(dead.map(({ deadLetter }) => deadLetter?.group)).toEqual(["audit", "audit"]);
  });

  it("stands in place of what the queue says, null included", async () => {
    const { world, service } = await start();
    await service.putQueue(DEAD, {});
    await service.patchQueue(Q, { ...rule, maxReceives: 1, leaseSeconds: 1 });
    await service.putGroup(Q, AUDIT, { from: "earliest", settings: { maxReceives: null } });
    await put(service, "earliest", STATS);
    await service.send(Q, texts(1));
    for (let round = 0; round < 3; round++) {
      expect(await service.receive(Q, of(AUDIT))).toHaveLength(1);
      expect(await service.receive(Q, of(STATS))).toHaveLength(round === 0 ? 1 : 0);
      await world.advance(5_000);
    }
    expect(await service.receive(DEAD, ALL)).toHaveLength(1);
  });

  it("the janitor dead-letters for groups that nobody polls", async () => {
    const { world, service } = await start({ leaseSeconds: 1 });
    await service.putQueue(DEAD, {});
    const settings = { ...rule, maxReceives: 1 };
    await service.putGroup(Q, AUDIT, { from: "earliest", settings });
    await service.send(Q, texts(3));
    expect(await service.receive(Q, of(AUDIT))).toHaveLength(3);
    await world.advance(MINUTE);
    expect((await janitor(world, service)).deadLettered).toBe(3);
    expect(await drain(service, DEAD)).toHaveLength(3);
  });

  it("keeps the queue that it dead-letters to from being deleted", async () => {
    const { service } = await start();
    await service.putQueue(DEAD, {});
    await service.putGroup(Q, AUDIT, { from: "earliest", settings: rule });
    const deleting = () => service.deleteQueue(DEAD);
    await expect(deleting()).rejects.toMatchObject({
      code: "queue-conflict",
      message: 'Other queues dead-letter to "orders-dead": orders/audit.',
    });
    await service.putGroup(Q, AUDIT, { from: "earliest", settings: {} });
    await deleting();
    const gone = service.putGroup(Q, AUDIT, { from: "earliest", settings: rule });
    await expect(gone).rejects.toMatchObject({ code: "queue-not-found" });
  });

  it("is refused where nothing says where to move messages to, or to the queue itself", async () => {
    const { service } = await start();
    const set = (settings: object) => service.putGroup(Q, AUDIT, { from: "earliest", settings });
    const invalid = { code: "invalid-request" };
    await expect(set({ maxReceives: 3 })).rejects.toMatchObject(invalid);
    await expect(set({ maxReceives: 3, deadLetter: { queue: Q } })).rejects.toMatchObject(invalid);
    await service.putQueue(DEAD, {});
    await service.patchQueue(Q, { deadLetter: { queue: DEAD } });
    await set({ maxReceives: 3 });
  });
});

describe("groups and what happens to their queue", () => {
  it("a purge is for all of them", async () => {
    const { service } = await start({ lanes: 2 });
    await put(service);
    await put(service, "earliest", STATS);
    await service.send(Q, texts(5));
    const held = await service.receive(Q, of(STATS, 2));
    await service.purgeQueue(Q);
    expect(statusesOf(await service.ack(Q, receiptsOf(held)))).toEqual(["gone", "gone"]);
    await service.send(Q, texts(2, "new"));
    for (const group of [AUDIT, STATS])
      expect(await drainGroup(service, group)).toEqual(["new0", "new1"]);
  });

  it("lanes opened later begin with their first message", async () => {
    const { world, service } = await start({ lanes: 1 });
    await service.send(Q, texts(3, "old"));
    await put(service, "latest");
    await service.patchQueue(Q, { lanes: 6 });
    for (const sender of Array.from({ length: 12 }, () => world.instance()))
      await sender.send(Q, [text("new")]);
    expect(await drainGroup(service)).toHaveLength(12);
  });

  it("an ended lane is looked at until each is through with it for itself", async () => {
    const { world, service } = await start({ lanes: 3 });
    for (const sender of Array.from({ length: 12 }, () => world.instance()))
      await sender.send(Q, [text("m")]);
    await put(service);
    await drain(service);
    await service.patchQueue(Q, { lanes: 1 });
    for (let round = 0; round < 3; round++) await janitor(world, service);
    expect((await recordOf(world)).lanes.ended.every(({ isDrained }) => isDrained)).toBe(true);
    expect(await drainGroup(world.instance())).toHaveLength(12);
    for (let round = 0; round < 2; round++) await janitor(world, service);
    const { queueId } = await recordOf(world);
    const item = await world.store.get(
      "catalog",
      { pk: groupsKey(queueId), sk: AUDIT },
      { consistent: true },
    );
    expect(item?.["drained"]).toEqual([1, 2]);
    await put(service, "earliest", STATS);
    expect(await drainGroup(service, STATS)).toHaveLength(12);
  });

  it("a message tells how it stands with each of them", async () => {
    const { world, service } = await start();
    const [id = ""] = idsOf(await service.send(Q, texts(1)));
    await put(service);
    await put(service, "earliest", STATS);
    const [held] = await service.receive(Q, of(AUDIT));
    const [acked] = await service.receive(Q, of(STATS));
    await service.ack(Q, [acked?.receipt ?? ""]);
    expect((await service.lookUp(Q, id)).groups).toEqual({
      default: { state: "ready" },
      audit: { state: "leased", leaseExpiresAt: held?.leaseExpiresAt, receives: 1 },
      stats: { state: "acked" },
    });
    expect(world.now()).toBeGreaterThan(0);
  });

  it("other queues' groups are others", async () => {
    const { service } = await start();
    await put(service);
    await service.putQueue(queueName("other"), {});
    const other = service.receive(queueName("other"), of(AUDIT));
    await expect(other).rejects.toMatchObject({ code: "group-not-found" });
  });
});
