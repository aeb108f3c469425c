/** The calls on consumer groups: from requests to the service and back. */
import { epochMs, groupName } from "../core/types.ts";
import type { GroupName, QueueName } from "../core/types.ts";
import type { Begins, GroupSummary, GroupView, StartFrom } from "../service/api.ts";
import { json, noContent } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { demandDeadLetter } from "./authorise.ts";
import { iso } from "./message-out.ts";
import type { Call } from "./call.ts";
import { groupRequest, seekRequest } from "./schemas/groups.ts";
import type { GivenStart } from "./schemas/groups.ts";
import { validate } from "./validate.ts";

export async function putGroup(
  call: Call,
  queue: QueueName,
  body: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  const { from, ...rest } = validate(groupRequest, body);
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

export async function seekGroup(
  call: Call,
  queue: QueueName,
  body: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  const { from } = validate(seekRequest, body);
  const { group, begins } = await call.service.seekGroup(queue, groupOf(call), startOf(from));
  return json(200, groupJson(group, begins));
}

const groupOf = ({ event }: Call): GroupName => groupName(event.pathParameters?.["group"] ?? "");

const startOf = (from: GivenStart): StartFrom =>
  typeof from === "object" && "time" in from ? { time: epochMs(Date.parse(from.time)) } : from;

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
