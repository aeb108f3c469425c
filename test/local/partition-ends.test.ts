/** Hunts ends that are too near: what stands behind one would be overwritten. */
import { describe, expect, test } from "vitest";
import { PartitionEnds } from "../../src/local/partition-ends.ts";
import type { QueryPage, QueryRange } from "../../src/store/port.ts";

const PK = "log#q#0";
const page = (sks: readonly string[], more = false): QueryPage => ({
  items: sks.map((sk) => ({ pk: PK, sk })),
  more,
});
const look = (ends: PartitionEnds, range: Partial<QueryRange> = {}) =>
  ends.look("lanes", PK, { consistent: true, ...range });
const behind = (ends: PartitionEnds, sk: string): boolean => ends.isBehind("lanes", { pk: PK, sk });

describe("an end is learnt", () => {
  test.each([
    ["from the last of all", {}, page(["1", "3"]), "3"],
    ["from the first of a reversed page", { reverse: true, limit: 1 }, page(["3"], true), "3"],
    ["from a partition without items", {}, page([]), ""],
    ["from a part that has none, as far as it reaches", { from: "2" }, page([]), "2"],
  ])("%s", (_, range, shown, end) => {
    const ends = new PartitionEnds();
    look(ends, range)(shown);
    expect([behind(ends, end), behind(ends, `${end}1`)]).toEqual([false, true]);
    expect(ends.isBehind("lanes", { pk: "log#q#1", sk: "9" })).toBe(false);
    expect(ends.isBehind("catalog", { pk: PK, sk: "9" })).toBe(false);
  });

  test.each([
    ["a page that ends before", {}, page(["1"], true)],
    ["a range that does", { to: "5" }, page(["1"])],
  ])("not from %s", (_, range, shown) => {
    const ends = new PartitionEnds();
    look(ends, range)(shown);
    expect(behind(ends, "9")).toBe(false);
  });
});

test("K1: it moves with what is put there, also while it is looked for", () => {
  const ends = new PartitionEnds();
  const learn = look(ends);
  ends.move("lanes", { pk: PK, sk: "4" });
  learn(page(["1"]));
  expect([behind(ends, "4"), behind(ends, "5")]).toEqual([false, true]);
  ends.move("lanes", { pk: PK, sk: "5" });
  ends.move("lanes", { pk: PK, sk: "2" });
  expect([behind(ends, "5"), behind(ends, "6")]).toEqual([false, true]);
});

describe("the segments of a group", () => {
  const pk = "cursor#q#0";
  const key = (sk: string) => ({ pk, sk });
  const shown = (sks: readonly string[], more = false): QueryPage => ({
    items: sks.map((sk) => key(sk)),
    more,
  });
  /** Of the group a's, the last one that there is. */
  const learn = (ends: PartitionEnds, last: readonly string[]): void => {
    const range = ends.toAsk("lanes", key("a#0#1"));
    if (range === undefined) throw new Error("it is not known");
    ends.look("lanes", pk, range)(shown(last, true));
  };
  const isBehind = (ends: PartitionEnds, sk: string): boolean => ends.isBehind("lanes", key(sk));

  test("have an end of their own, which one query shows", () => {
    const ends = new PartitionEnds();
    expect(ends.toAsk("lanes", key("a#0#1"))).toEqual({
      from: "a#0#",
      to: "a#0#\u{10ffff}",
      reverse: true,
      limit: 1,
      consistent: true,
    });
    learn(ends, ["a#0#5"]);
    const keys = ["a#0#5", "a#0#6", "a#1#6", "b#0#6", "b"];
    expect(keys.map((sk) => isBehind(ends, sk))).toEqual([false, true, false, false, false]);
    ends.move("lanes", key("a#1#9"));
    ends.move("lanes", key("a#0#7"));
    expect([isBehind(ends, "a#0#7"), isBehind(ends, "a#0#8")]).toEqual([false, true]);
  });

  test("are not asked about once that is known, nor is what is no segment", () => {
    const ends = new PartitionEnds();
    expect(ends.toAsk("lanes", key("a"))).toBeUndefined();
    expect(ends.toAsk("lanes", { pk: "timer#q#0", sk: "17#x" })).toBeUndefined();
    learn(ends, []);
    expect(ends.toAsk("lanes", key("a#0#2"))).toBeUndefined();
    expect(isBehind(ends, "a#0#0")).toBe(true);
  });

  test("K2 is theirs, too", () => {
    const ends = new PartitionEnds();
    const tried = ends.trying("lanes", key("a#0#3"));
    ends.trying("lanes", key("b#0#3"));
    learn(ends, []);
    expect(isBehind(ends, "a#0#4")).toBe(false);
    tried();
    learn(ends, []);
    expect(isBehind(ends, "a#0#4")).toBe(true);
  });

  test("end before others of the partition: only a range among them shows nothing behind that", () => {
    const ends = new PartitionEnds();
    learn(ends, ["a#0#5"]);
    const isPast = (from: string, to?: string): boolean =>
      ends.isPast("lanes", pk, { from, ...(to === undefined ? {} : { to }), consistent: true });
    expect(isPast("a#0#6", "a#0#9")).toBe(true);
    expect([isPast("a#0#5", "a#0#9"), isPast("a#0#6", "a#1#9"), isPast("a#0#6")]).toEqual([
      false,
      false,
      false,
    ]);
  });
});

test("a range begins behind a partition's end, wherever it goes, and not behind what was put since", () => {
  const ends = new PartitionEnds();
  const pk = "promoted#q#0";
  const isPast = (from: string): boolean => ends.isPast("lanes", pk, { from, consistent: true });
  ends.look("lanes", pk, { from: "17#a", consistent: true })({ items: [], more: false });
  expect([isPast("17#a"), isPast("17#b"), isPast("18#a")]).toEqual([false, true, true]);
  ends.move("lanes", { pk, sk: "18#c" });
  expect([isPast("17#b"), isPast("18#c"), isPast("18#d")]).toEqual([false, false, true]);
  expect(ends.isPast("lanes", pk, { from: "19", reverse: true, consistent: true })).toBe(false);
});

test("K2: a query that began while something was being put there teaches nothing", () => {
  const ends = new PartitionEnds();
  const first = ends.trying("lanes", { pk: PK, sk: "4" });
  const second = ends.trying("lanes", { pk: PK, sk: "5" });
  first();
  const learn = look(ends);
  second();
  learn(page(["1"]));
  expect(behind(ends, "9")).toBe(false);
  look(ends)(page(["1", "5"]));
  expect(behind(ends, "9")).toBe(true);
});
