/** Reading the documents as the tests of their truth need them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");

export const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** The cells of all table rows, without the lines below their heads. */
export const rowsOf = (text: string): string[][] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("|") && !/^[|\s:-]+$/.test(line))
    .map((line) => line.slice(1, line.lastIndexOf("|")).split(/(?<!\\)\|/))
    .map((cells) => cells.map((cell) => cell.trim()));

/** From a heading to the next one of its level. */
export function section(text: string, heading: string): string {
  const level = /^#+/.exec(heading)?.[0] ?? "";
  const from = text.indexOf(`\n${heading}\n`);
  if (from < 0) throw new Error(`there is no heading "${heading}"`);
  const rest = text.slice(from + heading.length + 1);
  const to = rest.search(new RegExp(`\\n#{1,${level.length}} `));
  return to < 0 ? rest : rest.slice(0, to);
}

/** What links may point to, as GitHub makes it of a heading. */
export const anchorsOf = (text: string): string[] =>
  [...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );

export const withoutCode = (text: string): string => text.replace(/^```.*?^```/gms, "");
