/**
 * The items of move tasks: the active one of each source, and those that have ended.
 *
 * N2  A source has one active task: its item is made where there is none, and every change is
 *     conditional on the task and the version that it was made from.
 * N3  A task ends by one change of its status. Then it is put among those that have ended, and only
 *     then deleted; whoever meets it in between goes on with that. A late copy of its creation makes it
 *     anew, as if it had never gone on: so who finds an active one, or has just changed what it had found
 *     before, looks among those that have ended.
 */
import { LIMITS } from "../core/limits.ts";
import { isActive } from "../core/move-task.ts";
import type { MoveTask, MoveTaskFailure, MoveTaskStatus } from "../core/move-task.ts";
import { epochMs, queueId } from "../core/types.ts";
import type { QueueId, QueueName } from "../core/types.ts";
import { endedMoveTaskKey, endedMoveTasksKey, MOVE_TASKS, moveTaskKey } from "../store/keys.ts";
import { absent, all, equal } from "../store/port.ts";
import type { Attributes, Item } from "../store/port.ts";
import type { Deps } from "./deps.ts";

const PAGE = 100;

export class MoveTaskItems {
  readonly #deps: Pick<Deps, "store" | "clock">;

  constructor(deps: Pick<Deps, "store" | "clock">) {
    this.#deps = deps;
  }

  /** The task of a source that has not been put among those that have ended. */
  async find(queue: QueueId): Promise<MoveTask | undefined> {
    const item = await this.#deps.store.get("catalog", moveTaskKey(queue), { consistent: true });
    const task = item === undefined ? undefined : parseTask(item);
    return task !== undefined && isActive(task) && (await this.#hasEnded(task)) ? undefined : task;
  }

  /** Of every source; some may have ended before (N3). `consistent` costs twice as much. */
  async list(options: { consistent: boolean }): Promise<MoveTask[]> {
    const tasks: MoveTask[] = [];
    let from: string | undefined;
    do {
      const page = await this.#deps.store.query("catalog", MOVE_TASKS, {
        ...(from === undefined ? {} : { from: `${from}\0` }),
        limit: PAGE,
        ...options,
      });
      tasks.push(...page.items.map(parseTask));
      from = page.more ? page.items.at(-1)?.sk : undefined;
    } while (from !== undefined);
    return tasks;
  }

  /** N2: gives the task that is there then: this one, or another. */
  async create(task: MoveTask): Promise<MoveTask> {
    const item = { ...moveTaskKey(task.queueId), ...attributesOf(task) };
    const result = await this.#deps.store.put("catalog", item, absent("pk"));
    return result.ok || result.found === undefined ? task : parseTask(result.found);
  }

  /** N2: `undefined`: somebody else has changed or ended it. */
  async change(
    task: MoveTask,
    changes: Partial<Pick<MoveTask, "status" | "failure" | "moved" | "notBefore" | "nextAt">>,
  ): Promise<MoveTask | undefined> {
    const updatedAt = this.#deps.clock.now();
    const next = { ...task, ...changes, updatedAt, version: task.version + 1 };
    const item = { ...moveTaskKey(task.queueId), ...attributesOf(next) };
    const guard = all(equal(["taskId"], task.taskId), equal(["version"], task.version));
    const { ok } = await this.#deps.store.put("catalog", item, guard);
    return ok ? next : undefined;
  }

  /** As `change`, by one who was not at it (N3). */
  async enter(
    task: MoveTask,
    changes: Partial<Pick<MoveTask, "status" | "notBefore">>,
  ): Promise<MoveTask | undefined> {
    const changed = await this.change(task, changes);
    return changed !== undefined && (await this.#hasEnded(changed)) ? undefined : changed;
  }

  /** N3: one that was made anew goes. */
  async #hasEnded(task: MoveTask): Promise<boolean> {
    const { store } = this.#deps;
    const key = endedMoveTaskKey(task.queueId, task.startedAt, task.taskId);
    if ((await store.get("lanes", key, { consistent: true })) === undefined) return false;
    await this.#delete(task);
    return true;
  }

  async #delete({ queueId: queue, taskId }: MoveTask): Promise<void> {
    await this.#deps.store.delete("catalog", moveTaskKey(queue), equal(["taskId"], taskId));
  }

  /** N3 */
  async putAway(task: MoveTask): Promise<void> {
    const { store, clock } = this.#deps;
    const ttl = Math.ceil((clock.now() + LIMITS.moveTaskKeptMs) / 1000);
    const key = endedMoveTaskKey(task.queueId, task.startedAt, task.taskId);
    await store.put("lanes", { ...key, ...attributesOf(task), ttl });
    await this.#delete(task);
  }

  /** The latest first. */
  async listEnded(queue: QueueId, limit: number): Promise<MoveTask[]> {
    const nowSeconds = this.#deps.clock.now() / 1000;
    const range = { limit, reverse: true, consistent: true };
    const page = await this.#deps.store.query("lanes", endedMoveTasksKey(queue), range);
    return page.items.filter((item) => (item["ttl"] as number) > nowSeconds).map(parseTask);
  }
}

/** What is absent of a task is left out. */
const attributesOf = (task: MoveTask): Attributes => ({ ...task });

function parseTask(item: Item): MoveTask {
  const [to, ratePerSecond, failure] = [item["to"], item["ratePerSecond"], item["failure"]];
  return {
    taskId: item["taskId"] as string,
    queueId: queueId(item["queueId"] as string),
    queue: item["queue"] as QueueName,
    ...(to === undefined ? {} : { to: to as QueueName }),
    ...(ratePerSecond === undefined ? {} : { ratePerSecond: ratePerSecond as number }),
    status: item["status"] as MoveTaskStatus,
    ...(failure === undefined ? {} : { failure: failure as MoveTaskFailure }),
    moved: item["moved"] as number,
    total: item["total"] as number,
    startedAt: epochMs(item["startedAt"] as number),
    updatedAt: epochMs(item["updatedAt"] as number),
    version: item["version"] as number,
    notBefore: epochMs(item["notBefore"] as number),
    nextAt: epochMs(item["nextAt"] as number),
  };
}
