/** Hunts for what a cleared queue still delivers, and for new messages that it takes for old ones. */
import { describe, expect, it } from "vitest";
import type { OutgoingMessage } from "../../src/core/message.ts";
import { cancellation } from "../../src/service/timers.ts";
import { createWorld, drain, idsOf, Q, recordOf, text, throttled, unknown } from "./fixture.ts";
import { first, gate, isLogPut, isLogQuery, tampered } from "./tampered.ts";
import type { Call } from "./tampered.ts";

const isTimerUpdate = ({ op, pk }: Call) => op === "update" && pk.startsWith("timer#");
const isClearing = ({ table, sets }: Call) =>
  table === "catalog" && sets?.["clearedAt"] !== undefined;

async function queue(settings = {}) {
  const world = createWorld({ skewMarginMs: 1_000 });
  const service = world.instance();
  await service.putQueue(Q, { lanes: 1, ...settings });
  return { world, service };
}

const once = (body: string, dedupId = "d"): OutgoingMessage => ({ ...text(body), dedupId });
const delayed = (body: string, delaySeconds: number): OutgoingMessage => ({
  ...text(body),
  delaySeconds,
});

describe("K2: clearing a queue", () => {
  it("drops what is in it, leased messages included", async () => {
    const { world, service } = await queue();
    await service.send(Q, [text("leased"), text("waiting")]);
    await service.receive(Q, { max: 1, group: "default" });
    await service.clearQueue(Q);
    await world.advance(60_000);
    expect(await drain(service)).toEqual([]);
    await service.send(Q, [text("after")]);
    expect(await drain(service)).toEqual(["after"]);
  });

  it("forgets the ids of what was sent, which a purge does not", async () => {
    const { service } = await queue();
    const send = async (body: string) => (await service.send(Q, [once(body)]))[0];
    await send("one");
    await service.purgeQueue(Q);
    expect(await send("two")).toHaveProperty("duplicate", true);
    await service.clearQueue(Q);
    expect(await send("three")).not.toHaveProperty("duplicate");
    expect(await send("four")).toHaveProperty("duplicate", true);
    expect(await drain(service)).toEqual(["three"]);
  });

  it("forgets them each time, however soon it comes again", async () => {
    const { service } = await queue({
      dedup: { scope: "key", windowSeconds: 300, contentBased: true },
    });
    for (let time = 0; time < 3; time++) {
      expect((await service.send(Q, [text("same")]))[0]).not.toHaveProperty("duplicate");
      await service.clearQueue(Q);
    }
  });

  it("keeps requests apart that come under one idempotency key: a repeat of one is no new one", async () => {
    const { service } = await queue();
    const send = () => service.send(Q, [text("a")], { idempotencyKey: "k" });
    await send();
    await service.clearQueue(Q);
    expect(await send()).toEqual([{ id: expect.any(String), duplicate: true }]);
    expect(await drain(service)).toEqual([]);
  });

  it("is heard of by other instances within 10 s", async () => {
    const { world, service } = await queue();
    const other = world.instance();
    await other.send(Q, [once("one")]);
    await service.clearQueue(Q);
    expect((await other.send(Q, [once("early")]))[0]).toHaveProperty("duplicate", true);
    await world.advance(10_000);
    expect((await other.send(Q, [once("two")]))[0]).not.toHaveProperty("duplicate");
  });

  it("forgets nothing where it could not purge, and can be repeated", async () => {
    const { world, service } = await queue();
    await service.send(Q, [once("one")]);
    const { store } = tampered(world.store, first(1, isLogQuery, { throws: throttled }));
    await expect(world.instance(store).clearQueue(Q)).rejects.toMatchObject({
      code: "outcome-unknown",
    });
    expect((await recordOf(world)).clearedAt).toBeUndefined();
    await service.clearQueue(Q);
    expect((await recordOf(world)).clearedAt).toBe(world.now());
  });

  it("is no change of the settings, and takes none back that comes meanwhile", async () => {
    const { world, service } = await queue();
    await world.advance(1_000);
    const change = () => service.patchQueue(Q, { leaseSeconds: 7 });
    const { store } = tampered(world.store, first(1, isClearing, { before: change }));
    await world.instance(store).clearQueue(Q);
    const changed = await recordOf(world);
    expect([changed.settings.leaseSeconds, changed.clearedAt]).toEqual([7, world.now()]);
    await world.advance(1_000);
    await service.clearQueue(Q);
    expect((await recordOf(world)).modifiedAt).toBe(changed.modifiedAt);
  });
});

describe("K1: what is scheduled, as its queue is cleared,", () => {
  it("is cancelled", async () => {
    const { world, service } = await queue();
    const [sent] = await service.send(Q, [delayed("later", 60), delayed("much later", 3_600)]);
    expect(await service.countScheduled(Q, 10)).toBe(2);
    await service.clearQueue(Q);
    expect(await service.countScheduled(Q, 10)).toBe(0);
    await expect(
      service.cancelScheduled(Q, idsOf(sent ? [sent] : [])[0] ?? ""),
    ).rejects.toMatchObject({
      code: "message-not-found",
    });
    await world.advance(4_000_000);
    expect(await drain(service)).toEqual([]);
  });

  it("is waited for where it is about to be due, and then passed over", async () => {
    const { world, service } = await queue();
    await service.send(Q, [delayed("soon", 1), delayed("later", 60)]);
    await world.advance(500);
    await world.through(service.clearQueue(Q));
    await world.advance(120_000);
    expect(await drain(service)).toEqual([]);
  });

  it("is passed over where another instance is about to append it", async () => {
    const { world, service } = await queue();
    await service.send(Q, [delayed("due", 1)]);
    await world.advance(1_000);
    const append = gate();
    const { store } = tampered(world.store, first(1, isLogPut, { before: () => append.closed }));
    const received = world.instance(store).receive(Q, { max: 1, group: "default" });
    await world.through(service.clearQueue(Q));
    append.open();
    expect(await world.through(received)).toEqual([]);
    await world.advance(120_000);
    expect(await drain(service)).toEqual([]);
  });

  it("is passed over where its cancellation came late, and its promoter's put comes later still", async () => {
    const { world, service } = await queue();
    await service.send(Q, [delayed("m", 3)]);
    // A first clearing does not hear whether it has cancelled the message.
    const unheard = tampered(world.store, first(1, isTimerUpdate, { throws: unknown }));
    await expect(world.instance(unheard.store).clearQueue(Q)).rejects.toMatchObject({
      code: "outcome-unknown",
    });
    await world.advance(3_000);
    // Its promoter names a place, and is held up before it puts.
    const append = gate();
    const held = tampered(world.store, first(1, isLogPut, { before: () => append.closed }));
    const received = world.instance(held.store).receive(Q, { max: 1, group: "default" });
    await world.advance(10);
    const [timer] = world.store
      .items("lanes")
      .filter(({ body, pk }) => body && pk.startsWith("timer#"));
    const { edits, guard } = cancellation("late");
    await world.store.update("lanes", { pk: timer?.pk ?? "", sk: timer?.sk ?? "" }, edits, guard);
    await world.through(service.clearQueue(Q));
    append.open();
    expect(await world.through(received)).toEqual([]);
    await world.advance(60_000);
    expect(await drain(service)).toEqual([]);
    await service.send(Q, [text("after")]);
    expect(await drain(service)).toEqual(["after"]);
  });

  it("is not said to be gone where that is not known", async () => {
    const { world, service } = await queue();
    await service.send(Q, [delayed("later", 60)]);
    const fault = { throws: unknown, applied: true };
    const { store } = tampered(world.store, first(1, isTimerUpdate, fault));
    await expect(world.instance(store).clearQueue(Q)).rejects.toMatchObject({
      code: "outcome-unknown",
    });
    await service.clearQueue(Q);
    await world.advance(120_000);
    expect(await drain(service)).toEqual([]);
  });

  it("is counted up to a bound", async () => {
    const { service } = await queue();
    await service.send(
      Q,
      Array.from({ length: 5 }, () => delayed("m", 60)),
    );
    expect(await service.countScheduled(Q, 3)).toBe(3);
    expect(await service.countScheduled(Q, 9)).toBe(5);
  });
});
