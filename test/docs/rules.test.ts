/** docs/architecture.md names every rule of the module headers, and the file that keeps it. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MUTANTS } from "../sim/mutants/index.ts";
import { read, ROOT, rowsOf } from "./markdown.ts";

interface Rule {
  readonly rule: string;
  readonly file: string;
}

/** Rule and file, as "L1 src/service/append.ts". */
const named = ({ rule, file }: Rule): string => `${rule} ${file}`;

const HEADERS: readonly Rule[] = readdirSync(join(ROOT, "src"), {
  recursive: true,
  encoding: "utf8",
})
  .filter((path) => path.endsWith(".ts"))
  .map((path) => `src/${path.replaceAll("\\", "/")}`)
  .flatMap((file) => {
    const header = /^\/\*\*.*?\*\//s.exec(read(file))?.[0] ?? "";
    return [...header.matchAll(/^ \* ([A-Z]\d+) {2}/gm)].map(([, rule = ""]) => ({ rule, file }));
  });

const ROWS = rowsOf(read("docs/architecture.md")).filter(([rule = ""]) => /^[A-Z]\d+\b/.test(rule));

const DOCUMENTED: readonly Rule[] = ROWS.flatMap(([name = "", , keptBy = ""]) =>
  [...keptBy.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, file = ""]) => ({
    rule: name.split(" ")[0] ?? "",
    file,
  })),
);

test("every rule that a module's header states is there, with that file", () => {
  expect(HEADERS.length).toBeGreaterThan(50);
  const documented = new Set(DOCUMENTED.map(named));
  expect(HEADERS.map(named).filter((rule) => !documented.has(rule))).toEqual([]);
});

test("every rule that is there is stated by one of the modules that it names", () => {
  const stated = new Set(HEADERS.map(named));
  const rows = ROWS.map(([name = "", , keptBy = ""]) => ({ rule: name.split(" ")[0], keptBy }));
  const unstated = rows.filter(({ rule, keptBy }) =>
    [...keptBy.matchAll(/\]\(\.\.\/([^)]+)\)/g)].every(
      ([, file = ""]) => !stated.has(`${rule} ${file}`),
    ),
  );
  expect(unstated.filter(({ rule }) => rule !== "C6")).toEqual([]);
});

test("every rule says what hunts it, and mutants that it names exist", () => {
  const rules = new Set<string>(MUTANTS.map(({ rule }) => rule));
  const wrong = ROWS.filter(([, , , huntedBy = ""]) => {
    const mutants = [...huntedBy.matchAll(/npm run mutants ([A-Z]\d+)/g)].map(([, rule]) => rule);
    return huntedBy === "" || mutants.some((rule) => rule === undefined || !rules.has(rule));
  });
  expect(wrong).toEqual([]);
});
