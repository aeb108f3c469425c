/** Damages to move tasks (N2–N5). */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const ITEMS = "src/service/move-task-items.ts";
const TASKS = "src/service/move-tasks.ts";

const damage = damages(["moves"]);

export const MOVE_MUTANTS: readonly Mutant[] = [
  damage(
    "N2",
    "second-task-takes-the-place",
    ITEMS,
    'put("catalog", item, absent("pk"))',
    'put("catalog", item)',
  ),
  damage(
    "N2",
    "changes-what-it-has-not-read",
    ITEMS,
    'put("catalog", item, guard)',
    'put("catalog", item)',
  ),
  damage("N3", "ended-task-is-forgotten", ITEMS, 'await store.put("lanes", {', "void ({"),
  damage(
    "N3",
    "deletes-the-next-task",
    ITEMS,
    ', moveTaskKey(queue), equal(["taskId"], taskId));',
    ", moveTaskKey(queue));",
  ),
  damage(
    "N3",
    "ended-task-comes-back",
    ITEMS,
    "=== undefined) return false;\n    await this.#delete(task);",
    "!== null) return false;\n    await this.#delete(task);",
    ["corners"],
  ),
  damage(
    "N4",
    "completes-what-is-cancelled",
    TASKS,
    'if (noted?.status === "cancelling") return this.#end(noted, { status: "cancelled" });',
    'if (noted?.status === "cancelling") return this.#end(noted, { status: "completed" });',
  ),
  damage(
    "N5",
    "completes-over-what-is-under-way",
    TASKS,
    "isAll && (await this.#redriver.isUnderWay(queue))",
    "false",
  ),
];
