import { describe, expect, test } from "vitest";
import { absent, equal, exists, set } from "../../src/store/port.ts";
import type { Item, Store, Value } from "../../src/store/port.ts";
import { valuesEqual } from "../../src/store/values.ts";
import { freshPk } from "./fresh.ts";

const KIB = 1024;

export function describeWrites(store: () => Store): void {
  const now = async ({ pk, sk }: Item) => store().get("lanes", { pk, sk }, { consistent: true });

  describe("a put", () => {
    test("replaces the whole item and does not carry the old one", async () => {
      const key = { pk: freshPk(), sk: "-" };
      await store().put("lanes", { ...key, a: 1, b: 2 });
      expect(await store().put("lanes", { ...key, c: 3 })).toEqual({ ok: true, old: undefined });
      expect(await now(key)).toEqual({ ...key, c: 3 });
    });

    test("that is refused returns what it found, and changes nothing", async () => {
      const item = { pk: freshPk(), sk: "-", writer: "first", body: new Uint8Array([9]) };
      expect(await store().put("lanes", item, absent("pk"))).toEqual({ ok: true, old: undefined });
      const second = await store().put("lanes", { ...item, writer: "second" }, absent("pk"));
      expect(second).toEqual({ ok: false, found: item });
      expect(await now(item)).toEqual(item);
    });

    test("that needs an item and meets none finds nothing", async () => {
      const item = { pk: freshPk(), sk: "-" };
      expect(await store().put("lanes", item, exists("pk"))).toEqual({
        ok: false,
        found: undefined,
      });
      expect(await now(item)).toBeUndefined();
    });

    test("of many at one place: exactly one wins, and all others find it", async () => {
      const key = { pk: freshPk(), sk: "00001" };
      const writers = Array.from({ length: 20 }, (_, index) => `w${index}`);
      const results = await Promise.all(
        writers.map(async (writer) => store().put("lanes", { ...key, writer }, absent("pk"))),
      );
      const winners = writers.filter((_, index) => results[index]?.ok);
      expect(winners).toHaveLength(1);
      const found = results.flatMap((result) => (result.ok ? [] : [result.found?.["writer"]]));
      expect(new Set(found)).toEqual(new Set(winners));
      expect(await now(key)).toEqual({ ...key, writer: winners[0] });
    });

    test("keeps tables apart", async () => {
      const key = { pk: freshPk(), sk: "-" };
      await store().put("catalog", { ...key, a: 1 });
      expect(await now(key)).toBeUndefined();
      expect(await store().get("catalog", key, { consistent: false })).toEqual({ ...key, a: 1 });
    });

    test("drops empty sets, in maps too", async () => {
      const key = { pk: freshPk(), sk: "-" };
      await store().put("lanes", {
        ...key,
        none: new Set<string>(),
        map: { none: new Set<string>() },
      });
      expect(await now(key)).toEqual({ ...key, map: {} });
    });

    test("of an item above 400 KB fails; just below, it comes back whole", async () => {
      const key = { pk: freshPk(), sk: "-" };
      const body = new Uint8Array(400 * KIB - 200).map((_, index) => index * 31);
      await store().put("lanes", { ...key, body });
      expect(valuesEqual((await now(key))?.["body"], body)).toBe(true);
      const larger = { ...key, body: new Uint8Array(400 * KIB) };
      await expect((async () => store().put("lanes", larger))()).rejects.toMatchObject({
        code: "internal",
      });
      await expect(
        (async () => store().update("lanes", key, [set(["more"], new Uint8Array(500))]))(),
      ).rejects.toMatchObject({ code: "internal" });
      expect((await now(key))?.["more"]).toBeUndefined();
    });
  });

  describe("a value comes back as it was stored", () => {
    test.each<[string, Value]>([
      ["every byte", Uint8Array.from({ length: 256 }, (_, index) => index)],
      ["no bytes", new Uint8Array()],
      ["bytes that are part of a larger buffer", new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 3)],
      ["2^53", 2 ** 53],
      ["-(2^53)", -(2 ** 53)],
      ["2^53 - 1", Number.MAX_SAFE_INTEGER],
      ["a fraction", 0.1],
      ["a number that JavaScript writes with an exponent", 1.5e-7],
      ["a large number that JavaScript writes with an exponent", 1.25e21],
      ["false", false],
      ["an empty text", ""],
      ["text beyond the basic plane, and control characters", '\u0000\n"\\ é 漢 🚀'],
      ["a set", new Set(["a", "", "ü", "a#b"])],
      ["an empty map", {}],
      ["an empty list", []],
      ["a nested value", { list: [1, "two", { three: new Set(["x"]) }, [new Uint8Array([4])]] }],
      ["a map with a member named constructor", { constructor: "x", toString: 1 }],
    ])("%s", async (_name, value) => {
      const key = { pk: freshPk(), sk: "-" };
      await store().put("lanes", { ...key, put: value });
      await store().update("lanes", key, [set(["updated"], value)]);
      const item = await now(key);
      expect(item?.["put"]).toStrictEqual(value);
      expect(item?.["updated"]).toStrictEqual(value);
    });

    test("minus zero as zero", async () => {
      const key = { pk: freshPk(), sk: "-" };
      await store().put("lanes", { ...key, n: -0 });
      expect((await now(key))?.["n"]).toBe(0);
    });

    test("but nothing named __proto__, which not every engine keeps", async () => {
      const key = { pk: freshPk(), sk: "-" };
      const map = JSON.parse('{"__proto__":"x"}') as Value;
      await expect((async () => store().put("lanes", { ...key, map }))()).rejects.toMatchObject({
        code: "internal",
      });
    });

    test.each([Number.NaN, Number.POSITIVE_INFINITY])("but %s is refused", async (n) => {
      const key = { pk: freshPk(), sk: "-" };
      await expect((async () => store().put("lanes", { ...key, n }))()).rejects.toMatchObject({
        code: "internal",
      });
    });

    test("whatever the caller does to it afterwards", async () => {
      const key = { pk: freshPk(), sk: "-" };
      const body = new Uint8Array([1]);
      const members = new Set(["a"]);
      const list = ["a"];
      await store().put("lanes", { ...key, body, members, map: { list } });
      body[0] = 2;
      members.add("b");
      list.push("b");
      expect(await now(key)).toEqual({
        ...key,
        body: new Uint8Array([1]),
        members: new Set(["a"]),
        map: { list: ["a"] },
      });
    });
  });

  describe("a delete", () => {
    test("removes the item; again, it still succeeds", async () => {
      const key = { pk: freshPk(), sk: "-" };
      await store().put("lanes", { ...key, a: 1 });
      expect(await store().delete("lanes", key)).toEqual({ ok: true, old: undefined });
      expect(await now(key)).toBeUndefined();
      expect(await store().delete("lanes", key)).toEqual({ ok: true, old: undefined });
      expect((await store().query("lanes", key.pk, { consistent: true })).items).toEqual([]);
    });

    test("that is refused returns what it found", async () => {
      const item = { pk: freshPk(), sk: "-", ttl: 5 };
      await store().put("lanes", item);
      expect(await store().delete("lanes", item, equal(["ttl"], 6))).toEqual({
        ok: false,
        found: item,
      });
      expect(await now(item)).toEqual(item);
      expect(await store().delete("lanes", item, equal(["ttl"], 5))).toMatchObject({ ok: true });
      expect(await store().delete("lanes", item, equal(["ttl"], 5))).toEqual({
        ok: false,
        found: undefined,
      });
    });
  });

  test("an empty key is refused", async () => {
    const read = async () => store().get("lanes", { pk: freshPk(), sk: "" }, { consistent: true });
    await expect(read()).rejects.toMatchObject({ code: "internal" });
  });
}
