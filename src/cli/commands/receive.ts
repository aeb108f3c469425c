/** `lanemq receive`, `peek`, `ack`, `release` and `extend`. */
import { Command } from "commander";
import type { BrowsedMessage, Message, ReceiptResult } from "../../client/index.ts";
import { receiveRequest, releaseRequest } from "../../http/schemas/messages.ts";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";
import type { Output } from "../output.ts";
import { addFlags, fieldsOf, wholeNumber } from "../schema-flags.ts";
import { amount, bodyText } from "../text.ts";

export const receiveCommand = (surroundings: Surroundings): Command =>
  addFlags(new Command("receive"), receiveRequest.entries)
    .argument("<queue>")
    .description("Lease messages and print them.")
    .option("--ack", "ack what was printed")
    .option("--follow", "go on until Ctrl-C")
    .option("--body", "print nothing but bodies, as they are")
    .addHelpText(
      "after",
      `
Without --ack they come again when their lease is over.

Examples:
  lanemq receive orders --wait-seconds 5
  lanemq receive orders --max 100 --ack --json | jq .body
  lanemq receive orders --follow --ack --body`,
    )
    .action(action(surroundings, receive));

export const peekCommand = (surroundings: Surroundings): Command =>
  new Command("peek")
    .argument("<queue>")
    .argument("[id]", "one message, by its id, with its state")
    .description("Look at messages without leasing them, acked ones included.")
    .option("--limit <number>", "how many at most", wholeNumber, 20)
    .option("--from <id>", "from this message on")
    .option("--body", "print nothing but bodies, as they are")
    .addHelpText(
      "after",
      `
Examples:
  lanemq peek orders
  lanemq peek orders ha70eya4m68q-0-i3o5ef6mtc`,
    )
    .action(action(surroundings, peek));

export const ackCommand = (surroundings: Surroundings): Command =>
  new Command("ack")
    .argument("<queue>")
    .argument("<receipts...>")
    .description("Say that leased messages are done with.")
    .action(
      action(surroundings, async ({ lanemq, out, signal }, _flags, [queue = "", ...receipts]) => {
        settled(out, await lanemq.queue(queue).ack(receipts, { signal }));
      }),
    );

export const releaseCommand = (surroundings: Surroundings): Command =>
  addFlags(new Command("release"), releaseRequest.entries, ["receipts"])
    .argument("<queue>")
    .argument("<receipts...>")
    .description("Give leased messages back.")
    .action(
      action<Flags>(
        surroundings,
        async ({ lanemq, out, signal }, flags, [name = "", ...receipts]) => {
          const request = fieldsOf(flags, releaseRequest.entries, ["receipts"]);
          settled(out, await lanemq.queue(name).release(receipts, request, { signal }));
        },
      ),
    );

export const extendCommand = (surroundings: Surroundings): Command =>
  new Command("extend")
    .argument("<queue>")
    .argument("<receipts...>")
    .requiredOption("--lease-seconds <number>", "from now on", wholeNumber)
    .description("Keep leased messages for longer.")
    .action(
      action<{ readonly leaseSeconds: number }>(
        surroundings,
        async ({ lanemq, out, signal }, { leaseSeconds }, [name = "", ...receipts]) => {
          settled(out, await lanemq.queue(name).extend(receipts, leaseSeconds, { signal }));
        },
      ),
    );

const settled = (out: Output, results: readonly ReceiptResult[]): void =>
  out.list(
    results,
    [
      { title: "status", of: ({ status }) => status },
      ...(results.some(({ receipt }) => receipt !== undefined)
        ? [{ title: "receipt from now on", of: ({ receipt = "" }: ReceiptResult) => receipt }]
        : []),
    ],
    "",
  );

interface Flags {
  readonly ack?: true;
  readonly follow?: true;
  readonly body?: true;
  readonly waitSeconds?: number;
  readonly [name: string]: unknown;
}

const FOLLOW_SECONDS = 20;

async function receive(
  { lanemq, out, signal }: Context,
  flags: Flags,
  [name = ""]: readonly string[],
): Promise<void> {
  const queue = lanemq.queue(name);
  const request = fieldsOf(flags, receiveRequest.entries);
  if (flags.follow === true) request["waitSeconds"] ??= FOLLOW_SECONDS;
  let count = 0;
  do {
    let messages: Message[];
    try {
      messages = await queue.receive(request, { signal });
    } catch (error) {
      if (signal.aborted) break;
      throw error;
    }
    count += messages.length;
    if (flags.body === true) printBodies(out, messages);
    else if (messages.length > 0 || flags.follow !== true) {
      out.list(messages.map(jsonable), columns(out), "No messages.");
    }
    if (flags.ack === true && messages.length > 0) {
      const results = await queue.ack(messages);
      const lost = results.filter(({ status }) => status !== "done").length;
      if (lost > 0) out.note(`${amount(lost, "lease")} ran out before the ack: they come again.`);
    }
  } while (flags.follow === true && !signal.aborted);
  if (flags.follow === true) out.say(`${amount(count, "message")} received.`);
}

async function peek(
  { lanemq, out, signal }: Context,
  flags: { readonly limit: number; readonly from?: string; readonly body?: true },
  [name = "", id]: readonly string[],
): Promise<void> {
  const queue = lanemq.queue(name);
  if (id !== undefined) {
    const message = await queue.find(id, { signal });
    if (flags.body === true) printBodies(out, [message]);
    else out.one(jsonable(message));
    return;
  }
  const from = flags.from === undefined ? {} : { from: flags.from };
  const messages: BrowsedMessage[] = [];
  const limit = Math.max(1, Math.min(flags.limit, 1_000));
  for await (const message of queue.browse({ ...from, limit }, { signal })) {
    messages.push(message);
    if (messages.length >= flags.limit) break;
  }
  if (flags.body === true) printBodies(out, messages);
  else {
    out.list(
      messages.map(jsonable),
      [
        { title: "id", of: ({ id }) => id },
        { title: "sent", of: ({ sentAt }) => short(sentAt) },
        { title: "body", of: ({ body }) => bodyText(body), isCut: true },
      ],
      "No messages.",
    );
  }
}

const columns = (out: Output) => [
  { title: "id", of: ({ id }: Message) => id },
  { title: "receives", of: ({ receives }: Message) => receives },
  ...(out.width > 100 ? [{ title: "sent", of: ({ sentAt }: Message) => short(sentAt) }] : []),
  { title: "body", of: ({ body }: Message) => bodyText(body), isCut: true },
];

function printBodies(out: Output, messages: readonly { readonly body: unknown }[]): void {
  for (const { body } of messages) {
    out.raw(body instanceof Uint8Array ? body : `${bodyText(body)}\n`);
  }
}

/** Bytes would be written as an object of numbers. */
const jsonable = <T extends { readonly body: unknown }>(message: T): T =>
  message.body instanceof Uint8Array
    ? { ...message, body: Buffer.from(message.body).toString("base64"), encoding: "base64" }
    : message;

/** `2026-01-31T12:00:00.123Z` without what is the same on most lines. */
const short = (time: string): string => time.slice(0, 19).replace("T", " ");
