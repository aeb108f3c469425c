/** Calls about recurring schedules. */
import * as v from "valibot";
import type { Operation } from "../routes.ts";
import { pageQuery } from "../schemas/fields.ts";
import { recurringMessage, scheduleFields } from "../schemas/schedules.ts";
import { count, cursor, time } from "./fields.ts";
import { content } from "./messages.ts";
import type { Shape } from "./shape.ts";

const schedule = v.strictObject({
  name: v.string(),
  cron: v.exactOptional(v.string()),
  timeZone: v.exactOptional(v.string()),
  everySeconds: v.exactOptional(count),
  queue: v.exactOptional(v.string()),
  exchange: v.exactOptional(v.string()),
  routingKey: v.exactOptional(v.string()),
  onMissed: v.picklist(["fire", "skip"]),
  message: v.strictObject({
    body: content.body,
    contentType: v.string(),
    encoding: v.exactOptional(v.literal("base64")),
    headers: v.record(v.string(), v.string()),
    key: v.exactOptional(v.string()),
    priority: v.exactOptional(count),
    tenant: v.exactOptional(v.string()),
    ttlSeconds: v.exactOptional(count),
  }),
  createdAt: time,
  nextAt: v.exactOptional(time),
});

export const SCHEDULE_SHAPES = {
  putSchedule: {
    body: v.strictObject({ ...scheduleFields, message: recurringMessage }),
    statuses: { 201: "Created.", 200: "Replaced." },
    answer: schedule,
  },
  getSchedule: { statuses: { 200: "The schedule." }, answer: schedule },
  listSchedules: {
    query: pageQuery,
    statuses: { 200: "A page of schedules; with a cursor, there are more." },
    answer: v.strictObject({ schedules: v.array(schedule), cursor }),
  },
  deleteSchedule: { statuses: { 204: "Deleted." } },
} satisfies Partial<Record<Operation, Shape>>;
