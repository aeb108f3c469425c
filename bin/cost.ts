/** Renews the cost tables of docs/operations.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { costTables } from "../lib/cost.ts";

const guide = new URL("../docs/operations.md", import.meta.url);
const text = readFileSync(guide, "utf8");
const renewed = text.replace(
  /(<!-- prettier-ignore-start -->\n)[^]*(<!-- prettier-ignore-end -->)/,
  (_, begin: string, end: string) => `${begin}\n${costTables()}\n\n${end}`,
);
writeFileSync(guide, renewed);
