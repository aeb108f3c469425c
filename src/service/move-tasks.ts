/**
 * Move tasks: redriving in the background, at a rate, with progress, until done or cancelled.
 *
 * A task is gone on with in slices by whoever is awake: its start for a moment, then the janitor's
 * minute, or the embedded runtime at once. What moves is the redriver's, exactly once; so two that are
 * at one task do no harm but to its rate.
 *
 * N4  Between slices a task is looked at afresh: who cancels it, or takes it over from a dead runner,
 *     waits for one slice at most.
 * N5  A task is completed only when nothing that was claimed for a move is under way any more: then the
 *     source may be deleted.
 * N6  Tasks take turns: no slice keeps the others waiting for longer than it may last.
 */
import { isLaneError } from "../core/errors.ts";
import { asSeenByDefault } from "../core/group.ts";
import { LIMITS } from "../core/limits.ts";
import {
  allowance,
  dueAt,
  failureOf,
  isActive,
  noProgress,
  paced,
  RATE_STEP_MS,
} from "../core/move-task.ts";
import type { MoveTask } from "../core/move-task.ts";
import type { QueueRecord } from "../core/queue.ts";
import { epochMs } from "../core/types.ts";
import type { EpochMs, QueueName } from "../core/types.ts";
import type { CancelledMove, StartedMove } from "./api.ts";
import type { Catalog } from "./catalog.ts";
import type { Gauge } from "./depth.ts";
import { randomUuid } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { MoveTaskItems } from "./move-task-items.ts";
import type { Redriver } from "./redrive.ts";
import type { Sources } from "./sources.ts";

/** What a start does itself, before it answers. */
const START_MS = 1_000;
const SLICE_MS = 2_000;
/** A slice and the longest that its last batch may take. */
const LEASE_MS = 30_000;
/** After a slice that failed, or one that found messages of another runner under way. */
const RETRY_MS = 5_000;
/** Tasks that are at it at the same time; each holds a batch of messages. */
const AT_ONCE = 4;
/** What another instance started is known after this long where nothing is known to be active. */
const LISTED_MS = 30_000;
const ATTEMPTS = 5;

export class MoveTasks {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #sources: Sources;
  readonly #redriver: Redriver;
  readonly #gauge: Gauge;
  readonly #items: MoveTaskItems;
  /** When it was seen that there are none. */
  #noneAt: EpochMs | undefined;
  /** By this instance: what was seen before one says nothing of it. */
  #starts = 0;

  constructor(
    deps: Deps,
    catalog: Catalog,
    sources: Sources,
    redriver: Redriver,
    gauge: Gauge,
    items: MoveTaskItems,
  ) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#sources = sources;
    this.#redriver = redriver;
    this.#gauge = gauge;
    this.#items = items;
  }

  /** @throws LaneError `queue-not-found` of the source, and the store's. */
  async start(
    name: QueueName,
    request: { to?: QueueName; ratePerSecond?: number },
  ): Promise<StartedMove> {
    const record = await this.#catalog.fresh(name);
    if ((await this.#sources.live(record)).length === 0)
      return { refused: "not-a-dead-letter-queue" };
    if (request.to !== undefined) {
      const target = await this.#find(request.to);
      if (target === undefined) return { refused: "no-such-destination" };
      if (target.queueId === record.queueId) return { refused: "same-queue" };
      if ((target.settings.order === "none") !== (record.settings.order === "none"))
        return { refused: "other-order" };
    }
    const before = await this.#items.find(record.queueId);
    if (before !== undefined && isActive(before)) return { refused: "already-active" };
    if (before !== undefined) await this.#items.putAway(before);
    const { depth } = await this.#gauge.measure(asSeenByDefault(record));
    const task = this.#newTask(record, request, depth.ready);
    const made = await this.#items.create(task);
    if (made.taskId !== task.taskId) return { refused: "already-active" };
    this.#noneAt = undefined;
    this.#starts += 1;
    return { task: (await this.#turn(task, epochMs(task.startedAt + START_MS))) ?? task };
  }

  /** The latest first; those that have ended, for as long as they are kept. */
  async list(name: QueueName, limit: number): Promise<readonly MoveTask[]> {
    const { queueId } = await this.#catalog.fresh(name);
    const current = await this.#items.find(queueId);
    const ended = await this.#items.listEnded(queueId, limit);
    const others = ended.filter(({ taskId }) => taskId !== current?.taskId);
    return (current === undefined ? others : [current, ...others]).slice(0, limit);
  }

  /** The task ends now, or when the slice that is under way is over. */
  async cancel(name: QueueName, taskId: string): Promise<CancelledMove> {
    const { queueId } = await this.#catalog.fresh(name);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const task = await this.#items.find(queueId);
      if (task?.taskId !== taskId) break;
      if (task.status !== "running") return { refused: "not-running" };
      const isHeld = task.notBefore > this.#deps.clock.now();
      const status = isHeld ? "cancelling" : "cancelled";
      const changed = await this.#items.enter(task, { status });
      if (changed === undefined) continue;
      if (!isHeld) await this.#items.putAway(changed);
      return { task: changed };
    }
    const ended = await this.#items.listEnded(queueId, LIMITS.moveTasksListed);
    const isKnown = ended.some((task) => task.taskId === taskId);
    return { refused: isKnown ? "not-running" : "no-such-task" };
  }

  /**
   * Goes on with all tasks until the deadline, or until nothing is to be done before it; cheap while
   * there are none. Gives how many slices that were.
   */
  async run(deadline: EpochMs, signal?: AbortSignal): Promise<number> {
    const { clock, sleep } = this.#deps;
    let slices = 0;
    if (this.#noneAt !== undefined && Math.abs(clock.now() - this.#noneAt) < LISTED_MS) return 0;
    const isOver = (): boolean => clock.now() >= deadline || signal?.aborted === true;
    while (!isOver()) {
      const seenAt = clock.now();
      const starts = this.#starts;
      // The first look says mostly that there is nothing.
      const tasks = await this.#items.list({ consistent: slices > 0 });
      this.#noneAt = tasks.length === 0 && starts === this.#starts ? seenAt : undefined;
      const due = tasks.filter((task) => dueAt(task) <= seenAt);
      const went = await this.#takeTurns(due, deadline, signal);
      slices += went;
      if (went > 0) continue;
      const next = Math.min(...tasks.map(dueAt));
      if (next >= deadline) break;
      // What is started, or cancelled, meanwhile is seen soon.
      const rest = due.length > 0 ? RATE_STEP_MS : next - clock.now();
      await sleep(Math.min(RATE_STEP_MS, Math.max(1, rest)), signal);
    }
    return slices;
  }

  /** N6. Gives how many slices came to their end. */
  async #takeTurns(
    tasks: readonly MoveTask[],
    deadline: EpochMs,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const waiting = tasks.values();
    let went = 0;
    const work = async (): Promise<void> => {
      for (const task of waiting) {
        if (this.#deps.clock.now() >= deadline || signal?.aborted === true) return;
        if ((await this.#turn(task, deadline, signal)) !== undefined) went += 1;
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, tasks.length) }, work));
    return went;
  }

  /** One slice, or what its end takes. Never throws; gives the task as it is then, where that is known. */
  async #turn(
    task: MoveTask,
    deadline: EpochMs,
    signal?: AbortSignal,
  ): Promise<MoveTask | undefined> {
    try {
      const now = this.#deps.clock.now();
      if (dueAt(task) > now) return task;
      if (!isActive(task)) return await this.#end(task);
      if (task.status === "cancelling") return await this.#end(task, { status: "cancelled" });
      const held = await this.#items.enter(task, { notBefore: epochMs(now + LEASE_MS) });
      return held && (await this.#slice(held, task, deadline, signal));
    } catch (error) {
      if (!isLaneError(error)) throw error;
      this.#deps.onEvent?.({ type: "moveFailed", queue: task.queue, error });
      return undefined;
    }
  }

  /** `before`: as it was when nobody was at it. */
  async #slice(
    held: MoveTask,
    before: MoveTask,
    deadline: EpochMs,
    signal: AbortSignal | undefined,
  ): Promise<MoveTask | undefined> {
    const began = this.#deps.clock.now();
    const source = await this.#find(held.queue);
    const target = held.to === undefined ? undefined : await this.#find(held.to);
    const isMissing = held.to !== undefined && target === undefined;
    if (source?.queueId !== held.queueId || isMissing)
      return this.#end(held, { status: "failed", failure: "queue-missing" });
    const queue = asSeenByDefault(source);
    const progress = noProgress();
    const max = allowance(before, began);
    let error: unknown;
    try {
      const until = epochMs(Math.min(deadline, began + SLICE_MS));
      const to = held.to === undefined ? {} : { to: held.to };
      const request = { ...to, max, deadline: until, ...(signal && { signal }) };
      await this.#redriver.move(queue, request, progress);
    } catch (cause) {
      error = cause;
    }
    const { moved } = progress;
    const isAll = held.moved + moved >= held.total || progress.isThrough;
    const isUnderWay = error === undefined && isAll && (await this.#redriver.isUnderWay(queue));
    const mustWait = error !== undefined || isUnderWay;
    const noted = await this.#note(held, moved, {
      ...paced(before, began, moved),
      ...(mustWait ? { notBefore: epochMs(this.#deps.clock.now() + RETRY_MS) } : {}),
    });
    if (error !== undefined) throw error;
    if (noted?.status === "cancelling") return this.#end(noted, { status: "cancelled" });
    if (noted?.status !== "running") return noted;
    const failure = failureOf(noted, progress);
    if (failure !== undefined) return this.#end(noted, { status: "failed", failure });
    return isAll && !isUnderWay ? this.#end(noted, { status: "completed" }) : noted;
  }

  /** Writes down what was moved, on whatever others have made of the task meanwhile. */
  async #note(
    held: MoveTask,
    moved: number,
    changes: Pick<MoveTask, "notBefore" | "nextAt">,
  ): Promise<MoveTask | undefined> {
    let task: MoveTask | undefined = held;
    for (let attempt = 0; attempt < ATTEMPTS && task?.taskId === held.taskId; attempt++) {
      const noted = await this.#items.change(task, { ...changes, moved: task.moved + moved });
      if (noted !== undefined) return noted;
      task = await this.#items.find(held.queueId);
    }
    return undefined;
  }

  /** N3 */
  async #end(
    task: MoveTask,
    ending?: Pick<MoveTask, "status" | "failure">,
  ): Promise<MoveTask | undefined> {
    const ended = ending === undefined ? task : await this.#items.change(task, ending);
    if (ended !== undefined) await this.#items.putAway(ended);
    return ended;
  }

  #newTask(
    { name, queueId }: QueueRecord,
    { to, ratePerSecond }: { to?: QueueName; ratePerSecond?: number },
    total: number,
  ): MoveTask {
    const now = this.#deps.clock.now();
    const isPaced = ratePerSecond !== undefined;
    return {
      taskId: randomUuid(this.#deps),
      queueId,
      queue: name,
      ...(to === undefined ? {} : { to }),
      ...(isPaced ? { ratePerSecond } : {}),
      status: "running",
      moved: 0,
      total,
      startedAt: now,
      updatedAt: now,
      version: 1,
      notBefore: isPaced ? epochMs(now + RATE_STEP_MS) : now,
      nextAt: isPaced ? epochMs(Math.round(now + 1000 / ratePerSecond)) : now,
    };
  }

  async #find(name: QueueName): Promise<QueueRecord | undefined> {
    try {
      return await this.#catalog.fresh(name);
    } catch (error) {
      if (isLaneError(error, "queue-not-found")) return undefined;
      throw error;
    }
  }
}
