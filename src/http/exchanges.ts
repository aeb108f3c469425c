/** The handlers of exchanges, bindings and publishing. */
import { LaneError } from "../core/errors.ts";
import type { Binding, BindingSettings, Exchange, ExchangeSettings } from "../core/exchange.ts";
import { invalid } from "../core/invalid.ts";
import { LIMITS } from "../core/limits.ts";
import type { OutgoingMessage } from "../core/message.ts";
import { DEFAULT_EXCHANGE, exchangeName, isQueueName } from "../core/types.ts";
import type { ExchangeName } from "../core/types.ts";
import type { PublishResult } from "../service/api.ts";
import { json, noContent, problem } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { demand, demandOn } from "./authorise.ts";
import type { Caller } from "../core/scope.ts";
import { bodyAs, exchangeOf, idOf } from "./call.ts";
import type { Call, Handler } from "./call.ts";
import { openCursor, sealCursor } from "./cursor.ts";
import { PUBLISH_FIELDS } from "./message-fields.ts";
import { idempotencyKeyOf, messagesOf } from "./message-in.ts";
import { iso } from "./message-out.ts";
import type { Operation } from "./routes.ts";
import { bindingSettings, exchangeSettings } from "./schemas/exchanges.ts";
import { pageQuery, prefixQuery } from "./schemas/fields.ts";
import { validate } from "./validate.ts";

export const EXCHANGE_OPERATIONS = {
  putExchange: async (call) => {
    const settings = bodyAs(exchangeSettings, call) as ExchangeSettings;
    if (settings.alternate !== null) demandTarget(call.caller, settings.alternate);
    const { created, exchange } = await call.service.putExchange(exchangeOf(call), settings);
    return json(created ? 201 : 200, JSON.stringify(exchangeJson(exchange)));
  },
  getExchange: async (call) =>
    json(200, JSON.stringify(exchangeJson(await call.service.getExchange(exchangeOf(call))))),
  listExchanges,
  deleteExchange: async (call) => {
    await call.service.deleteExchange(exchangeOf(call));
    return noContent();
  },
  putBinding: async (call) => {
    const settings = bodyAs(bindingSettings, call) as unknown as BindingSettings;
    if (settings.queue === undefined) demandTarget(call.caller, settings.exchange);
    // Else a key for some queues could have messages sent into others.
    else demand(call.caller, ["send", "manage"], settings.queue);
    const { created, binding } = await call.service.putBinding(
      exchangeOf(call),
      bindingIdOf(call),
      settings,
    );
    return json(created ? 201 : 200, JSON.stringify(bindingJson(binding)));
  },
  getBinding: async (call) => {
    const binding = await call.service.getBinding(exchangeOf(call), bindingIdOf(call));
    return json(200, JSON.stringify(bindingJson(binding)));
  },
  listBindings: async (call) => {
    const { service, event } = call;
    const exchange = exchangeOf(call);
    const query = validate(pageQuery, event.queryStringParameters ?? {});
    const madeFor = ["bindings", exchange];
    const after =
      query.cursor === undefined ? {} : { after: openCursor(query.cursor, madeFor, "cursor") };
    const page = await service.listBindings(exchange, { limit: query.limit, ...after });
    const cursor = page.next === undefined ? {} : { cursor: sealCursor(page.next, madeFor) };
    return json(200, JSON.stringify({ bindings: page.bindings.map(bindingJson), ...cursor }));
  },
  deleteBinding: async (call) => {
    await call.service.deleteBinding(exchangeOf(call), bindingIdOf(call));
    return noContent();
  },
  publish: async (call) => {
    const idempotencyKey = idempotencyKeyOf(call.event);
    const request = idempotencyKey === undefined ? undefined : { idempotencyKey };
    const exchange = exchangeOf(call);
    const messages = messagesOf(call.event, PUBLISH_FIELDS);
    if (exchange === DEFAULT_EXCHANGE) demandQueues(call.caller, messages);
    return publishAnswer(await call.service.publish(exchange, messages, request));
  },
} as const satisfies Partial<Record<Operation, Handler>>;

function bindingIdOf(call: Call): string {
  const id = idOf(call);
  if (new RegExp(`^[A-Za-z0-9_.-]{1,${LIMITS.bindingIdChars}}$`).test(id)) return id;
  throw invalid([
    {
      path: "id",
      message: `must be 1 to ${LIMITS.bindingIdChars} characters of A-Z a-z 0-9 _ - .`,
    },
  ]);
}

const demandTarget = (caller: Caller, exchange: ExchangeName): void =>
  demandOn(caller, ["send", "manage"], exchange);

/** To publish to the default exchange is to send to the queues named. */
function demandQueues(caller: Caller, messages: readonly OutgoingMessage[]): void {
  for (const { routingKey = "" } of messages) {
    if (isQueueName(routingKey)) demand(caller, ["send"], routingKey);
  }
}

/** Only exchanges that the caller may do something with; as `listQueues`, it reads on until the page is full. */
async function listExchanges({ service, event, caller }: Call): Promise<Answer> {
  const query = validate(prefixQuery, event.queryStringParameters ?? {});
  const prefix = query.prefix === undefined || query.prefix === "" ? {} : { prefix: query.prefix };
  const madeFor = ["exchanges", query.prefix ?? ""];
  let after: ExchangeName | undefined =
    query.cursor === undefined
      ? undefined
      : exchangeName(openCursor(query.cursor, madeFor, "cursor"));
  const seen: Exchange[] = [];
  let more = true;
  while (more && seen.length <= query.limit) {
    const page = await service.listExchanges({
      ...prefix,
      limit: caller.unlimited ? query.limit - seen.length + 1 : query.limit,
      ...(after === undefined ? {} : { after }),
    });
    seen.push(...page.exchanges.filter(({ name }) => caller.mayOn("any", name)));
    after = page.next;
    more = after !== undefined;
  }
  const exchanges = seen.slice(0, query.limit);
  const last = exchanges.at(-1);
  const cursor =
    last === undefined || (!more && seen.length <= query.limit)
      ? {}
      : { cursor: sealCursor(last.name, madeFor) };
  return json(200, JSON.stringify({ exchanges: exchanges.map(exchangeJson), ...cursor }));
}

/** 201 when something was stored; 200 when nothing was and nothing failed; a problem when all failed. */
function publishAnswer(results: readonly PublishResult[]): Answer {
  const failed = results.flatMap((result) => ("error" in result ? [result] : []));
  const [first] = failed;
  const body = { messages: results.map(resultJson) };
  if (first !== undefined && failed.length === results.length) {
    // "May have been stored" is true of the whole as soon as it is of one message.
    const worst =
      failed.find(({ error }) => error.code === "publish-incomplete") ??
      failed.find(({ error }) => error.code === "outcome-unknown") ??
      first;
    return problem(new LaneError(worst.error.code, worst.error.detail), body);
  }
  const isStored = results.some((result) => "queues" in result && (result.queues?.length ?? 0) > 0);
  return json(isStored ? 201 : 200, JSON.stringify(body));
}

const resultJson = (result: PublishResult): unknown =>
  "deliverAt" in result && result.deliverAt !== undefined
    ? { ...result, deliverAt: iso(result.deliverAt) }
    : result;

const exchangeJson = ({ name, settings, createdAt }: Exchange): Record<string, unknown> => ({
  name,
  settings,
  ...(name === DEFAULT_EXCHANGE ? {} : { createdAt: iso(createdAt) }),
});

const bindingJson = ({ id, ...settings }: Binding): Record<string, unknown> => ({
  id,
  ...settings,
});
