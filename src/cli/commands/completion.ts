/**
 * `lanemq completion`: the script that a shell loads. It asks the hidden command `complete` for the
 * words that may come next, so that it knows what this version knows, and the service's names.
 */
import { Argument, Command } from "commander";
import type { Option } from "commander";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";

const BASH = `_lanemq() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(lanemq complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _lanemq lanemq
`;

const ZSH = `#compdef lanemq
_lanemq() {
  local -a found
  found=(\${(f)"$(lanemq complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( $#found )); then compadd -a found; else _files; fi
}
compdef _lanemq lanemq
`;

export const completionCommand = (): Command =>
  new Command("completion")
    .addArgument(new Argument("<shell>").choices(["bash", "zsh"]))
    .description("Print what a shell needs to complete lanemq's words.")
    .addHelpText(
      "after",
      `
In ~/.bashrc:  eval "$(lanemq completion bash)"
In ~/.zshrc:   eval "$(lanemq completion zsh)"  (after compinit)`,
    )
    .action((shell: string) => void process.stdout.write(shell === "bash" ? BASH : ZSH));

/** @param root whose commands are completed */
export const completeCommand = (surroundings: Surroundings, root: Command): Command =>
  new Command("complete")
    .argument("[words...]", "the words so far; the last one is being typed")
    .action(
      action(surroundings, async (context, _flags, words) => {
        const found = await candidates(context, root, words);
        context.out.raw(found.map((word) => `${word}\n`).join(""));
      }),
    );

async function candidates(
  context: Context,
  root: Command,
  words: readonly string[],
): Promise<string[]> {
  const typed = words.at(-1) ?? "";
  const { command, given, waiting } = read(root, words.slice(0, -1));
  const fits = (word: string): boolean => word.startsWith(typed);
  if (waiting !== undefined) {
    const names = NAMES[VALUES[waiting.attributeName()] ?? ""];
    return (waiting.argChoices ?? (await names?.(context, typed, given)) ?? []).filter(fits);
  }
  if (typed.startsWith("-")) {
    return [...command.options, ...root.options].flatMap(({ long }) => long ?? []).filter(fits);
  }
  const inner = command.commands.map((one) => one.name()).filter((name) => name !== "complete");
  if (inner.length > 0) return inner.filter(fits);
  const argument = command.registeredArguments[given.length];
  if (argument?.argChoices !== undefined) return argument.argChoices.filter(fits);
  const name = argument?.name() ?? "";
  // It is to be a new one.
  if (command.name() === "create" && command.parent?.name() === name) return [];
  return ((await NAMES[name]?.(context, typed, given)) ?? []).filter(fits);
}

interface Read {
  readonly command: Command;
  readonly given: readonly string[];
  /** The flag whose value comes next. */
  readonly waiting: Option | undefined;
}

function read(root: Command, words: readonly string[]): Read {
  let command = root;
  const given: string[] = [];
  let waiting: Option | undefined;
  for (const word of words) {
    if (waiting !== undefined) {
      waiting = undefined;
    } else if (word.startsWith("-")) {
      const option = [...command.options, ...root.options].find(
        ({ short, long }) => word === short || word === long,
      );
      waiting = option?.required === true ? option : undefined;
    } else {
      const inner = command.commands.find(
        (one) => one.name() === word || one.aliases().includes(word),
      );
      if (inner === undefined) given.push(word);
      else command = inner;
    }
  }
  return { command, given, waiting };
}

/** What the values of flags name. */
const VALUES: Readonly<Record<string, string>> = {
  deadLetter: "queue",
  to: "queue",
  queue: "queue",
  exchange: "exchange",
  alternate: "exchange",
  group: "group",
};

type Names = (context: Context, typed: string, given: readonly string[]) => Promise<string[]>;

/** How the names of a thing are known, by what the argument is called. */
const NAMES: Readonly<Record<string, Names>> = {
  queue: async ({ lanemq, signal }, typed) => {
    const query = { limit: MOST, prefix: typed };
    const { queues } = await lanemq.call("listQueues", { ...BRIEFLY, path: {}, query, signal });
    return queues.map(({ name }) => name);
  },
  exchange: async ({ lanemq, signal }, typed) => {
    const query = { limit: MOST, prefix: typed };
    const request = { ...BRIEFLY, path: {}, query, signal };
    return (await lanemq.call("listExchanges", request)).exchanges.map(({ name }) => name);
  },
  schedule: async ({ lanemq, signal }) => {
    const request = { ...BRIEFLY, path: {}, query: { limit: MOST }, signal };
    return (await lanemq.call("listSchedules", request)).schedules.map(({ name }) => name);
  },
  group: async ({ lanemq, signal }, _typed, [queue = ""]) =>
    (await lanemq.queue(queue).groups({ ...BRIEFLY, signal })).map(({ name }) => name),
};

const MOST = 100;

/** Who types does not wait. */
const BRIEFLY = { retries: 0, timeoutSeconds: 1 };
