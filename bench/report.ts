/** What a bench says: rows of target, measured and naive; as a table to read and as JSON to keep. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { dirname } from "node:path";
import Table from "cli-table3";

export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly measured: number;
  readonly naive?: number;
  /** Absent: printed for information. */
  readonly target?: { readonly atMost: number } | { readonly atLeast: number };
}

export interface Section {
  readonly title: string;
  /** How it was measured, in a line or two. */
  readonly method: string;
  readonly rows: readonly Row[];
}

export const meets = ({ measured, target }: Row): boolean =>
  target === undefined ||
  ("atMost" in target ? measured <= target.atMost : measured >= target.atLeast);

export function printSection({ title, method, rows }: Section): void {
  const table = new Table({
    head: ["", "unit", "target", "measured", "naive", ""],
    colAligns: ["left", "left", "right", "right", "right", "left"],
    style: { head: [], border: [], "padding-left": 0, "padding-right": 1 },
    chars: BARE,
  });
  for (const row of rows) {
    table.push([
      row.what,
      row.unit,
      targetOf(row),
      figure(row.measured),
      row.naive === undefined ? "" : figure(row.naive),
      row.target === undefined ? "" : meets(row) ? "ok" : "MISSED",
    ]);
  }
  process.stdout.write(`\n${title}\n${method}\n\n${table.toString()}\n`);
}

export function writeJson(file: string, sections: readonly Section[], quick: boolean): void {
  const report = {
    date: new Date().toISOString(),
    machine: machine(),
    node: process.version,
    quick,
    sections: sections.map((section) => ({
      ...section,
      rows: section.rows.map((row) => ({ ...row, ok: meets(row) })),
    })),
  };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
}

export const machine = (): string => {
  const all = cpus();
  const model = (all[0]?.model ?? "unknown processor").trim();
  return `${all.length} × ${model}, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform}`;
};

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const BARE = Object.fromEntries(
  [
    ["top", "top-mid", "top-left", "top-right", "left", "left-mid", "mid", "mid-mid"],
    ["right", "right-mid", "middle", "bottom", "bottom-mid", "bottom-left", "bottom-right"],
  ]
    .flat()
    .map((name) => [name, ""]),
);

export function targetOf({ target }: Row): string {
  if (target === undefined) return "";
  return "atMost" in target ? `≤ ${figure(target.atMost)}` : `≥ ${figure(target.atLeast)}`;
}

export const figure = (value: number): string =>
  value.toLocaleString("en-US", { maximumFractionDigits: value >= 100 ? 0 : value >= 1 ? 2 : 3 });
