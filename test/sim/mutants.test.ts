import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MUTANTS } from "./mutants/index.ts";

const ROOT = join(import.meta.dirname, "..", "..");

test("every damage finds its text exactly once, so that none of them rots unnoticed", () => {
  const astray = MUTANTS.flatMap(({ name, file, edits }) => {
    const source = readFileSync(join(ROOT, file), "utf8");
    return edits
      .filter(([find]) => source.split(find).length !== 2)
      .map(([find]) => `${name}: ${source.split(find).length - 1} times in ${file}: ${find}`);
  });
  expect(astray).toEqual([]);
});

test("every rule of the log and of the cursor has a damage", () => {
  const rules = new Set<string>(MUTANTS.map(({ rule }) => rule));
  const wanted = [
    "L1",
    "L3",
    "L4",
    "L5",
    "L6",
    "L7",
    "L8",
    "L9",
    "C1",
    "C2",
    "C3",
    "C4",
    "C5",
    "C6",
    "C7",
    "C8",
  ];
  expect(wanted.filter((rule) => !rules.has(rule))).toEqual([]);
});
