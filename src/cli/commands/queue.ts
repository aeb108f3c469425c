/** `lanemq queue …` */
import { Command } from "commander";
import type { QueueView } from "../../client/index.ts";
import { queueSettings } from "../../http/schemas/queues.ts";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";
import { addFlags, fieldsOf } from "../schema-flags.ts";
import { age } from "../text.ts";

const SHORT = {
  deadLetter: { hint: "a queue, or null, or JSON", parse: (text: string) => ({ queue: text }) },
};

export function queueCommand(surroundings: Surroundings): Command {
  const queue = new Command("queue").description("Create, look at, change and delete queues.");
  addFlags(queue.command("create"), queueSettings.entries, [], SHORT)
    .argument("<queue>")
    .description("Create a queue, or replace the whole of its settings.")
    .addHelpText(
      "after",
      `
Examples:
  lanemq queue create orders
  lanemq queue create orders --max-receives 5 --dead-letter orders-dead`,
    )
    .action(action(surroundings, create));
  queue
    .command("list")
    .description("List queues.")
    .option("--prefix <text>", "those whose names begin so")
    .option("--depth", "ask for the depth of each, too")
    .action(action(surroundings, list));
  queue
    .command("show")
    .argument("<queue>")
    .description("Show a queue's settings and depth.")
    .action(action(surroundings, show));
  addFlags(queue.command("set"), queueSettings.entries, [], SHORT)
    .argument("<queue>")
    .description("Change the settings given, and no other.")
    .addHelpText(
      "after",
      `
Example:
  lanemq queue set orders --lease-seconds 120 --dead-letter null`,
    )
    .action(action(surroundings, set));
  queue
    .command("delete")
    .argument("<queue>")
    .description("Delete a queue and all of its messages.")
    .action(action(surroundings, remove));
  queue
    .command("purge")
    .argument("<queue>")
    .description("Drop all messages that are in a queue now.")
    .action(action(surroundings, purge));
  return queue;
}

type Flags = Readonly<Record<string, unknown>>;

async function create(
  { lanemq, out, signal }: Context,
  flags: Flags,
  [name = ""]: readonly string[],
): Promise<void> {
  const settings = fieldsOf(flags, queueSettings.entries);
  const view = await lanemq.queue(name).create(settings, { signal });
  out.one(view, `Queue ${view.name} is there.`);
}

async function set(
  { lanemq, out, signal }: Context,
  flags: Flags,
  [name = ""]: readonly string[],
): Promise<void> {
  const settings = fieldsOf(flags, queueSettings.entries);
  const view = await lanemq.queue(name).update(settings, { signal });
  out.one(view, out.fields({ name: view.name, ...view.settings }));
}

async function show(
  { lanemq, out, signal }: Context,
  _flags: object,
  [name = ""]: readonly string[],
): Promise<void> {
  const view = await lanemq.queue(name).info({ signal });
  const { settings, depth, oldestReadyAgeSeconds, lanes: openLanes, ...rest } = view;
  const oldest = age(oldestReadyAgeSeconds);
  out.one(view, out.fields({ ...rest, ...depth, oldest, openLanes, ...settings }));
}

async function list(
  { lanemq, out, signal }: Context,
  flags: { readonly prefix?: string; readonly depth?: true },
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

async function remove(
  { lanemq, out, signal }: Context,
  _flags: object,
  [name = ""]: readonly string[],
): Promise<void> {
  await lanemq.queue(name).delete({ signal });
  out.one({ deleted: name }, `Queue ${name} is deleted.`);
}

async function purge(
  { lanemq, out, signal }: Context,
  _flags: object,
  [name = ""]: readonly string[],
): Promise<void> {
  await lanemq.queue(name).purge({ signal });
  out.one({ purged: name }, `Queue ${name} is purged.`);
}
