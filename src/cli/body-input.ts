/** Where a message's body comes from: an argument, `--data`, a file, or standard input. */
import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { Context } from "./context.ts";
import { UsageError } from "./usage-error.ts";

export interface BodyFlags {
  readonly file?: string;
  readonly data?: string;
}

/** Text where it is valid UTF-8, else bytes. @throws UsageError */
export async function bodyOf(
  { stdin, out }: Context,
  flags: BodyFlags,
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
