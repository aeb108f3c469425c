/**
 * The SQS face through AWS's own client, beside an emulator that keeps all in memory: each is a process
 * of its own, and the two take turns within each round. LaneMQ's messages are on disk.
 */
import { SQS } from "@aws-sdk/client-sqs";
import type { Message } from "@aws-sdk/client-sqs";
import { payloads } from "./payloads.ts";
import { median } from "./report.ts";
import type { Row, Section } from "./report.ts";
import { withServers } from "./served.ts";
import type { Served } from "./served.ts";

const CONCURRENCY = 16;
const BATCH = 10;

interface Figures {
  readonly sent: number;
  /** Received and deleted one by one. */
  readonly single: number;
  /** Received and deleted by ten. */
  readonly batched: number;
  /** Processor time of the server for a message sent, received and deleted singly, in ms. */
  readonly cpu: number;
}

/** One of the two servers, and a queue on it. */
interface Side {
  readonly served: Served;
  readonly sqs: SQS;
  readonly url: string;
}

export async function sqsSection(
  quick: boolean,
  progress: (text: string) => void,
): Promise<Section> {
  const rounds = quick ? 2 : 7;
  const count = quick ? 1_000 : 3_000;
  const payload = payloads(200);
  const bodies = Array.from({ length: count }, (_, n) => payload(n));
  const { lanes, peer } = await withServers(["lanes", "fauxqs"], async (...servers) => {
    const figures: Figures[][] = servers.map(() => []);
    // Round 0 warms everything up.
    for (let round = 0; round <= rounds; round++) {
      progress(`round ${round} of ${rounds}…`);
      const measured = await measure(servers, `round-${round}`, bodies, round % 2 === 1);
      if (round > 0) measured.forEach((figure, index) => figures[index]?.push(figure));
    }
    const [lanes = [], peer = []] = figures;
    return { lanes, peer };
  });
  const beside = (what: string, of: (figures: Figures) => number): Row[] => [
    { what, unit: "messages/s", measured: median(lanes.map(of)), naive: median(peer.map(of)) },
    {
      what: "  times the emulator's",
      unit: "ratio",
      measured: median(lanes.map((figures, n) => of(figures) / ofRound(peer, n, of))),
      target: { atLeast: 1 },
    },
  ];
  return {
    title: "SQS, through @aws-sdk/client-sqs",
    method:
      `${CONCURRENCY} callers, bodies of 200 B, median of ${rounds} rounds of ${count.toLocaleString("en-US")} messages each, in which the two\n` +
      "servers take turns. The naive column: fauxqs 1.9.2, an emulator of SQS in memory;\n" +
      "LaneMQ's data is on disk. Client and servers share this machine's processors, and the\n" +
      "client, one thread, is what both of them wait for.",
    rows: [
      ...beside("SendMessage", ({ sent }) => sent),
      ...beside("ReceiveMessage of 1 and DeleteMessage", ({ single }) => single),
      ...beside("ReceiveMessage of 10 and DeleteMessageBatch", ({ batched }) => batched),
      {
        what: "the server's processor time, one by one",
        unit: "ms/message",
        measured: median(lanes.map(({ cpu }) => cpu)),
        naive: median(peer.map(({ cpu }) => cpu)),
      },
    ],
  };
}

const ofRound = (list: readonly Figures[], n: number, of: (figures: Figures) => number): number => {
  const figures = list[n];
  return figures === undefined ? Number.NaN : of(figures);
};

/** Step by step, each on one server right after the other, for the machine's pace changes all the time. */
async function measure(
  servers: readonly Served[],
  name: string,
  bodies: readonly string[],
  isReversed: boolean,
): Promise<Figures[]> {
  const sides = await Promise.all(servers.map((served) => open(served, name)));
  const turns = [...sides.entries()];
  if (isReversed) turns.reverse();
  const step = async (run: (side: Side) => Promise<number>): Promise<number[]> => {
    const figures: number[] = [];
    for (const [index, side] of turns) figures[index] = await run(side);
    return figures;
  };
  const cpu = ({ served }: Side): number => served.cpuMs() ?? Number.NaN;
  try {
    const before = sides.map(cpu);
    const sent = await step(({ sqs, url }) => send(sqs, url, bodies));
    const single = await step(({ sqs, url }) => drain(sqs, url, bodies.length, 1));
    const after = sides.map(cpu);
    await step(({ sqs, url }) => send(sqs, url, bodies));
    const batched = await step(({ sqs, url }) => drain(sqs, url, bodies.length, BATCH));
    return sides.map((_, index) => ({
      sent: sent[index] ?? Number.NaN,
      single: single[index] ?? Number.NaN,
      batched: batched[index] ?? Number.NaN,
      cpu: ((after[index] ?? Number.NaN) - (before[index] ?? Number.NaN)) / bodies.length,
    }));
  } finally {
    for (const { sqs } of sides) sqs.destroy();
  }
}

async function open(served: Served, name: string): Promise<Side> {
  const sqs = new SQS({
    endpoint: served.url,
    region: "us-east-1",
    credentials: { accessKeyId: "bench", secretAccessKey: "bench" },
  });
  const { QueueUrl = "" } = await sqs.createQueue({ QueueName: name });
  return { served, sqs, url: QueueUrl };
}

const send = (sqs: SQS, QueueUrl: string, bodies: readonly string[]): Promise<number> => {
  let next = 0;
  return rate(bodies.length, async () => {
    for (let body = bodies[next++]; body !== undefined; body = bodies[next++])
      await sqs.sendMessage({ QueueUrl, MessageBody: body });
  });
};

const drain = (sqs: SQS, QueueUrl: string, count: number, batch: number): Promise<number> => {
  let left = count;
  const remove = (messages: readonly Message[]): Promise<unknown> =>
    batch === 1
      ? sqs.deleteMessage({ QueueUrl, ReceiptHandle: messages[0]?.ReceiptHandle })
      : sqs.deleteMessageBatch({
          QueueUrl,
          Entries: messages.map(({ ReceiptHandle }, n) => ({ Id: `${n}`, ReceiptHandle })),
        });
  return rate(count, async () => {
    while (left > 0) {
      const { Messages = [] } = await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: batch });
      if (Messages.length === 0) continue;
      await remove(Messages);
      left -= Messages.length;
    }
  });
};

/** Messages a second of so many callers at once. */
async function rate(count: number, caller: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: CONCURRENCY }, caller));
  return count / ((performance.now() - startedAt) / 1_000);
}
