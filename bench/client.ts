/**
 * The client against the embedded service: single sends one request each, single sends through a
 * producer, and a worker. The two ways of sending take turns within each round.
 */
import { LaneMQ } from "../src/client/index.ts";
import type { Queue } from "../src/client/index.ts";
import { payloads } from "./payloads.ts";
import { median } from "./report.ts";
import type { Section } from "./report.ts";
import { withServers } from "./served.ts";

const CALLERS = 64;
const CONCURRENCY = 500;

export async function clientSection(
  quick: boolean,
  progress: (text: string) => void,
): Promise<Section> {
  const rounds = quick ? 2 : 5;
  const direct = quick ? 2_000 : 5_000;
  const produced = quick ? 20_000 : 50_000;
  return withServers(["lanes"], async (served) => {
    const lanemq = new LaneMQ({ endpoint: served.url, telemetry: false });
    const payload = payloads(200);
    const bodies = Array.from({ length: produced }, (_, n) => JSON.parse(payload(n)) as unknown);
    const alone: number[] = [];
    const batched: number[] = [];
    const worked: number[] = [];
    // Round 0 warms everything up.
    for (let round = 0; round <= rounds; round++) {
      progress(`round ${round} of ${rounds}…`);
      const queue = lanemq.queue(`round-${round}`);
      await queue.create();
      const figures = [
        direct / (await timed(() => sendAlone(queue, bodies.slice(0, direct)))),
        produced / (await timed(() => sendThrough(queue, bodies))),
        (direct + produced) / (await timed(() => work(queue, direct + produced))),
      ];
      if (round === 0) continue;
      [alone, batched, worked].forEach((list, n) => list.push(...figures.slice(n, n + 1)));
    }
    return {
      title: "The client",
      method:
        `Bodies of 200 B, the embedded service on disk, median of ${rounds} rounds. Unbatched: ${CALLERS} callers,\n` +
        `each with one message a request. Producer: its defaults. Worker: ${CONCURRENCY} handlers that do nothing.\n` +
        "Client, server and engine share this machine's processors.",
      rows: [
        { what: "single sends, a request each", unit: "messages/s", measured: median(alone) },
        { what: "single sends through a producer", unit: "messages/s", measured: median(batched) },
        {
          what: "  times the unbatched ones",
          unit: "ratio",
          measured: median(batched.map((rate, n) => rate / (alone[n] ?? Number.NaN))),
          target: { atLeast: 10 },
        },
        {
          what: "received, handled and acked by a worker",
          unit: "messages/s",
          measured: median(worked),
        },
      ],
    };
  });
}

async function sendAlone(queue: Queue, bodies: readonly unknown[]): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < bodies.length) await queue.send(bodies[next++]);
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

async function sendThrough(queue: Queue, bodies: readonly unknown[]): Promise<void> {
  const producer = queue.producer();
  const sends: Promise<unknown>[] = [];
  for (const body of bodies) {
    await producer.ready();
    sends.push(producer.send(body));
  }
  await Promise.all(sends);
}

async function work(queue: Queue, messages: number): Promise<void> {
  let done = 0;
  const worker = queue.worker(() => {}, { concurrency: CONCURRENCY });
  worker.on("done", () => {
    done += 1;
    if (done === messages) void worker.stop();
  });
  await worker.done;
}

/** In seconds. */
async function timed(run: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return (performance.now() - startedAt) / 1_000;
}
