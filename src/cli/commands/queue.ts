/** `lanemq queue …` */
import type { Command } from "commander";
import type { QueueView } from "../../client/index.ts";
import { queueSettings } from "../../http/schemas/queues.ts";
import type { Context, Surroundings } from "../context.ts";
import { addFlags, DEAD_LETTER, fieldsOf } from "../schema-flags.ts";
import { age } from "../text.ts";
import { addVerb, nounCommand } from "./noun.ts";
import type { Flags } from "./noun.ts";

const settingFlags = (command: Command): Command =>
  addFlags(command, queueSettings.entries, [], DEAD_LETTER);

export function queueCommand(surroundings: Surroundings): Command {
  const queue = nounCommand(surroundings, {
    word: "queue",
    description: "Create, look at, change and delete queues.",
    names: ["queue"],
    create: {
      description: "Create a queue, or replace the whole of its settings.",
      examples: [
        "queue create orders",
        "queue create orders --max-receives 5 --dead-letter orders-dead",
      ],
      more: settingFlags,
      run: ({ lanemq, signal }, [name = ""], flags) =>
        lanemq.queue(name).create(fieldsOf(flags, queueSettings.entries), { signal }),
    },
    list: {
      description: "List queues.",
      more: (command) =>
        command
          .option("--prefix <text>", "those whose names begin so")
          .option("--depth", "ask for the depth of each, too"),
      run: list,
    },
    show: { description: "Show a queue's settings and depth.", run: show },
    delete: {
      description: "Delete a queue and all of its messages.",
      run: ({ lanemq, signal }, [name = ""]) => lanemq.queue(name).delete({ signal }),
    },
  });
  addVerb(surroundings, queue, "set", ["queue"], {
    description: "Change the settings given, and no other.",
    examples: ["queue set orders --lease-seconds 120 --dead-letter null"],
    more: settingFlags,
    run: async ({ lanemq, out, signal }, [name = ""], flags) => {
      const settings = fieldsOf(flags, queueSettings.entries);
      const view = await lanemq.queue(name).update(settings, { signal });
      out.one(view, out.fields({ name: view.name, ...view.settings }));
    },
  });
  addVerb(surroundings, queue, "purge", ["queue"], {
    description: "Drop all messages that are in a queue now.",
    run: async ({ lanemq, out, signal }, [name = ""]) => {
      await lanemq.queue(name).purge({ signal });
      out.one({ purged: name }, `Queue ${name} is purged.`);
    },
  });
  return queue;
}

async function show(
  { lanemq, out, signal }: Context,
  [name = ""]: readonly string[],
): Promise<void> {
  const view = await lanemq.queue(name).info({ signal });
  const { settings, depth, oldestReadyAgeSeconds, lanes: openLanes, ...rest } = view;
  const oldest = age(oldestReadyAgeSeconds);
  out.one(view, out.fields({ ...rest, ...depth, oldest, openLanes, ...settings }));
}

async function list(
  { lanemq, out, signal }: Context,
  _names: readonly string[],
  flags: Flags & { readonly prefix?: string; readonly depth?: true },
): Promise<void> {
  const query = flags.prefix === undefined ? {} : { prefix: flags.prefix };
  const none = "There are no such queues.";
  const created = { title: "created", of: ({ createdAt }: { createdAt: string }) => createdAt };
  if (flags.depth !== true) {
    const found = [];
    for await (const one of lanemq.queues(query, { signal })) found.push(one);
    const name = { title: "queue", of: (one: { name: string }) => one.name, isCut: true };
    out.list(found, [name, created], none);
    return;
  }
  const views: QueueView[] = [];
  for await (const { name } of lanemq.queues(query, { signal })) {
    views.push(await lanemq.queue(name).info({ signal }));
  }
  out.list(views, QUEUE_COLUMNS, none);
}

export const QUEUE_COLUMNS = [
  { title: "queue", of: (one: QueueView) => one.name, isCut: true },
  { title: "ready", of: (one: QueueView) => one.depth.ready },
  { title: "leased", of: (one: QueueView) => one.depth.leased },
  { title: "delayed", of: (one: QueueView) => one.depth.delayed },
  { title: "oldest", of: (one: QueueView) => age(one.oldestReadyAgeSeconds) },
  { title: "lanes", of: (one: QueueView) => one.lanes },
];
