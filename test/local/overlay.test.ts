/** Hunts pages that hide what waits for the engine, or show what is not known. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { laidOver, withRoom } from "../../src/local/overlay.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import type { Item, QueryRange } from "../../src/store/port.ts";

const PK = "log#q#0";
const item = (sk: string, n = 0): Item => ({ pk: PK, sk, n });
const over = (
  engine: readonly string[],
  more: boolean,
  changes: Readonly<Record<string, number | undefined>>,
  range: Partial<QueryRange> = {},
) => {
  const page = laidOver(
    { items: engine.map((sk) => item(sk)), more },
    { consistent: true, ...range },
    new Map(
      Object.entries(changes).map(([sk, n]) => [sk, n === undefined ? undefined : item(sk, n)]),
    ),
  );
  return [page.items.map(({ sk, n }) => `${sk}:${n as number}`).join(" "), page.more];
};

describe("a page shows what waits for the engine", () => {
  test.each([
    [
      "new, changed and gone",
      ["1", "2", "3"],
      false,
      { "2": 5, "3": undefined, "4": 1 },
      {},
      "1:0 2:5 4:1",
      false,
    ],
    [
      "within its range alone",
      ["2"],
      false,
      { "1": 1, "3": 1, "5": 1 },
      { from: "2", to: "4" },
      "2:0 3:1",
      false,
    ],
    [
      "up to where it ends, where there may be more",
      ["1", "3"],
      true,
      { "2": 1, "4": 1 },
      { limit: 2 },
      "1:0 2:1",
      true,
    ],
    ["not behind where it ends", ["1", "2"], true, { "3": 1 }, { limit: 2 }, "1:0 2:0", true],
    ["the last first", ["3"], true, { "2": 1, "4": 1 }, { reverse: true, limit: 1 }, "4:1", true],
    [
      "of a partition that the engine has nothing of",
      [],
      false,
      { "1": 1, "2": 1 },
      { limit: 1 },
      "1:1",
      true,
    ],
    [
      "fewer than its limit, where one is gone",
      ["1", "2"],
      true,
      { "1": undefined },
      { limit: 2 },
      "2:0",
      true,
    ],
  ] as const)("%s", (_, engine, more, changes, range, items, isMore) => {
    expect(over(engine, more, changes, range)).toEqual([items, isMore]);
  });

  test("and as it is without changes where there are none for it", () => {
    const page = { items: [item("1")], more: true };
    const changes = new Map([["2", item("2")]]);
    expect(laidOver(page, { consistent: true, limit: 1 }, changes)).toBe(page);
    expect(laidOver({ items: [], more: true }, { consistent: true }, changes).items).toEqual([]);
  });
});

test("page by page it comes to what a store with the changes would show", async () => {
  const key = fc.integer({ min: 0, max: 12 }).map((n) => String(n).padStart(2, "0"));
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(key),
      fc.array(fc.tuple(key, fc.boolean())),
      fc.record({
        from: key,
        to: key,
        limit: fc.integer({ min: 1, max: 5 }),
        reverse: fc.boolean(),
      }),
      async (stored, changed, { from: one, to: two, limit, reverse }) => {
        const engine = createMemoryStore();
        const whole = createMemoryStore();
        for (const sk of stored)
          for (const store of [engine, whole]) await store.put("lanes", item(sk));
        const changes = new Map(
          changed.map(([sk, isThere]) => [sk, isThere ? item(sk, 1) : undefined]),
        );
        for (const [sk, state] of changes)
          await (state === undefined
            ? whole.delete("lanes", { pk: PK, sk })
            : whole.put("lanes", state));
        let [from, to] = one < two ? [one, two] : [two, one];
        const range = () => ({ from, to, reverse, consistent: true });
        const expected = await whole.query("lanes", PK, range());
        const shown: Item[] = [];
        for (let isMore = true; isMore && from <= to;) {
          const asked = { ...range(), limit };
          const answer = await engine.query("lanes", PK, withRoom(asked, changes));
          const page = laidOver(answer, asked, changes);
          expect(page.items.length).toBeLessThanOrEqual(limit);
          shown.push(...page.items);
          const last = page.items.at(-1)?.sk;
          isMore = page.more && last !== undefined;
          if (last === undefined) expect(page.more).toBe(false);
          else if (reverse) to = `${String(Number(last) - 1).padStart(2, "0")}~`;
          else from = `${last}+`;
        }
        expect(shown).toEqual(expected.items);
      },
    ),
    { numRuns: 500 },
  );
});
