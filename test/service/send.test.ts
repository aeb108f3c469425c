import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import type { OutgoingMessage } from "../../src/core/message.ts";
import { partsKey } from "../../src/store/keys.ts";
import type { Item } from "../../src/store/port.ts";
import {
  ALL,
  bodyOf,
  createWorld,
  drain,
  idsOf,
  isDense,
  logOf,
  Q,
  recordOf,
  text,
  texts,
  throttled,
  unknown,
} from "./fixture.ts";
import { first, gate, isLogPut, tampered } from "./tampered.ts";
import type { Call, Fault } from "./tampered.ts";

/** An instance to whose puts on a log happens what a test wants of each, counted from 0. */
function withPuts(faults: (index: number) => Fault | undefined) {
  const world = createWorld();
  let puts = 0;
  const { store, calls } = tampered(world.store, (call) =>
    isLogPut(call) ? faults(puts++) : undefined,
  );
  return { world, calls, service: world.instance(store) };
}

const large = (bytes: number): OutgoingMessage => ({
  kind: "bytes",
  contentType: "application/octet-stream",
  headers: {},
  body: Buffer.from(Array.from({ length: bytes }, (_, index) => (index * 7) % 251)),
});

describe("group commit", () => {
  it("makes one entry of what arrives while another is under way, and gives each caller its own ids", async () => {
    const open = gate();
    const { world, service } = withPuts((index) =>
      index === 0 ? { before: () => open.closed } : undefined,
    );
    await service.putQueue(Q, { lanes: 1 });
    const sends = texts(30).map((_, index) => service.send(Q, texts(2, `${index}-`)));
    await world.advance(0);
    open.open();
    const ids = (await Promise.all(sends)).flatMap(idsOf);
    expect((await logOf(world)).map((entry) => entry["count"])).toEqual([2, 58]);
    const received = await service.receive(Q, ALL);
    expect(new Map(received.map((one) => [one.id, bodyOf(one)]))).toEqual(
      new Map(ids.map((id, index) => [id, `${Math.floor(index / 2)}-${index % 2}`])),
    );
  });

  it("keeps within an entry's messages and bytes", async () => {
    const { world, service } = withPuts(() => undefined);
    await service.putQueue(Q, { lanes: 1 });
    await Promise.all(texts(600).map((message) => service.send(Q, [message])));
    await Promise.all(texts(40, "x".repeat(8_000)).map((message) => service.send(Q, [message])));
    const log = await logOf(world);
    for (const entry of log) expect(entry["count"]).toBeLessThanOrEqual(LIMITS.entryMessages);
    expect(log.length).toBeLessThan(15);
    expect(isDense(log)).toBe(true);
    const perEntry = log.slice(-5).map((entry) => entry["count"] as number);
    expect(Math.max(...perEntry)).toBeLessThanOrEqual(LIMITS.entryRawBytes / 8_000);
    expect(await drain(service)).toHaveLength(640);
  });

  it("gives an error to every caller whose message it carried, and to no other", async () => {
    const open = gate();
    const { world, service } = withPuts((index) =>
      index === 0 ? { before: () => open.closed } : index === 1 ? { throws: throttled } : undefined,
    );
    await service.putQueue(Q, { lanes: 1 });
    const sends = texts(5).map((message) => service.send(Q, [message]));
    const settled = Promise.allSettled(sends);
    await world.advance(0);
    open.open();
    expect((await settled).map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "rejected",
      "rejected",
      "rejected",
    ]);
    expect(await drain(service)).toEqual(["m0"]);
    expect(idsOf(await service.send(Q, [text("after")]))).toHaveLength(1);
  });
});

describe("lanes of a queue whose senders meet", () => {
  /** Two instances of which one finds another's entry at its tail, so many times in one append. */
  async function meeting(times: number, lanes: "auto" | number) {
    const world = createWorld();
    const other = world.instance();
    await other.putQueue(Q, { lanes });
    await other.send(Q, [text("first")]);
    const rivals: string[] = [];
    const fault = first(times, isLogPut, {
      before: async () => {
        rivals.push(`rival${rivals.length}`);
        await other.send(Q, [text(rivals.at(-1) ?? "")]);
      },
    });
    const service = world.instance(tampered(world.store, fault).store);
    await world.through(service.send(Q, [text("mine")]));
    return { world, service, rivals };
  }

  it("double after three conflicts of one append", async () => {
    const { world } = await meeting(3, "auto");
    expect((await recordOf(world)).lanes).toMatchObject({ open: [0, 1], next: 2 });
  });

  it("stay after two", async () => {
    const { world } = await meeting(2, "auto");
    expect((await recordOf(world)).lanes.open).toEqual([0]);
  });

  it("stay as many as the settings say, whoever meets", async () => {
    const { world } = await meeting(5, 1);
    expect((await recordOf(world)).lanes.open).toEqual([0]);
  });

  it("are used by senders, and read by receivers, once they are open", async () => {
    const { world, rivals } = await meeting(3, "auto");
    for (let index = 0; index < 20; index++)
      await world.through(world.instance().send(Q, [text(`n${index}`)]));
    expect((await logOf(world, Q, 1)).length).toBeGreaterThan(3);
    expect(await drain(world.instance())).toHaveLength(22 + rivals.length);
  });

  it("lose nothing of what met", async () => {
    const { world, rivals } = await meeting(5, "auto");
    expect(rivals.length).toBeGreaterThan(0);
    expect((await drain(world.instance())).sort()).toEqual(["first", "mine", ...rivals].sort());
  });

  it("never become more than there may be", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { lanes: LIMITS.lanesMax });
    await service.patchQueue(Q, { lanes: "auto" });
    const other = world.instance();
    const fault = first(60, isLogPut, { before: () => other.send(Q, texts(1)) });
    const meeter = world.instance(tampered(world.store, fault).store);
    for (let index = 0; index < 20; index++) await world.through(meeter.send(Q, [text("x")]));
    expect((await recordOf(world)).lanes.open).toHaveLength(LIMITS.lanesMax);
  });
});

describe("a fixed number of lanes", () => {
  it("is what a queue has, more or fewer when it changes, without reuse of an id", async () => {
    const world = createWorld();
    const service = world.instance();
    expect((await service.putQueue(Q, { lanes: 3 })).queue.lanes).toBe(3);
    expect((await service.patchQueue(Q, { lanes: 5 })).lanes).toBe(5);
    expect((await service.patchQueue(Q, { lanes: 2 })).lanes).toBe(2);
    expect((await service.patchQueue(Q, { lanes: 3 })).lanes).toBe(3);
    const { lanes } = await recordOf(world);
    expect(lanes.open).toEqual([0, 1, 5]);
    expect(lanes.ended.map(({ lane }) => lane)).toEqual([2, 3, 4]);
  });
});

describe("a message too large for an entry", () => {
  const MIB = 1_048_576;

  it("comes back byte by byte at the largest size, beside small ones", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, {});
    await service.send(Q, [text("before"), large(MIB), text("after")]);
    const received = await service.receive(Q, ALL);
    expect(received.map((one) => one.body.length)).toEqual([6, MIB, 5]);
    expect(Buffer.compare(received[1]?.body ?? Buffer.alloc(0), large(MIB).body)).toBe(0);
    const [entry] = await logOf(world);
    const body = entry?.["body"];
    expect(body instanceof Uint8Array && body.length).toBeLessThan(1_000);
  });

  it("S1: has its parts written before the entry that names them, with a ttl past its expiry", async () => {
    const { world, calls, service } = withPuts(() => undefined);
    await service.putQueue(Q, { retentionSeconds: 600 });
    await service.send(Q, [large(MIB)]);
    const writes = calls.filter((call) => call.op === "put" && call.table === "lanes");
    expect(writes.map(({ pk }) => pk.split("#")[0])).toEqual(["part", "part", "part", "log"]);
    for (const { item } of writes.slice(0, 3))
      expect((item?.["ttl"] as number) * 1000).toBeGreaterThan(world.now() + 600_000);
  });

  it("is not stored where a part could not be written", async () => {
    const world = createWorld();
    const isPart = (call: Call) => call.op === "put" && call.pk.startsWith("part#");
    const service = world.instance(
      tampered(world.store, first(1, isPart, { throws: throttled })).store,
    );
    await service.putQueue(Q, {});
    await expect(service.send(Q, [large(MIB)])).rejects.toMatchObject({ code: "throttled" });
    expect(await logOf(world)).toEqual([]);
  });

  it("writes a part again whose outcome is unknown", async () => {
    const world = createWorld();
    const isPart = (call: Call) => call.op === "put" && call.pk.startsWith("part#");
    const service = world.instance(
      tampered(world.store, first(1, isPart, { throws: unknown })).store,
    );
    await service.putQueue(Q, {});
    await service.send(Q, [large(MIB)]);
    expect((await service.receive(Q, ALL))[0]?.body.length).toBe(MIB);
  });

  it("is passed over by receive and browse when a part is missing, and keeps nothing else back", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { lanes: 1 });
    const ids = idsOf(await service.send(Q, [text("a"), large(MIB), text("b")]));
    const part = world.store.items("lanes").find((item: Item) => item.pk.startsWith("part#"));
    await world.store.delete("lanes", { pk: part?.pk ?? "", sk: part?.sk ?? "" });
    expect(part?.pk.startsWith(partsKey((await recordOf(world)).queueId, ""))).toBe(true);
    expect((await service.browse(Q, { limit: 10 })).messages.map(bodyOf)).toEqual(["a", "b"]);
    await expect(service.lookUp(Q, ids[1] ?? "")).rejects.toMatchObject({
      code: "message-not-found",
    });
    expect((await service.receive(Q, ALL)).map(bodyOf)).toEqual(["a", "b"]);
  });
});

describe("a batch of several entries", () => {
  const codes = (results: Awaited<ReturnType<ReturnType<typeof withPuts>["service"]["send"]>>) =>
    results.map((result) => ("id" in result ? "stored" : result.error.code));

  it("S2: says message by message what was stored and what was not", async () => {
    const { world, service } = withPuts((index) =>
      index === 1 ? { throws: throttled } : undefined,
    );
    await service.putQueue(Q, { lanes: 1 });
    const results = await world.through(service.send(Q, texts(600)));
    const expected = texts(600).map((_, index) =>
      index >= 256 && index < 512 ? "throttled" : "stored",
    );
    expect(codes(results)).toEqual(expected);
    const failed = results[300];
    expect(failed && "error" in failed && failed.error.retryable).toBe(true);
    expect((await drain(service)).length).toBe(600 - 256);
  });

  it("S2: says unknown of what may have been stored, and only of that", async () => {
    const { world, service } = withPuts((index) =>
      index > 0 ? { throws: unknown, applied: true } : undefined,
    );
    await service.putQueue(Q, { lanes: 1 });
    const results = await world.through(service.send(Q, texts(300)));
    const stored = codes(results).filter((code) => code === "stored");
    expect(stored.length).toBeGreaterThanOrEqual(256);
    expect((await drain(world.instance())).sort()).toEqual(texts(300).map(bodyOf).sort());
  });

  it("throws where nothing was stored", async () => {
    const { world, service } = withPuts(() => ({ throws: throttled }));
    await service.putQueue(Q, { lanes: 1 });
    await expect(world.through(service.send(Q, texts(600)))).rejects.toMatchObject({
      code: "throttled",
    });
    expect(await logOf(world)).toEqual([]);
  });

  it("does not say that nothing was stored where one entry's outcome is unknown", async () => {
    const { world, service } = withPuts((index) => ({ throws: index === 0 ? throttled : unknown }));
    await service.putQueue(Q, { lanes: 1 });
    await expect(world.through(service.send(Q, texts(300)))).rejects.toMatchObject({
      code: "outcome-unknown",
    });
  });

  it("stores nothing when one message is larger than the queue takes, and names it", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { maxMessageBytes: 10 });
    const headed = { ...text("12345"), headers: { ab: "1234" } };
    await expect(service.send(Q, [text("1234567890"), headed, text("x")])).rejects.toMatchObject({
      code: "message-too-large",
      errors: [expect.objectContaining({ path: "messages[1]" })],
    });
    expect(await logOf(world)).toEqual([]);
    expect(idsOf(await service.send(Q, [text("1234567890")]))).toHaveLength(1);
  });
});
