/**
 * What the commands of a noun have in common: `create` (or `put`), `list`, `show` and `delete`. What
 * else can be done to it are verbs of its own.
 */
import { Command } from "commander";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";

export type Flags = Readonly<Record<string, unknown>>;

/** @param names the arguments; absent ones are empty */
type Run<R> = (context: Context, names: readonly string[], flags: Flags) => Promise<R>;

export interface Verb<R = void> {
  readonly description: string;
  readonly examples?: readonly string[];
  /** Flags, and arguments beside the names. */
  readonly more?: (command: Command) => Command;
  readonly run: Run<R>;
}

export interface Noun {
  readonly word: string;
  readonly description: string;
  /** Arguments that lead to it; the last one is its own name. */
  readonly names: readonly string[];
  /** Gives what was made, or changed. */
  readonly create: Verb<object>;
  readonly list: Verb;
  readonly show: Verb;
  readonly delete: Verb;
}

export function nounCommand(surroundings: Surroundings, noun: Noun): Command {
  const command = new Command(noun.word).description(noun.description);
  const { names } = noun;
  const says = (given: readonly string[], what: string): string =>
    `${noun.word.charAt(0).toUpperCase()}${noun.word.slice(1)} ${named(given, names.length)} ${what}`;
  addVerb(surroundings, command, "create", names, {
    ...noun.create,
    run: async (context, given, flags) =>
      context.out.one(await noun.create.run(context, given, flags), says(given, "is there.")),
  }).alias("put");
  addVerb(surroundings, command, "list", names.slice(0, -1), noun.list);
  addVerb(surroundings, command, "show", names, noun.show);
  addVerb(surroundings, command, "delete", names, {
    ...noun.delete,
    run: async (context, given, flags) => {
      await noun.delete.run(context, given, flags);
      context.out.one({ deleted: given[names.length - 1] }, says(given, "is deleted."));
    },
  });
  return command;
}

export function addVerb(
  surroundings: Surroundings,
  to: Command,
  word: string,
  names: readonly string[],
  { description, examples = [], more = (command) => command, run }: Verb,
): Command {
  const command = to.command(word).description(description);
  for (const name of names) command.argument(`<${name}>`);
  if (examples.length > 0) {
    const lines = examples.map((example) => `  lanemq ${example}`).join("\n");
    command.addHelpText("after", `\nExample${examples.length > 1 ? "s" : ""}:\n${lines}`);
  }
  return more(command).action(
    action<Flags>(surroundings, (context, flags, given) => run(context, given, flags)),
  );
}

/** As in "audit of orders". */
const named = (given: readonly string[], count: number): string =>
  given.slice(0, count).toReversed().join(" of ");
