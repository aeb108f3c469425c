/**
 * When a recurring schedule is due: by a cron expression in a time zone, or every so many seconds.
 *
 * V4  A due time follows from the schedule alone, so that whoever asks comes to the same ones.
 *
 * Cron expressions and the days on which clocks change are croner's business: a time that a clock leaps
 * over is due when it has leapt, one that comes twice is due once.
 */
import { Cron } from "croner";
import { epochMs } from "./types.ts";
import type { EpochMs } from "./types.ts";

export type Recurrence =
  | { readonly cron: string; readonly timeZone: string }
  /** 1–31,536,000, counted from `since`. */
  | { readonly everySeconds: number };

/** Zones that the runtime knows, by their IANA names. */
function isTimeZone(timeZone: string): boolean {
  try {
    return Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

/** What is wrong with a recurrence, and at which field; `undefined`: nothing. */
export function recurrenceError(
  recurrence: Recurrence,
  now: EpochMs,
): { field: "cron" | "timeZone"; message: string } | undefined {
  if ("everySeconds" in recurrence) return undefined;
  const { cron, timeZone } = recurrence;
  if (!isTimeZone(timeZone))
    return {
      field: "timeZone",
      message: "is not a time zone that is known here, as Europe/Berlin or UTC",
    };
  if (!/\s|^@/.test(cron))
    return { field: "cron", message: "must have 5 fields, or 6 with seconds, as 0 9 * * 1-5" };
  let parsed: Cron;
  try {
    parsed = cronOf(cron, timeZone);
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, "") : "";
    return { field: "cron", message: `is not a cron expression: ${why}` };
  }
  return parsed.nextRun(new Date(now)) === null
    ? { field: "cron", message: "is never due from now on" }
    : undefined;
}

/** The first due time after a time; `undefined`: there is none any more. */
export function dueAfter(
  recurrence: Recurrence,
  since: EpochMs,
  after: EpochMs,
): EpochMs | undefined {
  if ("everySeconds" in recurrence) {
    const step = recurrence.everySeconds * 1000;
    return epochMs(since + Math.max(1, Math.floor((after - since) / step) + 1) * step);
  }
  const next = cronOf(recurrence.cron, recurrence.timeZone).nextRun(new Date(after));
  return next === null ? undefined : epochMs(next.getTime());
}

/** The last due time before a time, but not before `from`, which is one itself. */
export function dueBefore(
  recurrence: Recurrence,
  since: EpochMs,
  { from, before }: { from: EpochMs; before: EpochMs },
): EpochMs | undefined {
  if (from >= before) return undefined;
  if ("everySeconds" in recurrence) {
    const step = recurrence.everySeconds * 1000;
    return epochMs(since + Math.max(1, Math.ceil((before - since) / step) - 1) * step);
  }
  const cron = cronOf(recurrence.cron, recurrence.timeZone);
  const [last] = cron.previousRuns(1, new Date(before));
  return epochMs(Math.max(from, last?.getTime() ?? from));
}

const cronOf = (cron: string, timeZone: string): Cron =>
  new Cron(cron, { timezone: timeZone, paused: true });
