/** `lanemq exchange …` and `lanemq publish`. */
import { Command } from "commander";
import type { AnswerOf, BodyOf, PublishOptions } from "../../client/index.ts";
import { bindingFields, exchangeSettings, publishedMessage } from "../../http/schemas/exchanges.ts";
import { addMessageFlags, bodyOf, optionsOf } from "../body-input.ts";
import type { MessageFlags } from "../body-input.ts";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";
import { addFlags, fieldsOf } from "../schema-flags.ts";
import { amount } from "../text.ts";
import { addVerb, nounCommand } from "./noun.ts";
import type { Flags } from "./noun.ts";

const BINDING_HINTS = {
  queue: { hint: "where it leads, or --exchange" },
  exchange: { hint: "where it leads, or --queue" },
  routingKey: { hint: "as in order.placed; of a topic also order.# or *.placed" },
  headers: { hint: "JSON: headers and their values; null: any" },
  filter: { hint: "JSON: an event pattern" },
};

export function exchangeCommand(surroundings: Surroundings): Command {
  const exchange = nounCommand(surroundings, {
    word: "exchange",
    description: "Create, bind, look at and delete exchanges.",
    names: ["exchange"],
    create: {
      description: "Create an exchange, or replace its settings.",
      examples: ["exchange create events --type topic"],
      more: (command) => addFlags(command, exchangeSettings.entries),
      run: ({ lanemq, signal }, [name = ""], flags) => {
        const settings = fieldsOf(flags, exchangeSettings.entries) as BodyOf<"putExchange">;
        return lanemq.exchange(name).create(settings, { signal });
      },
    },
    list: {
      description: "List exchanges.",
      more: (command) => command.option("--prefix <text>", "those whose names begin so"),
      run: list,
    },
    show: { description: "Show an exchange's settings and bindings.", run: show },
    delete: {
      description: "Delete an exchange and its bindings.",
      run: ({ lanemq, signal }, [name = ""]) => lanemq.exchange(name).delete({ signal }),
    },
  });
  addVerb(surroundings, exchange, "bind", ["exchange", "binding"], {
    description: "Bind a queue or an exchange, or replace the binding of this id.",
    examples: ["exchange bind events audit --queue audit --routing-key 'order.#'"],
    more: (command) => addFlags(command, bindingFields, [], BINDING_HINTS),
    run: async ({ lanemq, out, signal }, [name = "", id = ""], flags) => {
      const binding = fieldsOf(flags, bindingFields) as BodyOf<"putBinding">;
      const made = await lanemq.exchange(name).bind(id, binding, { signal });
      const to = made.queue ?? made.exchange ?? "nowhere";
      out.one(made, `Binding ${id} of ${name} leads to ${to}.`);
    },
  });
  addVerb(surroundings, exchange, "unbind", ["exchange", "binding"], {
    description: "Take a binding away.",
    run: async ({ lanemq, out, signal }, [name = "", id = ""]) => {
      await lanemq.exchange(name).unbind(id, { signal });
      out.one({ deleted: id }, `Binding ${id} of ${name} is gone.`);
    },
  });
  return exchange;
}

export const publishCommand = (surroundings: Surroundings): Command =>
  addMessageFlags(
    new Command("publish")
      .argument("<exchange>")
      .description("Publish a message to an exchange.")
      .addHelpText(
        "after",
        `
Example:
  lanemq publish events --routing-key order.placed --data '{"total":7}'`,
      ),
    publishedMessage.entries,
  ).action(action(surroundings, publish));

async function list(
  { lanemq, out, signal }: Context,
  _names: readonly string[],
  flags: Flags & { readonly prefix?: string },
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
      { title: "", of: rules, isCut: true },
    ],
    "It has no bindings.",
  );
}

const rules = (binding: object): string =>
  Object.entries(binding)
    .filter(([name]) => name !== "id" && name !== "queue" && name !== "exchange")
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");

async function publish(
  context: Context,
  flags: MessageFlags,
  [name = "", body]: readonly string[],
): Promise<void> {
  const { lanemq, out, signal } = context;
  const options: PublishOptions = optionsOf(flags, publishedMessage.entries);
  const content = await bodyOf(context, flags, body);
  const result = await lanemq.exchange(name).publish(content, options, { signal });
  const queues = "queues" in result ? result.queues : [];
  const where = queues.length === 0 ? "no queue takes it" : queues.join(", ");
  out.one(result, `Published to ${amount(queues.length, "queue")}: ${where}`);
}
