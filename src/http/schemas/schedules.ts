/** Requests about recurring schedules. */
import * as v from "valibot";
import { LIMITS } from "../../core/limits.ts";
import { integer, name, routingKey, text } from "./fields.ts";
import { outgoingMessage } from "./messages.ts";

/** When it is sent, and once, is the schedule's affair; the face checks it by `RECURRING_FIELDS`. */
export const recurringMessage = v.omit(outgoingMessage, ["delaySeconds", "deliverAt", "dedupId"]);

export const scheduleFields = {
  cron: v.exactOptional(text(1, 100)),
  timeZone: v.exactOptional(text(1, 64)),
  everySeconds: v.exactOptional(integer(1, LIMITS.scheduleSecondsMax)),
  queue: v.exactOptional(name),
  exchange: v.exactOptional(name),
  routingKey: v.exactOptional(routingKey),
  message: v.unknown(),
  onMissed: v.optional(v.picklist(["fire", "skip"], 'must be "fire" or "skip"'), "fire"),
};

export const scheduleSettings = v.pipe(
  v.strictObject(scheduleFields),
  v.check(
    ({ cron, everySeconds }) => (cron === undefined) !== (everySeconds === undefined),
    "must have cron or everySeconds, and not both",
  ),
  v.check(
    ({ queue, exchange }) => (queue === undefined) !== (exchange === undefined),
    "must name a queue or an exchange to send to, and not both",
  ),
  v.forward(
    v.partialCheck(
      [["cron"], ["timeZone"]],
      ({ cron, timeZone }) => timeZone === undefined || cron !== undefined,
      "is only for cron",
    ),
    ["timeZone"],
  ),
  v.forward(
    v.partialCheck(
      [["exchange"], ["routingKey"]],
      ({ exchange, routingKey: key }) => key === undefined || exchange !== undefined,
      "is only for an exchange",
    ),
    ["routingKey"],
  ),
);
