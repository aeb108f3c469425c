/**
 * `npm run demo`: 1,707 seismic events, as the USGS reported them in a week of 2018, go through the
 * embedded service over HTTP, and every count is checked against the file at the end. It exits with 1
 * if one is wrong, and ends by itself.
 */
import { Presets, SingleBar } from "cli-progress";
import Table from "cli-table3";
import { sleep } from "../src/store/sleep.ts";
import { startLocal } from "../src/local/runtime.ts";
import {
  caller,
  consume,
  crash,
  DEAD,
  failsAtFirst,
  isPoison,
  MAX_RECEIVES,
  produce,
  receive,
  settle,
  SOURCE,
} from "./demo-crew.ts";
import type { Call, Diary, Received } from "./demo-crew.ts";
import { earthquakes } from "./payloads.ts";
import type { Earthquake } from "./payloads.ts";

const PRODUCERS = 3;
const CONSUMERS = 6;
const PATIENCE_MS = 45_000;

interface Check {
  readonly what: string;
  readonly expected: number | string;
  readonly got: number | string;
}

// The SDK would greet a reader on Node 20 with a notice about itself.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

const records = earthquakes();
const local = await startLocal({ host: "127.0.0.1", port: 0 });
try {
  const startedAt = performance.now();
  const { diary, dead, left } = await play(caller(local.url));
  const seconds = (performance.now() - startedAt) / 1000;
  process.exitCode = report(checks(diary, dead, left), seconds) ? 0 : 1;
} finally {
  await local.close();
}

async function play(call: Call): Promise<{ diary: Diary; dead: Received[]; left: number }> {
  process.stdout.write(
    `${records.length.toLocaleString("en-US")} seismic events of the USGS go to ${local.url}:\n` +
      `${PRODUCERS} producers send them, ${CONSUMERS} consumers work on them, one crashes on the way.\n\n`,
  );
  await call(DEAD, {}, "PUT");
  await call(SOURCE, { maxReceives: MAX_RECEIVES, deadLetter: { queue: DEAD } }, "PUT");
  const diary: Diary = {
    sent: 0,
    done: new Map(),
    released: new Set(),
    abandoned: new Set(),
    refused: new Map(),
  };
  const stop = new AbortController();
  const share = Math.ceil(records.length / PRODUCERS);
  const crashed = crash(call, diary);
  const producing = Array.from({ length: PRODUCERS }, (_, n) =>
    produce(call, records.slice(n * share, (n + 1) * share), diary),
  );
  const consuming = Array.from({ length: CONSUMERS }, () =>
    consume(call, diary, stop.signal, sleep),
  );
  const watching = watch(call, diary);
  try {
    await Promise.race([watching, Promise.all([crashed, ...producing, ...consuming])]);
  } finally {
    stop.abort();
  }
  await Promise.all([crashed, ...producing, ...consuming]);
  const { depth } = (await call(SOURCE, undefined, "GET")) as QueueAnswer;
  return { diary, dead: await deadLetters(call), left: depth.ready + depth.leased + depth.delayed };
}

interface QueueAnswer {
  readonly depth: { readonly ready: number; readonly leased: number; readonly delayed: number };
}

/** Until every record has been worked on or lies in the dead-letter queue; or patience ends. */
async function watch(call: Call, diary: Diary): Promise<void> {
  const format = "{bar} {value}/{total}  done {done}, tried again {again}, dead {dead}";
  const bar = new SingleBar({ format, barsize: 20, hideCursor: true }, Presets.shades_classic);
  bar.start(records.length, 0, { done: 0, again: 0, dead: 0 });
  const deadline = performance.now() + PATIENCE_MS;
  for (let settled = 0; settled < records.length && performance.now() < deadline;) {
    await sleep(100);
    const { depth } = (await call(DEAD, undefined, "GET")) as QueueAnswer;
    settled = diary.done.size + depth.ready;
    bar.update(settled, {
      done: diary.done.size,
      again: diary.released.size + diary.abandoned.size,
      dead: depth.ready,
    });
  }
  bar.stop();
}

async function deadLetters(call: Call): Promise<Received[]> {
  const dead: Received[] = [];
  for (;;) {
    const messages = await receive(call, DEAD, { max: 100 });
    if (messages.length === 0) return dead;
    await settle(call, "ack", messages, DEAD);
    dead.push(...messages);
  }
}

function checks(diary: Diary, dead: readonly Received[], left: number): Check[] {
  const good = records.filter((record) => !isPoison(record));
  const poison = records.filter(isPoison);
  const inFile = new Map(records.map((record) => [record.id, JSON.stringify(record)]));
  const doneOnce = good.filter(({ id }) => diary.done.get(id) === 1);
  const intact = dead.filter(({ body }) => inFile.get(body.id) === JSON.stringify(body));
  const worked = records.filter(({ id }) => diary.done.has(id));
  const check = (what: string, expected: number | string, got: number | string): Check => ({
    what,
    expected,
    got,
  });
  return [
    check("sent and stored", records.length, diary.sent),
    check("earthquakes worked on and acked, each once", good.length, doneOnce.length),
    check("acked, but no earthquake", 0, worked.length - doneOnce.length),
    check("strongest that the consumers saw", strongest(good), strongest(worked)),
    check(
      "failed at first, put back, worked on after all",
      good.filter(failsAtFirst).length,
      [...diary.released].filter((id) => diary.done.has(id)).length + missedByCrash(diary),
    ),
    check(
      "held by the one that crashed, then settled by others",
      diary.abandoned.size,
      [...diary.abandoned].filter(
        (id) => diary.done.has(id) || dead.some(({ body }) => body.id === id),
      ).length,
    ),
    check("explosions and quarry blasts in the dead letters", poison.length, dead.length),
    check(
      "  the very records, with where they came from",
      poison.length,
      intact.filter(({ body, deadLetter }) => isPoison(body) && deadLetter?.queue === SOURCE)
        .length,
    ),
    check("left in the queue", 0, left),
  ];
}

/** What the crashed consumer held came to the others for the second time: they do not fail it. */
function missedByCrash({ abandoned, released }: Diary): number {
  return records.filter(
    (record) => failsAtFirst(record) && abandoned.has(record.id) && !released.has(record.id),
  ).length;
}

function strongest(list: readonly Earthquake[]): string {
  const magnitudes = list.map(({ properties }) => Number(properties["mag"]));
  return `M ${Math.max(...magnitudes)}`;
}

function report(all: readonly Check[], seconds: number): boolean {
  const table = new Table({
    head: ["checked against the file", "expected", "got", ""],
    colAligns: ["left", "right", "right", "left"],
    style: { head: [], border: [], compact: true },
  });
  const isRight = ({ expected, got }: Check): boolean => expected === got;
  for (const one of all)
    table.push([one.what, one.expected, one.got, isRight(one) ? "ok" : "WRONG"]);
  const wrong = all.filter((one) => !isRight(one)).length;
  const verdict = wrong === 0 ? "Every count is right." : `${wrong} counts are wrong.`;
  process.stdout.write(`\n${table.toString()}\n${verdict} It took ${seconds.toFixed(1)} s.\n`);
  return wrong === 0;
}
