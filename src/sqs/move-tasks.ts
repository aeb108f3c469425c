/**
 * StartMessageMoveTask, ListMessageMoveTasks, CancelMessageMoveTask.
 *
 * J14  A task's handle is its id and its source, as AWS has it, readable but of no use without the right
 *      to manage the source.
 */
import * as v from "valibot";
import { isLaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { QueueName } from "../core/types.ts";
import { isObject } from "../http/message-rules.ts";
import type { MoveTask, StartedMove } from "../service/api.ts";
import { action, demand } from "./action.ts";
import type { SqsCall } from "./action.ts";
import { invalidValue, SqsError } from "./errors.ts";
import { queueArn, queueOfArn } from "./queue-url.ts";

const wholeNumber = v.pipe(v.number(), v.integer());

export const startMessageMoveTask = action(
  v.object({
    SourceArn: v.string(),
    DestinationArn: v.optional(v.string()),
    MaxNumberOfMessagesPerSecond: v.optional(wholeNumber),
  }),
  async (call, { SourceArn, DestinationArn, MaxNumberOfMessagesPerSecond: ratePerSecond }) => {
    const source = nameOf("SourceArn", SourceArn);
    demand(call, "manage", source);
    const to =
      DestinationArn === undefined || DestinationArn === ""
        ? undefined
        : nameOf("DestinationArn", DestinationArn);
    // As a redrive: else a key for some queues could have messages moved into others.
    if (to !== undefined && !call.caller.may(["send"], to)) demand(call, "manage", to);
    within("MaxNumberOfMessagesPerSecond", ratePerSecond, LIMITS.moveRatePerSecondMax);
    const started = await ofSource(
      call.service.startMove(source, {
        ...(to === undefined ? {} : { to }),
        ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
      }),
    );
    if ("refused" in started) throw REFUSALS[started.refused]();
    return { TaskHandle: handleOf(call, started.task) };
  },
);

/** As AWS: the latest one alone, unless more are asked for. */
export const listMessageMoveTasks = action(
  v.object({ SourceArn: v.string(), MaxResults: v.optional(wholeNumber, 1) }),
  async (call, { SourceArn, MaxResults }) => {
    const source = nameOf("SourceArn", SourceArn);
    demand(call, "manage", source);
    within("MaxResults", MaxResults, LIMITS.moveTasksListed);
    const tasks = await ofSource(call.service.listMoves(source, MaxResults));
    return { Results: tasks.map((task) => entryOf(call, task)) };
  },
);

export const cancelMessageMoveTask = action(
  v.object({ TaskHandle: v.string() }),
  async (call, { TaskHandle }) => {
    const { source, taskId } = parseHandle(TaskHandle);
    demand(call, "manage", source);
    const cancelled = await ofSource(call.service.cancelMove(source, taskId));
    if ("task" in cancelled) return { ApproximateNumberOfMessagesMoved: cancelled.task.moved };
    if (cancelled.refused === "no-such-task")
      throw new SqsError("ResourceNotFoundException", "Task does not exist.");
    throw new SqsError("InvalidParameterValue", "Only active tasks can be cancelled.");
  },
);

const REFUSALS: Readonly<
  Record<Extract<StartedMove, { refused: string }>["refused"], () => SqsError>
> = {
  "not-a-dead-letter-queue": () =>
    new SqsError(
      "InvalidParameterValue",
      "Source queue must be configured as a Dead Letter Queue.",
    ),
  "no-such-destination": () => noResource("DestinationArn"),
  "same-queue": () =>
    new SqsError("InvalidParameterValue", "Source and destination must be different queues."),
  "other-order": () =>
    new SqsError(
      "InvalidParameterValue",
      "Source and destination must be queues of the same type, standard or FIFO.",
    ),
  "already-active": () =>
    new SqsError(
      "InvalidParameterValue",
      "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
    ),
};

const STATUS: Readonly<Record<MoveTask["status"], string>> = {
  running: "RUNNING",
  cancelling: "CANCELLING",
  completed: "COMPLETED",
  cancelled: "CANCELLED",
  failed: "FAILED",
};

const FAILURE: Readonly<Record<NonNullable<MoveTask["failure"]>, string>> = {
  "queue-missing": "AWS.SimpleQueueService.NonExistentQueue",
  "origin-unknown": "CouldNotDetermineMessageSource",
};

const entryOf = (call: SqsCall, task: MoveTask): object => ({
  ...(task.status === "running" ? { TaskHandle: handleOf(call, task) } : {}),
  Status: STATUS[task.status],
  SourceArn: queueArn(call, task.queue),
  ...(task.to === undefined ? {} : { DestinationArn: queueArn(call, task.to) }),
  ...(task.ratePerSecond === undefined ? {} : { MaxNumberOfMessagesPerSecond: task.ratePerSecond }),
  ApproximateNumberOfMessagesMoved: task.moved,
  ApproximateNumberOfMessagesToMove: task.total,
  ...(task.failure === undefined ? {} : { FailureReason: FAILURE[task.failure] }),
  StartedTimestamp: task.startedAt,
});

/** J14 */
const handleOf = (call: SqsCall, { taskId, queue }: MoveTask): string =>
  Buffer.from(JSON.stringify({ taskId, sourceArn: queueArn(call, queue) })).toString("base64");

function parseHandle(handle: string): { source: QueueName; taskId: string } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(handle, "base64").toString("utf8"));
  } catch {
    throw invalidParameter("TaskHandle");
  }
  const { taskId, sourceArn } = isObject(parsed) ? parsed : {};
  const source = typeof sourceArn === "string" ? queueOfArn(sourceArn) : undefined;
  if (typeof taskId !== "string" || source === undefined) throw invalidParameter("TaskHandle");
  return { source, taskId };
}

function nameOf(parameter: "SourceArn" | "DestinationArn", arn: string): QueueName {
  const name = queueOfArn(arn);
  if (name !== undefined) return name;
  throw invalidParameter(parameter);
}

const invalidParameter = (parameter: string): SqsError =>
  new SqsError("InvalidParameterValue", `Value for parameter ${parameter} is invalid.`);

function within(parameter: string, value: number | undefined, max: number): void {
  if (value === undefined || (value >= 1 && value <= max)) return;
  throw invalidValue(value, parameter, `Must be between 1 and ${max}, if provided.`);
}

/** Here AWS has its own words for a source that does not exist. */
async function ofSource<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw isLaneError(error, "queue-not-found") ? noResource("SourceArn") : error;
  }
}

const noResource = (parameter: "SourceArn" | "DestinationArn"): SqsError =>
  new SqsError(
    "ResourceNotFoundException",
    `The resource that you specified for the ${parameter} parameter doesn't exist.`,
  );
