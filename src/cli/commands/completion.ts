/**
 * `lanemq completion`: the script that a shell loads. It asks the hidden command `complete` for the
 * words that may come next, so that it knows what this version knows, queue names included.
 */
import { Argument, Command } from "commander";
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
  found=("\${(@f)$(lanemq complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a found || _files
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
  { lanemq, signal }: Context,
  root: Command,
  words: readonly string[],
): Promise<string[]> {
  const typed = words.at(-1) ?? "";
  let command = root;
  let place = 0;
  let takesValue = false;
  for (const word of words.slice(0, -1)) {
    if (takesValue) {
      takesValue = false;
      continue;
    }
    if (word.startsWith("-")) {
      const option = [...command.options, ...root.options].find(
        ({ short, long }) => word === short || word === long,
      );
      takesValue = option?.required === true;
      continue;
    }
    const inner = command.commands.find((one) => one.name() === word);
    if (inner === undefined) place += 1;
    else command = inner;
  }
  if (takesValue) return [];
  if (typed.startsWith("-")) {
    return [...command.options, ...root.options]
      .flatMap(({ long }) => (long == null ? [] : [long]))
      .filter((word) => word.startsWith(typed));
  }
  const inner = command.commands.map((one) => one.name()).filter((name) => name !== "complete");
  if (inner.length > 0) return inner.filter((word) => word.startsWith(typed));
  const argument = command.registeredArguments[place];
  if (argument?.argChoices !== undefined) return argument.argChoices;
  if (argument?.name() !== "queue" || command.name() === "create") return [];
  const query = typed === "" ? { limit: MOST } : { limit: MOST, prefix: typed };
  const page = await lanemq.call("listQueues", {
    path: {},
    query,
    signal,
    retries: 0,
    timeoutSeconds: 1,
  });
  return page.queues.map(({ name }) => name);
}

const MOST = 100;
