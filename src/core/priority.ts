/**
 * Priorities: a set of lanes for each, and the order in which receives look at them.
 *
 * Y1  On a queue with priorities a lane's id says for good which one it serves: its last decimal digit.
 *     Ids are still never used twice (Q1).
 * Y2  `strict`: a lower priority is looked at only where the higher ones gave too little. `weighted`: each
 *     round draws its order, a priority of p coming before others with the weight p + 1, so that none
 *     starves.
 */
import type { Lanes } from "./queue.ts";
import type { LaneId } from "./types.ts";

export type Priorities = false | "strict" | "weighted";

/** From 0, the lowest, to 9. */
export const PRIORITIES = 10;
/** Of a message that names none. */
export const DEFAULT_PRIORITY = 0;

/** Y1 */
export const priorityOf = (lane: LaneId): number => lane % PRIORITIES;

export const lanesAt = (lanes: readonly LaneId[], priority: number): LaneId[] =>
  lanes.filter((lane) => priorityOf(lane) === priority);

/** The lanes with `count` open ones more of a priority. */
export function openLanesAt(lanes: Lanes, priority: number, count: number): Lanes {
  const first = lanes.next + ((priority - (lanes.next % PRIORITIES) + PRIORITIES) % PRIORITIES);
  const added = Array.from({ length: count }, (_, index) => (first + index * PRIORITIES) as LaneId);
  const last = added.at(-1);
  if (last === undefined) return lanes;
  return { ...lanes, open: [...lanes.open, ...added], next: last + 1 };
}

/** The lanes with only so many open at each priority as `keep` says; the others await their end entries. */
function closeLanesAt(lanes: Lanes, keep: (priority: number, count: number) => number): Lanes {
  const kept = new Set(
    Array.from({ length: PRIORITIES }, (_, priority) => {
      const here = lanesAt(lanes.open, priority);
      return here.slice(0, keep(priority, here.length));
    }).flat(),
  );
  const closing = lanes.open.filter((lane) => !kept.has(lane)).map((lane) => ({ lane, until: 0 }));
  return {
    ...lanes,
    open: lanes.open.filter((lane) => kept.has(lane)),
    ended: [...lanes.ended, ...closing],
  };
}

/** Half of what a quiet queue has: priorities other than the usual one go without. */
export const quietLanes = (lanes: Lanes): Lanes =>
  closeLanesAt(lanes, (priority, count) =>
    priority === DEFAULT_PRIORITY ? Math.ceil(count / 2) : Math.floor(count / 2),
  );

/** As many lanes at each priority that is in use. */
export function evenLanes(lanes: Lanes, wanted: number): Lanes {
  let result = closeLanesAt(lanes, () => wanted);
  for (let priority = 0; priority < PRIORITIES; priority++) {
    const count = lanesAt(result.open, priority).length;
    if (count > 0) result = openLanesAt(result, priority, wanted - count);
  }
  return result;
}

/** Y2: lanes in groups of one priority, in the order to look at them. */
export function byPriority(
  priorities: Exclude<Priorities, false>,
  lanes: readonly LaneId[],
  random: () => number,
): LaneId[][] {
  const used = [...new Set(lanes.map(priorityOf))].sort((a, b) => b - a);
  const order = priorities === "strict" ? used : drawn(used, random);
  return order.map((priority) => lanesAt(lanes, priority));
}

function drawn(priorities: readonly number[], random: () => number): number[] {
  const left = [...priorities];
  const order: number[] = [];
  while (left.length > 0) {
    let at = random() * left.reduce((sum, priority) => sum + priority + 1, 0);
    const index = left.findIndex((priority) => (at -= priority + 1) < 0);
    order.push(...left.splice(Math.max(0, index), 1));
  }
  return order;
}
