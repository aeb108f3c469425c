/**
 * What the OpenAPI document says of each operation beside its route: the schemas of its request and
 * of its answer. Only the document and the tests read this; no deployed function carries it.
 */
import * as v from "valibot";
import type { Operation } from "./routes.ts";
import { publishedMessage } from "./schemas/exchanges.ts";
import { outgoingMessage } from "./schemas/messages.ts";
import { queueSettings } from "./schemas/queues.ts";
import { binding, exchange, EXCHANGE_SHAPES, publishResult } from "./shapes/exchanges.ts";
import { code, count } from "./shapes/fields.ts";
import { group, GROUP_SHAPES } from "./shapes/groups.ts";
import { KEY_SHAPES } from "./shapes/keys.ts";
import {
  browsed,
  MESSAGE_SHAPES,
  received,
  results,
  scheduled,
  sendResult,
} from "./shapes/messages.ts";
import { queue, QUEUE_SHAPES } from "./shapes/queues.ts";
import { SCHEDULE_SHAPES } from "./shapes/schedules.ts";
import type { Shape } from "./shapes/shape.ts";

export const problemSchema = v.object({
  type: v.string(),
  title: v.string(),
  status: count,
  detail: v.string(),
  code,
  retryable: v.boolean(),
  errors: v.exactOptional(v.array(v.strictObject({ path: v.string(), message: v.string() }))),
  /** Of a send that stored nothing. */
  messages: v.exactOptional(v.array(v.union([sendResult, publishResult]))),
});

/** Schemas that the document names. */
export const NAMED = {
  QueueSettings: queueSettings,
  OutgoingMessage: outgoingMessage,
  Queue: queue,
  Group: group,
  ReceivedMessage: received,
  Message: browsed,
  ScheduledMessage: scheduled,
  SendResult: sendResult,
  PublishedMessage: publishedMessage,
  PublishResult: publishResult,
  Exchange: exchange,
  Binding: binding,
  ReceiptResults: results,
  Problem: problemSchema,
} satisfies Record<string, v.GenericSchema>;

const EXACT = {
  ...QUEUE_SHAPES,
  ...GROUP_SHAPES,
  ...MESSAGE_SHAPES,
  ...EXCHANGE_SHAPES,
  ...SCHEDULE_SHAPES,
  ...KEY_SHAPES,
  health: {
    statuses: { 200: "The service answers." },
    answer: v.strictObject({ status: v.literal("ok") }),
  },
  openapi: { statuses: { 200: "An OpenAPI 3.1 document." }, answer: v.looseObject({}) },
} satisfies Readonly<Record<Operation, Shape>>;

/** The exact schemas of each operation: the types of the client are made from them. */
export type Shapes = typeof EXACT;

export const SHAPES: Readonly<Record<Operation, Shape>> = EXACT;
