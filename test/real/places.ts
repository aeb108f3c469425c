/**
 * What stands in the logs once all is still: acked messages stay readable, so that a second copy shows
 * even if nobody ever received it.
 */
import type { MessageView, Service } from "../../src/service/api.ts";
import type { QueueName } from "../../src/core/types.ts";
import { Violation } from "../sim/violation.ts";

const PAGE = 1_000;

/**
 * Every message stands once where it was sent to, and once for each move: of one place there is one copy
 * in a dead-letter queue, of one such copy one that was redriven (C6), whatever crashed in between.
 */
export async function checkPlaces<T>(
  service: Service,
  queues: Iterable<{ readonly name: QueueName; readonly takesDead: boolean }>,
  /** Which message it is; throws where it is none, or another one than was sent. */
  identify: (view: MessageView) => T,
): Promise<ReadonlyMap<T, string>> {
  const homes = new Map<T, string>();
  const dead = new Map<string, string>();
  // Where it can be redriven from, less where it was redriven to.
  const balance = new Map<T, number>();
  for (const { name, takesDead } of queues) {
    for (const view of await everything(service, name)) {
      const place = `${view.place ?? view.id} of ${name}`;
      const message = identify(view);
      const { deadLetter } = view;
      if (view.place === undefined) once(homes, message, place);
      if (deadLetter !== undefined)
        once(dead, `${deadLetter.queueId}/${deadLetter.lane}/${deadLetter.offset}`, place);
      const change = takesDead ? 1 : view.place === undefined ? 0 : -1;
      const left = (balance.get(message) ?? 0) + change;
      balance.set(message, left);
    }
  }
  for (const [message, left] of balance)
    if (left < 0)
      throw new Violation("twice", `what stands at ${homes.get(message)} was redriven twice`);
  return homes;
}

function once<K>(places: Map<K, string>, what: K, place: string): void {
  const other = places.get(what);
  if (other !== undefined) throw new Violation("twice", `one message is at ${other} and ${place}`);
  places.set(what, place);
}

async function everything(service: Service, queue: QueueName): Promise<MessageView[]> {
  const views: MessageView[] = [];
  let page = await service.browse(queue, { limit: PAGE });
  views.push(...page.messages);
  while (page.next !== undefined) {
    page = await service.browse(queue, { limit: PAGE, from: page.next });
    views.push(...page.messages);
  }
  return views;
}
