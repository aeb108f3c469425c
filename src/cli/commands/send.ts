/** `lanemq send`: one message from an argument, a file or standard input; or many, as NDJSON. */
import { createReadStream, fstatSync } from "node:fs";
import { stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { Command } from "commander";
import { LaneMQError } from "../../client/index.ts";
import type { OutgoingMessage, SendOptions } from "../../client/index.ts";
import { outgoingMessage } from "../../http/schemas/messages.ts";
import { addMessageFlags, bodyOf, optionsOf } from "../body-input.ts";
import type { MessageFlags } from "../body-input.ts";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";
import { progressOn } from "../progress.ts";
import { jsonLine } from "../schema-flags.ts";
import { amount, grouped } from "../text.ts";
import { UsageError } from "../usage-error.ts";

export const sendCommand = (surroundings: Surroundings): Command =>
  addMessageFlags(
    new Command("send")
      .argument("<queue>")
      .description("Send a message, or many.")
      .option("--ndjson", 'a message a line: {"body": …, "headers": …}')
      .addHelpText(
        "after",
        `
Examples:
  lanemq send orders 'Hello'
  lanemq send orders --data '{"order":7}' --header trace=a1
  lanemq send photos --file a.jpg --content-type image/jpeg
  lanemq send orders --ndjson < messages.ndjson`,
      ),
    outgoingMessage.entries,
    "the body, as it is, or with --ndjson the messages",
  ).action(action(surroundings, send));

interface Flags extends MessageFlags {
  readonly ndjson?: true;
}

async function send(
  context: Context,
  flags: Flags,
  [queue = "", body]: readonly string[],
): Promise<void> {
  const options: SendOptions = optionsOf(flags, outgoingMessage.entries);
  if (flags.ndjson === true) {
    if (body !== undefined || flags.data !== undefined) {
      throw new UsageError("--ndjson reads messages from --file or standard input");
    }
    await sendLines(context, queue, options, flags.file);
    return;
  }
  const { lanemq, out, signal } = context;
  const content = await bodyOf(context, flags, body);
  const result = await lanemq.queue(queue).send(content, options, { signal });
  out.one(result, `${result.duplicate ? "Was sent before" : "Sent"}: ${result.id}`);
}

/** Each line is read only when there is room for it; those that fail are named, and the others sent. */
async function sendLines(
  { lanemq, out, stdin, signal }: Context,
  queue: string,
  options: SendOptions,
  file: string | undefined,
): Promise<void> {
  const input: Readable = file === undefined ? stdin : createReadStream(file);
  const producer = lanemq.queue(queue).producer();
  const progress = progressOn(out, await sizeOf(file ?? stdin));
  const startedAt = performance.now();
  let sent = 0;
  let line = 0;
  let bytes = 0;
  const failures: { line: number; code: string; detail: string }[] = [];
  const update = (): void => {
    const rate = Math.round(sent / ((performance.now() - startedAt) / 1_000));
    const failed = failures.length === 0 ? "" : `, ${grouped(failures.length)} failed`;
    progress.show(bytes, `${grouped(sent)} sent${failed}, ${grouped(rate)}/s`);
  };
  const note = (at: number, error: unknown): void => {
    const code = error instanceof LaneMQError ? error.code : "invalid-request";
    failures.push({
      line: at,
      code,
      detail: error instanceof Error ? error.message : String(error),
    });
  };
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  let broken: unknown;
  try {
    for await (const text of lines) {
      line += 1;
      if (text.trim() === "") continue;
      if (signal.aborted) break;
      const at = line;
      const size = Buffer.byteLength(text) + 1;
      const { body, encoding, ...message } = jsonLine(
        text,
        `line ${at}`,
      ) as unknown as OutgoingMessage & {
        encoding?: string;
      };
      await producer.ready();
      const content = encoding === "base64" ? Buffer.from(String(body), "base64") : body;
      const headers = { ...options.headers, ...message.headers };
      const more = Object.keys(headers).length === 0 ? {} : { headers };
      producer.send(content, { ...options, ...message, ...more }).then(
        () => {
          sent += 1;
          bytes += size;
          if (sent % 100 === 0) update();
        },
        (error: unknown) => note(at, error),
      );
    }
  } catch (error) {
    broken = error;
  }
  await producer.close();
  update();
  progress.end();
  for (const { line: at, code, detail } of failures.slice(0, SHOWN)) {
    out.note(`line ${at}: ${detail} (${code})`);
  }
  if (failures.length > SHOWN) out.note(`and ${failures.length - SHOWN} more`);
  out.one({ sent, failed: failures.length }, `${amount(sent, "message")} sent.`);
  if (broken !== undefined) throw broken;
  const [first] = failures;
  if (first !== undefined) {
    throw new LaneMQError(
      first.code as LaneMQError["code"],
      `${amount(failures.length, "message")} could not be sent`,
    );
  }
}

const SHOWN = 10;

/** Of a file, also of one that is standard input; `undefined`: only its end will tell. */
async function sizeOf(input: string | Readable): Promise<number | undefined> {
  if (typeof input === "string") return (await stat(input)).size;
  const { fd } = input as { readonly fd?: number };
  const stats = fd === undefined ? undefined : fstatSync(fd);
  return stats?.isFile() === true ? stats.size : undefined;
}
