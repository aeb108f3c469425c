/**
 * A protocol small enough to be judged by eye, to judge the simulation by: callers add to one counter
 * by compare-and-set. `Damage` names the ways to get that wrong that the simulation must find.
 */
import { LaneError, isLaneError } from "../../src/core/errors.ts";
import type { Store } from "../../src/store/port.ts";
import { absent, add, equal, set } from "../../src/store/port.ts";
import { Engine } from "./engine.ts";
import { FaultCounts, drawFaults } from "./faults.ts";
import { createFaultyStore } from "./faulty-store.ts";
import { Instance } from "./instance.ts";
import type { World } from "./instance.ts";
import { Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";

export type Damage =
  "none" | "unguarded" | "retriesBlindly" | "believesStaleReads" | "forgetsToRetry";

const KEY = { pk: "counter", sk: "-" };
const CALLERS = 4;
const ADDITIONS = 6;

/** What is wrong in the end; `undefined`: the count is one that the answers allow. */
export async function runToy(
  seed: number,
  damage: Damage,
  trace?: (line: string) => void,
): Promise<string | undefined> {
  const random = new Random(seed);
  const scheduler = new Scheduler(1_800_000_000_000);
  const world: World = {
    scheduler,
    random,
    faults: drawFaults(random),
    ambush: undefined,
    met: new Map(),
    counts: new FaultCounts(),
    trace,
  };
  const engine = new Engine(world);
  let confirmed = 0;
  let unknown = 0;

  async function additions(number: number): Promise<void> {
    const instance = new Instance(`i${number}`, world);
    const store = createFaultyStore(world, engine, instance);
    for (let at = 0; at < ADDITIONS && !instance.isDead; at += 1) {
      const outcome = await new Promise<"done" | "unknown" | "refused">((resolve) => {
        instance.onDeath(() => resolve("unknown"));
        addOne(store, `${number}-${at}`, damage).then(
          () => resolve("done"),
          (error: unknown) =>
            resolve(isLaneError(error, "outcome-unknown") ? "unknown" : "refused"),
        );
      });
      if (outcome === "done") confirmed += 1;
      if (outcome === "unknown") unknown += 1;
      await scheduler.sleep(random.between(0, 20));
    }
  }

  await scheduler.run(async () => {
    await Promise.all(Array.from({ length: CALLERS }, (_, number) => additions(number)));
    await scheduler.sleep(600_000);
  }, 100_000);
  const item = await engine.store.get("lanes", KEY, { consistent: true });
  const counted = (item?.["count"] as number | undefined) ?? 0;
  trace?.(`count ${counted}`);
  if (counted < confirmed) return `${confirmed} confirmed, counted ${counted}`;
  if (counted > confirmed + unknown)
    return `${confirmed} confirmed, ${unknown} unknown, counted ${counted}`;
  return undefined;
}

async function addOne(store: Store, token: string, damage: Damage): Promise<void> {
  let unsure = false;
  for (;;) {
    const item = await store
      .get("lanes", KEY, { consistent: damage !== "believesStaleReads" })
      .catch((error: unknown) => {
        throw unsure
          ? new LaneError("outcome-unknown", "an earlier attempt may have been applied")
          : error;
      });
    const isOurs = item?.["tokens"] instanceof Set && item["tokens"].has(token);
    if (isOurs && damage !== "retriesBlindly") return;
    const count = (item?.["count"] as number | undefined) ?? 0;
    const isAsRead = item === undefined ? absent("count") : equal(["count"], count);
    const guard = damage === "unguarded" ? undefined : isAsRead;
    try {
      const edits = [set(["count"], count + 1), add("tokens", new Set([token]))];
      const result = await store.update("lanes", KEY, edits, guard);
      if (result.ok) return;
      if (damage === "forgetsToRetry") return;
      // Refused may be the second copy of a request whose first one was applied.
      unsure = true;
    } catch (error) {
      if (isLaneError(error, "outcome-unknown")) unsure = true;
      else if (unsure)
        throw new LaneError("outcome-unknown", "an earlier attempt may have been applied");
      else throw error;
    }
  }
}
