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

export async function sqsSection(
  quick: boolean,
  progress: (text: string) => void,
): Promise<Section> {
  const rounds = quick ? 2 : 5;
  const count = quick ? 1_000 : 3_000;
  const payload = payloads(200);
  const bodies = Array.from({ length: count }, (_, n) => payload(n));
  const { lanes, peer } = await withServers(["lanes", "fauxqs"], async (...servers) => {
    const [lanes, peer] = servers.map((served) => ({ served, figures: [] as Figures[] }));
    if (lanes === undefined || peer === undefined) throw new Error("Two servers were asked for.");
    // Round 0 warms everything up.
    for (let round = 0; round <= rounds; round++) {
      progress(`round ${round} of ${rounds}…`);
      const turns = round % 2 === 0 ? [lanes, peer] : [peer, lanes];
      for (const { served, figures } of turns) {
        const figure = await measure(served, `round-${round}`, bodies);
        if (round > 0) figures.push(figure);
      }
    }
    return { lanes: lanes.figures, peer: peer.figures };
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
      `${CONCURRENCY} callers, bodies of 200 B, median of ${rounds} rounds of ${count.toLocaleString("en-US")} messages each. The naive column:\n` +
      "fauxqs 1.9.2, an emulator of SQS in memory; LaneMQ's data is on disk.\n" +
      "Client and servers share this machine's processors.",
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

async function measure(served: Served, name: string, bodies: readonly string[]): Promise<Figures> {
  const sqs = new SQS({
    endpoint: served.url,
    region: "us-east-1",
    credentials: { accessKeyId: "bench", secretAccessKey: "bench" },
  });
  try {
    const { QueueUrl = "" } = await sqs.createQueue({ QueueName: name });
    const cpuBefore = served.cpuMs() ?? Number.NaN;
    const sent = await send(sqs, QueueUrl, bodies);
    const single = await drain(sqs, QueueUrl, bodies.length, 1);
    const cpu = ((served.cpuMs() ?? Number.NaN) - cpuBefore) / bodies.length;
    await send(sqs, QueueUrl, bodies);
    const batched = await drain(sqs, QueueUrl, bodies.length, BATCH);
    return { sent, single, batched, cpu };
  } finally {
    sqs.destroy();
  }
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
