import { describe, expect, test } from "vitest";
import { absent, exists, set } from "../../src/store/port.ts";
import type { Attributes, Item, StoreRequest } from "../../src/store/port.ts";
import { itemBytes } from "../../src/store/values.ts";
import type { Engine } from "../engines/engine.ts";
import { freshPk } from "./fresh.ts";

/** Attributes of every type; sizes are checked to the byte by filling each up to a unit. */
const SHAPES: readonly [name: string, attributes: Attributes][] = [
  ["nothing but its key", {}],
  ["text", { text: "hello", empty: "" }],
  ["small numbers", { a: 0, b: 7, c: -7, d: 42 }],
  ["numbers of an odd and an even number of digits", { a: 123, b: 1234, c: 12_345, d: 1000 }],
  ["times and offsets", { at: 1_763_800_000_123, offset: 1_806_131_200_125_952 }],
  ["a boolean", { yes: true }],
  ["bytes", { bytes: new Uint8Array(10) }],
  ["sets", { "p#abc": new Set(["1", "2", "a0"]) }],
  ["a map", { "x#abc": { until: 1_763_800_000_123, receives: 1, entry: 5, dead: true } }],
  ["a list", { segments: [0, "12", { deep: ["x"] }] }],
];

export function describeUnits(engine: () => Engine): void {
  /** What the calls of `act` were billed. */
  const billed = async (act: () => Promise<unknown>): Promise<StoreRequest[]> => {
    const requests = engine().requests ?? [];
    requests.length = 0;
    await act();
    return [...requests];
  };
  const store = () => engine().store;

  describe("the report of a request", () => {
    test("bills a write per KB of the larger of old and new", async () => {
      const key = { pk: freshPk(), sk: "-" };
      const put = { action: "PutItem", table: "lanes", readUnits: 0, items: 1 };
      const big = { ...key, body: new Uint8Array(2_500) };
      expect(await billed(() => store().put("lanes", key))).toEqual([{ ...put, writeUnits: 1 }]);
      expect(await billed(() => store().put("lanes", big))).toEqual([{ ...put, writeUnits: 3 }]);
      expect(await billed(() => store().update("lanes", key, [set(["n"], 1)]))).toEqual([
        { ...put, action: "UpdateItem", writeUnits: 3 },
      ]);
      expect(await billed(() => store().put("lanes", key))).toEqual([{ ...put, writeUnits: 3 }]);
      expect(await billed(() => store().delete("lanes", key))).toEqual([
        { ...put, action: "DeleteItem", writeUnits: 1 },
      ]);
    });

    test.each(SHAPES)("counts the bytes of %s as itemBytes does", async (_name, attributes) => {
      const item = { pk: freshPk(), sk: "-", ...attributes };
      const filled = (bytes: number): Item => {
        const body = new Uint8Array(bytes - itemBytes({ ...item, body: new Uint8Array() }));
        return { ...item, body };
      };
      const [exact] = await billed(() => store().put("lanes", filled(1024)));
      const [over] = await billed(() => store().put("lanes", filled(1025)));
      expect([exact?.writeUnits, over?.writeUnits]).toEqual([1, 2]);
    });

    test("bills a refused write as well, by what it met", async () => {
      const key = { pk: freshPk(), sk: "-" };
      await store().put("lanes", { ...key, body: new Uint8Array(1_500) });
      const put = await billed(() => store().put("lanes", key, absent("pk")));
      expect(put).toContainEqual(expect.objectContaining({ action: "PutItem", writeUnits: 2 }));
      const update = await billed(() => store().update("lanes", key, [], absent("pk")));
      expect(update).toContainEqual(
        expect.objectContaining({ action: "UpdateItem", writeUnits: 2 }),
      );
      const missed = { ...key, sk: "x" };
      const gone = await billed(() => store().delete("lanes", missed, exists("pk")));
      expect(gone).toContainEqual(expect.objectContaining({ action: "DeleteItem", writeUnits: 1 }));
    });

    test("bills reads per 4 KB, half when they may be stale", async () => {
      const pk = freshPk();
      for (const sk of ["1", "2", "3"]) {
        await store().put("lanes", { pk, sk, body: new Uint8Array(3_000) });
      }
      const read = async (consistent: boolean) =>
        billed(async () => {
          await store().get("lanes", { pk, sk: "1" }, { consistent });
          await store().query("lanes", pk, { consistent });
        });
      const base = { table: "lanes", writeUnits: 0 };
      expect(await read(true)).toEqual([
        { ...base, action: "GetItem", readUnits: 1, items: 1 },
        { ...base, action: "Query", readUnits: 3, items: 3 },
      ]);
      expect(await read(false)).toEqual([
        { ...base, action: "GetItem", readUnits: 0.5, items: 1 },
        { ...base, action: "Query", readUnits: 1.5, items: 3 },
      ]);
    });
  });
}
