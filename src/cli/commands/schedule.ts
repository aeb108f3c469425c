/** `lanemq schedule …`: recurring schedules. */
import type { Command } from "commander";
import type { ScheduleSettings, ScheduleView } from "../../client/index.ts";
import { recurringMessage, scheduleFields } from "../../http/schemas/schedules.ts";
import { addMessageFlags, bodyOf, optionsOf } from "../body-input.ts";
import type { MessageFlags } from "../body-input.ts";
import type { Context, Surroundings } from "../context.ts";
import { addFlags, fieldsOf } from "../schema-flags.ts";
import { bodyText } from "../text.ts";
import { nounCommand } from "./noun.ts";

const HINTS = {
  cron: { hint: "5 fields, or 6 with seconds" },
  timeZone: { hint: "of cron, as in Europe/Berlin; else UTC" },
  queue: { hint: "where to, or --exchange" },
  exchange: { hint: "where to, or --queue" },
  routingKey: { hint: "for an exchange" },
  onMissed: { hint: "fire (once) or skip what nobody fired in time" },
};

export const scheduleCommand = (surroundings: Surroundings): Command =>
  nounCommand(surroundings, {
    word: "schedule",
    description: "Create, look at and delete recurring schedules.",
    names: ["schedule"],
    create: {
      description: "Create a schedule, or replace it.",
      examples: [
        "schedule create report --cron '0 9 * * 1-5' --queue reports 'Nine'",
        `schedule create poll --every-seconds 60 --queue jobs --data '{"n":1}'`,
      ],
      more: (command) =>
        addMessageFlags(
          addFlags(command, scheduleFields, ["message"], HINTS),
          recurringMessage.entries,
        ),
      run: async (context, [name = "", body], flags: MessageFlags) => {
        const settings = {
          ...fieldsOf(flags, scheduleFields, ["message"]),
          message: {
            ...optionsOf(flags, recurringMessage.entries),
            body: await bodyOf(context, flags, body),
          },
        } as ScheduleSettings;
        return context.lanemq.schedule(name).create(settings, { signal: context.signal });
      },
    },
    list: { description: "List schedules, and when they are due next.", run: list },
    show: {
      description: "Show what a schedule sends, where to, and when.",
      run: async ({ lanemq, out, signal }, [name = ""]) =>
        out.one(await lanemq.schedule(name).info({ signal })),
    },
    delete: {
      description: "Delete a schedule; what it has sent stays.",
      run: ({ lanemq, signal }, [name = ""]) => lanemq.schedule(name).delete({ signal }),
    },
  });

async function list({ lanemq, out, signal }: Context): Promise<void> {
  const found: ScheduleView[] = [];
  for await (const one of lanemq.schedules({ signal })) found.push(one);
  out.list(
    found,
    [
      { title: "schedule", of: ({ name }) => name },
      { title: "when", of: when },
      { title: "to", of: ({ queue, exchange }) => queue ?? `exchange ${exchange}` },
      { title: "next", of: ({ nextAt = "never" }) => nextAt.slice(0, 19).replace("T", " ") },
      { title: "body", of: ({ message }) => bodyText(message.body), isCut: true },
    ],
    "There are no schedules.",
  );
}

const when = ({ cron, timeZone, everySeconds }: ScheduleView): string =>
  cron === undefined
    ? `every ${everySeconds} s`
    : `${cron}${timeZone === undefined || timeZone === "UTC" ? "" : ` ${timeZone}`}`;
