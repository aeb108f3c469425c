/**
 * The embedded service over HTTP, on disk, with 64 connections, beside the naive queue behind the same
 * gateway and face. Each figure is the median of the rounds; the two take turns within each round.
 */
import { loadavg } from "node:os";
import { drainLoad, sendBodies, sendLoad } from "./load.ts";
import type { Outcome } from "./load.ts";
import { median } from "./report.ts";
import type { Row, Section } from "./report.ts";
import { withServers } from "./served.ts";
import type { Served } from "./served.ts";

interface Figure extends Outcome {
  /** Processor time of the server process for a message, in ms; undefined where nobody says. */
  readonly cpu: number | undefined;
}

export async function httpSection(
  quick: boolean,
  progress: (text: string) => void,
): Promise<Section> {
  const rounds = quick ? 3 : 5;
  const seconds = quick ? 1 : 3;
  const single: Figure[] = [];
  const naiveSingle: Figure[] = [];
  const sent: Figure[] = [];
  const acked: Figure[] = [];
  const singles = sendBodies(1, 50_000);
  const hundreds = sendBodies(100, 100_000);
  await withServers(["lanes", "naive"], async (lanes, naive) => {
    // Round 0 warms everything up.
    for (let round = 0; round <= rounds; round++) {
      progress(`round ${round} of ${rounds}…`);
      const queue = `round-${round}`;
      await create(lanes, queue);
      const one = { seconds, batch: 1, queue: `${queue}-single` };
      const hundred = { seconds, batch: 100, queue };
      const figures = [
        await timed(naive, () => sendLoad({ ...one, url: naive.url }, singles)),
        await timed(lanes, () => sendLoad({ ...one, url: lanes.url }, singles)),
        await timed(lanes, () => sendLoad({ ...hundred, url: lanes.url }, hundreds)),
        await timed(lanes, () => drainLoad({ ...hundred, url: lanes.url })),
      ];
      if (round === 0) continue;
      [naiveSingle, single, sent, acked].forEach((list, index) =>
        list.push(...figures.slice(index, index + 1)),
      );
    }
  });
  const load = loadavg()[0] ?? 0;
  return {
    title: "Embedded, over HTTP",
    method:
      `64 connections, bodies of 200 B, data on disk, median of ${rounds} rounds of ${seconds} s each.\n` +
      `Client, server and engine share this machine's processors; its load was ${load.toFixed(1)} at the end. The naive queue\n` +
      "writes to the engine itself, without the journal.",
    rows: [
      ...rowsOf("single sends", single, undefined, naiveSingle),
      {
        what: "  times the naive queue's",
        unit: "ratio",
        measured: median(single.map(({ perSecond }, n) => perSecond / rateAt(naiveSingle, n))),
        target: { atLeast: 5 },
      },
      ...rowsOf("batches of 100, sent", sent, 20_000),
      ...rowsOf("batches of 100, received and acked", acked, 10_000),
    ],
  };
}

const rateAt = (figures: readonly Figure[], n: number): number =>
  figures[n]?.perSecond ?? Number.NaN;

async function timed({ cpuMs }: Served, run: () => Promise<Outcome>): Promise<Figure> {
  const before = cpuMs();
  const outcome = await run();
  const after = cpuMs();
  const isKnown = before !== undefined && after !== undefined;
  return { ...outcome, cpu: isKnown ? (after - before) / outcome.messages : undefined };
}

function rowsOf(what: string, figures: Figure[], target?: number, naive: Figure[] = []): Row[] {
  const row = (name: string, unit: string, of: (figure: Figure) => number): Row => ({
    what: name,
    unit,
    measured: median(figures.map(of)),
    ...(naive.length === 0 ? {} : { naive: median(naive.map(of)) }),
  });
  return [
    {
      ...row(what, "messages/s", ({ perSecond }) => perSecond),
      ...(target === undefined ? {} : { target: { atLeast: target } }),
    },
    row("  a request, p50", "ms", ({ p50 }) => p50),
    row("  a request, p99", "ms", ({ p99 }) => p99),
    ...(figures.some(({ cpu }) => cpu === undefined)
      ? []
      : [row("  the server's processor time", "ms/message", ({ cpu }) => cpu ?? Number.NaN)]),
  ];
}

/** The naive queue needs none. */
async function create({ url }: Served, queue: string): Promise<void> {
  for (const name of [queue, `${queue}-single`]) {
    const { ok, status } = await fetch(`${url}/v1/queues/${name}`, { method: "PUT" });
    if (!ok) throw new Error(`the queue ${name} was refused: ${status}`);
  }
}
