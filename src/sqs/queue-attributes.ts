/**
 * Queue attributes: what SQS's names and texts mean for a queue's settings, and what a queue looks like
 * in them, whoever made it.
 *
 * J11  What has a setting is kept there and nowhere else, so that REST and SQS never disagree; the
 *      queue's SQS part holds only what no setting says.
 * J12  A value that REST has set, and that SQS would not take, is given back as it is.
 */
import { DEFAULT_DEDUP, dedupOf } from "../core/dedup.ts";
import { LIMITS } from "../core/limits.ts";
import { DEFAULT_SETTINGS } from "../core/queue.ts";
import type { QueueSettings, SqsPart } from "../core/queue.ts";
import type { QueueChange, QueueDetails } from "../service/api.ts";
import { checkPolicy } from "./access-policy.ts";
import { SqsError } from "./errors.ts";
import { isFifo } from "./fifo.ts";
import { queueArn } from "./queue-url.ts";
import type { Where } from "./queue-url.ts";
import {
  checkRedriveAllowPolicy,
  parseRedrivePolicy,
  redrivePolicyText,
} from "./redrive-policy.ts";

/** By AWS's names. */
export type Attributes = Readonly<Record<string, string>>;

export type QueueState = Pick<QueueDetails, "settings" | "sqs">;

type Draft = { -readonly [K in keyof QueueSettings]?: QueueSettings[K] };
type SqsDraft = { -readonly [K in keyof SqsPart]: SqsPart[K] };

interface Change {
  /** As it was. */
  readonly before: QueueState;
  readonly settings: Draft;
  readonly sqs: SqsDraft;
}

interface Rule {
  /** Takes a value, or throws; absent: it cannot be set. */
  readonly take?: (change: Change, text: string, name: string) => void;
  /** Absent: it is not among a queue's own. */
  readonly show?: (queue: QueueState, where: Omit<Where, "endpoint">) => string | undefined;
}

/** A FIFO queue as SQS begins it. */
const FIFO_SETTINGS: Partial<QueueSettings> = { order: "key", dedup: DEFAULT_DEDUP };

const number = (
  setting: "delaySeconds" | "leaseSeconds" | "maxMessageBytes" | "retentionSeconds" | "waitSeconds",
  min: number,
  max: number,
): Rule => ({
  take: ({ settings }, text, name) => {
    settings[setting] = integer(text, name, min, max);
  },
  show: ({ settings }) => String(settings[setting]),
});

const COMMON: Readonly<Record<string, Rule>> = {
  DelaySeconds: number("delaySeconds", 0, LIMITS.sqsDelaySecondsMax),
  MaximumMessageSize: number("maxMessageBytes", LIMITS.sqsMessageBytesMin, LIMITS.messageBytes),
  MessageRetentionPeriod: number(
    "retentionSeconds",
    LIMITS.retentionSecondsMin,
    LIMITS.sqsRetentionSecondsMax,
  ),
  ReceiveMessageWaitTimeSeconds: number("waitSeconds", 0, LIMITS.waitSecondsMax),
  VisibilityTimeout: number("leaseSeconds", 0, LIMITS.leaseSecondsMax),
  Policy: {
    take: ({ sqs }, text) => {
      delete sqs.policy;
      if (text === "") return;
      checkPolicy(text);
      sqs.policy = text;
    },
    show: ({ sqs }) => sqs.policy,
  },
  RedrivePolicy: {
    take: takeRedrivePolicy,
    show: ({ settings }, where) => redrivePolicyText(where, settings),
  },
  RedriveAllowPolicy: {
    take: ({ sqs }, text) => {
      delete sqs.redriveAllowPolicy;
      if (text === "") return;
      checkRedriveAllowPolicy(text);
      sqs.redriveAllowPolicy = text;
    },
    show: ({ sqs }) => sqs.redriveAllowPolicy,
  },
  KmsMasterKeyId: {
    take: ({ sqs }, text, name) => {
      if (text.length > LIMITS.kmsKeyIdChars) throw invalidAttribute(name);
      delete sqs.kmsMasterKeyId;
      if (text === "") return;
      sqs.kmsMasterKeyId = text;
      sqs.sqsManagedSseEnabled = false;
    },
    show: ({ sqs }) => sqs.kmsMasterKeyId,
  },
  KmsDataKeyReusePeriodSeconds: {
    take: ({ sqs }, text, name) => {
      const { kmsReuseSecondsMin: min, kmsReuseSecondsMax: max } = LIMITS;
      sqs.kmsDataKeyReusePeriodSeconds = integer(text, name, min, max);
    },
    show: ({ sqs }) =>
      sqs.kmsMasterKeyId === undefined
        ? undefined
        : String(sqs.kmsDataKeyReusePeriodSeconds ?? KMS_REUSE_SECONDS),
  },
  SqsManagedSseEnabled: {
    take: ({ sqs }, text, name) => {
      sqs.sqsManagedSseEnabled = flag(text, name);
      if (sqs.sqsManagedSseEnabled) delete sqs.kmsMasterKeyId;
    },
    show: ({ sqs }) => String(sqs.sqsManagedSseEnabled ?? true),
  },
  QueueArn: {},
  CreatedTimestamp: {},
  LastModifiedTimestamp: {},
  ApproximateNumberOfMessages: {},
  ApproximateNumberOfMessagesNotVisible: {},
  ApproximateNumberOfMessagesDelayed: {},
};

const FIFO_ONLY: Readonly<Record<string, Rule>> = {
  FifoQueue: {
    take: (_, text) => {
      if (/^true$/i.test(text)) return;
      throw invalidAttribute("FifoQueue", "Modifying queue type is not supported.");
    },
    show: () => "true",
  },
  ContentBasedDeduplication: {
    take: (change, text, name) => {
      const { settings, before } = change;
      settings.dedup = {
        ...(settings.dedup ?? dedupOf(before.settings)),
        contentBased: flag(text, name),
      };
    },
    show: ({ settings }) => String(dedupOf(settings).contentBased),
  },
  DeduplicationScope: {
    take: ({ settings, before }, text, name) => {
      if (text !== "queue" && text !== "messageGroup") throw invalidAttribute(name);
      const scope = text === "queue" ? "queue" : "key";
      settings.dedup = { ...(settings.dedup ?? dedupOf(before.settings)), scope };
    },
    show: ({ settings }) => (dedupOf(settings).scope === "queue" ? "queue" : "messageGroup"),
  },
  FifoThroughputLimit: {
    take: ({ sqs }, text, name) => {
      if (text !== "perQueue" && text !== "perMessageGroupId") throw invalidAttribute(name);
      sqs.fifoThroughputLimit = text;
    },
    show: ({ settings, sqs }) =>
      dedupOf(settings).scope === "queue" ? "perQueue" : (sqs.fifoThroughputLimit ?? "perQueue"),
  },
};

const KMS_REUSE_SECONDS = 300;

/** Every name that a standard, or a FIFO queue has. */
export const namesOf = (queue: Pick<QueueState, "settings">): string[] =>
  Object.keys(rulesOf(queue));

/**
 * What the attributes ask for, of a queue as it is; of a new one `before` is what SQS begins it with.
 * Whether a dead-letter queue is there, and lets itself be used, is its caller's to find out.
 * @throws SqsError `InvalidAttributeName`, `InvalidAttributeValue`, `InvalidParameterValue`
 */
export function changeOf(given: Attributes, before: QueueState): Required<QueueChange> {
  const rules = rulesOf(before);
  for (const name of Object.keys(given))
    if (ruleOf(rules, name)?.take === undefined) throw unknownAttribute(name);
  checkEncryption(given);
  const change: Change = { before, settings: {}, sqs: { ...before.sqs } };
  for (const [name, text] of Object.entries(given)) ruleOf(rules, name)?.take?.(change, text, name);
  if ("FifoThroughputLimit" in given || "DeduplicationScope" in given)
    checkThroughput(change.sqs, { ...before.settings, ...change.settings });
  return { settings: change.settings, sqs: change.sqs };
}

/** What a queue has beside its counts and times, by name. */
export function attributesOf(queue: QueueState, where: Omit<Where, "endpoint">): Attributes {
  const shown = Object.entries(rulesOf(queue)).flatMap(([name, { show }]) => {
    const text = show?.(queue, where);
    return text === undefined ? [] : [[name, text] as const];
  });
  return Object.fromEntries(shown);
}

/** The attributes that every queue has, whatever was set. */
export const factsOf = (queue: QueueDetails, where: Omit<Where, "endpoint">): Attributes => ({
  QueueArn: queueArn(where, queue.name),
  CreatedTimestamp: seconds(queue.createdAt),
  LastModifiedTimestamp: seconds(queue.modifiedAt),
});

/** The first of the given attributes that the queue has otherwise. */
export function differing(
  given: Attributes,
  queue: QueueState,
  where: Omit<Where, "endpoint">,
): string | undefined {
  const { settings, sqs } = changeOf(given, queue);
  const wanted = attributesOf({ settings: { ...queue.settings, ...settings }, sqs }, where);
  const actual = attributesOf(queue, where);
  return Object.keys(given).find((name) => !isSame(wanted[name], actual[name]));
}

/** What a new queue begins with. */
export const beginning = (fifo: boolean): QueueState => ({
  settings: { ...DEFAULT_SETTINGS, ...(fifo ? FIFO_SETTINGS : {}) },
  sqs: {},
});

/** @throws SqsError `InvalidAttributeName`, in AWS's words for the queue's type */
export function unknownAttribute(name: string): SqsError {
  const isLate = name === "DeduplicationScope" || name === "FifoThroughputLimit";
  return new SqsError(
    "InvalidAttributeName",
    isLate
      ? `You can specify the ${name} only when FifoQueue is set to true.`
      : `Unknown Attribute ${name}.`,
  );
}

const rulesOf = ({ settings }: Pick<QueueState, "settings">): Readonly<Record<string, Rule>> =>
  isFifo(settings) ? { ...COMMON, ...FIFO_ONLY } : COMMON;

const ruleOf = (rules: Readonly<Record<string, Rule>>, name: string): Rule | undefined =>
  Object.hasOwn(rules, name) ? rules[name] : undefined;

/** Removing one that SQS has no words for would take what REST has set: that stays. */
function takeRedrivePolicy({ before, settings }: Change, text: string): void {
  if (text !== "") {
    const { target, maxReceives } = parseRedrivePolicy(text);
    const rest = { maxReceives, onPoison: "deadLetter" } as const;
    Object.assign(settings, { deadLetter: { queue: target }, ...rest } satisfies Draft);
    return;
  }
  if (redrivePolicyText({ account: "", region: "" }, before.settings) === undefined) return;
  const none = { deadLetter: null, maxReceives: null, onExpired: "drop" } as const;
  Object.assign(settings, none satisfies Draft);
}

function checkEncryption({ KmsMasterKeyId = "", SqsManagedSseEnabled = "" }: Attributes): void {
  if (KmsMasterKeyId === "" || !/^true$/i.test(SqsManagedSseEnabled)) return;
  throw new SqsError(
    "InvalidAttributeName",
    "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
  );
}

function checkThroughput({ fifoThroughputLimit }: SqsPart, settings: QueueSettings): void {
  if (fifoThroughputLimit !== "perMessageGroupId" || dedupOf(settings).scope === "key") return;
  throw invalidAttribute(
    "FifoThroughputLimit",
    "To set FifoThroughputLimit to perMessageGroupId, the DeduplicationScope must be messageGroup.",
  );
}

function integer(text: string, name: string, min: number, max: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw invalidAttribute(name);
}

function flag(text: string, name: string): boolean {
  if (/^(true|false)$/i.test(text)) return text.toLowerCase() === "true";
  throw invalidAttribute(name);
}

const invalidAttribute = (name: string, reason?: string): SqsError =>
  new SqsError(
    "InvalidAttributeValue",
    `Invalid value for the parameter ${name}.${reason === undefined ? "" : ` Reason: ${reason}`}`,
  );

/** Two policies may be spaced in different ways. */
function isSame(one: string | undefined, other: string | undefined): boolean {
  if (one === other || one === undefined || other === undefined) return one === other;
  return one.startsWith("{") && compact(one) === compact(other);
}

function compact(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}

const seconds = (at: number): string => String(Math.floor(at / 1000));
