/**
 * What a balance exchange chose for a message that may come again.
 *
 * H1  The first choice counts: who comes again with the same message gets it, whatever the bindings say
 *     by then, so that no other queue gets a copy as well.
 * H3  An idempotency key stands for one request to an exchange: another one is refused.
 */
import { isLaneError, LaneError } from "../core/errors.ts";
import { isQueueName } from "../core/types.ts";
import type { RouteInput, Routed } from "../core/route.ts";
import type { QueueName } from "../core/types.ts";
import { choiceKey } from "../store/keys.ts";
import { absent, any, less } from "../store/port.ts";
import type { Condition, Item } from "../store/port.ts";
import type { Deps } from "./deps.ts";

export class Choices {
  readonly #deps: Pick<Deps, "store" | "clock">;

  constructor(deps: Pick<Deps, "store" | "clock">) {
    this.#deps = deps;
  }

  /** What was routed now, to the queues that were chosen first. */
  async kept(input: RouteInput, routed: Routed, message: string, ttl: number): Promise<Routed> {
    const queues = [...routed.queues.keys()];
    if (queues.length === 0) return routed;
    const first = await this.#first(input.exchange, message, queues, ttl);
    // A queue that is bound no more is given the message as it came: it most likely has it already.
    const copies = first.map(
      (queue) => [queue, routed.queues.get(queue) ?? input.content] as const,
    );
    return { queues: new Map(copies), isChosen: true };
  }

  /** H3. @throws LaneError `idempotency-key-reused` */
  async claim(exchange: string, key: string, hash: string, ttl: number): Promise<void> {
    const { store } = this.#deps;
    const item: Item = { ...choiceKey(exchange, `request#${key}`), hash, ttl };
    const result = await store.put("lanes", item, this.#unlessKept());
    const kept = result.ok ? hash : result.found?.["hash"];
    if (kept === undefined || kept === hash) return;
    throw new LaneError(
      "idempotency-key-reused",
      `The key "${key}" has been used for another request to the exchange "${exchange}".`,
      { errors: [{ path: "headers.idempotency-key", message: "was used for another request" }] },
    );
  }

  #unlessKept(): Condition {
    return any(absent("pk"), less(["ttl"], Math.floor(this.#deps.clock.now() / 1000)));
  }

  /** Keeps `queues` as the choice, until `ttl` (seconds since 1970), or gives the one that was kept before. */
  async #first(
    exchange: string,
    message: string,
    queues: readonly QueueName[],
    ttl: number,
  ): Promise<readonly QueueName[]> {
    const { store } = this.#deps;
    const key = choiceKey(exchange, message);
    const item: Item = { ...key, queues, ttl };
    let found: Item | undefined;
    try {
      const result = await store.put("lanes", item, this.#unlessKept());
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
