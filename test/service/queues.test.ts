import { describe, expect, it } from "vitest";
import { epochMs, groupName, queueName } from "../../src/core/types.ts";
import {
  ALL,
  bodyOf,
  crash,
  createWorld,
  DEAD,
  drain,
  Q,
  recordOf,
  text,
  throttled,
} from "./fixture.ts";
import { first, tampered } from "./tampered.ts";
import type { Call } from "./tampered.ts";

const [A, B, C] = [queueName("a"), queueName("b"), queueName("c")];
const isCatalogWrite = (call: Call) =>
  call.table === "catalog" && call.op !== "get" && call.op !== "query";

describe("a queue", () => {
  it("is created once; the same again changes nothing, not even its version", async () => {
    const { world, service } = one();
    const first = await service.putQueue(Q, { leaseSeconds: 7 });
    const record = await recordOf(world);
    const again = await service.putQueue(Q, { leaseSeconds: 7 });
    expect([first.created, again.created]).toEqual([true, false]);
    expect(await recordOf(world)).toEqual(record);
    expect(again.queue).toEqual(first.queue);
  });

  it("put is the whole of its settings, patched only what is given", async () => {
    const { service } = one();
    await service.putQueue(Q, { leaseSeconds: 7, tags: { a: "1" } });
    expect((await service.patchQueue(Q, { retentionSeconds: 900 })).settings).toMatchObject({
      leaseSeconds: 7,
      retentionSeconds: 900,
      tags: { a: "1" },
    });
    expect((await service.putQueue(Q, {})).queue.settings).toMatchObject({
      leaseSeconds: 30,
      retentionSeconds: 345_600,
      tags: {},
    });
  });

  it("keeps its messages, receipts and creation time when its settings change", async () => {
    const { world, service } = one();
    const { queue } = await service.putQueue(Q, {});
    await service.send(Q, [text("a")]);
    const [message] = await service.receive(Q, ALL);
    await world.advance(1_000);
    const changed = await service.putQueue(Q, { leaseSeconds: 5 });
    expect(changed.queue.createdAt).toBe(queue.createdAt);
    expect(await service.ack(Q, [message?.receipt ?? ""])).toEqual([{ status: "done" }]);
  });

  it("is changed by two at once without losing either's change", async () => {
    const { world, service } = one();
    await service.putQueue(Q, {});
    const slow = first(1, isCatalogWrite, {
      before: () => service.patchQueue(Q, { leaseSeconds: 5 }),
    });
    await world.instance(tampered(world.store, slow).store).patchQueue(Q, { waitSeconds: 3 });
    expect((await service.getQueue(Q)).settings).toMatchObject({ leaseSeconds: 5, waitSeconds: 3 });
  });

  it("is created by one of two who try at once, and is the same for both", async () => {
    const { world, service } = one();
    const slow = first(1, (call) => call.op === "put", { before: () => service.putQueue(Q, {}) });
    const result = await world
      .instance(tampered(world.store, slow).store)
      .putQueue(Q, { leaseSeconds: 5 });
    expect(result.created).toBe(false);
    expect((await service.getQueue(Q)).settings.leaseSeconds).toBe(5);
  });

  it("that does not exist is said so by every operation", async () => {
    const { service } = one();
    const missing = { code: "queue-not-found", status: 404 };
    for (const call of [
      () => service.getQueue(Q),
      () => service.patchQueue(Q, {}),
      () => service.deleteQueue(Q),
      () => service.purgeQueue(Q),
      () => service.redrive(Q, {}),
      () => service.send(Q, [text("x")]),
      () => service.receive(Q, ALL),
      () => service.ack(Q, ["x"]),
      () => service.browse(Q, { limit: 1 }),
      () => service.lookUp(Q, "x"),
    ])
      await expect(call()).rejects.toMatchObject(missing);
  });
});

const one = () => {
  const world = createWorld();
  return { world, service: world.instance() };
};

describe("what SQS says of a queue", () => {
  const SQS = { policy: '{"Version":"2012-10-17"}' };

  it("is kept beside its settings, whatever becomes of those", async () => {
    const { service } = one();
    const request = { settings: { leaseSeconds: 7 }, sqs: SQS };
    expect((await service.createQueue(Q, request)).created).toBe(true);
    await service.putQueue(Q, { waitSeconds: 3 });
    await service.patchQueue(Q, { delaySeconds: 2 });
    const { settings, sqs } = await service.describeQueue(Q);
    expect(settings).toMatchObject({ leaseSeconds: 30, waitSeconds: 3, delaySeconds: 2 });
    expect(sqs).toEqual(SQS);
  });

  it("is changed from how it stands, also where others change it at the same time", async () => {
    const { world, service } = one();
    await service.createQueue(Q, { sqs: SQS });
    await Promise.all(
      [1, 2, 3].map((number) =>
        world.instance().changeQueue(Q, ({ settings, sqs }) => ({
          settings: { tags: { ...settings.tags, [`t${number}`]: "" } },
          sqs: { ...sqs, kmsMasterKeyId: `${sqs.kmsMasterKeyId ?? ""}${number}` },
        })),
      ),
    );
    const { settings, sqs } = await service.describeQueue(Q);
    expect(Object.keys(settings.tags).toSorted()).toEqual(["t1", "t2", "t3"]);
    expect(sqs.kmsMasterKeyId?.split("").toSorted()).toEqual(["1", "2", "3"]);
    expect(sqs.policy).toBe(SQS.policy);
  });

  it("is not made again over a queue that is there", async () => {
    const { world, service } = one();
    await service.putQueue(Q, { leaseSeconds: 7 });
    const before = await recordOf(world);
    const { created, queue } = await service.createQueue(Q, { settings: { leaseSeconds: 9 } });
    expect([created, queue.settings.leaseSeconds]).toEqual([false, 7]);
    expect(await recordOf(world)).toEqual(before);
  });

  it("says when it was last changed, as settings do, and lanes do not", async () => {
    const { world, service } = one();
    const { modifiedAt } = (await service.createQueue(Q, {})).queue;
    expect(modifiedAt).toBe(world.now());
    const changes = [
      () => service.patchQueue(Q, { leaseSeconds: 9 }),
      () => service.changeQueue(Q, () => ({ sqs: SQS })),
    ];
    for (const change of changes) {
      await world.advance(1_000);
      await change();
      expect((await service.describeQueue(Q)).modifiedAt).toBe(world.now());
    }
    const at = world.now();
    await world.advance(1_000);
    await service.changeQueue(Q, () => ({ sqs: SQS }));
    await service.send(Q, [{ ...text("a"), delaySeconds: 60 }]);
    expect((await service.describeQueue(Q)).modifiedAt).toBe(at);
  });

  it("is read from a cache only where that is asked for", async () => {
    const { world, service } = one();
    await service.createQueue(Q, {});
    await service.describeQueue(Q);
    await world.instance().changeQueue(Q, () => ({ sqs: SQS }));
    expect((await service.describeQueue(Q, { cached: true })).sqs).toEqual({});
    expect((await service.describeQueue(Q)).sqs).toEqual(SQS);
  });
});

describe("deleting a queue", () => {
  it("frees its name after 60 s, and nothing of it shows in the next of that name", async () => {
    const { world, service } = one();
    await service.putQueue(Q, { leaseSeconds: 1 });
    await service.send(Q, [text("old")]);
    const { queueId } = await recordOf(world);
    await service.deleteQueue(Q);
    await expect(service.getQueue(Q)).rejects.toMatchObject({ code: "queue-not-found" });
    await world.advance(59_999);
    await expect(service.putQueue(Q, {})).rejects.toMatchObject({
      code: "queue-recently-deleted",
      retryable: true,
    });
    await world.advance(1);
    expect((await service.putQueue(Q, {})).created).toBe(true);
    expect((await recordOf(world)).queueId).not.toBe(queueId);
    expect(await drain(service)).toEqual([]);
    expect((await service.getQueue(Q)).settings.leaseSeconds).toBe(30);
  });

  it("D1: is seen within 10 s by an instance that knows the queue", async () => {
    const { world, service } = one();
    const other = world.instance();
    await service.putQueue(Q, {});
    await other.send(Q, [text("x")]);
    await service.deleteQueue(Q);
    await world.advance(9_999);
    await other.send(Q, [text("into the void")]);
    await world.advance(1);
    await expect(other.send(Q, [text("x")])).rejects.toMatchObject({ code: "queue-not-found" });
  });

  it("frees its name at once where the service is relaxed", async () => {
    const world = createWorld({ relaxed: true });
    const service = world.instance();
    await service.putQueue(Q, {});
    await service.deleteQueue(Q);
    expect((await service.putQueue(Q, {})).created).toBe(true);
  });

  it("twice says that there is none", async () => {
    const { service } = one();
    await service.putQueue(Q, {});
    await service.deleteQueue(Q);
    await expect(service.deleteQueue(Q)).rejects.toMatchObject({ code: "queue-not-found" });
  });

  it("D4: leaves a grave for the janitor when its name is used again", async () => {
    const { world, service } = one();
    await service.putQueue(Q, { lanes: 3 });
    const { queueId } = await recordOf(world);
    await service.deleteQueue(Q);
    await world.advance(60_000);
    await service.putQueue(Q, {});
    const graves = world.store.items("catalog").filter(({ pk }) => pk === "grave");
    expect(graves.map(({ sk, lanes }) => [sk, lanes])).toEqual([[queueId, 3]]);
  });
});

describe("a dead-letter queue", () => {
  it("must exist, and maxReceives needs one", async () => {
    const { world, service } = one();
    await expect(service.putQueue(Q, { deadLetter: { queue: DEAD } })).rejects.toMatchObject({
      code: "queue-not-found",
      errors: [expect.objectContaining({ path: "deadLetter.queue" })],
    });
    await expect(service.putQueue(Q, { maxReceives: 3 })).rejects.toMatchObject({
      code: "invalid-request",
    });
    await service.putQueue(DEAD, {});
    await service.deleteQueue(DEAD);
    await expect(service.putQueue(Q, { deadLetter: { queue: DEAD } })).rejects.toMatchObject({
      code: "queue-not-found",
    });
    expect(world.store.items("catalog").filter(({ sk }) => sk === Q)).toEqual([]);
  });

  it("is not the queue itself, nor one that leads back to it", async () => {
    const { service } = one();
    await service.putQueue(A, {});
    await expect(service.putQueue(A, { deadLetter: { queue: A } })).rejects.toMatchObject({
      code: "invalid-request",
    });
    await service.putQueue(B, { deadLetter: { queue: A } });
    await service.putQueue(C, { deadLetter: { queue: B } });
    for (const target of [B, C])
      await expect(service.patchQueue(A, { deadLetter: { queue: target } })).rejects.toMatchObject({
        code: "queue-conflict",
      });
    expect((await service.patchQueue(C, { deadLetter: { queue: A } })).settings.deadLetter).toEqual(
      { queue: A },
    );
  });

  it("D3: is not deleted while others dead-letter to it, and is once they do not", async () => {
    const { service } = one();
    await service.putQueue(DEAD, {});
    await service.putQueue(A, { deadLetter: { queue: DEAD } });
    await service.putQueue(B, { deadLetter: { queue: DEAD } });
    await expect(service.deleteQueue(DEAD)).rejects.toMatchObject({ code: "queue-conflict" });
    await service.patchQueue(A, { deadLetter: null });
    await expect(service.deleteQueue(DEAD)).rejects.toThrow(/b/);
    await service.deleteQueue(B);
    await service.deleteQueue(DEAD);
    await expect(service.getQueue(DEAD)).rejects.toMatchObject({ code: "queue-not-found" });
  });

  it("D3: is not deleted when a queue comes to dead-letter to it in the meantime", async () => {
    const { world, service } = one();
    await service.putQueue(DEAD, {});
    const between = first(1, (call) => call.sets?.["deletedAt"] !== undefined, {
      before: () => service.putQueue(A, { deadLetter: { queue: DEAD } }),
    });
    await expect(
      world.instance(tampered(world.store, between).store).deleteQueue(DEAD),
    ).rejects.toMatchObject({ code: "queue-conflict" });
    expect((await service.getQueue(DEAD)).name).toBe(DEAD);
  });

  it("D3: that was left for another is free, and the other is not", async () => {
    const { world, service } = one();
    await service.putQueue(DEAD, {});
    await service.putQueue(C, {});
    await service.putQueue(A, { deadLetter: { queue: DEAD } });
    await service.putQueue(A, { deadLetter: { queue: C } });
    expect((await recordOf(world, DEAD)).sources).toEqual(new Set());
    await service.deleteQueue(DEAD);
    await expect(service.deleteQueue(C)).rejects.toMatchObject({ code: "queue-conflict" });
  });

  it("D3: that a crash left linked to a queue which never came to be can be deleted", async () => {
    const { world, service } = one();
    await service.putQueue(DEAD, {});
    const ending = first(1, (call) => call.op === "put" && call.sk === A, { throws: crash });
    await expect(
      world
        .instance(tampered(world.store, ending).store)
        .putQueue(A, { deadLetter: { queue: DEAD } }),
    ).rejects.toThrow();
    expect((await recordOf(world, DEAD)).sources).toEqual(new Set([A]));
    await service.deleteQueue(DEAD);
  });

  it("D3: says who dead-letters to it, by a group, too, and not who only once did", async () => {
    const { service } = one();
    await service.putQueue(DEAD, {});
    await service.putQueue(B, { deadLetter: { queue: DEAD } });
    await service.putQueue(A, {});
    await service.putGroup(A, groupName("audit"), {
      from: "earliest",
      settings: { maxReceives: 1, deadLetter: { queue: DEAD } },
    });
    await service.putQueue(C, { deadLetter: { queue: DEAD } });
    await service.putQueue(C, {});
    expect(await service.deadLetterSources(DEAD)).toEqual([A, B]);
    expect(await service.deadLetterSources(A)).toEqual([]);
  });

  it("D3: deleted all the same, has its sources again when its name is used again", async () => {
    const { world, service } = one();
    await service.putQueue(DEAD, {});
    await service.putQueue(A, { maxReceives: 1, leaseSeconds: 1, deadLetter: { queue: DEAD } });
    await service.deleteQueue(DEAD, { evenIfNamed: true });
    await expect(service.getQueue(DEAD)).rejects.toMatchObject({ code: "queue-not-found" });
    await service.send(A, [text("a")]);
    for (let receive = 0; receive < 3; receive++) {
      expect(await service.receive(A, ALL)).toHaveLength(1);
      await world.advance(120_000);
      await service.runJanitor(epochMs(world.now() + 10_000));
    }
    await service.putQueue(DEAD, {});
    expect(await service.deadLetterSources(DEAD)).toEqual([A]);
    await expect(service.deleteQueue(DEAD)).rejects.toMatchObject({ code: "queue-conflict" });
    await world.advance(10_000);
    expect(await service.receive(A, ALL)).toEqual([]);
    expect((await service.receive(DEAD, ALL)).map(bodyOf)).toEqual(["a"]);
  });

  it("D3: deleted all the same, is buried once nobody dead-letters to it any more", async () => {
    const { world, service } = one();
    await service.putQueue(DEAD, {});
    await service.putQueue(A, { deadLetter: { queue: DEAD } });
    await service.deleteQueue(DEAD, { evenIfNamed: true });
    await world.advance(60_000);
    const isThere = async () => {
      await service.runJanitor(epochMs(world.now() + 10_000));
      return world.store.items("catalog").some(({ sk }) => sk === DEAD);
    };
    expect(await isThere()).toBe(true);
    await service.putQueue(A, {});
    expect(await isThere()).toBe(false);
  });

  it("D3: is linked before the settings name it, so that no deletion comes between", async () => {
    const { world, service } = one();
    await service.putQueue(DEAD, {});
    await service.putQueue(A, {});
    const between = first(1, (call) => isCatalogWrite(call) && call.sk === A, {
      before: async () => {
        // Stale by A's settings as they are, so this deletion is right to go through or to be refused;
        // what may not be is a queue that dead-letters to a deleted one without having said so.
        await service.deleteQueue(DEAD).catch(() => undefined);
      },
    });
    const outcome = await world
      .instance(tampered(world.store, between).store)
      .patchQueue(A, { maxReceives: 1, deadLetter: { queue: DEAD } })
      .then(
        () => "set",
        () => "refused",
      );
    const isThere = await service.getQueue(DEAD).then(
      () => true,
      () => false,
    );
    expect([outcome, isThere]).not.toEqual(["set", false]);
  });

  it("that cannot be reached right now changes nothing, and says so", async () => {
    const { world, service } = one();
    await service.putQueue(DEAD, {});
    const busy = first(9, (call) => isCatalogWrite(call) && call.sk === DEAD, {
      throws: throttled,
    });
    await expect(
      world
        .instance(tampered(world.store, busy).store)
        .putQueue(A, { deadLetter: { queue: DEAD } }),
    ).rejects.toMatchObject({ code: "throttled" });
    await expect(service.getQueue(A)).rejects.toMatchObject({ code: "queue-not-found" });
  });
});

describe("listing queues", () => {
  async function named(names: readonly string[], deleted: readonly string[] = []) {
    const { world, service } = one();
    for (const name of names) await service.putQueue(queueName(name), {});
    for (const name of deleted) await service.deleteQueue(queueName(name));
    const all = async (limit: number, prefix?: string) => {
      const pages: string[][] = [];
      let after: ReturnType<typeof queueName> | undefined;
      do {
        const page = await service.listQueues({
          limit,
          ...(prefix === undefined ? {} : { prefix }),
          ...(after === undefined ? {} : { after }),
        });
        pages.push(page.queues.map(({ name }) => name));
        after = page.next;
      } while (after !== undefined && pages.length < 50);
      return pages;
    };
    return { world, service, all };
  }

  it("gives every queue once, in order, in pages that are full but for the last", async () => {
    const names = ["a", "b", "c", "d", "e"];
    const { all } = await named(names.toReversed());
    expect(await all(2)).toEqual([["a", "b"], ["c", "d"], ["e"]]);
    expect(await all(5)).toEqual([names]);
    expect(await all(100)).toEqual([names]);
  });

  it("passes over deleted ones without short pages or an empty last one", async () => {
    const { all } = await named(["a", "b", "c", "d", "e", "f"], ["a", "c", "d", "f"]);
    expect(await all(1)).toEqual([["b"], ["e"]]);
    expect(await all(2)).toEqual([["b", "e"]]);
  });

  it("by prefix gives those and no others, over pages", async () => {
    const { all } = await named(["a", "ab", "ab-1", "ab_2", "abc", "b", "Ab"]);
    expect((await all(2, "ab")).flat()).toEqual(["ab", "ab-1", "ab_2", "abc"]);
    expect(await all(9, "zz")).toEqual([[]]);
  });

  it("goes on behind a place that is gone by then, or stands before the prefix", async () => {
    const { service } = await named(["a", "b", "c"], ["b"]);
    const names = async (after: string, prefix?: string) =>
      (
        await service.listQueues({
          limit: 9,
          after: queueName(after),
          ...(prefix === undefined ? {} : { prefix }),
        })
      ).queues.map(({ name }) => name);
    expect(await names("b")).toEqual(["c"]);
    expect(await names("a", "c")).toEqual(["c"]);
    expect(await names("c")).toEqual([]);
  });
});

describe("a change whose answer cannot be made", () => {
  it("does not say that nothing was changed", async () => {
    const { world, service } = one();
    await service.putQueue(Q, {});
    const busy = first(99, (call) => call.table === "lanes", { throws: throttled });
    await expect(
      world.instance(tampered(world.store, busy).store).patchQueue(Q, { leaseSeconds: 5 }),
    ).rejects.toMatchObject({ code: "outcome-unknown" });
    expect((await service.getQueue(Q)).settings.leaseSeconds).toBe(5);
  });
});

describe("what a setting does", () => {
  it("a lease runs as long as the call says, else as the queue says", async () => {
    const { world, service } = one();
    await service.putQueue(Q, { lanes: 1, leaseSeconds: 50 });
    await service.send(Q, [text("a"), text("b")]);
    const [a] = await service.receive(Q, { max: 1, group: "default" });
    const [b] = await service.receive(Q, { max: 1, group: "default", leaseSeconds: 9 });
    expect([a?.leaseExpiresAt, b?.leaseExpiresAt]).toEqual(
      [world.now() + 50_000, world.now() + 9_000].map(epochMs),
    );
  });

  it("a delay holds back what is sent from then on, and stays as it was at the send", async () => {
    const { world, service } = one();
    await service.putQueue(Q, { lanes: 1, delaySeconds: 20 });
    await service.send(Q, [text("a")]);
    await service.patchQueue(Q, { delaySeconds: 0 });
    expect(await service.receive(Q, ALL)).toEqual([]);
    await world.advance(20_000);
    expect((await service.receive(Q, ALL)).map(bodyOf)).toEqual(["a"]);
  });

  it("groups but the default one do not exist", async () => {
    const { service } = one();
    await service.putQueue(Q, {});
    await expect(service.receive(Q, { max: 1, group: "other" })).rejects.toMatchObject({
      code: "group-not-found",
    });
  });
});
