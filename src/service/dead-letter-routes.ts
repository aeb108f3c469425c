/**
 * Where dead letters go through an exchange, and as what.
 *
 * H2  A message does not go back into a queue in which it has died before: who would go round in a circle
 *     has no way out.
 */
import { LIMITS } from "../core/limits.ts";
import type { GroupQueue } from "../core/group.ts";
import type { StoredMessage } from "../core/message.ts";
import type { RouteInput, Routed } from "../core/route.ts";
import type { ExchangeName, Offset, QueueName } from "../core/types.ts";
import { deathsOf, withDeath } from "../core/x-death.ts";
import type { Choices } from "./choices.ts";
import type { SegmentPlace } from "./claim.ts";
import type { Deps } from "./deps.ts";
import type { LogReader } from "./log.ts";
import type { Routing } from "./routing.ts";

interface Leaver {
  readonly offset: Offset;
  readonly message: StoredMessage;
}

/** Where messages die, and of what. */
export interface DeadFrom {
  readonly record: GroupQueue;
  readonly place: SegmentPlace;
  readonly why: "deadLetter" | "expired";
}

export interface DeadRoutes {
  /** What goes into each queue. */
  readonly copies: ReadonlyMap<QueueName, readonly Leaver[]>;
  /** What has nowhere to go. */
  readonly stuck: readonly Leaver[];
}

export class DeadLetterRoutes {
  readonly #deps: Pick<Deps, "clock">;
  readonly #routing: Routing;
  readonly #choices: Choices;
  readonly #log: LogReader;

  constructor(deps: Pick<Deps, "clock">, routing: Routing, choices: Choices, log: LogReader) {
    this.#deps = deps;
    this.#routing = routing;
    this.#choices = choices;
    this.#log = log;
  }

  async route(
    exchange: ExchangeName,
    from: DeadFrom,
    messages: readonly Leaver[],
  ): Promise<DeadRoutes> {
    const { record, place } = from;
    const copies = new Map<QueueName, Leaver[]>();
    const stuck: Leaver[] = [];
    const bodies = await Promise.all(
      messages.map(({ message }) => this.#log.body(record.queueId, message)),
    );
    // Of what has no body any more nothing can be moved.
    const whole = messages.flatMap((one, index) => {
      const body = bodies[index];
      return body === undefined ? [] : [{ ...one, message: withBody(one.message, body) }];
    });
    const inputs = whole.map((one) => this.#inputOf(exchange, from, one));
    const routed = await this.#routing.route(inputs);
    for (const [index, one] of whole.entries()) {
      const [input, first] = [inputs[index], routed[index]];
      if (input === undefined || first === undefined) continue;
      const { queues } = await this.#chosen(place, one, input, first);
      const died = new Set(deathsOf(one.message.headers).map(({ queue }) => queue));
      const open = [...queues].filter(([queue]) => queue !== record.name && !died.has(queue));
      if (open.length === 0) stuck.push(one);
      for (const [queue, content] of open) {
        const origin = { exchange, routingKey: input.routingKey };
        const message = { ...one.message, ...content, ...origin };
        copies.set(queue, [...(copies.get(queue) ?? []), { ...one, message }]);
      }
    }
    return { copies, stuck };
  }

  #inputOf(
    exchange: ExchangeName,
    { record: { name, settings }, place, why }: DeadFrom,
    { offset, message }: Leaver,
  ): RouteInput {
    const own = message.routingKey ?? name;
    const { deadLetter } = settings;
    const routingKey =
      (deadLetter?.exchange === exchange ? deadLetter.routingKey : undefined) ?? own;
    const headers = withDeath(message.headers, {
      queue: name,
      reason: why === "expired" ? "expired" : "maxReceives",
      at: this.#deps.clock.now(),
      exchange: message.exchange ?? "",
      routingKey: own,
    });
    return {
      exchange,
      routingKey,
      content: { ...message, headers },
      draw: { token: nameOf(place, offset) },
    };
  }

  async #chosen(
    place: SegmentPlace,
    { offset, message }: Leaver,
    input: RouteInput,
    routed: Routed,
  ): Promise<Routed> {
    if (!routed.isChosen) return routed;
    const until = Math.max(this.#deps.clock.now(), message.expiresAt);
    const ttl = Math.ceil((until + LIMITS.entryTtlAfterExpiryMs) / 1000);
    return this.#choices.kept(input, routed, `deadLetter#${nameOf(place, offset)}`, ttl);
  }
}

/** A message, as a group has it. After a seek it is another one, and may be moved again. */
export const nameOf = (
  { queue, lane, group, sought }: Omit<SegmentPlace, "generation" | "start">,
  offset: Offset,
): string => `${queue}#${lane}#${group}#${offset}${sought === 0 ? "" : `#${sought}`}`;

/** Its body in place of the parts that hold it. */
function withBody(message: StoredMessage, body: Uint8Array): StoredMessage {
  const { parts, ...rest } = message;
  return parts === undefined ? message : { ...rest, body };
}
