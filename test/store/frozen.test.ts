/** Hunts a watch that lets what a store has handed out be changed (P5). */
import { expect, it } from "vitest";
import { createMemoryStore } from "../../src/store/memory.ts";
import { freeze } from "../engines/frozen.ts";

const KEY = { pk: "a", sk: "b" };

it("whoever changes what a watched store has handed out fails, however deep it is", async () => {
  const store = createMemoryStore({ onKeep: freeze });
  await store.put("lanes", {
    ...KEY,
    map: { of: [1] },
    set: new Set(["x"]),
    bytes: Buffer.from("b"),
  });
  const item = await store.get("lanes", KEY, { consistent: true });
  const found = item as unknown as { map?: { of: number[] }; set: Set<string>; more?: string };
  const changes: (() => unknown)[] = [
    () => (found.more = "more"),
    () => delete found.map,
    () => found.map?.of.push(2),
    () => found.set.add("y"),
    () => found.set.delete("x"),
    () => found.set.clear(),
  ];
  for (const change of changes) expect(change).toThrow(TypeError);
  expect(await store.get("lanes", KEY, { consistent: true })).toEqual({
    ...KEY,
    map: { of: [1] },
    set: item?.["set"],
    bytes: new Uint8Array(Buffer.from("b")),
  });
});
