/** The calls on consumer groups: from requests to the service and back. */
import { LaneError } from "../core/errors.ts";
import { epochMs, groupName } from "../core/types.ts";
import type { GroupName, QueueName } from "../core/types.ts";
import { parseMessageId } from "../core/receipt.ts";
import type { Begins, GroupSummary, GroupView, StartFrom } from "../service/api.ts";
import { json, noContent } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { demandDeadLetter } from "./authorise.ts";
import { iso } from "./message-out.ts";
import type { Call } from "./call.ts";
import * as schemas from "./schemas.ts";
import { UNSUPPORTED, withoutUnsupported } from "./unsupported.ts";
import { validate } from "./validate.ts";

export async function putGroup(
  call: Call,
  queue: QueueName,
  body: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  const given = withoutUnsupported(UNSUPPORTED.group, body);
  const { from, ...rest } = validate(schemas.groupRequest, given);
  const settings = rest as GroupView["settings"];
  // Else a key for some queues could have messages moved into others.
  demandDeadLetter(call.caller, settings.deadLetter);
  const { group, begins } = await call.service.putGroup(queue, groupOf(call), {
    from: startOf(from),
    settings,
  });
  return json(begins === undefined ? 200 : 201, groupJson(group, begins));
}

export const getGroup = async (call: Call, queue: QueueName): Promise<Answer> =>
  json(200, groupJson(await call.service.getGroup(queue, groupOf(call))));

export async function listGroups({ service }: Call, queue: QueueName): Promise<Answer> {
  const groups = await service.listGroups(queue);
  return json(200, JSON.stringify({ groups: groups.map(summaryOf) }));
}

export async function deleteGroup(call: Call, queue: QueueName): Promise<Answer> {
  await call.service.deleteGroup(queue, groupOf(call));
  return noContent();
}

const groupOf = ({ event }: Call): GroupName => groupName(event.pathParameters?.["group"] ?? "");

function startOf(from: "earliest" | "latest" | { time: string } | { id: string }): StartFrom {
  if (typeof from === "string") return from;
  if ("time" in from) return { time: epochMs(Date.parse(from.time)) };
  const place = parseMessageId(from.id);
  if (place === undefined) {
    throw new LaneError("invalid-request", "from.id is not a message id.", {
      errors: [{ path: "from.id", message: "is not a message id" }],
    });
  }
  return { place };
}

const summaryOf = (group: GroupSummary): Record<string, unknown> => ({
  name: group.name,
  settings: group.settings,
  createdAt: iso(group.createdAt),
});

const groupJson = (group: GroupView, begins?: Begins): string =>
  JSON.stringify({
    ...summaryOf(group),
    ...(begins === undefined ? {} : { begins }),
    depth: group.depth,
    oldestReadyAgeSeconds: group.oldestReadyAgeSeconds,
  });
