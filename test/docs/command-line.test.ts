/** docs/command-line.md says what the commands and the exit codes are. */
import { expect, test } from "vitest";
import { EXIT } from "../../src/cli/exit-codes.ts";
import { createProgram } from "../../src/cli/program.ts";
import { read, rowsOf, section } from "./markdown.ts";

const PAGE = read("docs/command-line.md");

test("every command has its row, in the order of the help, and names its own commands", () => {
  const rows = rowsOf(section(PAGE, "## Commands")).slice(1);
  const commands = createProgram(process, "0.0.0").commands.filter(
    (command) => command.name() !== "complete",
  );
  expect(rows.map(([name]) => name)).toEqual(commands.map((command) => `\`${command.name()}\``));
  for (const [index, command] of commands.entries()) {
    for (const inner of command.commands) expect(rows[index]?.[1]).toContain(`\`${inner.name()}\``);
  }
});

test("every exit code has its row", () => {
  const rows = rowsOf(section(PAGE, "## Exit codes")).slice(1);
  expect(rows).toEqual(Object.values(EXIT).map(({ code, title }) => [String(code), title]));
});
