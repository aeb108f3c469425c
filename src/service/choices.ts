/**
 * What a balance exchange chose for a message that may come again.
 *
 * H1  The first choice counts: who comes again with the same message gets it, whatever the bindings say
 *     by then, so that no other queue gets a copy as well.
 */
import { isLaneError } from "../core/errors.ts";
import { isQueueName } from "../core/types.ts";
import type { RouteInput, Routed } from "../core/route.ts";
import type { QueueName } from "../core/types.ts";
import { choiceKey } from "../store/keys.ts";
import { absent, any, less } from "../store/port.ts";
import type { Item } from "../store/port.ts";
import type { Deps } from "./deps.ts";

export class Choices {
  readonly #deps: Pick<Deps, "store" | "clock">;

  constructor(deps: Pick<Deps, "store" | "clock">) {
    this.#deps = deps;
  }

  /** What was routed now, to the queues that were chosen first. */
  async kept(input: RouteInput, routed: Routed, message: string, ttl: number): Promise<Routed> {
    const queues = [...routed.queues.keys()];
    const first = await this.#first(input.exchange, message, queues, ttl);
    // A queue that is bound no more is given the message as it came: it most likely has it already.
    const copies = first.map(
      (queue) => [queue, routed.queues.get(queue) ?? input.content] as const,
    );
    return { queues: new Map(copies), isChosen: true };
  }

  /** Keeps `queues` as the choice, until `ttl` (seconds since 1970), or gives the one that was kept before. */
  async #first(
    exchange: string,
    message: string,
    queues: readonly QueueName[],
    ttl: number,
  ): Promise<readonly QueueName[]> {
    const { store, clock } = this.#deps;
    const key = choiceKey(exchange, message);
    const item: Item = { ...key, queues, ttl };
    const guard = any(absent("pk"), less(["ttl"], Math.floor(clock.now() / 1000)));
    let found: Item | undefined;
    try {
      const result = await store.put("lanes", item, guard);
      if (result.ok) return queues;
      found = result.found;
    } catch (error) {
      if (!isLaneError(error, "outcome-unknown")) throw error;
      found = await store.get("lanes", key, { consistent: true });
      // It may still be applied, and then the same choice is made again: by the same bindings it is the same.
      if (found === undefined) throw error;
    }
    const kept = (found?.["queues"] as readonly string[] | undefined) ?? queues;
    return kept.filter(isQueueName);
  }
}
