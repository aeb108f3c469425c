/** No figure of the README is its own: each stands on the page that a command wrote. */
import { expect, test } from "vitest";
import { read, rowsOf, section } from "./markdown.ts";

const README = read("README.md");

test("the costs beside the naive queue are those of docs/benchmarks.md", () => {
  const measured = rowsOf(read("docs/benchmarks.md"));
  const figures = (what: string, unit: string): (string | undefined)[] => {
    const row = measured.find(([name, inUnit]) => name === what && inUnit === unit);
    return [row?.[3], row?.[4]];
  };
  const shown = rowsOf(section(README, "### What it costs, beside one item per message")).slice(1);
  expect(shown.length).toBeGreaterThan(2);
  expect(shown).toEqual(
    shown.map(([what = ""]) => [
      what,
      ...figures(what, "write units"),
      ...figures(what, "read units"),
    ]),
  );
});

test("every price is one of docs/what-it-costs.md", () => {
  const prices = [...README.matchAll(/\$\d+(\.\d+)?/g)].map(([price]) => price);
  expect(prices.length).toBeGreaterThan(0);
  const costs = read("docs/what-it-costs.md");
  expect(prices.filter((price) => !costs.includes(`${price}**`))).toEqual([]);
});
