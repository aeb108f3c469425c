/**
 * What a load costs in a month, here and elsewhere (K1). Its units are measured, by
 * `bench/load-units.ts`; elsewhere prices are lists' as well.
 */
import {
  ASSUMED,
  GB,
  HOURS,
  idleService,
  lambda,
  PRICES,
  reads,
  requests,
  SECONDS,
  total,
  USAGE,
  writes,
} from "./cost.ts";
import type { Line } from "./cost.ts";

export interface Load {
  readonly messagesPerDay: number;
  /** Messages of one send, one receive and one ack. */
  readonly batch: number;
  /** Of a message's body. */
  readonly bytes: number;
  /** That wait in a receive, 20 s each time. Without, receives do not wait. */
  readonly consumers: number;
  readonly retentionDays: number;
  /** Whether sends have an idempotency key, as the client's have. */
  readonly once: boolean;
}

/** Of a message's whole life: send, receive, ack. */
export interface LoadUnits {
  readonly writeUnits: number;
  readonly readUnits: number;
  readonly storedBytes: number;
  /** Read units of one receive that waits 20 s in vain. */
  readonly waitReads: number;
}

/** What is paid elsewhere, in dollars. */
export const ELSEWHERE = {
  asOf: "June 2026",
  sqsPerMillion: 0.4,
  sqsFifoPerMillion: 0.5,
  /** Each begun 64 KB of a call is a request. */
  sqsRequestBytes: 64 * 1024,
  sqsBatch: 10,
  /** An m7g.large, 2 processors and 8 GB, on demand. */
  serverHour: 0.0816,
  servers: 3,
  diskGb: 50,
  diskGbMonth: 0.08,
} as const;

const DAYS = HOURS / 24;
/** HTTP API counts a request for each begun 512 KB. */
const METERED_BYTES = 512 * 1024;

export function loadCost(load: Load, units: LoadUnits): Line[] {
  const messages = load.messagesPerDay * DAYS;
  const calls = messages / load.batch;
  const metered = Math.ceil((load.bytes * load.batch) / METERED_BYTES);
  const waits = (load.consumers * SECONDS) / ASSUMED.waitSeconds;
  const seconds = ASSUMED.callMs / 1_000;
  const { receiveMemoryMb, memoryMb } = ASSUMED;
  return [
    ...requests(calls * 3 + waits, calls * (2 * metered + 1) + waits),
    {
      what: "Lambda",
      dollars:
        lambda(calls * 2, seconds, memoryMb) +
        (load.consumers > 0 ? lambda(calls, 0, 0) : lambda(calls, seconds, receiveMemoryMb)),
    },
    { what: "Lambda, waiting", dollars: lambda(waits, ASSUMED.waitSeconds, receiveMemoryMb) },
    { what: "DynamoDB, writes", dollars: writes(messages * units.writeUnits) },
    { what: "DynamoDB, reads", dollars: reads(messages * units.readUnits) },
    { what: "DynamoDB, reads of who waits", dollars: reads(waits * units.waitReads) },
    { what: "DynamoDB, storage", dollars: storage(load, units) },
    { what: "the service itself: janitor, alarms, dashboard…", dollars: total(idleService(1)) },
    { what: "metrics of the queue", dollars: USAGE.queueMetrics * PRICES.metricMonth },
  ].filter(({ dollars }) => dollars > 0);
}

const storage = (load: Load, { storedBytes }: LoadUnits): number =>
  ((load.messagesPerDay * load.retentionDays * storedBytes) / GB) * PRICES.dynamoGbMonth;

/** The same on SQS: batches of at most ten, and consumers that wait as long. */
export function sqsCost({ messagesPerDay, batch, bytes, consumers }: Load, fifo = false): number {
  const size = Math.min(batch, ELSEWHERE.sqsBatch);
  const calls = (messagesPerDay * DAYS) / size;
  const metered = Math.ceil((bytes * size) / ELSEWHERE.sqsRequestBytes);
  const waits = (consumers * SECONDS) / ASSUMED.waitSeconds;
  const price = fifo ? ELSEWHERE.sqsFifoPerMillion : ELSEWHERE.sqsPerMillion;
  return ((calls * (2 * metered + 1) + waits) / 1e6) * price;
}

/** Servers of one's own, whatever goes through them. */
export const serversCost = (): number =>
  ELSEWHERE.servers * (ELSEWHERE.serverHour * HOURS + ELSEWHERE.diskGb * ELSEWHERE.diskGbMonth);

/** What a million messages add: without storage, and without what waits or is idle. */
export function perMillion(load: Load, units: LoadUnits): number {
  const added = { ...load, messagesPerDay: 1e6 / DAYS, consumers: 0, retentionDays: 0 };
  return total(loadCost(added, units)) - total(loadCost({ ...added, messagesPerDay: 0 }, units));
}
