/** `lanemq group …` and `lanemq seek`: consumer groups of a queue, and where they read. */
import { Command } from "commander";
import type { GroupView } from "../../client/index.ts";
import { groupRequest } from "../../http/schemas/groups.ts";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";
import { addFlags, DEAD_LETTER, fieldsOf } from "../schema-flags.ts";
import { age } from "../text.ts";
import { nounCommand } from "./noun.ts";

const FROM = {
  hint: "earliest, latest, a time, or a message's id",
  parse: (text: string) => placeOf(text),
};

export const groupCommand = (surroundings: Surroundings): Command =>
  nounCommand(surroundings, {
    word: "group",
    description: "Create, look at and delete consumer groups.",
    names: ["queue", "group"],
    create: {
      description: "Create a group, or replace its settings.",
      examples: ["group create orders audit --from earliest"],
      more: (command) =>
        addFlags(command, groupRequest.entries, [], { ...DEAD_LETTER, from: FROM }),
      run: ({ lanemq, signal }, [queue = "", name = ""], flags) =>
        lanemq.queue(queue).group(name).create(fieldsOf(flags, groupRequest.entries), { signal }),
    },
    list: {
      description: "List a queue's groups, with what each has still to do.",
      run: list,
    },
    show: {
      description: "Show a group's settings and what it has still to do.",
      run: async ({ lanemq, out, signal }, [queue = "", name = ""]) =>
        out.one(await lanemq.queue(queue).group(name).info({ signal })),
    },
    delete: {
      description: "Delete a group; the messages stay for the others.",
      run: ({ lanemq, signal }, [queue = "", name = ""]) =>
        lanemq.queue(queue).group(name).delete({ signal }),
    },
  });

export const seekCommand = (surroundings: Surroundings): Command =>
  new Command("seek")
    .argument("<queue>")
    .argument("[group]", "default, where none is named")
    .description("Have a group read from elsewhere: again, or past what is left.")
    .requiredOption("--from <place>", FROM.hint)
    .addHelpText(
      "after",
      "\nExamples:\n  lanemq seek orders audit --from earliest\n  lanemq seek orders --from 2026-01-31T12:00:00Z",
    )
    .action(
      action<{ readonly from: string }>(
        surroundings,
        async ({ lanemq, out, signal }, flags, [queue = "", name = "default"]) => {
          const group = lanemq.queue(queue).group(name);
          const moved = await group.seek(placeOf(flags.from), { signal });
          out.one(moved, `Group ${name} of ${queue} reads from ${flags.from}.`);
        },
      ),
    );

function placeOf(text: string): "earliest" | "latest" | { time: string } | { id: string } {
  if (text === "earliest" || text === "latest") return text;
  return /^\d{4}-\d\d-\d\dT/.test(text) ? { time: text } : { id: text };
}

async function list(
  { lanemq, out, signal }: Context,
  [queue = ""]: readonly string[],
): Promise<void> {
  const views: GroupView[] = [];
  for (const { name } of await lanemq.queue(queue).groups({ signal })) {
    views.push(await lanemq.queue(queue).group(name).info({ signal }));
  }
  out.list(
    views,
    [
      { title: "group", of: ({ name }) => name, isCut: true },
      { title: "ready", of: ({ depth }) => depth.ready },
      { title: "leased", of: ({ depth }) => depth.leased },
      { title: "delayed", of: ({ depth }) => depth.delayed },
      { title: "oldest", of: ({ oldestReadyAgeSeconds }) => age(oldestReadyAgeSeconds) },
    ],
    "There are no groups.",
  );
}
