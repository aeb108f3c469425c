/** `lanemq exchange …` and `lanemq publish`. */
import { Command } from "commander";
import type { AnswerOf, BodyOf, PublishOptions } from "../../client/index.ts";
import { bindingFields, exchangeSettings, publishedMessage } from "../../http/schemas/exchanges.ts";
import { bodyOf } from "../body-input.ts";
import type { BodyFlags } from "../body-input.ts";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";
import { addFlags, fieldsOf, pairs } from "../schema-flags.ts";
import { amount } from "../text.ts";

export function exchangeCommand(surroundings: Surroundings): Command {
  const exchange = new Command("exchange").description(
    "Create, bind, look at and delete exchanges.",
  );
  addFlags(exchange.command("create"), exchangeSettings.entries)
    .argument("<exchange>")
    .description("Create an exchange, or replace its settings.")
    .addHelpText("after", "\nExample:\n  lanemq exchange create events --type topic")
    .action(action(surroundings, create));
  exchange
    .command("list")
    .description("List exchanges.")
    .option("--prefix <text>", "those whose names begin so")
    .action(action(surroundings, list));
  exchange
    .command("show")
    .argument("<exchange>")
    .description("Show an exchange's settings and bindings.")
    .action(action(surroundings, show));
  exchange
    .command("delete")
    .argument("<exchange>")
    .description("Delete an exchange and its bindings.")
    .action(action(surroundings, remove));
  addFlags(exchange.command("bind"), bindingFields)
    .argument("<exchange>")
    .argument("<binding>", "its id")
    .description("Bind a queue or an exchange, or replace the binding.")
    .addHelpText(
      "after",
      `
Example:
  lanemq exchange bind events audit --queue audit --routing-key 'order.#'`,
    )
    .action(action(surroundings, bind));
  exchange
    .command("unbind")
    .argument("<exchange>")
    .argument("<binding>", "its id")
    .description("Take a binding away.")
    .action(action(surroundings, unbind));
  return exchange;
}

export const publishCommand = (surroundings: Surroundings): Command =>
  addFlags(new Command("publish"), publishedMessage.entries, OWN)
    .argument("<exchange>")
    .argument("[body]", "text; absent: --file, or standard input")
    .description("Publish a message to an exchange.")
    .option("--file <path>", "the body, as it is")
    .option("--data <json>", "a JSON value as the body")
    .option("--header <name=value>", "a header; may be repeated", pairs)
    .addHelpText(
      "after",
      `
Example:
  lanemq publish events --routing-key order.placed --data '{"total":7}'`,
    )
    .action(action(surroundings, publish));

/** They have flags of their own here, or none. */
const OWN = ["body", "encoding", "headers"];

type Flags = Readonly<Record<string, unknown>>;

async function create(
  { lanemq, out, signal }: Context,
  flags: Flags,
  [name = ""]: readonly string[],
): Promise<void> {
  const settings = fieldsOf(flags, exchangeSettings.entries) as BodyOf<"putExchange">;
  const made = await lanemq.exchange(name).create(settings, { signal });
  out.one(made, `Exchange ${name} is there.`);
}

async function list(
  { lanemq, out, signal }: Context,
  flags: { readonly prefix?: string },
): Promise<void> {
  const query = flags.prefix === undefined ? {} : { prefix: flags.prefix };
  const found: AnswerOf<"listExchanges">["exchanges"] = [];
  for await (const one of lanemq.exchanges(query, { signal })) found.push(one);
  out.list(
    found,
    [
      { title: "exchange", of: ({ name }) => name, isCut: true },
      { title: "type", of: ({ settings }) => settings.type },
    ],
    "There are no such exchanges.",
  );
}

async function show(
  { lanemq, out, signal }: Context,
  _flags: object,
  [name = ""]: readonly string[],
): Promise<void> {
  const exchange = lanemq.exchange(name);
  const view = await exchange.info({ signal });
  const bindings: AnswerOf<"listBindings">["bindings"] = [];
  for await (const one of exchange.bindings({ signal })) bindings.push(one);
  if (out.json) {
    out.one({ ...view, bindings });
    return;
  }
  const { settings, ...rest } = view;
  out.say(`${out.fields({ ...rest, ...settings })}\n`);
  out.list(
    bindings,
    [
      { title: "binding", of: ({ id }) => id },
      { title: "to", of: ({ queue, exchange: to }) => queue ?? `exchange ${to}` },
      {
        title: "",
        of: rules,
        isCut: true,
      },
    ],
    "It has no bindings.",
  );
}

const rules = (binding: object): string =>
  Object.entries(binding)
    .filter(([name]) => name !== "id" && name !== "queue" && name !== "exchange")
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");

async function remove(
  { lanemq, out, signal }: Context,
  _flags: object,
  [name = ""]: readonly string[],
): Promise<void> {
  await lanemq.exchange(name).delete({ signal });
  out.one({ deleted: name }, `Exchange ${name} is deleted.`);
}

async function bind(
  { lanemq, out, signal }: Context,
  flags: Flags,
  [name = "", id = ""]: readonly string[],
): Promise<void> {
  const binding = fieldsOf(flags, bindingFields) as BodyOf<"putBinding">;
  const made = await lanemq.exchange(name).bind(id, binding, { signal });
  out.one(made, `Binding ${id} of ${name} leads to ${made.queue ?? made.exchange ?? "nowhere"}.`);
}

async function unbind(
  { lanemq, out, signal }: Context,
  _flags: object,
  [name = "", id = ""]: readonly string[],
): Promise<void> {
  await lanemq.exchange(name).unbind(id, { signal });
  out.one({ deleted: id }, `Binding ${id} of ${name} is gone.`);
}

async function publish(
  context: Context,
  flags: Flags & BodyFlags & { readonly header?: Record<string, string> },
  [name = "", body]: readonly string[],
): Promise<void> {
  const { lanemq, out, signal } = context;
  const options: PublishOptions = {
    ...fieldsOf(flags, publishedMessage.entries, OWN),
    ...(flags.header === undefined ? {} : { headers: flags.header }),
  };
  const content = await bodyOf(context, flags, body);
  const result = await lanemq.exchange(name).publish(content, options, { signal });
  const queues = "queues" in result ? result.queues : [];
  const where = queues.length === 0 ? "no queue takes it" : queues.join(", ");
  out.one(result, `Published to ${amount(queues.length, "queue")}: ${where}`);
}
