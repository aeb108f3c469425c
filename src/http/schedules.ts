/** The handlers of recurring schedules. */
import type { Recurrence } from "../core/recurrence.ts";
import { invalid } from "../core/invalid.ts";
import { LIMITS } from "../core/limits.ts";
import type { Schedule, ScheduleTarget } from "../core/schedule.ts";
import { exchangeName, queueName, scheduleName } from "../core/types.ts";
import type { ScheduleName } from "../core/types.ts";
import { isLaneError } from "../core/errors.ts";
import { json, noContent } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { demand, demandOn } from "./authorise.ts";
import type { Caller } from "../core/scope.ts";
import { bodyAs } from "./call.ts";
import type { Call, Handler } from "./call.ts";
import { openCursor, sealCursor } from "./cursor.ts";
import { recurringMessageOf } from "./message-in.ts";
import { iso, outgoingJson } from "./message-out.ts";
import type { Operation } from "./routes.ts";
import { pageQuery } from "./schemas/fields.ts";
import { scheduleSettings } from "./schemas/schedules.ts";
import { validate } from "./validate.ts";

export const SCHEDULE_OPERATIONS = {
  putSchedule: async (call) => {
    const { onMissed, ...given } = bodyAs(scheduleSettings, call);
    const recurrence = recurrenceOf(given);
    const target = targetOf(given);
    demandTarget(call.caller, target);
    const message = recurringMessageOf(call.event);
    if (message.body.length > LIMITS.scheduleBodyBytes)
      throw invalid([
        {
          path: "message.body",
          message: `must have at most ${LIMITS.scheduleBodyBytes} bytes in a schedule`,
        },
      ]);
    await demandCurrent(call);
    const settings = { recurrence, target, message, onMissed };
    const { created, schedule } = await call.service.putSchedule(nameOf(call), settings);
    return json(created ? 201 : 200, scheduleJson(schedule));
  },
  getSchedule: async (call) => {
    const schedule = await call.service.getSchedule(nameOf(call));
    demandAny(call.caller, schedule.target);
    return json(200, scheduleJson(schedule));
  },
  listSchedules,
  deleteSchedule: async (call) => {
    await demandCurrent(call);
    await call.service.deleteSchedule(nameOf(call));
    return noContent();
  },
} as const satisfies Partial<Record<Operation, Handler>>;

type Given = ReturnType<typeof validated>;
const validated = (call: Call) => bodyAs(scheduleSettings, call);

const nameOf = ({ event }: Call): ScheduleName =>
  scheduleName(event.pathParameters?.["schedule"] ?? "");

function recurrenceOf({ cron, timeZone, everySeconds }: Omit<Given, "onMissed">): Recurrence {
  return everySeconds === undefined
    ? { cron: cron ?? "", timeZone: timeZone ?? "UTC" }
    : { everySeconds };
}

const targetOf = ({ queue, exchange, routingKey }: Omit<Given, "onMissed">): ScheduleTarget =>
  exchange === undefined
    ? { queue: queueName(queue ?? "") }
    : { exchange: exchangeName(exchange), routingKey: routingKey ?? "" };

/** Else a key for some queues could have messages sent into others. */
function demandTarget(caller: Caller, target: ScheduleTarget): void {
  if ("queue" in target) demand(caller, ["send", "manage"], target.queue);
  else demandOn(caller, ["send", "manage"], target.exchange);
}

function demandAny(caller: Caller, target: ScheduleTarget): void {
  if ("queue" in target) demand(caller, "any", target.queue);
  else demandOn(caller, "any", target.exchange);
}

/** A schedule is changed or deleted by who may send to where it sends now. */
async function demandCurrent({ service, caller, event }: Call): Promise<void> {
  if (caller.unlimited) return;
  try {
    const name = scheduleName(event.pathParameters?.["schedule"] ?? "");
    demandTarget(caller, (await service.getSchedule(name)).target);
  } catch (error) {
    if (!isLaneError(error, "schedule-not-found")) throw error;
  }
}

/** Only those whose target the caller may do something with; it reads on until the page is full. */
async function listSchedules({ service, event, caller }: Call): Promise<Answer> {
  const query = validate(pageQuery, event.queryStringParameters ?? {});
  let after =
    query.cursor === undefined
      ? undefined
      : scheduleName(openCursor(query.cursor, ["schedules"], "cursor"));
  const seen: Schedule[] = [];
  let more = true;
  while (more && seen.length <= query.limit) {
    const page = await service.listSchedules({
      limit: query.limit + 1,
      ...(after === undefined ? {} : { after }),
    });
    seen.push(...page.schedules.filter(({ target }) => mayAny(caller, target)));
    after = page.next;
    more = after !== undefined;
  }
  const schedules = seen.slice(0, query.limit);
  const last = schedules.at(-1);
  const cursor =
    last === undefined || (!more && seen.length <= query.limit)
      ? ""
      : `,"cursor":${JSON.stringify(sealCursor(last.name, ["schedules"]))}`;
  return json(200, `{"schedules":[${schedules.map(scheduleJson).join(",")}]${cursor}}`);
}

const mayAny = (caller: Caller, target: ScheduleTarget): boolean =>
  "queue" in target ? caller.may("any", target.queue) : caller.mayOn("any", target.exchange);

function scheduleJson({ name, recurrence, target, onMissed, ...schedule }: Schedule): string {
  const { message, createdAt, nextAt } = schedule;
  const head = JSON.stringify({ name, ...recurrence, ...target, onMissed });
  const times = JSON.stringify({
    createdAt: iso(createdAt),
    ...(nextAt === undefined ? {} : { nextAt: iso(nextAt) }),
  });
  return `${head.slice(0, -1)},"message":${outgoingJson(message)},${times.slice(1)}`;
}
