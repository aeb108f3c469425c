/** The figures of a run as a page of the documentation, which is written by nothing else. */
import { writeFileSync } from "node:fs";
import { format } from "prettier";
import { figure, machine, meets, targetOf } from "./report.ts";
import type { Row, Section } from "./report.ts";

export async function writeMarkdown(file: string, sections: readonly Section[]): Promise<void> {
  const day = new Date().toISOString().slice(0, 10);
  const intro = [
    "# Benchmarks",
    "",
    `As printed by \`npm run bench -- --markdown ${file}\` on ${day}: ${machine()},`,
    `Node ${process.versions.node}. "naive" is the queue as it is usually written on DynamoDB, one item`,
    "a message (`bench/naive.ts`), on the same engine in the same run. Bodies are earthquakes of the USGS,",
    "cut or filled up to size from real fields, none repeated (`bench/payloads.ts`).",
    "",
    "Units are the storage engine's own account and do not depend on the machine, nor do the figures of",
    "the contention, which runs in virtual time. Messages per second, times and memory are this machine's;",
    "client, server and engine share its processors.",
  ];
  const page = [intro.join("\n"), ...sections.map(sectionOf)].join("\n\n");
  writeFileSync(file, await format(page, { parser: "markdown" }));
}

const sectionOf = ({ title, method, rows }: Section): string =>
  [
    `## ${title}`,
    "",
    method,
    "",
    "| | unit | target | measured | naive | |",
    "|---|---|--:|--:|--:|---|",
    ...rows.map(rowOf),
  ].join("\n");

function rowOf(row: Row): string {
  const naive = row.naive === undefined ? "" : figure(row.naive);
  const verdict = row.target === undefined ? "" : meets(row) ? "met" : "**missed**";
  // A row that belongs to the one above is indented.
  const what = row.what.replace(/^ +/, "… ");
  return `| ${what} | ${row.unit} | ${targetOf(row)} | ${figure(row.measured)} | ${naive} | ${verdict} |`;
}
