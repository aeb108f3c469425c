/** `npm start` and `lanemq start`: the embedded service as a process. It ends with one clear line, or cleanly. */
import { Command, InvalidArgumentError, Option } from "commander";
import { LocalError } from "./local-error.ts";
import type { Local } from "./runtime.ts";

interface Flags {
  readonly port: number;
  readonly host: string;
  readonly data: string;
  readonly inMemory?: true;
  readonly dynamodb?: string;
  readonly apiKey?: string;
  readonly relaxed?: true;
}

/**
 * npm runs this under a shell, which does not pass a SIGTERM on: it just ends. Whoever stopped npm
 * would otherwise leave the service running without them.
 */
const PARENT_EVERY_MS = 500;
/** npm passes a Ctrl-C on to a process that the terminal has already sent it to. */
const SAME_SIGNAL_MS = 500;

/** @param name as it stands in the help, and is called */
export const startCommand = (name: string): Command =>
  new Command(name)
    .description("Runs LaneMQ on this machine.")
    .option("--port <number>", "port to listen on; 0 for any that is free", portNumber, 9324)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--data <folder>", "folder that keeps the data", ".lanemq")
    .addOption(
      new Option("--in-memory", "keep the data in memory only").conflicts(["dynamodb", "data"]),
    )
    .addOption(
      new Option("--dynamodb <url>", "keep the data in the DynamoDB at this URL").conflicts("data"),
    )
    .addOption(
      new Option("--api-key <key>", "ask for this key (better set in the environment)").env(
        "LANEMQ_API_KEY",
      ),
    )
    .option("--relaxed", "let the name of a deleted queue be used again at once")
    .allowExcessArguments(false)
    .action(async (_flags, command: Command) => {
      try {
        await run(command.optsWithGlobals<Flags>());
      } catch (error) {
        fail(error);
      }
    });

async function run(flags: Flags): Promise<void> {
  // Only now: it brings the whole service along.
  const { startLocal } = await import("./runtime.ts");
  const { port, host, dynamodb, apiKey, relaxed } = flags;
  const local = await startLocal({
    port,
    host,
    ...(dynamodb === undefined ? {} : { dynamodb }),
    ...(dynamodb === undefined && !flags.inMemory ? { data: flags.data } : {}),
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(relaxed === undefined ? {} : { relaxed }),
    ownsThread: true,
    onFailure: fail,
  });
  stopOnSignals(local);
  const where = flags.inMemory ? "in memory" : `in ${dynamodb ?? flags.data}`;
  process.stdout.write(welcome(local.url, where, apiKey !== undefined));
}

function stopOnSignals(local: Local): void {
  let firstAt: number | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    if (firstAt === undefined) {
      firstAt = performance.now();
      process.stdout.write("Stopping; once more to stop at once.\n");
      local.close().then(() => process.exit(0), fail);
    } else if (performance.now() - firstAt > SAME_SIGNAL_MS) {
      process.exit(signal === "SIGINT" ? 130 : 143);
    }
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    if (firstAt === undefined) stop("SIGTERM");
  }, PARENT_EVERY_MS);
  watch.unref();
}

function welcome(url: string, where: string, withKey: boolean): string {
  const key = withKey ? ` -H "Authorization: Bearer $LANEMQ_API_KEY"` : "";
  const post = `curl${key} -H "Content-Type: application/json"`;
  return `LaneMQ listens on ${url} and keeps its data ${where}. Ctrl-C stops it.

Try:
  curl${key} -X PUT ${url}/v1/queues/hello
  ${post} ${url}/v1/queues/hello/messages -d '{"body":"Hello"}'
  ${post} ${url}/v1/queues/hello/receive -d '{"waitSeconds":5}'
`;
}

function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("a port is a number from 0 to 65535");
}

function fail(error: unknown): never {
  const text =
    error instanceof LocalError || !(error instanceof Error) ? String(error) : error.stack;
  process.stderr.write(`${text?.replace(/^LocalError: /, "LaneMQ cannot run: ")}\n`);
  process.exit(1);
}
