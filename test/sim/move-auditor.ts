/**
 * Judges move tasks by what callers were told of them, and by what stands in the engine when one is
 * written down as completed.
 */
import type { MoveTask } from "../../src/service/api.ts";
import type { Item, Key, TableName } from "../../src/store/port.ts";
import { MOVE_TASKS } from "../../src/store/keys.ts";
import type { Deployment } from "./deployment.ts";
import { Violation } from "./violation.ts";

type Ended = "completed" | "cancelled" | "failed";

/** A slice's lease on its task is longer than any pause. */
const LEASE_AT_LEAST_MS = 20_000;

interface Change {
  readonly table: TableName;
  readonly key: Key;
  readonly after: Item | undefined;
}

export class MoveAuditor {
  readonly #sim: Deployment;
  /** Ids of tasks whose start was answered. */
  readonly #started = new Set<string>();
  /** As what, and when that was told. */
  readonly #ended = new Map<string, { readonly as: Ended; readonly at: number }>();
  /** Those that were said to be ending by a cancellation. */
  readonly #cancelling = new Set<string>();
  /** When a segment's lease that leaves by a move was first written, by item and lease. */
  readonly #leaving = new Map<string, Map<string, number>>();
  /** When the last slice of a task began. */
  readonly #slices = new Map<string, number>();

  constructor(sim: Deployment) {
    this.#sim = sim;
  }

  started({ taskId }: MoveTask): void {
    this.#started.add(taskId);
  }

  cancelled(task: MoveTask, askedAt: number): void {
    if (task.status === "cancelling") this.#cancelling.add(task.taskId);
    this.seen(task, askedAt);
  }

  /** N3: what has ended stays so. An answer may be as old as its question. */
  seen({ taskId, status }: MoveTask, askedAt: number): void {
    const before = this.#ended.get(taskId);
    if (status === "running" || status === "cancelling") {
      const isOver = before !== undefined && before.at < askedAt;
      this.#expect(!isOver, `${taskId} was ${before?.as}, and is ${status} again`);
      return;
    }
    const isSame = before === undefined || before.as === status;
    this.#expect(isSame, `${taskId} was ${before?.as}, and is ${status}`);
    const isCancelled = status === "cancelled" || !this.#cancelling.has(taskId);
    this.#expect(isCancelled, `${taskId} was being cancelled, and is ${status}`);
    this.#ended.set(taskId, { as: status, at: before?.at ?? this.#sim.scheduler.now });
  }

  /** When everything is still; `listed`: all that are known, the latest first. */
  finish(listed: readonly MoveTask[]): void {
    for (const task of listed) this.seen(task, this.#sim.scheduler.now);
    const known = new Set(listed.map(({ taskId }) => taskId));
    for (const taskId of this.#started)
      this.#expect(known.has(taskId), `${taskId} was started, and is not listed`);
    const active = listed.filter(({ taskId }) => !this.#ended.has(taskId));
    this.#expect(active.length === 0, `${active[0]?.taskId} does not come to an end`);
  }

  wrote({ table, key, after }: Change): void {
    const { now } = this.#sim.scheduler;
    if (table === "lanes" && key.pk.startsWith("cursor#") && key.sk.includes("#")) {
      const before = this.#leaving.get(`${key.pk}/${key.sk}`);
      const ids = leavingIn(after).map((id): [string, number] => [id, before?.get(id) ?? now]);
      this.#leaving.set(`${key.pk}/${key.sk}`, new Map(ids));
    }
    if (table === "catalog" && key.pk === MOVE_TASKS && after !== undefined)
      this.#wroteTask(key.sk, after, now);
  }

  /** N5 */
  #wroteTask(queue: string, item: Item, now: number): void {
    const taskId = item["taskId"] as string;
    const holdsFor = (item["notBefore"] as number) - (item["updatedAt"] as number);
    if (item["status"] === "running" && holdsFor >= LEASE_AT_LEAST_MS)
      this.#slices.set(taskId, now);
    const began = this.#slices.get(taskId);
    if (item["status"] !== "completed" || began === undefined) return;
    for (const [segment, leases] of this.#leaving)
      for (const [id, since] of segment.startsWith(`cursor#${queue}#`) ? leases : [])
        if (since < began) {
          const told = `${taskId} is completed, and ${id} of ${segment} is under way since ${since}`;
          this.#sim.fail(new Violation("moves", told));
        }
  }

  #expect(holds: boolean, told: string): void {
    if (!holds) this.#sim.fail(new Violation("moves", told));
  }
}

/** Leases of a segment that leave by a move, and hold something. */
const leavingIn = (item: Item | undefined): string[] =>
  Object.entries(item ?? {}).flatMap(([name, value]) => {
    if (!name.startsWith("x#")) return [];
    const { d, v } = value as { d?: string; v?: boolean };
    const id = name.slice(2);
    return d !== undefined && v === true && item?.[`p#${id}`] !== undefined ? [id] : [];
  });
