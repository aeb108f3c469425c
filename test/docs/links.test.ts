/** What the documents point to is there. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { anchorsOf, read, ROOT, withoutCode } from "./markdown.ts";

const DOCUMENTS = [
  "README.md",
  "docs/api.md",
  "docs/architecture.md",
  "docs/benchmarks.md",
  "docs/client.md",
  "docs/command-line.md",
  "docs/operations.md",
  "docs/quick-start.md",
  "docs/recipes.md",
  "docs/scheduling.md",
  "docs/exactly-once.md",
  "docs/sharing.md",
  "docs/simulation.md",
  "docs/what-it-costs.md",
];

describe.each(DOCUMENTS)("%s", (document) => {
  const text = read(document);

  test("links to files and headings that exist", () => {
    const links = [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = ""]) => to);
    expect(links.filter((to) => !/^[a-z]+:/.test(to) && !leads(document, to))).toEqual([]);
  });

  test("names npm scripts that exist", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const named = [...text.matchAll(/npm (?:run (?:--silent )?)?([a-z]+)/g)].map(
      ([whole, name = ""]) => (whole.startsWith("npm run") ? name : builtIn(name)),
    );
    expect(named.filter((name) => name !== undefined && !Object.hasOwn(scripts, name))).toEqual([]);
  });
});

function leads(from: string, to: string): boolean {
  const [path = "", anchor] = to.split("#");
  const target = path === "" ? from : join(dirname(from), path);
  if (!existsSync(join(ROOT, target))) return false;
  return anchor === undefined || anchorsOf(read(target)).includes(anchor);
}

/** `npm start` and `npm test` run scripts of these names; `npm ci` and the like none. */
const builtIn = (name: string): string | undefined =>
  name === "start" || name === "test" ? name : undefined;
