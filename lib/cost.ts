/**
 * What it costs to do nothing: an idle service, and a consumer that waits on an empty queue.
 *
 * K1  No figure is invented: prices are AWS's list prices as of the date beside them, without free
 *     tiers; usage is measured by the test of this module, but for durations, which only AWS can
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

const ASSUMED = {
  /** Billed per round, at 512 MB. */
  janitorMs: 50,
  /** Billed per receive that does not wait, at 256 MB. */
  pollMs: 30,
  waitSeconds: 20,
} as const;

const HOURS = 730;
const MINUTES = HOURS * 60;
const SECONDS = MINUTES * 60;
const GB = 1024 ** 3;

export interface Line {
  readonly what: string;
  readonly dollars: number;
}

const reads = (units: number): number => (units / 1e6) * PRICES.dynamoReadPerMillion;

const writes = (units: number): number => (units / 1e6) * PRICES.dynamoWritePerMillion;

const lambda = (calls: number, seconds: number, memoryMb: number): number =>
  (calls / 1e6) * PRICES.lambdaPerMillion +
  calls * seconds * (memoryMb / 1024) * PRICES.lambdaArmPerGbSecond;

/** A month of a service that nobody calls, with this many empty queues. */
function idleService(queues: number): Line[] {
  return [
    {
      what: "janitor: a round a minute on Lambda",
      dollars: lambda(MINUTES, ASSUMED.janitorMs / 1000, 512),
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
function pollingConsumer(everySeconds: number, memoryMb: number): Line[] {
  const calls = SECONDS / everySeconds;
  return [
    ...requests(calls),
    { what: "Lambda", dollars: lambda(calls, ASSUMED.pollMs / 1000, memoryMb) },
    { what: "reads", dollars: reads(calls * USAGE.pollReads) },
  ];
}

const requests = (calls: number): Line[] => [
  { what: "HTTP API", dollars: (calls / 1e6) * PRICES.httpApiPerMillion },
  {
    what: "access log",
    dollars: ((calls * USAGE.accessLogBytes) / GB) * PRICES.logsIngestedPerGb,
  },
];

export const total = (lines: readonly Line[]): number =>
  lines.reduce((sum, { dollars }) => sum + dollars, 0);

/** The tables of docs/operations.md. */
export function costTables(): string {
  const dollars = (amount: number) => `$${amount.toFixed(2)}`;
  const table = (title: string, lines: readonly Line[]) =>
    [
      `| ${title} | a month |`,
      "|---|---:|",
      ...lines.map(({ what, dollars: amount }) => `| ${what} | ${dollars(amount)} |`),
      ...(lines.length > 1 ? [`| **together** | **${dollars(total(lines))}** |`] : []),
    ].join("\n");
  return [
    prices(),
    table("An idle service", idleService(10)),
    table("A consumer that waits, 20 s a call, 256 MB", waitingConsumer(256)),
    table("A consumer that asks every 20 s and does not wait", pollingConsumer(20, 256)),
    table("A queue that is never empty", [
      { what: "its metrics", dollars: USAGE.queueMetrics * PRICES.metricMonth },
    ]),
  ].join("\n\n");
}

const prices = (): string =>
  [
    `Prices of ${PRICES.region} as of ${PRICES.asOf}:`,
    [
      `HTTP API $${PRICES.httpApiPerMillion.toFixed(2)} a million requests`,
      `Lambda on arm64 $${PRICES.lambdaPerMillion.toFixed(2)} a million calls and $${PRICES.lambdaArmPerGbSecond} a GB-second`,
      `DynamoDB on demand $${PRICES.dynamoReadPerMillion} a million read units and $${PRICES.dynamoWritePerMillion} a million write units`,
      `storage $${PRICES.dynamoGbMonth} a GB and month, $${PRICES.dynamoPitrGbMonth.toFixed(2)} more with point-in-time recovery`,
      `CloudWatch $${PRICES.logsIngestedPerGb.toFixed(2)} a GB of logs, $${PRICES.metricMonth.toFixed(2)} a metric, $${PRICES.alarmMetricMonth.toFixed(2)} an alarm's metric, $${PRICES.dashboardMonth.toFixed(2)} a dashboard a month`,
      `a KMS key $${PRICES.kmsKeyMonth.toFixed(2)} a month, as much more after each of its first two yearly rotations, and $${PRICES.kmsPerTenThousand.toFixed(2)} for 10,000 uses`,
      "scheduled rules free",
    ].join("; ") + ".",
    `Assumed: a janitor round is billed ${ASSUMED.janitorMs} ms at 512 MB, a receive that does not wait ${ASSUMED.pollMs} ms at 256 MB.`,
    `Measured: read units, ${USAGE.waitReads} for a wait of ${ASSUMED.waitSeconds} s on one lane, ${USAGE.pollReads} for a receive without a wait, ${USAGE.janitorReads} for a janitor round and ${USAGE.janitorReadsPerQueue} more for each empty queue; write units, ${USAGE.janitorWrites} for a janitor round.`,
  ].join(" ");
