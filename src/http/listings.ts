/** The calls that answer in pages: queues, keys, browse, what is scheduled. */
import * as v from "valibot";
import { epochMs, laneId, queueName } from "../core/types.ts";
import type { EpochMs, LaneId, QueueId, QueueName } from "../core/types.ts";
import { parseMessageId } from "../core/receipt.ts";
import type { ApiKeyView, QueueSummary } from "../service/api.ts";
import { json } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { isCursor, openCursor, sealCursor } from "./cursor.ts";
import { browsedJson, iso, scheduledJson } from "./message-out.ts";
import type { Call } from "./call.ts";
import { pageQuery, prefixQuery, time } from "./schemas/fields.ts";
import { browseQuery } from "./schemas/messages.ts";
import { invalid, validate } from "./validate.ts";

export async function listQueues(
  { service, event, caller }: Call,
  summary: (queue: QueueSummary) => Record<string, unknown>,
): Promise<Answer> {
  const query = validate(prefixQuery, event.queryStringParameters ?? {});
  const madeFor = ["queues", query.prefix ?? ""];
  const { queues, more } = await visibleQueues(
    { service, caller },
    {
      limit: query.limit,
      ...(query.prefix === undefined || query.prefix === "" ? {} : { prefix: query.prefix }),
      ...(query.cursor === undefined
        ? {}
        : { after: queueName(openCursor(query.cursor, madeFor, "cursor")) }),
    },
  );
  const last = more ? queues.at(-1) : undefined;
  const cursor = last === undefined ? {} : { cursor: sealCursor(last.name, madeFor) };
  return json(200, JSON.stringify({ queues: queues.map(summary), ...cursor }));
}

/**
 * Only queues that the caller may do something with. It reads on until the page is full, so that a
 * cursor never names a queue that the caller must not know of.
 */
export async function visibleQueues(
  { service, caller }: Pick<Call, "service" | "caller">,
  request: { readonly prefix?: string; readonly limit: number; readonly after?: QueueName },
): Promise<{ queues: readonly QueueSummary[]; more: boolean }> {
  const seen: QueueSummary[] = [];
  let { after } = request;
  let more = true;
  while (more && seen.length <= request.limit) {
    const page = await service.listQueues({
      ...(request.prefix === undefined ? {} : { prefix: request.prefix }),
      limit: caller.unlimited ? request.limit - seen.length + 1 : request.limit,
      ...(after === undefined ? {} : { after }),
    });
    seen.push(...page.queues.filter(({ name }) => caller.may("any", name)));
    after = page.next;
    more = after !== undefined;
  }
  return { queues: seen.slice(0, request.limit), more: more || seen.length > request.limit };
}

export async function listKeys({ service, event }: Call): Promise<Answer> {
  const query = validate(pageQuery, event.queryStringParameters ?? {});
  const after =
    query.cursor === undefined ? {} : { after: openCursor(query.cursor, ["keys"], "cursor") };
  const page = await service.listKeys({ limit: query.limit, ...after });
  const cursor = page.next === undefined ? {} : { cursor: sealCursor(page.next, ["keys"]) };
  return json(200, JSON.stringify({ keys: page.keys.map(keyJson), ...cursor }));
}

export async function browse({ service, event }: Call, queue: QueueName): Promise<Answer> {
  const query = validate(browseQuery, event.queryStringParameters ?? {});
  const madeFor = ["browse", queue, String(query.lane ?? "")];
  const from = query.from === undefined ? {} : beginning(query.from, madeFor);
  const page = await service.browse(queue, {
    limit: query.limit,
    ...(query.lane === undefined ? {} : { lane: laneId(query.lane) }),
    ...from,
  });
  const since = from.since === undefined ? "" : `.${from.since}`;
  const cursor =
    page.next === undefined
      ? undefined
      : sealCursor(`${page.next.lane}.${page.next.offset}${since}`, madeFor);
  return json(200, browsedJson(page.messages, cursor));
}

export async function listScheduled({ service, event }: Call, queue: QueueName): Promise<Answer> {
  const query = validate(pageQuery, event.queryStringParameters ?? {});
  const madeFor = ["scheduled", queue];
  const page = await service.listScheduled(queue, {
    limit: query.limit,
    ...(query.cursor === undefined ? {} : { after: openCursor(query.cursor, madeFor, "cursor") }),
  });
  const cursor = page.next === undefined ? undefined : sealCursor(page.next, madeFor);
  return json(200, scheduledJson(page.messages, cursor));
}

interface Beginning {
  readonly from?: { lane: LaneId; offset: number; queueId?: QueueId };
  readonly since?: EpochMs;
}

/** A cursor of a page that began at a time goes on to other lanes at that time. */
function beginning(from: string, madeFor: readonly string[]): Beginning {
  if (isCursor(from)) {
    const [lane, offset, since] = openCursor(from, madeFor, "from").split(".").map(Number);
    if (Number.isSafeInteger(lane) && Number.isSafeInteger(offset)) {
      const place = { lane: laneId(lane ?? 0), offset: offset ?? 0 };
      return { from: place, ...(since === undefined ? {} : { since: epochMs(since) }) };
    }
  }
  if (v.is(time, from)) return { since: epochMs(Date.parse(from)) };
  const place = parseMessageId(from);
  if (place === undefined) {
    throw invalid([{ path: "from", message: "is neither a cursor, a message id nor a time" }]);
  }
  return { from: place };
}

export const keyJson = (key: ApiKeyView): Record<string, unknown> => ({
  id: key.id,
  name: key.name,
  scopes: key.scopes,
  createdAt: iso(key.createdAt),
  ...(key.expiresAt === undefined ? {} : { expiresAt: iso(key.expiresAt) }),
  ...(key.accessKeyId === undefined ? {} : { accessKeyId: key.accessKeyId }),
});
