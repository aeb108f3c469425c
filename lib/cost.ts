/**
 * Prices, and what it costs to do nothing: an idle service, and a consumer that waits on an empty
 * queue. What a load costs on top: `load-cost.ts`.
 *
 * K1  No figure is invented: prices are AWS's list prices as of the date beside them, without free
 *     tiers; usage is measured by the tests of these modules, but for durations, which only AWS can
 *     measure and which are stated as assumptions.
 */

/** US East (N. Virginia), in dollars. */
export const PRICES = {
  asOf: "July 2025",
  region: "us-east-1",
  httpApiPerMillion: 1.0,
  lambdaPerMillion: 0.2,
  lambdaArmPerGbSecond: 0.0000133334,
  dynamoReadPerMillion: 0.125,
  dynamoWritePerMillion: 0.625,
  dynamoGbMonth: 0.25,
  dynamoPitrGbMonth: 0.2,
  logsIngestedPerGb: 0.5,
  metricMonth: 0.3,
  alarmMetricMonth: 0.1,
  dashboardMonth: 3.0,
  /** More by as much for each of its first two rotations, of which there is one a year. */
  kmsKeyMonth: 1.0,
  kmsPerTenThousand: 0.03,
  /** Scheduled rules are counted among AWS's own events. */
  scheduledRulePerMillion: 0,
} as const;

export const USAGE = {
  /** Units of one janitor round: without queues, and for each empty queue on one lane. */
  janitorReads: 5.5,
  janitorReadsPerQueue: 6,
  janitorWrites: 0,
  /** Read units of one receive that waits 20 s on an empty queue with one lane, in vain. */
  waitReads: 73,
  /** Read units of one receive that does not wait. */
  pollReads: 3,
  /** One line of the access log. */
  accessLogBytes: 400,
  /** Metrics that the alarms watch. */
  alarmMetrics: 18,
  /** Metrics of one queue that is not empty. */
  queueMetrics: 4,
} as const;

export const ASSUMED = {
  /** Billed per round, at 512 MB. */
  janitorMs: 50,
  /** Billed per call that does not wait; receives at 256 MB, the others at 512 MB. */
  callMs: 30,
  memoryMb: 512,
  receiveMemoryMb: 256,
  waitSeconds: 20,
} as const;

export const HOURS = 730;
const MINUTES = HOURS * 60;
export const SECONDS = MINUTES * 60;
export const GB = 1024 ** 3;

export interface Line {
  readonly what: string;
  readonly dollars: number;
}

export const reads = (units: number): number => (units / 1e6) * PRICES.dynamoReadPerMillion;

export const writes = (units: number): number => (units / 1e6) * PRICES.dynamoWritePerMillion;

export const lambda = (calls: number, seconds: number, memoryMb: number): number =>
  (calls / 1e6) * PRICES.lambdaPerMillion +
  calls * seconds * (memoryMb / 1024) * PRICES.lambdaArmPerGbSecond;

/** A month of a service that nobody calls, with this many empty queues. */
export function idleService(queues: number): Line[] {
  return [
    {
      what: "janitor: a round a minute on Lambda",
      dollars: lambda(MINUTES, ASSUMED.janitorMs / 1000, ASSUMED.memoryMb),
    },
    {
      what: `janitor: DynamoDB, with ${queues} empty queues`,
      dollars:
        reads(MINUTES * (USAGE.janitorReads + queues * USAGE.janitorReadsPerQueue)) +
        writes(MINUTES * USAGE.janitorWrites),
    },
    { what: "alarms", dollars: USAGE.alarmMetrics * PRICES.alarmMetricMonth },
    { what: "dashboard", dollars: PRICES.dashboardMonth },
    { what: "KMS key of the SQS face", dollars: PRICES.kmsKeyMonth },
  ];
}

/** A month of one consumer on an empty queue that asks again as soon as it has its answer. */
export function waitingConsumer(memoryMb: number): Line[] {
  const calls = SECONDS / ASSUMED.waitSeconds;
  return [
    ...requests(calls),
    { what: "Lambda, waiting", dollars: lambda(calls, ASSUMED.waitSeconds, memoryMb) },
    { what: "reads", dollars: reads(calls * USAGE.waitReads) },
  ];
}

/** The same, asking every so often without waiting. */
export function pollingConsumer(everySeconds: number, memoryMb: number): Line[] {
  const calls = SECONDS / everySeconds;
  return [
    ...requests(calls),
    { what: "Lambda", dollars: lambda(calls, ASSUMED.callMs / 1000, memoryMb) },
    { what: "reads", dollars: reads(calls * USAGE.pollReads) },
  ];
}

/** @param metered requests as the API counts them: one for each 512 KB */
export const requests = (calls: number, metered = calls): Line[] => [
  { what: "HTTP API", dollars: (metered / 1e6) * PRICES.httpApiPerMillion },
  {
    what: "access log",
    dollars: ((calls * USAGE.accessLogBytes) / GB) * PRICES.logsIngestedPerGb,
  },
];

export const total = (lines: readonly Line[]): number =>
  lines.reduce((sum, { dollars }) => sum + dollars, 0);
