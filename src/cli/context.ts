/** What a command has to work with: the client of the connection asked for, and where it prints. */
import type { Command } from "commander";
import { LaneMQ } from "../client/index.ts";
import { Output } from "./output.ts";
import { connectionOf } from "./profiles.ts";
import type { Connection, ConnectionFlags, Environment } from "./profiles.ts";
import { awsFetch } from "./aws-fetch.ts";

export interface GlobalFlags extends ConnectionFlags {
  readonly json?: boolean;
  readonly aws?: boolean;
}

/** The process, as the commands see it. */
export interface Surroundings {
  readonly env: Environment;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export interface Context {
  readonly lanemq: LaneMQ;
  readonly connection: Connection;
  readonly out: Output;
  readonly stdin: NodeJS.ReadStream;
  /** Fires at the first Ctrl-C or SIGTERM. The second one ends the process. */
  readonly signal: AbortSignal;
}

export type Run<F = Record<string, never>> = (
  context: Context,
  flags: F,
  args: readonly string[],
) => Promise<void>;

export const outputOf = (flags: GlobalFlags, { stdout, stderr, env }: Surroundings): Output =>
  new Output({
    stdout,
    stderr,
    json: flags.json ?? !stdout.isTTY,
    colour: stdout.isTTY && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb",
  });

/** The action of a command: a context is made only when it runs. */
export const action =
  <F>(surroundings: Surroundings, run: Run<F>) =>
  async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    const flags = command.optsWithGlobals<GlobalFlags & F>();
    const connection = connectionOf(flags, surroundings.env);
    const lanemq = new LaneMQ({
      ...connection,
      ...(flags.aws === true ? { fetch: await awsFetch(connection.endpoint) } : {}),
      telemetry: false,
    });
    const out = outputOf(flags, surroundings);
    const { stdin } = surroundings;
    await untilStopped((signal) =>
      run({ lanemq, connection, out, stdin, signal }, flags, command.args),
    );
  };

async function untilStopped(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const stopped = (_name: NodeJS.Signals, number: number): void => {
    if (stop.signal.aborted) process.exit(128 + number);
    stop.abort();
  };
  process.on("SIGINT", stopped).on("SIGTERM", stopped);
  try {
    await work(stop.signal);
  } finally {
    process.off("SIGINT", stopped).off("SIGTERM", stopped);
  }
}
