/**
 * A queue's settings and its record: defaults, what contradicts what, and which lanes it has.
 *
 * Q1  A lane id is never used twice (L9): `next` only grows.
 * Q2  Senders append to `open` lanes; readers look at `open` and `ended` ones.
 * Q3  Where order is kept the lanes of a set change all at once: the old ones get their end entries, then
 *     the new ones open, and readers begin there when they are through with the old (L9).
 */
import type { DedupSettings } from "./dedup.ts";
import { LIMITS } from "./limits.ts";
import type { Priorities } from "./priority.ts";
import type { EpochMs, ExchangeName, LaneId, QueueId, QueueName } from "./types.ts";
export type Order = "none" | "key" | "lane";

/** How long a message waits before its next attempt. */
export interface Backoff {
  /** 1–43,200: after the first attempt. */
  readonly initialSeconds: number;
  /** 1–10: each wait is so many times the one before. */
  readonly factor: number;
  /** Up to 43,200. */
  readonly maxSeconds: number;
  /** 0–1: up to this share of a wait is taken off, at random. */
  readonly jitter: number;
}

/** Where dead letters go: into a queue, or through an exchange, by this routing key or their own. */
export type DeadLetterTarget =
  | { readonly queue: QueueName; readonly exchange?: never; readonly routingKey?: never }
  | { readonly exchange: ExchangeName; readonly routingKey?: string; readonly queue?: never };

export interface QueueSettings {
  /** 0–43,200 */
  readonly leaseSeconds: number;
  /** 60–31,536,000 */
  readonly retentionSeconds: number;
  /** Queue-wide, 0–43,200 */
  readonly delaySeconds: number;
  /** 0–20 */
  readonly waitSeconds: number;
  /** 1–1,000; null: no limit */
  readonly maxReceives: number | null;
  readonly deadLetter: DeadLetterTarget | null;
  /** Of messages past their expiry that nobody has acked. */
  readonly onExpired: "drop" | "deadLetter";
  /** Null: what failed is ready again at once. */
  readonly backoff: Backoff | null;
  /** 1–1,048,576 */
  readonly maxMessageBytes: number;
  readonly eraseOnAck: boolean;
  /** "auto", or 1–256 */
  readonly lanes: "auto" | number;
  /** Whether messages have priorities, and how receives heed them. Fixed at creation, but for the how. */
  readonly priorities: Priorities;
  /** How repeated sends are recognised; null: by `dedupId` alone, as `DEFAULT_DEDUP` says. */
  readonly dedup: DedupSettings | null;
  /** `key`: messages of a key in the order of their sends; `lane`: all of a lane. Fixed at creation. */
  readonly order: Order;
  /** After `maxReceives`: to the dead-letter queue, or, where order is kept, the key waits. */
  readonly onPoison: "deadLetter" | "block";
  /** At most 50; keys 1–128, values 0–256 characters */
  readonly tags: Readonly<Record<string, string>>;
}

export interface EndedLane {
  readonly lane: LaneId;
  readonly until: number;
  /** The default group is through with it: its receives pass it by, browse and look-up do not. */
  readonly isDrained?: true;
  /** Where order is kept: the lane set it belongs to (Q3); absent: 0. */
  readonly set?: number;
}

export interface Lanes {
  readonly open: readonly LaneId[];
  /** Retired, but perhaps still holding messages; `until` ms: when the last of them has expired. 0: no end entry yet. */
  readonly ended: readonly EndedLane[];
  readonly next: number;
  /** When senders that met last opened more, in ms. */
  readonly grownAt?: number;
  /** A tenant has sent to it: receives take its lanes by turns. */
  readonly isShared?: true;
  /** Of the default group, whose place on each lane it changes: number of the last one, plus one when it has ended (U2). */
  readonly seeks?: number;
  /** Q3: the set of the open lanes; absent: 0. */
  readonly set?: number;
  /** Q3: so many lanes open as soon as every ended one has its end entry; `open` is empty until then. */
  readonly opening?: number;
}

/** What only SQS says of a queue, as it was said; absent: AWS's default. The service keeps it and never reads it. */
export interface SqsPart {
  /** JSON, as `redriveAllowPolicy`. */
  readonly policy?: string;
  readonly redriveAllowPolicy?: string;
  readonly kmsMasterKeyId?: string;
  /** 60–86,400 */
  readonly kmsDataKeyReusePeriodSeconds?: number;
  readonly sqsManagedSseEnabled?: boolean;
  readonly fifoThroughputLimit?: "perQueue" | "perMessageGroupId";
}

export interface QueueRecord {
  readonly name: QueueName;
  readonly queueId: QueueId;
  readonly settings: QueueSettings;
  readonly lanes: Lanes;
  /** Keys the HMAC of receipts. */
  readonly secret: Uint8Array;
  readonly createdAt: EpochMs;
  /** When its settings, or what SQS says of it, last changed. */
  readonly modifiedAt: EpochMs;
  readonly sqs: SqsPart;
  /** When it was last cleared: dedup ids from before are forgotten. */
  readonly clearedAt: EpochMs | undefined;
  /** One more with every change of settings or lanes. */
  readonly version: number;
  /** Over how many shards its timers are spread; 0: nothing was ever scheduled. Never fewer. */
  readonly timerShards: number;
  /** Names of the queues that dead-letter to this one, or did; `queue/group` where a group of one does. */
  readonly sources: ReadonlySet<string>;
  /** Names of its groups beside `default`; also of one that is being made, and of what is left of deleted ones. */
  readonly groups: ReadonlySet<string>;
  /** Set: a tombstone. */
  readonly deletedAt: EpochMs | undefined;
}

export const DEFAULT_SETTINGS: QueueSettings = {
  leaseSeconds: 30,
  retentionSeconds: 345_600,
  delaySeconds: 0,
  waitSeconds: 0,
  maxReceives: null,
  deadLetter: null,
  onExpired: "drop",
  backoff: null,
  maxMessageBytes: 1_048_576,
  eraseOnAck: false,
  lanes: "auto",
  priorities: false,
  dedup: null,
  order: "none",
  onPoison: "deadLetter",
  tags: {},
};

/** L4: how long entries and parts are kept after their messages have expired. */
const keptAfterExpiryMs = ({ onExpired }: Pick<QueueSettings, "onExpired">): number =>
  LIMITS.entryTtlAfterExpiryMs + (onExpired === "deadLetter" ? LIMITS.unreadKeptMs : 0);

/** L4: the ttl that messages ask of their entry, in seconds. */
export const ttlOf = (
  messages: readonly { readonly expiresAt: EpochMs }[],
  settings: Pick<QueueSettings, "onExpired">,
): number =>
  Math.ceil(
    (Math.max(0, ...messages.map(({ expiresAt }) => expiresAt)) + keptAfterExpiryMs(settings)) /
      1000,
  );

export const readableLanes = (lanes: Lanes): LaneId[] => [
  ...lanes.open,
  ...lanes.ended.map(({ lane }) => lane),
];

/** The lanes with `count` open ones more. */
export function openLanes(lanes: Lanes, count: number): Lanes {
  const added = Array.from({ length: count }, (_, index) => (lanes.next + index) as LaneId);
  return { ...lanes, open: [...lanes.open, ...added], next: lanes.next + count };
}

/** The lanes with only the first `keep` open; the others await their end entries. */
export function closeLanes(lanes: Lanes, keep: number): Lanes {
  const closing = lanes.open.slice(keep).map((lane) => ({ lane, until: 0 }));
  return { ...lanes, open: lanes.open.slice(0, keep), ended: [...lanes.ended, ...closing] };
}

/** Q3: all open lanes end, and `count` others open once they have. */
export function replaceLanes(lanes: Lanes, count: number): Lanes {
  if (lanes.opening !== undefined) return { ...lanes, opening: count };
  const set = lanes.set ?? 0;
  const closing = lanes.open.map((lane) => ({ lane, until: 0, set }));
  return {
    ...lanes,
    open: [],
    ended: [...lanes.ended, ...closing],
    set: set + 1,
    opening: count,
  };
}

/** Q3: opens the next set, if the one before it has ended. */
export function openNextSet(lanes: Lanes): Lanes {
  if (lanes.opening === undefined || lanes.ended.some(({ until }) => until === 0)) return lanes;
  const { opening, ...rest } = lanes;
  return openLanes(rest, opening);
}

/** Some of its lanes, in sets to be read one after the other (Q3). */
export function setsOf(lanes: Lanes, some: readonly LaneId[]): LaneId[][] {
  const numbers = new Map(lanes.ended.map(({ lane, set = 0 }) => [lane, set]));
  const sets = new Map<number, LaneId[]>();
  for (const lane of some) {
    const number = numbers.get(lane) ?? lanes.set ?? 0;
    const set = sets.get(number);
    if (set === undefined) sets.set(number, [lane]);
    else set.push(lane);
  }
  return [...sets].sort(([a], [b]) => a - b).map(([, set]) => set);
}

/** The number of lanes that settings ask for, where they do. */
export const lanesWanted = (settings: QueueSettings): number | undefined =>
  settings.lanes === "auto" ? undefined : settings.lanes;

const EXCHANGE = "#";

/** What a lease that leaves says of its target: a queue's name, or a mark that no name holds and an exchange's. */
export const leavingTo = (target: DeadLetterTarget): string =>
  target.queue ?? `${EXCHANGE}${target.exchange}`;

/** `undefined`: a queue. */
export const leavingThrough = (to: string): ExchangeName | undefined =>
  to.startsWith(EXCHANGE) ? (to.slice(EXCHANGE.length) as ExchangeName) : undefined;
