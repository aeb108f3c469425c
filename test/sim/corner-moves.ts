/** A corner of move tasks: one that is made anew. */
import { MOVE_TASKS } from "../../src/store/keys.ts";
import { MoveAuditor } from "./move-auditor.ts";
import { DAY_SECONDS, DEAD, made, SECOND } from "./stage.ts";
import type { Stage } from "./stage.ts";

const LISTED = 10;

/** N3: the put that makes a task arrives again when the task has ended. */
export async function startedTwice(stage: Stage): Promise<void> {
  const { sim, operations } = stage;
  const { scheduler } = sim;
  await operations.create(DEAD, { retentionSeconds: 20 * DAY_SECONDS, lanes: 1 }, true);
  await made(stage, {
    retentionSeconds: DAY_SECONDS,
    lanes: 1,
    maxReceives: 1,
    deadLetter: { queue: DEAD },
  });
  const auditor = new MoveAuditor(sim);
  for (let left = 4; left > 0; left -= 1) {
    sim.world.ambush = { pk: MOVE_TASKS, on: "writes", chance: 1, does: "doubled", once: true };
    const started = await sim.call("start move", (service) => service.startMove(DEAD, {}));
    sim.world.ambush = undefined;
    const { value, span } = started;
    if (value !== undefined && "task" in value) auditor.seen(value.task, span.from);
    await scheduler.sleep(3 * SECOND);
    const listed = await sim.call("list moves", (service) => service.listMoves(DEAD, LISTED));
    for (const task of listed.value ?? []) auditor.seen(task, listed.span.from);
  }
}
