/**
 * What the commands print: tables for people, JSON for programs.
 *
 * O1  On a terminal no line is wider than it, and nothing that a message holds can steer it: control
 *     characters are shown, not sent.
 * O2  As JSON each thing is one line, on standard output and nothing else with it.
 */
import Table from "cli-table3";

interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Column<T> {
  readonly title: string;
  readonly of: (row: T) => string | number;
  /** It is cut first when the line is too long. */
  readonly isCut?: boolean;
}

export interface OutputOptions {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly json: boolean;
  readonly colour: boolean;
}

const WIDTH = 80;
const NARROWEST = 8;

export class Output {
  readonly json: boolean;
  readonly #options: OutputOptions;

  constructor(options: OutputOptions) {
    this.#options = options;
    this.json = options.json;
  }

  get isLive(): boolean {
    return this.#options.stdout.isTTY === true && !this.json;
  }

  get width(): number {
    return this.#options.stdout.columns ?? WIDTH;
  }

  /** A line for people; as JSON nothing. */
  say(text: string): void {
    if (!this.json) this.#options.stdout.write(`${text}\n`);
  }

  /** Beside the output. */
  note(text: string): void {
    this.#options.stderr.write(`${text}\n`);
  }

  /** As it is, whoever reads it. */
  raw(text: string | Uint8Array): void {
    this.#options.stdout.write(text as string);
  }

  list<T>(rows: readonly T[], columns: readonly Column<T>[], none: string): void {
    if (this.json) for (const row of rows) this.#options.stdout.write(`${JSON.stringify(row)}\n`);
    else this.say(rows.length === 0 ? none : this.table(rows, columns));
  }

  /** One thing with all of its fields, or a sentence about it. */
  one(thing: object, text?: string): void {
    if (this.json) this.#options.stdout.write(`${JSON.stringify(thing)}\n`);
    else this.say(text ?? this.fields(thing));
  }

  fields(thing: object): string {
    const rows = flat(thing);
    return this.table(rows, [
      { title: "", of: ([name]) => name },
      { title: "", of: ([, value]) => value, isCut: true },
    ]);
  }

  table<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
    const texts = rows.map((row) => columns.map(({ of }) => printable(String(of(row)))));
    const widths = columns.map(({ title }, index) =>
      Math.max(title.length, ...texts.map((line) => (line[index] ?? "").length)),
    );
    const spare = this.width - widths.reduce((sum, width) => sum + width + GAP, 0);
    const cut = columns.findIndex(({ isCut }) => isCut);
    if (spare < 0 && cut >= 0) {
      widths[cut] = Math.max(NARROWEST, (widths[cut] ?? 0) + spare);
    }
    const hasHead = columns.some(({ title }) => title !== "");
    const table = new Table({
      ...(hasHead ? { head: columns.map(({ title }) => this.dim(title)) } : {}),
      colAligns: columns.map((_, index) =>
        texts.length > 0 && texts.every((line) => /^[+-]?[\d.]*$/.test(line[index] ?? ""))
          ? "right"
          : "left",
      ),
      style: { head: [], border: [], "padding-left": 0, "padding-right": GAP },
      chars: BARE,
    });
    for (const line of texts) table.push(line.map((text, index) => shorten(text, widths[index])));
    return table
      .toString()
      .split("\n")
      .map((line) => line.trimEnd())
      .join("\n");
  }

  dim = (text: string): string => this.#style(2, text);
  bold = (text: string): string => this.#style(1, text);
  red = (text: string): string => this.#style(31, text);

  #style(code: number, text: string): string {
    return this.#options.colour && text !== "" ? `\u001B[${code}m${text}\u001B[0m` : text;
  }
}

const GAP = 2;

/** O1 */
const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex -- they are what it looks for
  text.replace(/[\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/g, (unit) =>
    unit === "\n"
      ? "\\n"
      : unit === "\t"
        ? "\\t"
        : `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

const shorten = (text: string, width = Number.POSITIVE_INFINITY): string =>
  text.length <= width ? text : `${text.slice(0, width - 1)}…`;

/** Members by their paths, as in `settings.leaseSeconds`. */
function flat(thing: object, at = ""): [string, string][] {
  return Object.entries(thing).flatMap(([name, value]): [string, string][] => {
    const path = at === "" ? name : `${at}.${name}`;
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      const members = flat(value as object, path);
      return members.length === 0 ? [[path, "{}"]] : members;
    }
    return [[path, typeof value === "string" ? value : JSON.stringify(value)]];
  });
}

const BARE = Object.fromEntries(
  [
    ["top", "top-mid", "top-left", "top-right", "left", "left-mid", "mid", "mid-mid"],
    ["right", "right-mid", "middle", "bottom", "bottom-mid", "bottom-left", "bottom-right"],
  ]
    .flat()
    .map((name) => [name, ""]),
);
