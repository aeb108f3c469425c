/** Hunts: lines that are too wide, and messages that steer the terminal. */
import { expect, test } from "vitest";
import { Output } from "../../src/cli/output.ts";

function output(options: { json?: boolean; colour?: boolean; columns?: number } = {}) {
  let text = "";
  const stdout = { isTTY: true, columns: options.columns ?? 40, write: (t: string) => (text += t) };
  const out = new Output({ stdout, stderr: stdout, json: false, colour: false, ...options });
  return { out, text: () => text };
}

const COLUMNS = [
  { title: "id", of: ({ id }: Row) => id },
  { title: "count", of: ({ count }: Row) => count },
  { title: "body", of: ({ body }: Row) => body, isCut: true },
];
interface Row {
  readonly id: string;
  readonly count: number;
  readonly body: string;
}

test("a table is no wider than the terminal: the column that may be cut is", () => {
  const { out, text } = output();
  out.list(
    [
      { id: "a", count: 5, body: "x".repeat(99) },
      { id: "bb", count: 12, body: "y" },
    ],
    COLUMNS,
    "",
  );
  expect(text()).toBe(
    ["id  count  body", `a       5  ${"x".repeat(26)}…`, "bb     12  y", ""].join("\n"),
  );
  expect(
    Math.max(
      ...text()
        .split("\n")
        .map((line) => line.length),
    ),
  ).toBeLessThanOrEqual(40);
});

test("control characters are shown, and not sent", () => {
  const { out, text } = output({ columns: 200 });
  out.list([{ id: "\u001B[2J", count: 1, body: "a\nb\u009B\u202Ec" }], COLUMNS, "");
  expect(text()).not.toContain("\u001B");
  expect(text()).toContain("\\u001b[2J");
  expect(text()).toContain("a\\nb\\u009b\\u202ec");
});

test("as JSON each thing is a line, and nothing else is there", () => {
  const { out, text } = output({ json: true });
  out.say("for people");
  out.list([{ id: "a", count: 1, body: "\u001B" }], COLUMNS, "none");
  out.list([], COLUMNS, "none");
  out.one({ b: 1 }, "a sentence");
  expect(text()).toBe('{"id":"a","count":1,"body":"\\u001b"}\n{"b":1}\n');
});

test("colours are there only where they were asked for", () => {
  expect(output({ colour: true }).out.red("x")).toBe("\u001B[31mx\u001B[0m");
  expect(output().out.red("x")).toBe("x");
});
