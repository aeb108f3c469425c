/** `lanemq redrive`: call by call, until nothing is left. */
import { Presets, SingleBar } from "cli-progress";
import { Command } from "commander";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";
import { wholeNumber } from "../schema-flags.ts";
import { amount } from "../text.ts";

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
  const isShown = out.isLive && process.stderr.isTTY;
  const bar = new SingleBar(
    { format: "{bar} {value} of {total}", barsize: 40, hideCursor: true, stream: process.stderr },
    Presets.shades_classic,
  );
  if (isShown) bar.start(total, 0);
  const to = flags.to === undefined ? {} : { to: flags.to };
  let moved = 0;
  let remaining = 0;
  try {
    while (moved < most && !signal.aborted) {
      const max = Math.min(AT_ONCE, most - moved);
      const step = await queue.redrive({ ...to, max });
      moved += step.moved;
      ({ remaining } = step);
      bar.setTotal(Math.max(total, moved));
      bar.update(moved);
      if (step.moved === 0 || remaining === 0) break;
    }
  } finally {
    if (isShown) bar.stop();
  }
  const left = remaining === 0 ? "" : ` ${remaining.toLocaleString("en-US")} left.`;
  out.one({ moved, remaining }, `${amount(moved, "message")} moved.${left}`);
}
