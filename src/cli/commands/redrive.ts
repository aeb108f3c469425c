/** `lanemq redrive`: call by call, until nothing is left. */
import { Command } from "commander";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";
import { progressOn } from "../progress.ts";
import { wholeNumber } from "../schema-flags.ts";
import { amount, grouped } from "../text.ts";

export const redriveCommand = (surroundings: Surroundings): Command =>
  new Command("redrive")
    .argument("<queue>", "the dead-letter queue")
    .description("Move dead letters back to where they came from, or elsewhere.")
    .option("--to <queue>", "where to instead")
    .option("--max <number>", "no more than so many", wholeNumber)
    .addHelpText(
      "after",
      `
Examples:
  lanemq redrive orders-dead
  lanemq redrive orders-dead --to orders-again --max 100`,
    )
    .action(action(surroundings, redrive));

/** So that the bar moves. */
const AT_ONCE = 1_000;

async function redrive(
  { lanemq, out, signal }: Context,
  flags: { readonly to?: string; readonly max?: number },
  [name = ""]: readonly string[],
): Promise<void> {
  const queue = lanemq.queue(name);
  const { depth } = await queue.info({ signal });
  const most = flags.max ?? Number.POSITIVE_INFINITY;
  const total = Math.min(most, depth.ready + depth.delayed);
  const progress = progressOn(out, total);
  const to = flags.to === undefined ? {} : { to: flags.to };
  let moved = 0;
  let remaining = 0;
  try {
    while (moved < most && !signal.aborted) {
      const max = Math.min(AT_ONCE, most - moved);
      const step = await queue.redrive({ ...to, max });
      moved += step.moved;
      ({ remaining } = step);
      const all = Math.max(total, moved);
      progress.show(moved, `${grouped(moved)} of ${grouped(all)}`, all);
      if (step.moved === 0 || remaining === 0) break;
    }
  } finally {
    progress.end();
  }
  const left = remaining === 0 ? "" : ` ${grouped(remaining)} left.`;
  out.one({ moved, remaining }, `${amount(moved, "message")} moved.${left}`);
}
