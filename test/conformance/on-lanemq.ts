/** The same topology on LaneMQ. */
import { exchangeName, queueName } from "../../src/core/types.ts";
import type { Service } from "../../src/service/api.ts";
import type { World } from "../service/fixture.ts";
import { drain, text } from "../service/fixture.ts";
import type { Ended, Topology } from "./topology.ts";

export async function endOnLaneMq(world: World, plan: Topology): Promise<Ended> {
  const service = world.instance();
  await declare(service, plan);
  const returned: string[] = [];
  for (const { name } of plan.exchanges) {
    const messages = plan.messages.filter(({ exchange }) => exchange === name);
    const results = await service.publish(
      exchangeName(name),
      messages.map(({ body, headers, routingKey }) => ({ ...text(body), headers, routingKey })),
    );
    for (const [index, result] of results.entries()) {
      if ("error" in result) throw new Error(result.error.detail);
      if ("unroutable" in result) returned.push(messages[index]?.body ?? "");
    }
  }
  const queues: Record<string, readonly string[]> = {};
  for (const queue of plan.queues) queues[queue] = (await drain(service, queueName(queue))).sort();
  return { queues, returned: returned.sort() };
}

async function declare(service: Service, plan: Topology): Promise<void> {
  for (const queue of plan.queues) await service.putQueue(queueName(queue), {});
  const types = new Map(plan.exchanges.map(({ name, type }) => [name, type]));
  for (const { name, type, alternate } of plan.exchanges)
    await service.putExchange(exchangeName(name), {
      type,
      alternate: alternate === undefined ? null : exchangeName(alternate),
      mandatory: true,
    });
  for (const [index, { from, to, routingKey, headers, match }] of plan.bindings.entries()) {
    const target =
      "queue" in to ? { queue: queueName(to.queue) } : { exchange: exchangeName(to.exchange) };
    const terms = types.get(from) === "headers" ? { headers, match } : { routingKey };
    await service.putBinding(exchangeName(from), `b${index}`, { ...target, ...terms });
  }
}
