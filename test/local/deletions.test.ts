/** Hunts: space that is never given back, and compactions of everything for a few deletions. */
import { expect, test } from "vitest";
import { Deletions } from "../../src/local/deletions.ts";

const key = (partition: string, at: number): string =>
  `item-lanes~a1b2c3/${partition}/${String(at).padStart(4, "0")}/`;

function deleted(partition: string, from: number, to: number, deletions = new Deletions()) {
  for (let at = from; at < to; at++) deletions.add(key(partition, at));
  return deletions;
}

test("gives the stretch of each partition that much was deleted from, once", () => {
  const deletions = deleted("one", 0, 100);
  deleted("two", 50, 500, deletions);
  expect(deletions.take()).toEqual([
    [key("one", 0), key("one", 99)],
    [key("two", 50), key("two", 499)],
  ]);
  expect(deletions.take()).toEqual([]);
});

test("lets a few deletions wait until there are more beside them", () => {
  const deletions = deleted("one", 0, 20);
  expect(deletions.take()).toEqual([]);
  deleted("one", 20, 40, deletions);
  expect(deletions.take()).toEqual([[key("one", 0), key("one", 39)]]);
});

test("gives everything where deletions are scattered over too many partitions", () => {
  const deletions = new Deletions();
  for (let at = 0; at < 5_000; at++) deletions.add(key(`dedup${at}`, 0));
  expect(deletions.take()).toEqual([["!", "~~"]]);
  expect(deletions.take()).toEqual([]);
});
