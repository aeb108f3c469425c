/** docs/operations.md names what the stack and the construct have: settings, props and alarms. */
import { expect, test } from "vitest";
import { SETTING_NAMES } from "../../lib/settings.ts";
import { read, rowsOf, section } from "./markdown.ts";

const PAGE = read("docs/operations.md");

/** The names in the first cells of a section's table. */
const namesIn = (heading: string): string[] =>
  rowsOf(section(PAGE, heading))
    .slice(1)
    .flatMap(([cell = ""]) => [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name));

test("every setting has its row", () => {
  expect(namesIn("## Deploy").toSorted()).toEqual([...SETTING_NAMES].toSorted());
});

test("every prop of the construct has its row", () => {
  const [props = ""] = /interface LaneMQProps \{[^]*?\n\}/.exec(read("lib/construct.ts")) ?? [];
  const names = [...props.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name = ""]) => name);
  expect(names.length).toBeGreaterThan(5);
  expect(namesIn("## As a part of your own application").toSorted()).toEqual(names.toSorted());
});

test("every alarm has its row", () => {
  const source = read("lib/observability.ts");
  const names = [...source.matchAll(/ alarm\(\s*"(\w+)"/g)].map(([, name = ""]) => name);
  expect(names.length).toBeGreaterThan(3);
  expect(namesIn("## Watch").toSorted()).toEqual(names.toSorted());
});
