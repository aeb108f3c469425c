/** A message on the command line; its body is an argument, `--data`, a file, or standard input. */
import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { addFlags, fieldsOf, pairs } from "./schema-flags.ts";
import type { Entries } from "./schema-flags.ts";
import { UsageError } from "./usage-error.ts";

export interface MessageFlags {
  readonly file?: string;
  readonly data?: string;
  readonly header?: Readonly<Record<string, string>>;
  readonly [name: string]: unknown;
}

/** They have flags of their own here, or none. */
const OWN = ["body", "encoding", "headers"];

const HINTS = {
  contentType: { hint: "as in image/jpeg" },
  key: { hint: "what keeps its order, where the queue keeps one" },
  deliverAt: { hint: "not before, as in 2030-01-31T12:00:00Z" },
  dedupId: { hint: "what is sent again with it is not stored again" },
  tenant: { hint: "whom it is for: tenants get even shares" },
  routingKey: { hint: "what bindings look at, as in order.placed" },
};

/** @param entries of the message */
export const addMessageFlags = (
  command: Command,
  entries: Entries,
  file = "the body, as it is",
): Command =>
  addFlags(
    command
      .argument("[body]", "text; absent: --file, or standard input")
      .option("--file <path>", file)
      .option("--data <json>", "a JSON value as the body")
      .option("--header <name=value>", "a header; may be repeated", pairs),
    entries,
    OWN,
    HINTS,
  );

/** The message beside its body. */
export const optionsOf = (flags: MessageFlags, entries: Entries): Record<string, unknown> => ({
  ...fieldsOf(flags, entries, OWN),
  ...(flags.header === undefined ? {} : { headers: flags.header }),
});

/** Text where it is valid UTF-8, else bytes. @throws UsageError */
export async function bodyOf(
  { stdin, out }: Context,
  flags: MessageFlags,
  body: string | undefined,
): Promise<unknown> {
  const given = [body, flags.data, flags.file].filter((one) => one !== undefined);
  if (given.length > 1) throw new UsageError("give one body: an argument, --data or --file");
  if (body !== undefined) return body;
  if (flags.data !== undefined) {
    try {
      return JSON.parse(flags.data) as unknown;
    } catch {
      throw new UsageError("--data is not JSON");
    }
  }
  if (flags.file === undefined && stdin.isTTY) out.note("The body, ended by Ctrl-D:");
  const bytes = flags.file === undefined ? await allOf(stdin) : await readFile(flags.file);
  return textOf(bytes) ?? new Uint8Array(bytes);
}

async function allOf(input: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
