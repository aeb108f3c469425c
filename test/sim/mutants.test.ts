import { expect, test } from "vitest";
import { read, rowsOf } from "../docs/markdown.ts";
import { MUTANTS } from "./mutants/index.ts";

test("every damage finds its text exactly once, so that none of them rots unnoticed", () => {
  const astray = MUTANTS.flatMap(({ name, file, edits }) => {
    const source = read(file);
    return edits
      .filter(([find]) => source.split(find).length !== 2)
      .map(([find]) => `${name}: ${source.split(find).length - 1} times in ${file}: ${find}`);
  });
  expect(astray).toEqual([]);
});

test("every rule of the protocol has a damage", () => {
  const damaged = new Set(MUTANTS.map(({ rule, file }) => `${rule} ${file}`));
  const without = rowsOf(read("docs/architecture.md")).flatMap(([name = "", , keptBy = ""]) => {
    const rule = /^[A-Z]\d+\b/.exec(name)?.[0] ?? "";
    const files = [...keptBy.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, file = ""]) => file);
    const named = files.map((file) => `${rule} ${file}`);
    const kept = named.filter((_, index) => PROTOCOL.test(files[index] ?? ""));
    const isDamaged = named.some((one) => damaged.has(DAMAGED_IN[one] ?? one));
    return kept.length === 0 || isDamaged || kept.some((one) => JUDGED_ELSEWHERE.has(one))
      ? []
      : kept;
  });
  expect(without).toEqual([]);
});

test("no rule is excused that has a damage, or is none", () => {
  const stated = new Set(
    rowsOf(read("docs/architecture.md")).flatMap(([name = "", , keptBy = ""]) =>
      [...keptBy.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(
        ([, file = ""]) => `${name.split(" ")[0]} ${file}`,
      ),
    ),
  );
  const damaged = new Set(MUTANTS.map(({ rule, file }) => `${rule} ${file}`));
  const excused = [...JUDGED_ELSEWHERE, ...Object.keys(DAMAGED_IN)];
  expect(excused.filter((one) => !stated.has(one) || damaged.has(one))).toEqual([]);
});

/** What a schedule can break: the log, cursors, leases, and what is stored once, in order or in time. */
const PROTOCOL = new RegExp(
  `^src/(core/(${[
    "backoff|claim-fresh|group|held|moves|ordered-fresh|ordered-plan|ordered-reclaim|plan|planner",
    "priority|queue|reclaim|segment",
  ].join("|")})|service/(${[
    "ack|append|append-once|catalog|change-leases|choices|claim|combiner|cursor|dead-letter|depth",
    "erase|group-catalog|group-keeper|groups|intents|janitor|lane-choice|lane-writer|lanes|log",
    "parts|promoter|promoter-state|publish|purge|queues|receive|redrive|requests|seek|starts|tail|timers|visit",
  ].join("|")}))\\.ts$`,
);

/** Rules that one module states and another one's text is damaged for. */
const DAMAGED_IN: Readonly<Record<string, string>> = {
  "C5 src/core/segment.ts": "C5 src/core/backoff.ts",
  "E5 src/service/append-once.ts": "E5 src/service/intents.ts",
  "M2 src/core/planner.ts": "M2 src/core/claim-fresh.ts",
  "Q2 src/core/queue.ts": "Q2 src/core/group.ts",
  "U1 src/core/group.ts": "U1 src/service/groups.ts",
  "U2 src/core/group.ts": "U2 src/service/receive.ts",
};

/** By tests of their own, each named in docs/architecture.md. */
const JUDGED_ELSEWHERE: ReadonlySet<string> = new Set([
  // Broken, they cost time or space, and no promise.
  "G1 src/service/combiner.ts",
  "H2 src/core/held.ts",
  "J1 src/service/janitor.ts",
  "J2 src/service/janitor.ts",
  "R5 src/core/backoff.ts",
  "V5 src/service/receive.ts",
  "X2 src/service/erase.ts",
  // Nobody here asks for what they forbid or grant.
  "H3 src/service/choices.ts",
  "I1 src/service/publish.ts",
  "I2 src/service/publish.ts",
  "R4 src/service/requests.ts",
  "V3 src/service/receive.ts",
]);
