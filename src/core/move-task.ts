/**
 * Move tasks: what is known of one, and how many messages it may move now.
 *
 * N1  Over a minute a task keeps its rate, not more; what it was kept from it makes up for, at most a
 *     quarter faster than its rate, and at most `CATCH_UP_MS` of it.
 */
import { epochMs } from "./types.ts";
import type { EpochMs, QueueId, QueueName } from "./types.ts";

/** `cancelling`: whoever is at it ends it. */
export type MoveTaskStatus = "running" | "cancelling" | "completed" | "cancelled" | "failed";

/** `queue-missing`: where a message was to go is gone. `origin-unknown`: it was not dead-lettered, and no queue was named. */
export type MoveTaskFailure = "queue-missing" | "origin-unknown";

export interface MoveTask {
  readonly taskId: string;
  /** The source. */
  readonly queueId: QueueId;
  readonly queue: QueueName;
  /** Absent: each message goes back to the queue that it came from. */
  readonly to?: QueueName;
  /** 1–500; absent: as fast as it goes. */
  readonly ratePerSecond?: number;
  readonly status: MoveTaskStatus;
  readonly failure?: MoveTaskFailure;
  /** About: what a crash kept from being written down is not in it. */
  readonly moved: number;
  /** What was ready in the source at its start; it moves no more than that. */
  readonly total: number;
  readonly startedAt: EpochMs;
  readonly updatedAt: EpochMs;
  /** One more with every change. */
  readonly version: number;
  /** Nobody but its holder goes on with it before: a lease while a slice is under way, else a pause. */
  readonly notBefore: EpochMs;
  /** N1: when its rate lets the next message go. */
  readonly nextAt: EpochMs;
}

/** What a move has done, kept up to date while it goes on, so that it is known whatever ends it. */
export interface MoveProgress {
  moved: number;
  /** Messages that had no queue to go to, and stay. */
  stuck: number;
  /** Of those, the ones that were not dead-lettered from anywhere. */
  strays: number;
  /** Every lane was seen to have nothing more to give. */
  isThrough: boolean;
}

export const noProgress = (): MoveProgress => ({
  moved: 0,
  stuck: 0,
  strays: 0,
  isThrough: false,
});

/** Of a task with a rate, from the beginning of one slice to the next. */
export const RATE_STEP_MS = 1_000;
/** The janitor works for 50 s of each minute. */
export const CATCH_UP_MS = 20_000;
const CATCH_UP_SPEED = 1.25;

export const isActive = ({ status }: Pick<MoveTask, "status">): boolean =>
  status === "running" || status === "cancelling";

/** When there is something to do for it; at once for one that has ended, which is to be put away. */
export function dueAt({ status, startedAt, notBefore, nextAt }: MoveTask): EpochMs {
  if (status === "running") return epochMs(Math.max(notBefore, nextAt));
  return status === "cancelling" ? notBefore : startedAt;
}

/** N1: how many messages it may move in a slice that begins now. */
export function allowance(task: MoveTask, now: EpochMs): number {
  const left = Math.max(0, task.total - task.moved);
  if (task.ratePerSecond === undefined) return left;
  const from = Math.max(task.nextAt, now - CATCH_UP_MS);
  const owed = now < from ? 0 : Math.floor(((now - from) * task.ratePerSecond) / 1000) + 1;
  const step = Math.ceil((task.ratePerSecond * CATCH_UP_SPEED * RATE_STEP_MS) / 1000);
  return Math.min(left, owed, step);
}

/** What a slice that began at `began` leaves: when the next one may begin, and the next message go. */
export function paced(
  task: MoveTask,
  began: EpochMs,
  moved: number,
): Pick<MoveTask, "notBefore" | "nextAt"> {
  if (task.ratePerSecond === undefined) return { notBefore: began, nextAt: began };
  const from = Math.max(task.nextAt, began - CATCH_UP_MS);
  return {
    notBefore: epochMs(began + RATE_STEP_MS),
    nextAt: epochMs(Math.round(from + (moved * 1000) / task.ratePerSecond)),
  };
}

/** Of a task that meets messages which have nowhere to go; those that have are moved first. */
export function failureOf(
  { to, moved, total }: MoveTask,
  progress: MoveProgress,
): MoveTaskFailure | undefined {
  if (progress.stuck === 0 || moved >= total) return undefined;
  if (to !== undefined) return "queue-missing";
  if (progress.moved > 0 && !progress.isThrough) return undefined;
  return progress.strays > 0 ? "origin-unknown" : "queue-missing";
}
