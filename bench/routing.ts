/**
 * How fast messages are routed: the tables in memory alone, on one core, without storage.
 *
 * R1  Every key matches as many bindings however many there are, so that sizes can be compared.
 * R2  The keys go round over all bindings, so that no one of them stays in the processor's cache alone.
 */
import { performance } from "node:perf_hooks";
import type { Binding, ExchangeSettings } from "../src/core/exchange.ts";
import { route } from "../src/core/route.ts";
import { RoutingTable } from "../src/core/routing-table.ts";
import { epochMs, exchangeName, queueName } from "../src/core/types.ts";
import type { Row, Section } from "./report.ts";

const EXCHANGE = exchangeName("events");
const LARGE = 10_000;
const SMALL = 100;
const MATCHES = 3;
const RUNS = 5;

export async function routingSection(
  quick: boolean,
  progress: (text: string) => void,
): Promise<Section> {
  const messages = quick ? 50_000 : 500_000;
  const measure = (what: string, table: RoutingTable, keyAt: (index: number) => string): number => {
    progress(`routing: ${what}`);
    return rateOf(table, keyAt, messages);
  };
  const large = measure("topic, 10,000", topics(LARGE), topicKey(LARGE));
  const small = measure("topic, 100", topics(SMALL), topicKey(SMALL));
  const direct = measure("direct, 10,000", directs(LARGE), (index) => `key-${index % LARGE}`);
  const hash = measure("hash, 10", hashed(10), (index) => `customer-${index}`);
  const rows: Row[] = [
    {
      what: `topic, ${LARGE.toLocaleString("en-US")} bindings`,
      unit: "messages/s",
      measured: Math.round(large),
      target: { atLeast: 100_000 },
    },
    { what: `topic, ${SMALL} bindings`, unit: "messages/s", measured: Math.round(small) },
    {
      what: `time with ${LARGE.toLocaleString("en-US")} against ${SMALL}`,
      unit: "times",
      measured: Number((small / large).toFixed(2)),
      target: { atMost: 2 },
    },
    {
      what: `direct, ${LARGE.toLocaleString("en-US")} bindings`,
      unit: "messages/s",
      measured: Math.round(direct),
    },
    {
      what: "balance by hash, 10 bindings",
      unit: "messages/s",
      measured: Math.round(hash),
    },
  ];
  return {
    title: "Routing: one core, tables in memory",
    method: `Every topic key matches ${MATCHES} bindings, of ${MATCHES} queues; the best of ${RUNS} runs of ${messages.toLocaleString("en-US")} messages.`,
    rows,
  };
}

/** Messages a second, of the best run. */
function rateOf(table: RoutingTable, keyAt: (index: number) => string, messages: number): number {
  const world = { table: () => table, isQueue: () => true };
  const content = {
    kind: "text" as const,
    body: Buffer.from("hello"),
    contentType: "text/plain",
    headers: {},
  };
  const keys = Array.from({ length: Math.min(messages, LARGE * 4) }, (_, index) => keyAt(index));
  let best = 0;
  for (let run = 0; run < RUNS; run++) {
    let copies = 0;
    const startedAt = performance.now();
    for (let index = 0; index < messages; index++) {
      const routingKey = keys[index % keys.length] ?? "";
      const input = { exchange: EXCHANGE, routingKey, content, draw: { token: "t" } };
      copies += route(input, world).queues.size;
    }
    const seconds = (performance.now() - startedAt) / 1000;
    if (copies < messages) throw new Error("Messages were not routed.");
    best = Math.max(best, messages / seconds);
  }
  return best;
}

function tableOf(
  settings: Pick<ExchangeSettings, "type" | "by">,
  bindings: readonly Binding[],
): RoutingTable {
  return new RoutingTable(
    {
      name: EXCHANGE,
      exchangeId: "x",
      settings: { alternate: null, mandatory: false, ...settings },
      createdAt: epochMs(0),
      revision: "r",
    },
    bindings,
  );
}

const bindingOf = (index: number, routingKey: string): Binding => ({
  id: `b${index}`,
  queue: queueName(`q${index % 50}`),
  ...(routingKey === "" ? {} : { routingKey }),
});

/** Of four bindings a key of theirs matches three: itself, one with a star and one with a hash. */
const topics = (count: number): RoutingTable =>
  tableOf(
    { type: "topic" },
    Array.from({ length: count }, (_, index) => {
      const topic = Math.floor(index / 4);
      const patterns = [`s${topic}.created.eu`, `s${topic}.*.eu`, `s${topic}.#`, `#.x${topic}.*`];
      return bindingOf(index, patterns[index % 4] ?? "");
    }),
  );

const topicKey =
  (count: number) =>
  (index: number): string =>
    `s${(index * 7) % (count / 4)}.created.eu`;

const directs = (count: number): RoutingTable =>
  tableOf(
    { type: "direct" },
    Array.from({ length: count }, (_, index) => bindingOf(index, `key-${index}`)),
  );

const hashed = (count: number): RoutingTable =>
  tableOf(
    { type: "balance", by: "hash" },
    Array.from({ length: count }, (_, index) => bindingOf(index, "")),
  );
