#!/usr/bin/env node
/** `lanemq`. */
import { readFileSync } from "node:fs";
import { CommanderError } from "commander";
import { EXIT } from "./exit-codes.ts";
import { createProgram, report } from "./program.ts";

// The SDK would greet a reader on Node 20 with a notice about itself.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

// Whoever reads may stop reading, as `head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : EXIT.failed.code);
});

const manifest = new URL("../package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
const program = createProgram(process, version);
program.exitOverride();
for (const command of program.commands) exitOverride(command);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : EXIT.invalid.code;
  } else {
    process.exitCode = report(error, program, process);
  }
}

function exitOverride(command: typeof program): void {
  command.exitOverride();
  for (const inner of command.commands) exitOverride(inner);
}
