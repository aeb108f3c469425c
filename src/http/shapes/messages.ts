/** Calls that send, receive, settle and look at messages. */
import * as v from "valibot";
import type { Operation } from "../routes.ts";
import { pageQuery } from "../schemas/fields.ts";
import {
  ackRequest,
  browseQuery,
  extendRequest,
  receiveRequest,
  releaseRequest,
  sendRequest,
} from "../schemas/messages.ts";
import { count, cursor, failure, time } from "./fields.ts";
import type { Shape } from "./shape.ts";

const deadLetter = v.strictObject({
  reason: v.picklist(["maxReceives", "expired"]),
  queue: v.string(),
  group: v.string(),
  lane: count,
  offset: count,
  receives: count,
  firstReceivedAt: v.exactOptional(time),
  deadLetteredAt: time,
});

export const content = {
  id: v.string(),
  body: v.unknown(),
  contentType: v.string(),
  encoding: v.exactOptional(v.literal("base64")),
  headers: v.record(v.string(), v.string()),
  key: v.exactOptional(v.string()),
  priority: v.exactOptional(count),
  tenant: v.exactOptional(v.string()),
  exchange: v.exactOptional(v.string()),
  routingKey: v.exactOptional(v.string()),
  sentAt: time,
  place: v.exactOptional(v.string()),
  deadLetter: v.exactOptional(deadLetter),
};

export const received = v.strictObject({
  ...content,
  receipt: v.string(),
  firstReceivedAt: time,
  receives: count,
  leaseExpiresAt: time,
});

export const browsed = v.strictObject({ ...content, expiresAt: time });

export const scheduled = v.strictObject({ ...content, expiresAt: time, deliverAt: time });

const state = v.strictObject({
  state: v.picklist([
    "scheduled",
    "ready",
    "delayed",
    "leased",
    "acked",
    "deadLettered",
    "filtered",
    "expired",
    "erased",
  ]),
  queue: v.exactOptional(v.string()),
  place: v.exactOptional(v.string()),
  deliverAt: v.exactOptional(time),
  visibleAt: v.exactOptional(time),
  leaseExpiresAt: v.exactOptional(time),
  receives: v.exactOptional(count),
});

export const sendResult = v.union([
  v.strictObject({
    id: v.string(),
    duplicate: v.exactOptional(v.literal(true)),
    deliverAt: v.exactOptional(time),
    isPast: v.exactOptional(v.literal(true)),
  }),
  v.strictObject({ error: failure }),
]);

export const results = v.strictObject({
  results: v.array(
    v.strictObject({
      status: v.picklist(["done", "gone", "invalid"]),
      receipt: v.exactOptional(v.string()),
    }),
  ),
});

export const MESSAGE_SHAPES = {
  send: {
    body: sendRequest,
    statuses: { 201: "At least one message was stored; one result a message, in order." },
    answer: v.strictObject({ messages: v.array(sendResult) }),
  },
  receive: {
    body: receiveRequest,
    statuses: { 200: "The messages leased; none, if none came in time." },
    answer: v.strictObject({ messages: v.array(received) }),
  },
  ack: { body: ackRequest, statuses: { 200: "One result a receipt." }, answer: results },
  release: {
    body: releaseRequest,
    statuses: { 200: "One result a receipt." },
    answer: results,
  },
  extend: {
    body: extendRequest,
    statuses: { 200: "One result a receipt, with the new receipt where it changed." },
    answer: results,
  },
  browse: {
    query: browseQuery,
    statuses: { 200: "A page of messages; with a cursor, there are more." },
    answer: v.strictObject({ messages: v.array(browsed), cursor }),
  },
  lookUp: {
    statuses: { 200: "The message." },
    answer: v.strictObject({
      ...content,
      expiresAt: time,
      groups: v.record(v.string(), state),
    }),
  },
  listScheduled: {
    query: pageQuery,
    statuses: { 200: "A page of scheduled messages; with a cursor, there are more." },
    answer: v.strictObject({ messages: v.array(scheduled), cursor }),
  },
  cancelScheduled: { statuses: { 204: "Cancelled; it will not be delivered." } },
} satisfies Partial<Record<Operation, Shape>>;
