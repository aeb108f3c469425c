/**
 * Flags made from the schemas that the service validates by: a field that is new there is a flag here.
 * The service checks values; here they only become JSON.
 */
import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import type * as v from "valibot";
import { UsageError } from "./usage-error.ts";

export type Entries = Readonly<Record<string, v.GenericSchema>>;

interface Own {
  readonly hint: string;
  /** Of a form that is neither JSON nor null. */
  readonly parse?: (text: string) => unknown;
}

/** `--dead-letter orders-dead` */
export const DEAD_LETTER = {
  deadLetter: { hint: "a queue, or null, or JSON", parse: (text: string) => ({ queue: text }) },
};

/** @param own fields with a hint, or a shorter form than their JSON, of their own */
export function addFlags(
  command: Command,
  entries: Entries,
  but: readonly string[] = [],
  own: Readonly<Record<string, Own>> = {},
): Command {
  for (const [name, schema] of Object.entries(entries)) {
    if (but.includes(name)) continue;
    const described = describe(schema);
    const { kind } = described;
    const { parse, hint = described.hint } = own[name] ?? {};
    const flag = kebab(name);
    if (kind === "boolean") {
      command.addOption(new Option(`--${flag} [bool]`, hint).argParser(truth));
      continue;
    }
    const option = new Option(`--${flag} <${kind}>`, hint);
    if (described.choices !== undefined) option.choices(described.choices);
    option.argParser((text) =>
      parse !== undefined && !/^(\{|null$)/.test(text) ? parse(text) : valueOf(kind, text),
    );
    command.addOption(option);
  }
  return command;
}

/** The fields that were given as flags. */
export const fieldsOf = (
  flags: Readonly<Record<string, unknown>>,
  entries: Entries,
  but: readonly string[] = [],
): Record<string, unknown> =>
  Object.fromEntries(
    Object.keys(entries)
      .filter((name) => !but.includes(name) && flags[name] !== undefined)
      .map((name) => [name, flags[name] === NULL ? null : flags[name]]),
  );

/** `name=value` pairs, as often as the flag is given. */
export function pairs(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("it has to be NAME=VALUE");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

export function wholeNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("it has to be a whole number");
}

/** The parser of flags takes a null for one that has no value. */
const NULL = Symbol("null");

interface Described {
  readonly kind: "number" | "boolean" | "json" | "value" | "text";
  readonly hint: string;
  /** For help and completion; which of them is taken the service says. */
  readonly choices?: readonly string[];
}

interface Peeled {
  readonly type: string;
  readonly wrapped?: Peeled;
  readonly pipe?: readonly { readonly type: string; readonly requirement?: unknown }[];
  readonly options?: readonly unknown[];
  readonly entries?: Readonly<Record<string, unknown>>;
  readonly literal?: unknown;
}

function describe(schema: v.GenericSchema): Described {
  const { type, ...rest } = peel(schema);
  if (type === "number") return { kind: "number", hint: range(rest) };
  if (type === "boolean") return { kind: "boolean", hint: "true or false" };
  if (type === "literal") return { kind: "value", hint: JSON.stringify(rest.literal) };
  if (type === "picklist")
    return { kind: "value", hint: "", choices: (rest.options ?? []).map(String) };
  if (type === "strict_object") {
    return { kind: "json", hint: `JSON: { ${Object.keys(rest.entries ?? {}).join(", ")} }` };
  }
  if (type === "custom") return { kind: "json", hint: "JSON: an object" };
  if (type === "union")
    return { kind: "value", hint: unionHint(rest.options as readonly Peeled[]) };
  return { kind: "text", hint: "" };
}

/** Without what only says that it may be absent. */
function peel(schema: Peeled): Peeled {
  return schema.wrapped === undefined ? schema : peel(schema.wrapped);
}

function range({ pipe = [] }: Omit<Peeled, "type">): string {
  const bound = (type: string): number =>
    Number(pipe.find((one) => one.type === type)?.requirement);
  const [min, max] = [bound("min_value"), bound("max_value")];
  if (Number.isNaN(min) || Number.isNaN(max)) return "";
  return max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `${min} to ${max}`;
}

const unionHint = (options: readonly Peeled[]): string =>
  options
    .map(peel)
    .map((one) => {
      if (one.type === "literal") return String(one.literal);
      return one.type === "picklist" ? (one.options ?? []).join(", ") : range(one);
    })
    .join(", or ");

/** A value stays text unless it is plainly something else. */
function valueOf(kind: Described["kind"], text: string): unknown {
  if (kind === "text") return text;
  if (text === "null") return NULL;
  if (kind === "number") {
    const number = Number(text);
    if (text.trim() === "" || Number.isNaN(number)) throw new InvalidArgumentError("not a number");
    return number;
  }
  if (kind === "json") return json(text);
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
}

function truth(text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw new InvalidArgumentError("it has to be true or false");
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidArgumentError("it is not JSON");
  }
}

/** @throws UsageError */
export function jsonLine(text: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UsageError(`${where} is not JSON`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new UsageError(`${where} is not a message, as in {"body": …}`);
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (unit) => `-${unit.toLowerCase()}`);
