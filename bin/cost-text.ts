/** What `npm run cost` prints, and the blocks of docs/what-it-costs.md, which are written by it alone (K1). */
import { loadUnits } from "../bench/load-units.ts";
import {
  ASSUMED,
  idleService,
  pollingConsumer,
  PRICES,
  total,
  USAGE,
  waitingConsumer,
} from "../lib/cost.ts";
import type { Line } from "../lib/cost.ts";
import { ELSEWHERE, loadCost, perMillion, serversCost, sqsCost } from "../lib/load-cost.ts";
import type { Load, LoadUnits } from "../lib/load-cost.ts";

export const DEFAULT_LOAD: Load = {
  messagesPerDay: 1_000_000,
  batch: 10,
  bytes: 1_000,
  consumers: 0,
  retentionDays: 4,
  once: false,
};

/** Messages a day, batch, bytes, consumers that wait. */
const LOADS = [
  [10_000, 1, 1_000, 0],
  [10_000, 1, 1_000, 1],
  [1_000_000, 1, 1_000, 2],
  [1_000_000, 10, 1_000, 2],
  [1_000_000, 100, 1_000, 2],
  [1_000_000, 10, 32_000, 2],
  [10_000_000, 100, 1_000, 4],
  [100_000_000, 100, 1_000, 10],
  [100_000_000, 500, 200, 10],
] as const;

const BATCHES = [1, 10, 100, 1_000];
const SIZES = [200, 1_000, 4_000];

/** The one whose bill is shown in full. */
export const SHOWN: Load = { ...DEFAULT_LOAD, consumers: 2 };

const dollars = (amount: number): string =>
  `$${amount.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
const grouped = (count: number): string => count.toLocaleString("en-US");
const rounded = (units: number): string => String(Number(units.toPrecision(2)));

/** By the names that the page has them under. */
export async function blocks(): Promise<Readonly<Record<string, string>>> {
  return {
    loads: await loadsTable(),
    bill: ["```text", (await bill(SHOWN)).trimEnd(), "```"].join("\n"),
    million: await millionTable(),
    idle: idleTables(),
    prices: prices(),
  };
}

async function loadsTable(): Promise<string> {
  const rows: string[] = [];
  for (const [messagesPerDay, batch, bytes, consumers] of LOADS) {
    const load: Load = { ...DEFAULT_LOAD, messagesPerDay, batch, bytes, consumers };
    const lines = loadCost(load, await loadUnits(load));
    const what = [grouped(messagesPerDay), grouped(batch), `${grouped(bytes)} B`, consumers];
    const costs = [total(lines), sqsCost(load), sqsCost(load, true)].map(dollars);
    rows.push(`| ${[...what, ...costs].join(" | ")} |`);
  }
  return [
    "| messages a day | batch | each | waiting consumers | LaneMQ | SQS standard | SQS FIFO |",
    "|---:|---:|---:|---:|---:|---:|---:|",
    ...rows,
  ].join("\n");
}

async function millionTable(): Promise<string> {
  const rows: string[] = [];
  for (const batch of BATCHES) {
    const cells: string[] = [];
    for (const bytes of SIZES) {
      const load = { ...DEFAULT_LOAD, batch, bytes };
      const units = await loadUnits(load);
      cells.push(`${dollars(perMillion(load, units))} (${rounded(units.writeUnits)})`);
    }
    rows.push(`| ${[grouped(batch), ...cells].join(" | ")} |`);
  }
  return [
    `| batch | ${SIZES.map((bytes) => `${grouped(bytes)} B`).join(" | ")} |`,
    `|---:|${SIZES.map(() => "---:|").join("")}`,
    ...rows,
  ].join("\n");
}

/** A load's month, line by line. */
export async function bill(load: Load): Promise<string> {
  const units = await loadUnits(load);
  const lines = loadCost(load, units);
  const rows: (Line | "")[] = [
    ...lines,
    { what: "together", dollars: total(lines) },
    "",
    { what: "a million messages more", dollars: perMillion(load, units) },
    { what: "on SQS: standard", dollars: sqsCost(load) },
    { what: "on SQS: FIFO", dollars: sqsCost(load, true) },
    { what: `on ${ELSEWHERE.servers} servers of your own`, dollars: serversCost() },
  ];
  return [
    `A month of ${grouped(load.messagesPerDay)} messages a day, ${grouped(load.bytes)} B each,`,
    `in batches of ${grouped(load.batch)}; ${grouped(load.consumers)} consumers that wait; kept for ${load.retentionDays} days:`,
    "",
    ...rows.map((row) =>
      row === "" ? "" : `  ${row.what.padEnd(48)}${dollars(row.dollars).padStart(12)}`,
    ),
    "",
    measured(units),
    "",
  ].join("\n");
}

const measured = ({ writeUnits, readUnits, storedBytes, waitReads }: LoadUnits): string =>
  [
    `Measured, a message: ${rounded(writeUnits)} write units, ${rounded(readUnits)} read units,`,
    `${rounded(storedBytes)} B stored; a wait in vain: ${Math.round(waitReads)} read units.`,
  ].join("\n");

function idleTables(): string {
  const table = (title: string, lines: readonly Line[]) =>
    [
      `| ${title} | a month |`,
      "|---|---:|",
      ...lines.map(({ what, dollars: amount }) => `| ${what} | ${dollars(amount)} |`),
      ...(lines.length > 1 ? [`| **together** | **${dollars(total(lines))}** |`] : []),
    ].join("\n");
  const memoryMb = ASSUMED.receiveMemoryMb;
  return [
    table("An idle service", idleService(10)),
    table(`A consumer that waits, 20 s a call, ${memoryMb} MB`, waitingConsumer(memoryMb)),
    table("A consumer that asks every 20 s and does not wait", pollingConsumer(20, memoryMb)),
    table("A queue that is never empty", [
      { what: "its metrics", dollars: USAGE.queueMetrics * PRICES.metricMonth },
    ]),
  ].join("\n\n");
}

const prices = (): string =>
  [
    `- Prices of ${PRICES.region} as of ${PRICES.asOf}: ${[
      `HTTP API ${dollars(PRICES.httpApiPerMillion)} a million requests`,
      `Lambda on arm64 ${dollars(PRICES.lambdaPerMillion)} a million calls and $${PRICES.lambdaArmPerGbSecond} a GB-second`,
      `DynamoDB on demand $${PRICES.dynamoReadPerMillion} a million read units and $${PRICES.dynamoWritePerMillion} a million write units`,
      `storage ${dollars(PRICES.dynamoGbMonth)} a GB and month, ${dollars(PRICES.dynamoPitrGbMonth)} more with point-in-time recovery`,
      `CloudWatch ${dollars(PRICES.logsIngestedPerGb)} a GB of logs, ${dollars(PRICES.metricMonth)} a metric, ${dollars(PRICES.alarmMetricMonth)} an alarm's metric, ${dollars(PRICES.dashboardMonth)} a dashboard a month`,
      `a KMS key ${dollars(PRICES.kmsKeyMonth)} a month, as much more after each of its first two yearly rotations, and ${dollars(PRICES.kmsPerTenThousand)} for 10,000 uses`,
      "scheduled rules free",
    ].join("; ")}.`,
    `- Elsewhere as of ${ELSEWHERE.asOf}: SQS ${dollars(ELSEWHERE.sqsPerMillion)} a million requests, FIFO ${dollars(ELSEWHERE.sqsFifoPerMillion)}, of 64 KB each, batches of ${ELSEWHERE.sqsBatch}; a server is an m7g.large on demand, $${ELSEWHERE.serverHour} an hour, with ${ELSEWHERE.diskGb} GB of gp3 at ${dollars(ELSEWHERE.diskGbMonth)} a GB and month: ${dollars(serversCost())} a month for ${ELSEWHERE.servers}, whatever goes through them, without the work of running them.`,
    `- Assumed: a janitor round is billed ${ASSUMED.janitorMs} ms at ${ASSUMED.memoryMb} MB; a send or an ack ${ASSUMED.callMs} ms at ${ASSUMED.memoryMb} MB, a receive that does not wait ${ASSUMED.callMs} ms at ${ASSUMED.receiveMemoryMb} MB; a line of the access log has ${USAGE.accessLogBytes} B.`,
    `- Measured: ${USAGE.waitReads} read units for a wait of ${ASSUMED.waitSeconds} s on one lane, ${USAGE.pollReads} for a receive without a wait, ${USAGE.janitorReads} for a janitor round and ${USAGE.janitorReadsPerQueue} more for each empty queue, and no write units for any of them; what a message takes, for each load.`,
  ].join("\n");
