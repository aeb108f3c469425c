import { beforeAll, describe, expect, test } from "vitest";
import type { QueryRange, Store } from "../../src/store/port.ts";
import { freshPk } from "./fresh.ts";

const KIB = 1024;
const SORTED = ["!", "0001", "0002", "0003", "0010", "0010#a", "A", "a", "é", "漢", "\uffee", "🚀"];

const CASES: readonly [name: string, range: Omit<QueryRange, "consistent">, sks: string[]][] = [
  ["everything, by the bytes of UTF-8", {}, SORTED],
  ["everything, backwards", { reverse: true }, SORTED.toReversed()],
  ["from a key on, itself included", { from: "0010" }, SORTED.slice(4)],
  ["from between two keys", { from: "0004" }, SORTED.slice(4)],
  ["from beyond the last", { from: "🚀🚀" }, []],
  ["up to a key, itself included", { to: "0003" }, SORTED.slice(0, 4)],
  ["up to before the first", { to: " " }, []],
  ["a range with both ends in it", { from: "0002", to: "0010" }, SORTED.slice(2, 5)],
  ["a range, backwards", { from: "0002", to: "0010", reverse: true }, ["0010", "0003", "0002"]],
  ["one key", { from: "0002", to: "0002" }, ["0002"]],
  ["a range between two keys", { from: "0004", to: "0009" }, []],
  ["a range the wrong way round", { from: "0010", to: "0002" }, []],
];

export function describeQueries(store: () => Store): void {
  describe("a query", () => {
    const pk = freshPk();
    beforeAll(async () => {
      for (const sk of SORTED.toReversed()) await store().put("lanes", { pk, sk, name: sk });
      await store().put("lanes", { pk: `${pk}0`, sk: "0002" });
      await store().put("lanes", { pk: pk.slice(0, -1), sk: "0002" });
    });

    const query = async (range: Omit<QueryRange, "consistent">) => {
      const { items, more } = await store().query("lanes", pk, { ...range, consistent: true });
      return { sks: items.map((item) => item.sk), more };
    };

    test.each(CASES)("gives %s", async (_name, range, sks) => {
      expect(await query(range)).toEqual({ sks, more: false });
    });

    test("gives whole items", async () => {
      const { items } = await store().query("lanes", pk, { limit: 1, consistent: false });
      expect(items).toEqual([{ pk, sk: "!", name: "!" }]);
    });

    test("ends at its limit and says that more may follow", async () => {
      expect(await query({ from: "0002", limit: 2 })).toEqual({
        sks: ["0002", "0003"],
        more: true,
      });
      expect(await query({ to: "0003", limit: 1, reverse: true })).toEqual({
        sks: ["0003"],
        more: true,
      });
    });

    test("with a limit beyond its range says that nothing follows", async () => {
      expect(await query({ from: "0002", to: "0003", limit: 3 })).toEqual({
        sks: ["0002", "0003"],
        more: false,
      });
    });

    test("of an absent partition gives nothing", async () => {
      const range = { consistent: true, limit: 5 };
      expect(await store().query("lanes", freshPk(), range)).toEqual({ items: [], more: false });
    });

    test("ends a page at 1 MB, and goes on from there without loss", async () => {
      const large = freshPk();
      const count = 30;
      const sks = Array.from({ length: count }, (_, index) => String(index).padStart(4, "0"));
      for (const sk of sks)
        await store().put("lanes", { pk: large, sk, body: new Uint8Array(64 * KIB) });
      const seen: string[] = [];
      let pages = 0;
      for (let from = ""; ; pages++) {
        const range = { consistent: true, ...(from !== "" && { from }) };
        const page = await store().query("lanes", large, range);
        const fresh = page.items.map(({ sk }) => sk).filter((sk) => sk !== from);
        expect(page.items.length).toBeLessThanOrEqual(17);
        seen.push(...fresh);
        if (!page.more) break;
        expect(fresh.length).toBeGreaterThan(0);
        from = seen.at(-1) ?? "";
      }
      expect(seen).toEqual(sks);
      expect(pages).toBe(1);
    });
  });
}
