import { describe, expect, it } from "vitest";
import type { Item } from "../../src/store/port.ts";
import { ALL, createWorld, drain, logOf, Q, receiptsOf, text } from "./fixture.ts";
import { first, isLogQuery, tampered } from "./tampered.ts";

/** Hides of a lane's entries those chosen, from the next so many queries of an instance. */
async function hiding(
  bodies: readonly string[],
  options: { consumed: number; hide: readonly number[]; times: number },
) {
  const world = createWorld();
  const sender = world.instance();
  await sender.putQueue(Q, { lanes: 1 });
  for (const body of bodies) await sender.send(Q, [text(body)]);
  const log = await logOf(world);
  const hidden = new Set(options.hide.map((index) => log[index]?.sk));
  const state = { isOn: false };
  const fault = first(options.times, (call) => state.isOn && isLogQuery(call), {
    show: (page) => ({
      ...page,
      items: page.items.filter((item: Item) => !hidden.has(item.sk)),
    }),
  });
  const reader = world.instance(tampered(world.store, fault).store);
  if (options.consumed > 0) {
    const taken = await reader.receive(Q, { max: options.consumed, group: "default" });
    await reader.ack(Q, receiptsOf(taken));
  }
  state.isOn = true;
  return { world, reader };
}

describe("L8: a reader whose query shows less than is there", () => {
  it("does not jump over the entry at its head, which a second query shows", async () => {
    const { reader } = await hiding(["a", "b", "c"], { consumed: 1, hide: [1], times: 1 });
    expect(await drain(reader)).toEqual(["b", "c"]);
  });

  it("does not jump over the first entries of a lane", async () => {
    const { reader } = await hiding(["a", "b", "c"], { consumed: 0, hide: [0, 1], times: 1 });
    expect((await drain(reader)).sort()).toEqual(["a", "b", "c"]);
  });

  it("does not walk over a hole within the page", async () => {
    const { reader } = await hiding(["a", "b", "c", "d"], {
      consumed: 1,
      hide: [2],
      times: 1,
    });
    expect(await drain(reader)).toEqual(["b", "c", "d"]);
  });

  it("takes no end for the end of what there is", async () => {
    const { reader } = await hiding(["a", "b"], { consumed: 1, hide: [1], times: 1 });
    expect(await reader.receive(Q, ALL)).toEqual([]);
    expect(await drain(reader)).toEqual(["b"]);
  });

  it("jumps what a second query does not show either: it has expired", async () => {
    const { world, reader } = await hiding(["a", "b", "c"], { consumed: 1, hide: [], times: 0 });
    const log = await logOf(world);
    await world.store.delete("lanes", { pk: log[1]?.pk ?? "", sk: log[1]?.sk ?? "" });
    expect(await drain(reader)).toEqual(["c"]);
  });

  it("jumps where TTL deleted in any order, over several holes", async () => {
    const { world, reader } = await hiding(["a", "b", "c", "d", "e", "f", "g"], {
      consumed: 1,
      hide: [],
      times: 0,
    });
    const log = await logOf(world);
    for (const index of [5, 1, 3])
      await world.store.delete("lanes", { pk: log[index]?.pk ?? "", sk: log[index]?.sk ?? "" });
    expect(await drain(reader)).toEqual(["c", "e", "g"]);
  });
});
