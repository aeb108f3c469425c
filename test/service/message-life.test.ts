import { describe, expect, it } from "vitest";
import { epochMs, groupName } from "../../src/core/types.ts";
import { ALL, bodyOf, createWorld, DEAD, drain, idsOf, Q, text } from "./fixture.ts";

const EU = groupName("eu");

describe("a message's life", () => {
  it("tells what a filter passes over from what was acked", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, {});
    const filter = { headers: { region: ["eu"] } };
    await service.putGroup(Q, EU, { from: "earliest", settings: { filter } });
    const [us = "", eu = ""] = idsOf(
      await service.send(Q, [
        { ...text("a"), headers: { region: "us" } },
        { ...text("b"), headers: { region: "eu" } },
      ]),
    );
    const states = async (id: string) => (await service.lookUp(Q, id)).groups;
    expect(await states(us)).toEqual({ default: { state: "ready" }, eu: { state: "filtered" } });
    expect(await states(eu)).toEqual({ default: { state: "ready" }, eu: { state: "ready" } });
    const got = await service.receive(Q, { max: 10, group: EU });
    await service.ack(
      Q,
      got.map(({ receipt }) => receipt),
    );
    await drain(service);
    expect(await states(us)).toEqual({ default: { state: "acked" }, eu: { state: "filtered" } });
    expect(await states(eu)).toEqual({ default: { state: "acked" }, eu: { state: "acked" } });
  });

  it("says where a dead letter went", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(DEAD, {});
    await service.putQueue(Q, { leaseSeconds: 1, maxReceives: 1, deadLetter: { queue: DEAD } });
    await service.putGroup(Q, EU, { from: "earliest", settings: { maxReceives: null } });
    const [id = "", other = ""] = idsOf(await service.send(Q, [text("a"), text("b")]));
    await service.receive(Q, { ...ALL, max: 1 });
    await world.advance(5_000);
    await drain(service);
    const [dead] = await service.receive(DEAD, ALL);
    expect((await service.lookUp(Q, id)).groups["default"]).toEqual({
      state: "deadLettered",
      queue: DEAD,
      place: dead?.place,
    });
    expect((await service.lookUp(Q, id)).groups["eu"]).toEqual({ state: "ready" });
    expect((await service.lookUp(Q, other)).groups["default"]).toEqual({ state: "acked" });
    expect((await service.lookUp(DEAD, dead?.place ?? "")).id).toBe(id);
  });
});

describe("browsing from a time", () => {
  it("shows of each lane what came in since, over pages", async () => {
    const world = createWorld();
    const service = world.instance();
    await service.putQueue(Q, { lanes: 3 });
    const senders = Array.from({ length: 9 }, () => world.instance());
    for (const round of ["old", "new"]) {
      for (const [index, sender] of senders.entries())
        await sender.send(Q, [text(`${round}${index}`)]);
      await world.advance(60_000);
    }
    const since = epochMs(world.now() - 90_000);
    const seen: string[] = [];
    let next: Awaited<ReturnType<typeof service.browse>>["next"];
    do {
      const page = await service.browse(Q, {
        since,
        limit: 2,
        ...(next === undefined ? {} : { from: next }),
      });
      seen.push(...page.messages.map(bodyOf));
      next = page.next;
    } while (next !== undefined);
    expect(seen.toSorted()).toEqual(senders.map((_, index) => `new${index}`));
  });
});
