/**
 * The journal of the embedded engine: a line for each state that an item was given and the engine may not
 * have yet. A line outlives this process once it is written, as LevelDB's own log does.
 *
 * J1  What could not be written whole is taken back; a journal that cannot even do that takes nothing more.
 * J2  Read again, a line that is not whole ends its journal: nobody was told of what stands there.
 */
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** One of a journal's files; they follow each other by number. */
interface File {
  readonly path: string;
  readonly descriptor: number;
  bytes: number;
}

const NAME = /^(\d{9})\.log$/;

export class Journal {
  readonly #folder: string;
  #number: number;
  #file: File | undefined;
  /** What was there when this process came. */
  #left: string[];
  /** Those of this process that have ended and may not go yet. */
  #ended: string[] = [];
  #broken: Error | undefined;

  /** @throws Error when the folder cannot be used. */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const names = readdirSync(folder)
      .filter((name) => NAME.test(name))
      .toSorted();
    this.#folder = folder;
    this.#left = names.map((name) => join(folder, name));
    this.#number = Number(NAME.exec(names.at(-1) ?? "")?.[1] ?? 0);
  }

  /** Of the file that is written now. */
  get bytes(): number {
    return this.#file?.bytes ?? 0;
  }

  /** Whether this process has files before the one that it writes now. */
  get hasEnded(): boolean {
    return this.#ended.length > 0;
  }

  /** What was left by a process that did not stop cleanly, oldest first (J2). */
  *read(): Generator<string> {
    for (const path of this.#left) {
      const lines = readFileSync(path, "utf8").split("\n");
      // Behind the last line end stands nothing, or a part of a line.
      lines.pop();
      for (const line of lines) {
        if (!isWhole(line)) return;
        yield line.slice(0, -END.length);
      }
    }
  }

  /** What was left is needed no more. */
  dropLeft(): void {
    for (const path of this.#left) rmSync(path, { force: true });
    this.#left = [];
  }

  /** @throws Error when it cannot take them: then it has none of them (J1). */
  append(lines: readonly string[]): void {
    if (this.#broken !== undefined) throw this.#broken;
    const file = (this.#file ??= this.#begin());
    const bytes = Buffer.from(lines.map((line) => `${line}${END}\n`).join(""));
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(file.descriptor, bytes, at);
      file.bytes += bytes.length;
    } catch (error) {
      this.#takeBack(file);
      throw error;
    }
  }

  /** Whatever comes goes to a new file. */
  turn(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file.descriptor);
    this.#ended.push(this.#file.path);
    this.#file = undefined;
  }

  /** This process's files before the one that it writes now are needed no more. */
  dropEnded(): void {
    for (const path of this.#ended) rmSync(path, { force: true });
    this.#ended = [];
  }

  #begin(): File {
    this.#number += 1;
    const path = join(this.#folder, `${String(this.#number).padStart(9, "0")}.log`);
    return { path, descriptor: openSync(path, "ax", 0o600), bytes: 0 };
  }

  #takeBack(file: File): void {
    try {
      ftruncateSync(file.descriptor, file.bytes);
    } catch (error) {
      this.#broken = new Error("the journal cannot be written any more", { cause: error });
    }
  }
}

/** Lines are JSON, which has none of it as it stands. */
const END = "\u0000";

const isWhole = (line: string): boolean =>
  line.endsWith(END) && line.indexOf(END) === line.length - 1;
