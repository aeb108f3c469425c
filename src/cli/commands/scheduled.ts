/** `lanemq scheduled` and `lanemq cancel`. */
import { Command } from "commander";
import type { ScheduledMessage } from "../../client/index.ts";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";
import { wholeNumber } from "../schema-flags.ts";
import { bodyText } from "../text.ts";

export const scheduledCommand = (surroundings: Surroundings): Command =>
  new Command("scheduled")
    .argument("<queue>")
    .description("List messages that wait on a schedule, soonest first.")
    .option("--limit <number>", "how many at most", wholeNumber, 20)
    .action(action(surroundings, list));

export const cancelCommand = (surroundings: Surroundings): Command =>
  new Command("cancel")
    .argument("<queue>")
    .argument("<id>")
    .description("Cancel a scheduled message.")
    .action(
      action(surroundings, async ({ lanemq, out, signal }, _flags, [queue = "", id = ""]) => {
        await lanemq.queue(queue).cancel(id, { signal });
        out.one({ cancelled: id }, `Message ${id} is cancelled.`);
      }),
    );

async function list(
  { lanemq, out, signal }: Context,
  flags: { readonly limit: number },
  [queue = ""]: readonly string[],
): Promise<void> {
  const found: ScheduledMessage[] = [];
  for await (const message of lanemq.queue(queue).scheduled({ signal })) {
    if (found.length >= flags.limit) break;
    found.push(message);
  }
  out.list(
    found,
    [
      { title: "id", of: ({ id }) => id },
      { title: "due", of: ({ deliverAt }) => deliverAt },
      { title: "body", of: ({ body }) => bodyText(body), isCut: true },
    ],
    "Nothing waits on a schedule.",
  );
}
