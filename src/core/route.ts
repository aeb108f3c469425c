/**
 * Where a message goes from an exchange: through bindings to queues and to further exchanges.
 *
 * W1  An exchange is passed once, so circles end; a queue gets a message once. Where several ways lead
 *     to one, the first counts: exchanges in the order in which they are reached, the bindings of one
 *     in the order of their ids.
 * W2  A message that no binding of an exchange takes goes to its alternate exchange. A binding whose
 *     target is gone, or whose transform the message does not pass, does not take it.
 *     The default exchange takes a routing key for the name of a queue.
 * W3  What bindings do to a message is seen by what is behind them and by nothing beside.
 */
import type { BindingTarget } from "./exchange.ts";
import { subjectOf } from "./pattern.ts";
import type { Draw, RoutingTable } from "./routing-table.ts";
import type { Content } from "./transform.ts";
import { DEFAULT_EXCHANGE, isQueueName } from "./types.ts";
import type { ExchangeName, QueueName } from "./types.ts";

export interface RouteInput {
  readonly exchange: ExchangeName;
  readonly routingKey: string;
  readonly content: Content;
  readonly draw: Draw;
}

export interface RouteWorld {
  /** `undefined`: there is no such exchange. */
  readonly table: (exchange: ExchangeName) => RoutingTable | undefined;
  readonly isQueue: (queue: QueueName) => boolean;
}

export interface Routed {
  readonly queues: ReadonlyMap<QueueName, Content>;
  /** A balance exchange chose: another time, with other bindings, it might choose otherwise. */
  readonly isChosen: boolean;
}

export function route(input: RouteInput, world: RouteWorld): Routed {
  const { routingKey, draw } = input;
  const queues = new Map<QueueName, Content>();
  const passed = new Set([input.exchange]);
  const open: { exchange: ExchangeName; content: Content }[] = [input];
  let isChosen = false;
  const isThere = (target: BindingTarget): boolean =>
    target.queue === undefined
      ? world.table(target.exchange) !== undefined
      : world.isQueue(target.queue);
  for (const { exchange, content } of open) {
    if (exchange === DEFAULT_EXCHANGE && isQueueName(routingKey) && world.isQueue(routingKey)) {
      if (!queues.has(routingKey)) queues.set(routingKey, content);
    }
    const table = world.table(exchange);
    if (table === undefined) continue;
    let taken = false;
    const subject = subjectOf(content);
    for (const { binding, transform } of table.match({ routingKey, subject, isThere, draw })) {
      const changed = transform === undefined ? content : transform(content);
      if (changed === undefined) continue;
      taken = true;
      if (binding.queue !== undefined) {
        if (!queues.has(binding.queue)) queues.set(binding.queue, changed);
      } else if (!passed.has(binding.exchange)) {
        passed.add(binding.exchange);
        open.push({ exchange: binding.exchange, content: changed });
      }
    }
    isChosen ||= taken && table.exchange.settings.type === "balance";
    const { alternate } = table.exchange.settings;
    if (!taken && alternate !== null && !passed.has(alternate)) {
      passed.add(alternate);
      open.push({ exchange: alternate, content });
    }
  }
  return { queues, isChosen };
}
