/** Move tasks in AWS's words: what is asked, what is answered, and what is refused how. */
import { describe, expect, it } from "vitest";
import { callerWith } from "../../src/core/scope.ts";
import type { ApiKeyScope } from "../../src/core/scope.ts";
import { epochMs, queueName } from "../../src/core/types.ts";
import type { Action } from "../../src/sqs/action.ts";
import {
  cancelMessageMoveTask,
  listMessageMoveTasks,
  startMessageMoveTask,
} from "../../src/sqs/move-tasks.ts";
import { ALL, DEAD, Q, texts } from "../service/fixture.ts";
import { queryRequest, sqsFixture } from "./requests.ts";

const OTHER = queueName("other");
const arn = (name: string): string => `arn:aws:sqs:us-east-1:000000000000:${name}`;
const handle = (taskId: string, sourceArn: string): string =>
  Buffer.from(`{"taskId":"${taskId}","sourceArn":"${sourceArn}"}`).toString("base64");

/** A face, and a dead-letter queue with so many messages. */
async function dead(count: number, options: Parameters<typeof sqsFixture>[0] = {}) {
  const { world, service, ...fixture } = sqsFixture(options);
  await service.putQueue(DEAD, { lanes: 1 });
  await service.putQueue(OTHER, { lanes: 1 });
  await service.putQueue(Q, { lanes: 1, maxReceives: 1, deadLetter: { queue: DEAD } });
  await service.send(Q, texts(count));
  await service.receive(Q, { ...ALL, leaseSeconds: 1 });
  await world.advance(2_000);
  await service.receive(Q, ALL);
  const run = (ms = 60_000) => world.through(service.runMoves(epochMs(world.now() + ms)));
  return { world, service, run, ...fixture };
}

interface Listed {
  readonly Results: readonly Readonly<Record<string, unknown>>[];
}

describe("StartMessageMoveTask", () => {
  it("answers a handle, which tells the task and its source", async () => {
    const { call } = await dead(2);
    const { TaskHandle, ...rest } = await call("StartMessageMoveTask", {
      SourceArn: arn(DEAD),
      DestinationArn: arn(OTHER),
    });
    expect(rest).toEqual({});
    expect(JSON.parse(Buffer.from(String(TaskHandle), "base64").toString())).toEqual({
      taskId: expect.stringMatching(
        /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      ),
      sourceArn: arn(DEAD),
    });
  });

  it("is refused as AWS refuses it", async () => {
    const { service, call } = await dead(3);
    await service.putQueue(queueName("other.fifo"), { order: "key" });
    const start = (input: object) => call("StartMessageMoveTask", input);
    const invalid = (message: string) => ({
      __type: "com.amazon.coral.service#InvalidParameterValueException",
      message,
    });
    const missing = (parameter: string) => ({
      __type: "com.amazonaws.sqs#ResourceNotFoundException",
      message: `The resource that you specified for the ${parameter} parameter doesn't exist.`,
    });
    expect(await start({})).toMatchObject({
      message: "The request must contain the parameter SourceArn.",
    });
    expect(await start({ SourceArn: arn(Q) })).toEqual(
      invalid("Source queue must be configured as a Dead Letter Queue."),
    );
    expect(await start({ SourceArn: arn("none") })).toEqual(missing("SourceArn"));
    expect(await start({ SourceArn: arn(DEAD), DestinationArn: arn("none") })).toEqual(
      missing("DestinationArn"),
    );
    expect(await start({ SourceArn: "dead" })).toEqual(
      invalid("Value for parameter SourceArn is invalid."),
    );
    for (const name of [DEAD, "other.fifo"])
      expect(await start({ SourceArn: arn(DEAD), DestinationArn: arn(name) })).toMatchObject({
        __type: "com.amazon.coral.service#InvalidParameterValueException",
      });
    for (const MaxNumberOfMessagesPerSecond of [0, 501])
      expect(await start({ SourceArn: arn(DEAD), MaxNumberOfMessagesPerSecond })).toEqual(
        invalid(
          `Value ${MaxNumberOfMessagesPerSecond} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and 500, if provided.`,
        ),
      );
    await start({ SourceArn: arn(DEAD), MaxNumberOfMessagesPerSecond: 1 });
    expect(await start({ SourceArn: arn(DEAD) })).toEqual(
      invalid(
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
      ),
    );
  });

  it("takes the right to manage its source, and to send to or manage its destination", async () => {
    const { world, service } = await dead(1);
    const by = (...scopes: ApiKeyScope[]) => {
      const where = { endpoint: "http://localhost", account: "000000000000", region: "us-east-1" };
      const caller = callerWith(scopes);
      const call = {
        ...where,
        service,
        caller,
        relaxed: false,
        now: () => world.now(),
        signal: undefined,
      };
      return (action: Action, input: object): Promise<unknown> =>
        action.run(call, input).catch((error: Error) => error.name);
    };
    const manager: ApiKeyScope = { actions: ["manage"], queues: DEAD };
    const tasks = { SourceArn: arn(DEAD), MaxResults: 1 };
    const there = { SourceArn: arn(DEAD), DestinationArn: arn(OTHER) };
    const TaskHandle = handle("none", arn(DEAD));
    const sender = by({ actions: ["send", "receive"], queues: "*" });
    expect(await sender(startMessageMoveTask, tasks)).toBe("AccessDenied");
    expect(await sender(listMessageMoveTasks, tasks)).toBe("AccessDenied");
    expect(await sender(cancelMessageMoveTask, { TaskHandle })).toBe("AccessDenied");
    expect(await by(manager)(startMessageMoveTask, there)).toBe("AccessDenied");
    expect(await by(manager)(listMessageMoveTasks, tasks)).toEqual({ Results: [] });
    for (const action of ["send", "manage"] as const) {
      const both = by(manager, { actions: [action], queues: OTHER });
      expect(await both(startMessageMoveTask, there)).toHaveProperty("TaskHandle");
    }
  });
});

describe("ListMessageMoveTasks", () => {
  it("tells the latest one, or more, the latest first; a handle only of what runs", async () => {
    const { world, run, call } = await dead(4);
    const list = async (MaxResults?: number): Promise<Listed["Results"]> => {
      const answer = await call("ListMessageMoveTasks", { SourceArn: arn(DEAD), MaxResults });
      return (answer as unknown as Partial<Listed>).Results ?? [];
    };
    expect(await list()).toEqual([]);
    const StartedTimestamp = world.now();
    const { TaskHandle } = await call("StartMessageMoveTask", {
      SourceArn: arn(DEAD),
      DestinationArn: arn(OTHER),
      MaxNumberOfMessagesPerSecond: 1,
    });
    const task = {
      TaskHandle,
      Status: "RUNNING",
      SourceArn: arn(DEAD),
      DestinationArn: arn(OTHER),
      MaxNumberOfMessagesPerSecond: 1,
      ApproximateNumberOfMessagesMoved: 0,
      ApproximateNumberOfMessagesToMove: 4,
      StartedTimestamp,
    };
    expect(await list()).toEqual([task]);
    await run();
    const { TaskHandle: _, ...ended } = task;
    const completed = { ...ended, Status: "COMPLETED", ApproximateNumberOfMessagesMoved: 4 };
    expect(await list()).toEqual([completed]);
    await call("StartMessageMoveTask", { SourceArn: arn(DEAD) });
    const [second, ...others] = await list(10);
    expect(second).toEqual({
      Status: "COMPLETED",
      SourceArn: arn(DEAD),
      ApproximateNumberOfMessagesMoved: 0,
      ApproximateNumberOfMessagesToMove: 0,
      StartedTimestamp: world.now(),
    });
    expect(others).toEqual([completed]);
    expect(await list()).toEqual([second]);
  });

  it("is the same in XML", async () => {
    const { ask, call } = await dead(1);
    await call("StartMessageMoveTask", { SourceArn: arn(DEAD) });
    const { status, text } = await ask(
      queryRequest("ListMessageMoveTasks", { SourceArn: arn(DEAD), MaxResults: "10" }),
    );
    expect(status).toBe(200);
    expect(text).toContain(
      `<ListMessageMoveTasksResult><ListMessageMoveTasksResultEntry><Status>COMPLETED</Status><SourceArn>${arn(DEAD)}</SourceArn><ApproximateNumberOfMessagesMoved>1</ApproximateNumberOfMessagesMoved>`,
    );
  });

  it("is refused for what is no queue, and for more than ten", async () => {
    const { call } = await dead(1);
    expect(await call("ListMessageMoveTasks", { SourceArn: arn("none") })).toMatchObject({
      message: "The resource that you specified for the SourceArn parameter doesn't exist.",
    });
    for (const MaxResults of [0, 11])
      expect(await call("ListMessageMoveTasks", { SourceArn: arn(DEAD), MaxResults })).toEqual({
        __type: "com.amazon.coral.service#InvalidParameterValueException",
        message: `Value ${MaxResults} for parameter MaxResults is invalid. Reason: Must be between 1 and 10, if provided.`,
      });
  });

  it("says why a task failed, as AWS does", async () => {
    const { service, call } = await dead(1);
    await service.send(DEAD, texts(1));
    const reason = async (): Promise<unknown> => {
      await call("StartMessageMoveTask", { SourceArn: arn(DEAD) });
      const answer = await call("ListMessageMoveTasks", { SourceArn: arn(DEAD) });
      const [task] = (answer as unknown as Listed).Results;
      return [task?.["Status"], task?.["FailureReason"]];
    };
    expect(await reason()).toEqual(["FAILED", "CouldNotDetermineMessageSource"]);
  });

  it("says that the destination is gone", async () => {
    const { service, run, call } = await dead(3);
    await call("StartMessageMoveTask", {
      SourceArn: arn(DEAD),
      DestinationArn: arn(OTHER),
      MaxNumberOfMessagesPerSecond: 1,
    });
    await service.deleteQueue(OTHER);
    await run();
    const answer = await call("ListMessageMoveTasks", { SourceArn: arn(DEAD) });
    expect((answer as unknown as Listed).Results).toMatchObject([
      { Status: "FAILED", FailureReason: "AWS.SimpleQueueService.NonExistentQueue" },
    ]);
  });
});

describe("CancelMessageMoveTask", () => {
  it("says how many were moved, and ends the task", async () => {
    const { world, run, call } = await dead(10);
    const input = { SourceArn: arn(DEAD), DestinationArn: arn(OTHER) };
    const { TaskHandle } = await call("StartMessageMoveTask", {
      ...input,
      MaxNumberOfMessagesPerSecond: 1,
    });
    await run(3_500);
    await world.advance(2_000);
    const { ApproximateNumberOfMessagesMoved: moved } = await call("CancelMessageMoveTask", {
      TaskHandle,
    });
    expect(moved).toBeGreaterThan(1);
    const listed = await call("ListMessageMoveTasks", { SourceArn: arn(DEAD) });
    expect((listed as unknown as Listed).Results).toMatchObject([
      { Status: "CANCELLED", ApproximateNumberOfMessagesMoved: moved },
    ]);
    expect(await call("CancelMessageMoveTask", { TaskHandle })).toEqual({
      __type: "com.amazon.coral.service#InvalidParameterValueException",
      message: "Only active tasks can be cancelled.",
    });
  });

  it("is refused for what is no handle, no queue's, or no task's", async () => {
    const { call } = await dead(1);
    const cancel = (TaskHandle: string) => call("CancelMessageMoveTask", { TaskHandle });
    for (const text of ["foobared", "", "bnVsbA==", handle("x", "no arn"), "e30="])
      expect(await cancel(text)).toEqual({
        __type: "com.amazon.coral.service#InvalidParameterValueException",
        message: "Value for parameter TaskHandle is invalid.",
      });
    expect(await cancel(handle("10f57157-fc38-4da9-a113-4de7e12d05dd", arn("none")))).toEqual({
      __type: "com.amazonaws.sqs#ResourceNotFoundException",
      message: "The resource that you specified for the SourceArn parameter doesn't exist.",
    });
    expect(await cancel(handle("10f57157-fc38-4da9-a113-4de7e12d05aa", arn(Q)))).toEqual({
      __type: "com.amazonaws.sqs#ResourceNotFoundException",
      message: "Task does not exist.",
    });
  });
});
