/**
 * What a schedule means: when a message is due, how its timer is named, and which of the timers that
 * are due go into one entry.
 *
 * T4  A timer's id is its place: shard, time of promotion, and a random tag. It stays the message's id.
 * T5  On a queue with a delay of its own a timer is promoted that much before its message is due, so
 *     that along a lane messages become visible in the order of the log, which the claim relies on.
 */
import type { OutgoingMessage, StoredMessage } from "./message.ts";
import { packedBytes } from "./packing.ts";
import { LIMITS } from "./limits.ts";
import type { QueueSettings } from "./queue.ts";
import { epochMs, queueId } from "./types.ts";
import type { EpochMs, QueueId } from "./types.ts";

export interface TimerPlace {
  readonly queueId: QueueId;
  readonly shard: number;
  /** When it may be promoted: before that, no instance does. */
  readonly at: EpochMs;
  readonly tag: string;
}

/** A message on its timer. */
export interface Timer {
  readonly place: TimerPlace;
  readonly message: StoredMessage;
}

interface MessageTimes {
  readonly sentAt: EpochMs;
  readonly visibleAt: EpochMs;
  readonly expiresAt: EpochMs;
}

export interface Stamp {
  readonly times: MessageTimes;
  /** When its timer is promoted; absent: it needs none. */
  readonly promoteAt?: EpochMs;
  /** It asked for a time that is over. */
  readonly isPast?: true;
}

type Schedule = Pick<OutgoingMessage, "delaySeconds" | "deliverAt">;
type Times = Pick<OutgoingMessage, "delaySeconds" | "deliverAt" | "ttlSeconds">;
type Delays = Pick<QueueSettings, "delaySeconds" | "retentionSeconds">;

const TAG_CHARS = 10;
const TIMER = new RegExp(
  `^([a-z0-9]{12})-t([0-9a-z]{1,2})-([0-9a-z]{1,9})-([a-z0-9]{${TAG_CHARS}})$`,
);

/** M2: times are fixed here and never change. */
export function stampOf(message: Times, settings: Delays, now: EpochMs): Stamp {
  const delayMs = settings.delaySeconds * 1000;
  const retentionMs = settings.retentionSeconds * 1000;
  const ttlMs = (message.ttlSeconds ?? Number.POSITIVE_INFINITY) * 1000;
  const asked = askedFor(message, now);
  if (asked !== undefined && asked > now + delayMs) {
    const expiresAt = epochMs(asked + Math.min(ttlMs, retentionMs));
    const times = { sentAt: now, visibleAt: asked, expiresAt };
    return { times, promoteAt: epochMs(Math.ceil(asked - delayMs)) };
  }
  const isPast = message.deliverAt !== undefined && message.deliverAt <= now;
  const expiresAt = epochMs(now + Math.min(delayMs + ttlMs, retentionMs));
  return {
    times: { sentAt: now, visibleAt: epochMs(now + delayMs), expiresAt },
    ...(isPast ? { isPast: true } : {}),
  };
}

/** What is wrong with a schedule, and at which field. */
export function scheduleError(
  message: Schedule,
  now: EpochMs,
): { field: keyof Schedule; message: string } | undefined {
  if (message.deliverAt === undefined) return undefined;
  if (message.delaySeconds !== undefined)
    return { field: "deliverAt", message: "stands beside delaySeconds; give one of them" };
  return message.deliverAt > now + LIMITS.scheduleSecondsMax * 1000
    ? { field: "deliverAt", message: "is more than 365 days away" }
    : undefined;
}

const askedFor = ({ delaySeconds, deliverAt }: Schedule, now: EpochMs): EpochMs | undefined =>
  deliverAt ?? (delaySeconds === undefined ? undefined : epochMs(now + delaySeconds * 1000));

export const timerId = ({ queueId: queue, shard, at, tag }: TimerPlace): string =>
  `${queue}-t${shard.toString(36)}-${at.toString(36)}-${tag}`;

/** `undefined`: not the id of a scheduled message. */
export function parseTimerId(text: string): TimerPlace | undefined {
  const [, queue, shard, at, tag] = TIMER.exec(text) ?? [];
  if (queue === undefined || shard === undefined || at === undefined || tag === undefined)
    return undefined;
  return {
    queueId: queueId(queue),
    shard: Number.parseInt(shard, 36),
    at: epochMs(Number.parseInt(at, 36)),
    tag,
  };
}

export const newTag = (randomId: (length: number) => string): string => randomId(TAG_CHARS);

/** Which of an entry's messages came from timers of a shard; the others are left out. */
export function timersAmong(
  ids: readonly (string | undefined)[],
  queue: QueueId,
  shard: number,
): TimerPlace[] {
  return ids.flatMap((id) => {
    const place = id === undefined ? undefined : parseTimerId(id);
    return place?.queueId === queue && place.shard === shard ? [place] : [];
  });
}

/** T5: a message as it is appended now, at or after its time. */
export function promoted(message: StoredMessage, settings: Delays, now: EpochMs): StoredMessage {
  if (settings.delaySeconds === 0) return message;
  const soonest = now + settings.delaySeconds * 1000;
  return { ...message, visibleAt: epochMs(Math.max(message.visibleAt, soonest)) };
}

/** The first of the timers that one entry takes, and always one. */
export function entryOf(timers: readonly Timer[]): readonly Timer[] {
  let bytes = 0;
  const end = timers.findIndex(({ message }, index) => {
    bytes += packedBytes(message);
    return index > 0 && (index >= LIMITS.entryMessages || bytes > LIMITS.entryRawBytes);
  });
  return end < 0 ? timers : timers.slice(0, end);
}
