import { describe, expect, test } from "vitest";
import { add, discard, exists, remove, set } from "../../src/store/port.ts";
import type { Attributes, Edit, Item, Store } from "../../src/store/port.ts";
import { freshPk } from "./fresh.ts";

const before = (): Attributes => ({
  n: 1,
  members: new Set(["a", "b"]),
  map: { x: 1, y: "two" },
});

/** Edits of an item with these attributes, and what it holds afterwards. */
const CASES: readonly [name: string, edits: readonly Edit[], after: Attributes][] = [
  ["set changes an attribute", [set(["n"], 2)], { ...before(), n: 2 }],
  ["set changes the type of an attribute", [set(["n"], "two")], { ...before(), n: "two" }],
  ["set makes an attribute", [set(["x#1"], true)], { ...before(), "x#1": true }],
  [
    "set changes one member of a map, and makes another",
    [set(["map", "x"], 9), set(["map", "x#z.1"], new Set(["q"]))],
    { ...before(), map: { x: 9, y: "two", "x#z.1": new Set(["q"]) } },
  ],
  ["set to an empty set removes", [set(["n"], new Set<string>())], without("n")],
  [
    "set within a map to an empty set removes",
    [set(["map", "x"], new Set<string>())],
    { ...before(), map: { y: "two" } },
  ],
  [
    "an empty set within a value is not stored",
    [set(["n"], { keep: 1, drop: new Set<string>() })],
    { ...before(), n: { keep: 1 } },
  ],
  ["remove takes an attribute away", [remove("map")], without("map")],
  ["remove of an absent attribute does nothing", [remove("nowhere")], before()],
  ["remove takes a member away", [remove("map", "x")], { ...before(), map: { y: "two" } }],
  ["remove of an absent member does nothing", [remove("map", "nowhere")], before()],
  [
    "the last member removed leaves an empty map",
    [remove("map", "x"), remove("map", "y")],
    { ...before(), map: {} },
  ],
  [
    "add joins sets",
    [add("members", new Set(["b", "c"]))],
    { ...before(), members: new Set(["a", "b", "c"]) },
  ],
  ["add makes a set", [add("p#1", new Set(["c"]))], { ...before(), "p#1": new Set(["c"]) }],
  ["add of nothing does nothing", [add("nowhere", new Set())], before()],
  [
    "discard takes members away",
    [discard("members", new Set(["b", "z"]))],
    { ...before(), members: new Set(["a"]) },
  ],
  [
    "a set that discard empties is gone",
    [discard("members", new Set(["a", "b"]))],
    without("members"),
  ],
  ["discard on an absent set does nothing", [discard("nowhere", new Set(["a"]))], before()],
  ["discard of nothing does nothing", [discard("members", new Set())], before()],
  ["no edits change nothing", [], before()],
  [
    "all edits of one update are applied",
    [
      set(["n"], 3),
      remove("map", "x"),
      set(["map", "y"], 4),
      discard("members", new Set(["a"])),
      add("p#2", new Set(["k"])),
      remove("nowhere"),
    ],
    { n: 3, map: { y: 4 }, members: new Set(["b"]), "p#2": new Set(["k"]) },
  ],
];

const REFUSED: readonly [name: string, edit: readonly Edit[]][] = [
  ["set below an absent map", [set(["nowhere", "x"], 1)]],
  ["set below what is no map", [set(["n", "x"], 1)]],
  ["remove below an absent map", [remove("nowhere", "x")]],
  ["add to what is no set", [add("n", new Set(["a"]))]],
  ["discard from what is no set", [discard("n", new Set(["a"]))]],
  ["two edits of one attribute", [set(["n"], 1), remove("n")]],
  [
    "add and discard on one set",
    [add("members", new Set(["c"])), discard("members", new Set(["a"]))],
  ],
  ["edits of a map and of its member", [set(["map"], {}), set(["map", "x"], 1)]],
  ["two edits of one member", [set(["map", "x"], 1), remove("map", "x")]],
  ["an edit of the key", [set(["sk"], "other")]],
];

export function describeEdits(store: () => Store): void {
  const seeded = async (): Promise<Item> => {
    const item = { pk: freshPk(), sk: "item", ...before() };
    await store().put("lanes", item);
    return item;
  };
  const now = async (key: Item) => store().get("lanes", key, { consistent: true });

  describe("an update", () => {
    test.each(CASES)("%s", async (_name, edits, after) => {
      const item = await seeded();
      const { pk, sk } = item;
      expect(await store().update("lanes", { pk, sk }, edits, exists("pk"))).toMatchObject({
        ok: true,
      });
      expect(await now({ pk, sk })).toEqual({ pk, sk, ...after });
    });

    test.each(REFUSED)("fails, and changes nothing: %s", async (_name, edits) => {
      const item = await seeded();
      const { pk, sk } = item;
      await expect(
        (async () => store().update("lanes", { pk, sk }, edits))(),
      ).rejects.toMatchObject({ code: "internal" });
      expect(await now({ pk, sk })).toEqual(item);
    });

    test("of an absent item creates it, from its edits", async () => {
      const key = { pk: freshPk(), sk: "-" };
      const edits = [
        set(["n"], 1),
        add("p#1", new Set(["a"])),
        discard("p#2", new Set(["a"])),
        remove("x"),
      ];
      expect(await store().update("lanes", key, edits)).toEqual({ ok: true, old: undefined });
      expect(await now(key)).toEqual({ ...key, n: 1, "p#1": new Set(["a"]) });
    });

    test("without edits creates an item of its key alone", async () => {
      const key = { pk: freshPk(), sk: "-" };
      await store().update("lanes", key, [discard("p#2", new Set(["a"]))]);
      expect(await now(key)).toEqual(key);
    });

    test("that is asked for the old item returns it whole", async () => {
      const item = await seeded();
      const { pk, sk } = item;
      const edits = [discard("members", new Set(["a"]))];
      const result = await store().update("lanes", { pk, sk }, edits, undefined, { wantOld: true });
      expect(result).toEqual({ ok: true, old: item });
      const fresh = { pk, sk: "other" };
      const created = await store().update("lanes", fresh, [set(["n"], 1)], undefined, {
        wantOld: true,
      });
      expect(created).toEqual({ ok: true, old: undefined });
    });

    test("that is not asked for the old item does not carry it", async () => {
      const { pk, sk } = await seeded();
      const result = await store().update("lanes", { pk, sk }, [set(["n"], 2)]);
      expect(result).toEqual({ ok: true, old: undefined });
    });

    test("moves a hundred members between sets at once", async () => {
      const members = new Set(Array.from({ length: 100 }, (_, index) => index.toString(36)));
      const key = { pk: freshPk(), sk: "-" };
      await store().put("lanes", { ...key, "p#from": members });
      await store().update("lanes", key, [
        discard("p#from", members),
        set(["p#to"], members),
        set(["x#to"], { until: 5, receives: 1 }),
      ]);
      expect(await now(key)).toEqual({
        ...key,
        "p#to": members,
        "x#to": { until: 5, receives: 1 },
      });
    });
  });
}

function without(name: string): Attributes {
  const { [name]: _gone, ...rest } = before();
  return rest;
}
