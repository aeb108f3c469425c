/** What the scenes of corners share. */
import type { QueueName } from "../../src/core/types.ts";
import type { Incarnation, SettingChange } from "./ledger.ts";
import type { Operations } from "./operations.ts";
import type { Member, Simulation } from "./simulation.ts";

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const DAY_SECONDS = 86_400;
export const QUEUE = "queue1" as QueueName;
export const DEAD = "dead" as QueueName;

/** Changes of a queue's list of segments. */
export const LIST = { pk: "cursor#", sk: "default", on: "writes", chance: 1 } as const;

export interface Stage {
  readonly sim: Simulation;
  readonly operations: Operations;
}

export async function made({ operations }: Stage, settings: SettingChange): Promise<Incarnation> {
  await operations.create(QUEUE, settings, false);
  const queue = operations.queues.get(QUEUE);
  if (queue === undefined) throw new Error("it was made");
  return queue;
}

/** Until the ambush has been met; `false`: the moment is over. */
export async function sprung(sim: Simulation): Promise<boolean> {
  for (let left = 600; left > 0 && sim.world.ambush !== undefined; left -= 1)
    await sim.scheduler.sleep(1);
  const isMet = sim.world.ambush === undefined;
  sim.world.ambush = undefined;
  return isMet;
}

/** Somebody new, whom nobody but `by` calls. */
export function newcomer(sim: Simulation): Member {
  const member = sim.start();
  sim.members.pop();
  return member;
}

/** What is done reaches this member of the deployment. */
export function by<T>(sim: Simulation, member: Member, act: () => Promise<T>): Promise<T> {
  const others = sim.members.splice(0, Infinity, member);
  const done = act();
  sim.members.splice(0, Infinity, ...others);
  return done;
}
