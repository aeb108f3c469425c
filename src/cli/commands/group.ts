/** `lanemq group …` and `lanemq seek`: consumer groups of a queue, and where they read. */
import { Command } from "commander";
import type { AnswerOf } from "../../client/index.ts";
import { groupRequest } from "../../http/schemas/groups.ts";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";
import { addFlags, fieldsOf } from "../schema-flags.ts";
import { age } from "../text.ts";

export function groupCommand(surroundings: Surroundings): Command {
  const group = new Command("group").description("Create, look at and delete consumer groups.");
  addFlags(group.command("create"), groupRequest.entries, [], {
    deadLetter: { hint: "a queue, or null, or JSON", parse: (text) => ({ queue: text }) },
  })
    .argument("<queue>")
    .argument("<group>")
    .description("Create a group, or replace its settings.")
    .addHelpText("after", "\nExample:\n  lanemq group create orders audit --from earliest")
    .action(
      action<Readonly<Record<string, unknown>>>(
        surroundings,
        async ({ lanemq, out, signal }, flags, [queue = "", name = ""]) => {
          const body = fieldsOf(flags, groupRequest.entries);
          const path = { queue, group: name };
          const made = await lanemq.call("putGroup", { path, body, signal });
          out.one(made, `Group ${name} of ${queue} is there.`);
        },
      ),
    );
  group
    .command("list")
    .argument("<queue>")
    .description("List a queue's groups, with what each has still to do.")
    .action(action(surroundings, list));
  group
    .command("show")
    .argument("<queue>")
    .argument("<group>")
    .description("Show a group's settings and what it has still to do.")
    .action(
      action(surroundings, async ({ lanemq, out, signal }, _flags, [queue = "", name = ""]) => {
        out.one(await lanemq.call("getGroup", { path: { queue, group: name }, signal }));
      }),
    );
  group
    .command("delete")
    .argument("<queue>")
    .argument("<group>")
    .description("Delete a group; the messages stay for the others.")
    .action(
      action(surroundings, async ({ lanemq, out, signal }, _flags, [queue = "", name = ""]) => {
        await lanemq.call("deleteGroup", { path: { queue, group: name }, signal });
        out.one({ deleted: name }, `Group ${name} of ${queue} is deleted.`);
      }),
    );
  return group;
}

export const seekCommand = (surroundings: Surroundings): Command =>
  new Command("seek")
    .argument("<queue>")
    .argument("[group]", "default, where none is named")
    .description("Have a group read from elsewhere: again, or past what is left.")
    .requiredOption("--from <place>", "earliest, latest, a time, or the id of a message")
    .addHelpText(
      "after",
      "\nExamples:\n  lanemq seek orders audit --from earliest\n  lanemq seek orders --from 2026-01-31T12:00:00Z",
    )
    .action(
      action<{ readonly from: string }>(
        surroundings,
        async ({ lanemq, out, signal }, flags, [queue = "", name = "default"]) => {
          const body = { from: placeOf(flags.from) };
          const path = { queue, group: name };
          const moved = await lanemq.call("seekGroup", { path, body, signal });
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
  _flags: object,
  [queue = ""]: readonly string[],
): Promise<void> {
  const { groups } = await lanemq.call("listGroups", { path: { queue }, signal });
  const views: AnswerOf<"getGroup">[] = [];
  for (const { name } of groups) {
    views.push(await lanemq.call("getGroup", { path: { queue, group: name }, signal }));
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
