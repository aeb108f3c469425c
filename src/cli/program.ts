/** All commands, and what holds for each of them. */
import { Command } from "commander";
import { benchCommand } from "./commands/bench.ts";
import { completeCommand, completionCommand } from "./commands/completion.ts";
import { deployCommand } from "./commands/deploy.ts";
import { exchangeCommand, publishCommand } from "./commands/exchange.ts";
import { groupCommand, seekCommand } from "./commands/group.ts";
import { keysCommand } from "./commands/keys.ts";
import { profileCommand } from "./commands/profile.ts";
import { queueCommand } from "./commands/queue.ts";
import {
  ackCommand,
  extendCommand,
  peekCommand,
  receiveCommand,
  releaseCommand,
} from "./commands/receive.ts";
import { redriveCommand } from "./commands/redrive.ts";
import { scheduleCommand } from "./commands/schedule.ts";
import { cancelCommand, scheduledCommand } from "./commands/scheduled.ts";
import { sendCommand } from "./commands/send.ts";
import { topCommand } from "./commands/top.ts";
import { workerCommand } from "./commands/worker.ts";
import { outputOf } from "./context.ts";
import type { Surroundings } from "./context.ts";
import { EXIT, exitClassOf } from "./exit-codes.ts";
import { isLaneMQError } from "../client/index.ts";
import { startCommand } from "../local/start-command.ts";
import { UsageError } from "./usage-error.ts";

export function createProgram(surroundings: Surroundings, version: string): Command {
  const program = new Command("lanemq")
    .description("A message queue without servers: its commands.")
    .version(version)
    .option("--endpoint <url>", "where the service is (LANEMQ_ENDPOINT)")
    .option("--api-key <key>", "better set in the environment (LANEMQ_API_KEY)")
    .option("--profile <name>", "a service by its name (LANEMQ_PROFILE)")
    .option("--json", "JSON, one thing a line; the default where no terminal reads it")
    .option("--no-json", "tables, wherever they go")
    .showHelpAfterError("(lanemq --help)")
    .configureHelp(HELP)
    .configureOutput({ getOutHelpWidth: helpWidth, getErrHelpWidth: helpWidth })
    .addHelpText(
      "after",
      `
Where the service is: --endpoint, else LANEMQ_ENDPOINT, else the profile, else
http://127.0.0.1:9324, where \`lanemq start\` listens.

Exit codes:
${Object.values(EXIT)
  .map(({ code, title }) => `  ${code}  ${title}`)
  .join("\n")}

Examples:
  lanemq start
  lanemq queue create hello && lanemq send hello 'Hello'
  lanemq receive hello --ack`,
    );
  // `--no-json` alone would make JSON the default.
  program.setOptionValue("json", undefined);
  const inherit = (command: Command): Command => {
    for (const inner of command.commands) inherit(inner);
    return command.copyInheritedSettings(program).configureHelp({
      ...HELP,
      showGlobalOptions: !ALONE.has(command.name()),
    });
  };
  const commands = [
    startCommand("start"),
    queueCommand(surroundings),
    sendCommand(surroundings),
    receiveCommand(surroundings),
    ackCommand(surroundings),
    releaseCommand(surroundings),
    extendCommand(surroundings),
    workerCommand(surroundings),
    peekCommand(surroundings),
    redriveCommand(surroundings),
    scheduledCommand(surroundings),
    cancelCommand(surroundings),
    scheduleCommand(surroundings),
    groupCommand(surroundings),
    seekCommand(surroundings),
    exchangeCommand(surroundings),
    publishCommand(surroundings),
    topCommand(surroundings),
    keysCommand(surroundings),
    benchCommand(surroundings),
    profileCommand(surroundings),
    deployCommand(),
    completionCommand(),
  ];
  for (const command of commands) program.addCommand(inherit(command));
  program.addCommand(inherit(completeCommand(surroundings, program)), { hidden: true });
  return program;
}

const HELP = { minWidthToWrap: 20, subcommandTerm: (command: Command): string => command.name() };

/** They call no service. */
const ALONE: ReadonlySet<string> = new Set(["start", "deploy", "completion"]);

const HELP_WIDTH = 80;

const helpWidth = (): number => Math.min(HELP_WIDTH, process.stdout.columns ?? HELP_WIDTH);

/** Says what went wrong, and gives the exit code. */
export function report(error: unknown, program: Command, surroundings: Surroundings): number {
  const out = outputOf(program.opts(), surroundings);
  if (error instanceof UsageError || (error instanceof TypeError && error.cause === undefined)) {
    out.note(out.red(`lanemq: ${error.message}`));
    return EXIT.invalid.code;
  }
  if (!isLaneMQError(error)) {
    out.note(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return EXIT.failed.code;
  }
  const { code, message, errors, requestId } = error;
  if (out.json) {
    out.note(JSON.stringify({ error: { code, detail: message, errors, requestId } }));
  } else {
    out.note(out.red(`lanemq: ${message} (${code})`));
    for (const { path, message: what } of errors.slice(1)) out.note(`  ${path}: ${what}`);
    if (code === "internal" && requestId !== undefined) out.note(`  request ${requestId}`);
    if (code === "unreachable") out.note("  Is it running? `lanemq start` runs one here.");
  }
  return EXIT[exitClassOf(code)].code;
}
