/** `lanemq bench`: how fast a service is from here, on a queue of its own that goes again. */
import { randomBytes } from "node:crypto";
import { Command } from "commander";
import { action } from "../context.ts";
import type { Context, Surroundings } from "../context.ts";
import { wholeNumber } from "../schema-flags.ts";
import { amount } from "../text.ts";

export const benchCommand = (surroundings: Surroundings): Command =>
  new Command("bench")
    .description("Measure sends, receives and acks from here, on a queue of its own.")
    .option("--messages <number>", "how many", wholeNumber, 10_000)
    .option("--bytes <number>", "size of a body", wholeNumber, 200)
    .option("--concurrency <number>", "messages in work at once", wholeNumber, 500)
    .addHelpText(
      "after",
      `
It costs what so many messages cost: mind that on a deployed service.

Example:
  lanemq bench --messages 50000`,
    )
    .action(action(surroundings, bench));

interface Flags {
  readonly messages: number;
  readonly bytes: number;
  readonly concurrency: number;
}

async function bench(
  { lanemq, out, signal, connection }: Context,
  { messages, bytes, concurrency }: Flags,
): Promise<void> {
  const queue = lanemq.queue<string>(`lanemq-bench-${randomBytes(4).toString("hex")}`);
  out.note(
    `${amount(messages, "message")} of ${amount(bytes, "byte")}, to ${connection.endpoint}…`,
  );
  await queue.create({ retentionSeconds: 3_600 }, { signal });
  try {
    const latencies: number[] = [];
    const sent = await timed(async () => {
      const producer = queue.producer();
      const sends: Promise<unknown>[] = [];
      for (let n = 0; n < messages && !signal.aborted; n++) {
        await producer.ready();
        const startedAt = performance.now();
        // Random, so that compression does not flatter it.
        const body = randomBytes(Math.ceil((bytes * 3) / 4))
          .toString("base64")
          .slice(0, bytes);
        sends.push(producer.send(body).then(() => latencies.push(performance.now() - startedAt)));
      }
      await Promise.all(sends);
      await producer.close();
    });
    const stored = latencies.length;
    let done = 0;
    const worked = await timed(async () => {
      const worker = queue.worker(() => {}, { concurrency, leaseSeconds: 60, signal });
      worker.on("done", () => {
        done += 1;
        if (done === stored) void worker.stop();
      });
      if (stored === 0) void worker.stop();
      await worker.done;
    });
    latencies.sort((a, b) => a - b);
    const at = (share: number): number => latencies[Math.floor((stored - 1) * share)] ?? 0;
    const figures = {
      messages: stored,
      sentPerSecond: Math.round(stored / sent),
      sendP50Ms: Math.round(at(0.5)),
      sendP99Ms: Math.round(at(0.99)),
      receivedAndAckedPerSecond: Math.round(done / worked),
    };
    out.one(
      figures,
      out.table(
        [
          ["sent, through a producer", `${figures.sentPerSecond.toLocaleString("en-US")}/s`],
          ["  a send, p50", `${figures.sendP50Ms} ms`],
          ["  a send, p99", `${figures.sendP99Ms} ms`],
          [
            "received and acked, by a worker",
            `${figures.receivedAndAckedPerSecond.toLocaleString("en-US")}/s`,
          ],
        ],
        [
          { title: "", of: ([what = ""]) => what },
          { title: "", of: ([, figure = ""]) => figure },
        ],
      ),
    );
  } finally {
    await queue.delete();
  }
}

/** In seconds. */
async function timed(run: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return (performance.now() - startedAt) / 1_000;
}
