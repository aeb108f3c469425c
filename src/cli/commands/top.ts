/** `lanemq top`: the queues, again and again. */
import { Command } from "commander";
import type { LaneMQ, QueueView } from "../../client/index.ts";
import { sleep } from "../../store/sleep.ts";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";
import type { Column } from "../output.ts";
import { wholeNumber } from "../schema-flags.ts";
import { amount } from "../text.ts";
import { QUEUE_COLUMNS } from "./queue.ts";

export const topCommand = (surroundings: Surroundings): Command =>
  new Command("top")
    .description("Watch queues: depth, change, age of the oldest, in flight.")
    .option("--prefix <text>", "those whose names begin so")
    .option("--every <seconds>", "how often", wholeNumber, 2)
    .option("--times <number>", "so often, and then end", wholeNumber)
    .addHelpText(
      "after",
      `
"change" is by how many messages the queue grew in a second (+) or shrank (-).
Each look costs a read per queue and lane.

Examples:
  lanemq top
  lanemq top --prefix orders- --every 10
  lanemq top --times 1 --json`,
    )
    .action(action(surroundings, top));

interface Flags {
  readonly prefix?: string;
  readonly every: number;
  readonly times?: number;
}

interface Row extends QueueView {
  /** Messages a second; null at the first look. */
  readonly changePerSecond: number | null;
}

async function top({ lanemq, out, signal, connection }: Context, flags: Flags): Promise<void> {
  let before = new Map<string, number>();
  let beforeAt = 0;
  const times = flags.times ?? Number.POSITIVE_INFINITY;
  for (let time = 0; time < times && !signal.aborted; time++) {
    if (time > 0) await sleep(Math.max(1, flags.every) * 1_000, signal);
    if (signal.aborted) break;
    const views = await look(lanemq, flags.prefix, signal);
    if (views === undefined) break;
    const at = performance.now();
    const seconds = (at - beforeAt) / 1_000;
    const rows = views.map((view): Row => {
      const last = before.get(view.name);
      return {
        ...view,
        changePerSecond: last === undefined ? null : (total(view) - last) / seconds,
      };
    });
    before = new Map(views.map((view) => [view.name, total(view)]));
    beforeAt = at;
    rows.sort((a, b) => total(b) - total(a) || (a.name < b.name ? -1 : 1));
    if (!out.isLive) {
      out.list(rows, COLUMNS, "There are no such queues.");
      continue;
    }
    const head = `${connection.endpoint}  ${amount(rows.length, "queue")}  ${new Date().toLocaleTimeString("en-GB")}`;
    const fitting = rows.slice(0, Math.max(1, (process.stdout.rows ?? 24) - 5));
    const table = rows.length === 0 ? "There are no such queues." : out.table(fitting, COLUMNS);
    const hidden = rows.length - fitting.length;
    const more = hidden > 0 ? `\n${out.dim(`and ${amount(hidden, "queue")} more`)}` : "";
    // Over what stood there, line by line, so that nothing flickers.
    const text = `${out.bold(head)}\n\n${table}${more}\n`;
    out.raw(
      `${time === 0 ? CLEAR : HOME}${text.replaceAll("\n", `${CLEAR_LINE}\n`)}${CLEAR_BELOW}`,
    );
  }
  // The shell goes on below.
  if (out.isLive && signal.aborted) out.raw("\n");
}

async function look(
  lanemq: LaneMQ,
  prefix: string | undefined,
  signal: AbortSignal,
): Promise<QueueView[] | undefined> {
  try {
    const names: string[] = [];
    const query = prefix === undefined ? {} : { prefix };
    for await (const { name } of lanemq.queues(query, { signal })) names.push(name);
    const views: QueueView[] = [];
    for (let at = 0; at < names.length; at += AT_ONCE) {
      const some = names.slice(at, at + AT_ONCE);
      views.push(...(await Promise.all(some.map((name) => lanemq.queue(name).info({ signal })))));
    }
    return views;
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

const AT_ONCE = 8;

const total = ({ depth }: QueueView): number => depth.ready + depth.leased + depth.delayed;

const COLUMNS: Column<Row>[] = [
  ...QUEUE_COLUMNS.slice(0, 4),
  { title: "change/s", of: ({ changePerSecond }) => change(changePerSecond) },
  ...QUEUE_COLUMNS.slice(4),
];

function change(perSecond: number | null): string {
  if (perSecond === null) return "";
  const rounded = Math.round(perSecond * 10) / 10;
  return rounded > 0 ? `+${rounded}` : String(rounded);
}

const CLEAR = "\u001B[2J\u001B[H";
const HOME = "\u001B[H";
const CLEAR_LINE = "\u001B[K";
const CLEAR_BELOW = "\u001B[J";
