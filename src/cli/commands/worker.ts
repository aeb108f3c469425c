/**
 * `lanemq worker --exec`: a command for each message, which has the body on its standard input. Exit
 * code 0 acks; any other one releases the message with a growing delay.
 */
import { spawn } from "node:child_process";
import { Command } from "commander";
import { LaneMQError } from "../../client/index.ts";
import type { Message } from "../../client/index.ts";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";
import { wholeNumber } from "../schema-flags.ts";
import { amount, bodyText } from "../text.ts";

export const workerCommand = (surroundings: Surroundings): Command =>
  new Command("worker")
    .argument("<queue>")
    .description("Run a command for each message, until Ctrl-C.")
    .requiredOption("--exec <command>", "run by the shell")
    .option("--concurrency <number>", "commands at once", wholeNumber, 4)
    .option("--lease-seconds <number>", "extended while a command runs", wholeNumber, 30)
    .option("--grace-seconds <number>", "time to finish after Ctrl-C", wholeNumber, 25)
    .option("--quiet", "say nothing of what went well")
    .addHelpText(
      "after",
      `
The body comes on standard input. The environment has LANEMQ_QUEUE, LANEMQ_ID,
LANEMQ_RECEIVES, LANEMQ_CONTENT_TYPE and LANEMQ_HEADERS (JSON). Exit code 0
acks, any other one gives the message back, later each time.

Examples:
  lanemq worker orders --exec 'jq .order >> orders.txt'
  lanemq worker photos --exec './resize.sh' --concurrency 2`,
    )
    .action(action(surroundings, work));

interface Flags {
  readonly exec: string;
  readonly concurrency: number;
  readonly leaseSeconds: number;
  readonly graceSeconds: number;
  readonly quiet?: true;
}

async function work(
  { lanemq, out, signal }: Context,
  flags: Flags,
  [name = ""]: readonly string[],
): Promise<void> {
  const queue = lanemq.queue(name);
  // A name that is wrong should not be waited on for ever.
  await queue.info({ signal });
  const { concurrency, leaseSeconds, graceSeconds } = flags;
  const worker = queue.worker(
    (message, { signal: lost }) => runFor(flags.exec, name, message, lost),
    { concurrency, leaseSeconds, graceSeconds, signal },
  );
  let done = 0;
  let failed = 0;
  let fatal: unknown;
  worker.on("done", ({ message }) => {
    done += 1;
    if (flags.quiet !== true) out.one({ done: message.id }, `${message.id}  done`);
  });
  worker.on("failed", ({ message, error, delaySeconds }) => {
    failed += 1;
    const reason = error instanceof Error ? error.message : String(error);
    const again = `${message.id}  ${reason}, again in ${delaySeconds} s`;
    out.one({ failed: message.id, reason, delaySeconds }, out.red(again));
  });
  worker.on("lost", ({ message }) => out.note(`${message.id}  its lease was lost`));
  worker.on("error", ({ error, while: what }) => {
    out.note(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    // Whoever may not, or asks for what is not there, need not ask again.
    if (error instanceof LaneMQError && error.status >= 400 && error.status < 500) {
      if (error.retryable) return;
      fatal = error;
      void worker.stop();
    }
  });
  out.note(`Working on ${name}. Ctrl-C stops it.`);
  await worker.done;
  out.note(`${amount(done, "message")} done, ${amount(failed, "failure")}.`);
  if (fatal !== undefined) throw fatal;
}

async function runFor(
  command: string,
  queue: string,
  { id, body, receives, contentType, headers }: Message,
  signal: AbortSignal,
): Promise<void> {
  const child = spawn(command, {
    shell: true,
    // A Ctrl-C is for the worker: the commands get their time to finish.
    detached: process.platform !== "win32",
    stdio: ["pipe", "inherit", "inherit"],
    env: {
      ...process.env,
      LANEMQ_API_KEY: undefined,
      LANEMQ_QUEUE: queue,
      LANEMQ_ID: id,
      LANEMQ_RECEIVES: String(receives),
      LANEMQ_CONTENT_TYPE: contentType,
      LANEMQ_HEADERS: JSON.stringify(headers),
    },
  });
  const stop = (): void => killGroup(child.pid);
  signal.addEventListener("abort", stop);
  try {
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, killedBy) => {
        if (code === 0) resolve();
        else reject(new Error(killedBy === null ? `exit code ${code}` : `ended by ${killedBy}`));
      });
      // A command that does not read its input is none the worse for it.
      child.stdin.on("error", () => {});
      child.stdin.end(body instanceof Uint8Array ? body : bodyText(body));
    });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The shell and what it started. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? pid : -pid, "SIGTERM");
  } catch {
    // It has ended by itself.
  }
}
