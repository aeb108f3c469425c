/**
 * `npm run soak`: full load for minutes on an embedded service, which must not grow.
 *
 * A log entry goes an hour after its last message has expired (L4). So that a short run sees that, the
 * service's clock runs faster than the machine's: with all that depends on it, which makes the run
 * harder for caches and leases, and leaves the rates as they are.
 */
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { LIMITS } from "../src/core/limits.ts";
import { drainLoad, sendBodies, sendLoad } from "./load.ts";
import { machine, median, meets, printSection, writeJson } from "./report.ts";
import type { Row, Section } from "./report.ts";
import { buildServers, serve } from "./served.ts";
import type { Served } from "./served.ts";

interface Sample {
  readonly second: number;
  readonly memory: number;
  readonly disk: number;
}

const QUEUE = "soak";
const BATCH = 100;
const CONNECTIONS = 32;
/** By the machine's clock. */
const RETENTION_SECONDS = 60;
/** The sweeper looks every 30 s, and gives space back when it has deleted enough. */
const SWEEPER_SECONDS = 60;
const MEMORY_GROWTH = 1.05;
const DISK_GROWTH = 1.1;
const JSON_FILE = ".bench/soak.json";
const SAMPLES_FILE = ".bench/soak.csv";

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

const options = new Command("npm run soak --")
  .description("Full load on an embedded service. Exits with 1 if its memory or its disk grows.")
  .option("--minutes <number>", "how long", positive, 10)
  .option(
    "--speed <number>",
    "how many times faster its clock runs than the machine's",
    positive,
    30,
  )
  .parse()
  .opts<{ minutes: number; speed: number }>();

process.stdout.write(`${machine()}, Node ${process.versions.node}\n`);
const section = await soak(options.minutes * 60, options.speed);
printSection(section);
writeJson(JSON_FILE, [section], false);
process.stdout.write(`${verdict(section.rows)}\n`);
process.exitCode = section.rows.every(meets) ? 0 : 1;

function verdict(rows: readonly Row[]): string {
  const judged = rows.filter(({ target }) => target !== undefined);
  const grown = judged.filter((row) => !meets(row)).map(({ what }) => what);
  if (grown.length > 0) return `It grows: ${grown.join("; ")}.`;
  return `Nothing grows: ${judged.map(({ what }) => what).join("; ")}.`;
}

async function soak(seconds: number, speed: number): Promise<Section> {
  await buildServers();
  const served = await serve("lanes", { speed });
  try {
    const retentionSeconds = Math.round(RETENTION_SECONDS * speed);
    await fetch(`${served.url}/v1/queues/${QUEUE}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ retentionSeconds }),
    });
    const load = {
      url: served.url,
      queue: QUEUE,
      batch: BATCH,
      seconds,
      connections: CONNECTIONS,
    };
    const samples: Sample[] = [];
    const sampling = setInterval(() => sample(served, samples), 1_000);
    const [sent, acked] = await Promise.all([
      sendLoad(load, sendBodies(BATCH, 100_000)),
      drainLoad(load),
    ]).finally(() => clearInterval(sampling));
    writeFileSync(SAMPLES_FILE, csv(samples));
    const goneAfter = (retentionSeconds + LIMITS.entryTtlAfterExpiryMs / 1_000) / speed;
    return {
      title: `${Math.round(seconds / 60)} minutes of full load`,
      method:
        `${CONNECTIONS} connections send and ${CONNECTIONS} receive and ack, in batches of ${BATCH}, bodies of 200 B.\n` +
        `Messages live for ${RETENTION_SECONDS} s, their entries for ${Math.round(goneAfter)} s: the service's clock is ${speed} times as fast.\n` +
        "Memory is that of the whole process, engine included; medians of samples a second apart.",
      rows: [
        { what: "sent", unit: "messages/s", measured: sent.perSecond },
        { what: "received and acked", unit: "messages/s", measured: acked.perSecond },
        ...memoryRows(samples),
        ...diskRows(samples, goneAfter + SWEEPER_SECONDS),
      ],
    };
  } finally {
    await served.close();
  }
}

function memoryRows(samples: readonly Sample[]): Row[] {
  const third = Math.floor(samples.length / 3);
  const memory = samples.map((one) => one.memory);
  const middle = median(memory.slice(third, 2 * third));
  const last = median(memory.slice(2 * third));
  return [
    { what: "memory, middle third", unit: "MB", measured: middle },
    { what: "memory, last third", unit: "MB", measured: last },
    growth("memory, last third to middle third", last / middle, MEMORY_GROWTH),
    { what: "memory, peak", unit: "MB", measured: Math.max(...memory) },
  ];
}

/** Once entries go as fast as they come: the second half of what is left of the run to the first. */
function diskRows(samples: readonly Sample[], fullAfter: number): Row[] {
  const peak = {
    what: "disk, peak",
    unit: "MB",
    measured: Math.max(...samples.map(({ disk }) => disk)),
  };
  const full = samples.filter(({ second }) => second >= fullAfter).map(({ disk }) => disk);
  if (full.length < 60) {
    process.stdout.write(`The disk is flat after ${Math.round(fullAfter)} s: too short a run.\n`);
    return [peak];
  }
  const half = Math.floor(full.length / 2);
  const first = median(full.slice(0, half));
  const second = median(full.slice(half));
  return [
    peak,
    { what: `disk, first half since ${Math.round(fullAfter)} s`, unit: "MB", measured: first },
    { what: "disk, second half", unit: "MB", measured: second },
    growth("disk, second half to first half", second / first, DISK_GROWTH),
  ];
}

function growth(what: string, measured: number, atMost: number): Row {
  return { what, unit: "×", measured, target: { atMost } };
}

function sample(served: Served, samples: Sample[]): void {
  const second = samples.length + 1;
  const memory = served.residentMegabytes() ?? Number.NaN;
  const disk = folderMegabytes(served.folder);
  samples.push({ second, memory, disk });
  if (process.stderr.isTTY)
    process.stderr.write(
      `\r\u001B[K${second} s: ${Math.round(memory)} MB of memory, ${Math.round(disk)} MB on disk`,
    );
}

function csv(samples: readonly Sample[]): string {
  const lines = samples.map(({ second, memory, disk }) => `${second},${memory},${disk}`);
  return ["second,memoryMegabytes,diskMegabytes", ...lines].join("\n");
}

function folderMegabytes(folder: string): number {
  let bytes = 0;
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }))
    bytes += statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
  return bytes / 2 ** 20;
}

function positive(text: string): number {
  const number = Number(text);
  if (number > 0) return number;
  throw new InvalidArgumentError("takes a number above 0");
}
