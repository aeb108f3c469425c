/**
 * What a deployment can be told, as CDK context (`-c name=value`, or `context` in cdk.json).
 *
 * S1  A name or a value that is not understood ends the synthesis: a misspelt throttle must not
 *     quietly become the default.
 */
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Node } from "constructs";
import * as v from "valibot";

const integer = (min: number, max: number) =>
  v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number))]),
    v.integer(),
    v.minValue(min),
    v.maxValue(max),
  );
const boolean = v.union([
  v.boolean(),
  v.pipe(
    v.picklist(["true", "false"]),
    v.transform((text) => text === "true"),
  ),
]);
const tableName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{3,255}$/));

/** What CloudWatch Logs takes, up to a year: logs end. */
const RETENTIONS: readonly RetentionDays[] = [
  RetentionDays.ONE_DAY,
  RetentionDays.THREE_DAYS,
  RetentionDays.FIVE_DAYS,
  RetentionDays.ONE_WEEK,
  RetentionDays.TWO_WEEKS,
  RetentionDays.ONE_MONTH,
  RetentionDays.TWO_MONTHS,
  RetentionDays.THREE_MONTHS,
  RetentionDays.FOUR_MONTHS,
  RetentionDays.FIVE_MONTHS,
  RetentionDays.SIX_MONTHS,
  RetentionDays.ONE_YEAR,
];

const entries = {
  /** Names the stack; a second service in the account and region takes another one. */
  stackName: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z][A-Za-z0-9-]{0,99}$/)), "LaneMQ"),
  /** Requests a second over the whole API, and how many at once above it; more get a 429. */
  throttleRate: v.optional(integer(1, 1_000_000), 1_000),
  throttleBurst: v.optional(integer(1, 1_000_000), 2_000),
  /**
   * Receives that may run at once, reserved from the account's Lambda concurrency, so that consumers
   * that wait neither starve the other functions nor are starved. Off: an account must keep 100
   * unreserved, and a new one may have fewer in all.
   */
  receiveConcurrency: v.optional(integer(1, 100_000)),
  receiveMemoryMb: v.optional(integer(128, 10_240), 256),
  logRetentionDays: v.optional(
    v.pipe(
      integer(1, 365),
      v.custom<RetentionDays>(
        (days) => RETENTIONS.some((one) => one === days),
        `must be one of ${RETENTIONS.join(", ")}`,
      ),
    ),
    RetentionDays.ONE_MONTH,
  ),
  alarms: v.optional(boolean, true),
  dashboard: v.optional(boolean, true),
  /** Depth and oldest age of every queue that is not empty; each metric is billed while it is emitted. */
  queueMetrics: v.optional(boolean, true),
  oldestAgeAlarmSeconds: v.optional(integer(60, 31_536_000), 3_600),
  alarmEmail: v.optional(v.pipe(v.string(), v.email())),
  alarmTopicArn: v.optional(v.pipe(v.string(), v.regex(/^arn:[a-z-]+:sns:/))),
  /** Origins that browsers may call from, comma-separated; none: CORS is off. */
  corsOrigins: v.optional(
    v.pipe(
      v.string(),
      v.transform((text) => text.split(",").map((origin) => origin.trim())),
      v.array(v.pipe(v.string(), v.regex(/^(\*|https?:\/\/[^/\s]+)$/))),
    ),
  ),
  /** For clients of Amazon SQS: a function, its routes, and a KMS key, which is billed by the month. */
  sqs: v.optional(boolean, true),
  /** The key of a stack that was deleted, so that access keys made then go on. */
  sqsKmsKeyArn: v.optional(v.pipe(v.string(), v.regex(/^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key\//))),
  /** Serve tables that exist already: those of a stack that was deleted, or restored ones. */
  catalogTable: v.optional(tableName),
  lanesTable: v.optional(tableName),
  /** "destroy" deletes the tables with the stack: for trials only. */
  removal: v.optional(v.picklist(["retain", "destroy"]), "retain"),
} as const;

export const SETTING_NAMES: readonly string[] = Object.keys(entries);

const schema = v.object(entries);

export type Settings = v.InferOutput<typeof schema>;
export type SettingsInput = v.InferInput<typeof schema>;

/** @throws Error that names every setting that is not valid. */
export function parseSettings(input: SettingsInput): Settings {
  const known = new Set(SETTING_NAMES);
  const problems = Object.keys(input)
    .filter((name) => !known.has(name))
    .map((name) => `${name}: is not a setting`);
  const result = v.safeParse(schema, input);
  for (const issue of result.issues ?? [])
    problems.push(`${v.getDotPath(issue) ?? "settings"}: ${issue.message}`);
  if (result.success && problems.length === 0) return result.output;
  throw new Error(`Settings that are not valid:\n  ${problems.join("\n  ")}`);
}

/** The context holds the toolkit's own entries, too; they have a `:`, `/` or `-` in their names. */
export function settingsFromContext(node: Node): Settings {
  const input = Object.entries(node.getAllContext() as Record<string, unknown>).filter(
    ([name]) => !/[:/-]/.test(name),
  );
  return parseSettings(Object.fromEntries(input) as SettingsInput);
}
