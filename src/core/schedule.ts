/** Recurring schedules: what they say, their record, and which due times are to be fired now. */
import type { OutgoingMessage } from "./message.ts";
import { dueAfter, dueBefore } from "./recurrence.ts";
import type { Recurrence } from "./recurrence.ts";
import type { EpochMs, ExchangeName, QueueName, ScheduleName } from "./types.ts";

export type ScheduleTarget =
  { readonly queue: QueueName } | { readonly exchange: ExchangeName; readonly routingKey: string };

export interface ScheduleSettings {
  readonly recurrence: Recurrence;
  readonly target: ScheduleTarget;
  readonly message: OutgoingMessage;
  /** Of due times that nobody fired in time: together once, or not at all. */
  readonly onMissed: "fire" | "skip";
}

export interface Schedule extends ScheduleSettings {
  readonly name: ScheduleName;
  /** New for every creation: part of what makes a due time fire once. */
  readonly scheduleId: string;
  readonly createdAt: EpochMs;
  /** What `everySeconds` counts from. */
  readonly since: EpochMs;
  /** The first due time that has not been fired; `undefined`: there is none any more. */
  readonly nextAt: EpochMs | undefined;
  readonly version: number;
}

/** A due time older than this was missed: whoever fires looks each minute at least. */
export const MISSED_MS = 120_000;
/** Due times that one go fires; a schedule of each second has as many in `MISSED_MS`. */
const FIRES_MAX = 200;

export interface Firing {
  readonly due: readonly EpochMs[];
  readonly nextAt: EpochMs | undefined;
}

/** V4: the due times to fire now, and the first one after them. */
export function firingOf(schedule: Schedule, now: EpochMs): Firing {
  const { recurrence, since, nextAt, onMissed } = schedule;
  if (nextAt === undefined || nextAt > now) return { due: [], nextAt };
  const before = (now - MISSED_MS) as EpochMs;
  const missed = dueBefore(recurrence, since, { from: nextAt, before });
  const due: EpochMs[] = missed !== undefined && onMissed === "fire" ? [missed] : [];
  let at = missed === undefined ? nextAt : dueAfter(recurrence, since, missed);
  while (at !== undefined && at <= now && due.length < FIRES_MAX) {
    due.push(at);
    at = dueAfter(recurrence, since, at);
  }
  return { due, nextAt: at };
}
