/** A planned topology on RabbitMQ: declared, published to, and what its queues end with. */
import { once } from "node:events";
import type { Channel, ChannelModel, ConfirmChannel } from "amqplib";
import type { Ended, Topology } from "./topology.ts";

export async function endOnRabbitMq(connection: ChannelModel, plan: Topology): Promise<Ended> {
  const channel = await connection.createConfirmChannel();
  await declare(channel, plan);
  const returned: string[] = [];
  channel.on("return", (message: { content: Buffer }) => {
    returned.push(message.content.toString());
  });
  for (const { exchange, routingKey, headers, body } of plan.messages)
    channel.publish(exchange, routingKey, Buffer.from(body), { headers, mandatory: true });
  await channel.waitForConfirms();
  const queues: Record<string, readonly string[]> = {};
  for (const queue of plan.queues) queues[queue] = (await drained(channel, queue)).sort();
  await undeclare(channel, plan);
  await channel.close();
  return { queues, returned: returned.sort() };
}

async function declare(channel: ConfirmChannel, plan: Topology): Promise<void> {
  for (const queue of plan.queues) await channel.assertQueue(queue, { durable: false });
  for (const { name, type, alternate } of plan.exchanges)
    await channel.assertExchange(name, type, {
      durable: false,
      ...(alternate === undefined ? {} : { alternateExchange: alternate }),
    });
  for (const { from, to, routingKey, headers, match } of plan.bindings) {
    const isHeaders = plan.exchanges.find(({ name }) => name === from)?.type === "headers";
    const given = isHeaders ? { ...headers, "x-match": match } : {};
    if ("queue" in to) await channel.bindQueue(to.queue, from, routingKey, given);
    else await channel.bindExchange(to.exchange, from, routingKey, given);
  }
}

async function undeclare(channel: ConfirmChannel, plan: Topology): Promise<void> {
  for (const queue of plan.queues) await channel.deleteQueue(queue);
  for (const { name } of plan.exchanges) await channel.deleteExchange(name);
}

async function drained(channel: Channel, queue: string): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) return bodies;
    bodies.push(message.content.toString());
  }
}

/** Refuses every delivery until the queue gives the message up. */
export async function refuseUntilGone(connection: ChannelModel, queue: string): Promise<number> {
  const channel = await connection.createChannel();
  let refused = 0;
  const { consumerTag } = await channel.consume(queue, (message) => {
    if (message === null) return;
    refused += 1;
    channel.nack(message, false, true);
  });
  await untilEmpty(channel, queue);
  await channel.cancel(consumerTag);
  await channel.close();
  return refused;
}

async function untilEmpty(channel: Channel, queue: string): Promise<void> {
  for (let empty = 0; empty < 3;) {
    const { messageCount } = await channel.checkQueue(queue);
    empty = messageCount === 0 ? empty + 1 : 0;
    await once(AbortSignal.timeout(100), "abort");
  }
}
