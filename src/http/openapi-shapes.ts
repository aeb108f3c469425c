/**
 * What the OpenAPI document says of each operation beside its route: the schemas of its request and
 * of its answer. Only the document and the tests read this; no deployed function carries it.
 */
import * as v from "valibot";
import { CODES } from "../core/errors.ts";
import type { Operation } from "./routes.ts";
import * as requests from "./schemas.ts";

export interface Shape {
  readonly body?: v.GenericSchema;
  readonly query?: { readonly entries: Readonly<Record<string, v.GenericSchema>> };
  /** Status and what it means; the first one's body is `answer`, and so are the others'. */
  readonly statuses: Readonly<Record<number, string>>;
  readonly answer?: v.GenericSchema;
}

const time = v.pipe(v.string(), v.isoTimestamp());
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const code = v.picklist(Object.keys(CODES) as (keyof typeof CODES)[]);

const settings = v.strictObject({
  leaseSeconds: count,
  retentionSeconds: count,
  delaySeconds: count,
  waitSeconds: count,
  maxReceives: v.nullable(count),
  deadLetter: v.nullable(requests.deadLetter),
  onExpired: v.picklist(["drop", "deadLetter"]),
  backoff: v.nullable(
    v.strictObject({
      initialSeconds: count,
      factor: v.number(),
      maxSeconds: count,
      jitter: v.number(),
    }),
  ),
  maxMessageBytes: count,
  eraseOnAck: v.boolean(),
  lanes: v.union([v.literal("auto"), count]),
  priorities: v.union([v.literal(false), v.picklist(["strict", "weighted"])]),
  dedup: v.nullable(
    v.strictObject({
      scope: v.picklist(["queue", "key"]),
      windowSeconds: count,
      contentBased: v.boolean(),
    }),
  ),
  order: v.picklist(["none", "key", "lane"]),
  onPoison: v.picklist(["deadLetter", "block"]),
  tags: v.record(v.string(), v.string()),
});

const summary = { name: v.string(), settings, createdAt: time };

const queue = v.strictObject({
  ...summary,
  depth: v.strictObject({ ready: count, leased: count, delayed: count }),
  oldestReadyAgeSeconds: count,
  lanes: count,
});

const groupSummary = {
  name: v.string(),
  settings: v.strictObject({
    filter: v.exactOptional(requests.filter),
    maxReceives: v.exactOptional(settings.entries.maxReceives),
    deadLetter: v.exactOptional(settings.entries.deadLetter),
  }),
  createdAt: time,
};

const group = v.strictObject({
  ...groupSummary,
  begins: v.exactOptional(v.picklist(["earliest", "within", "latest"])),
  depth: queue.entries.depth,
  oldestReadyAgeSeconds: count,
});

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

const content = {
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

const received = v.strictObject({
  ...content,
  receipt: v.string(),
  firstReceivedAt: time,
  receives: count,
  leaseExpiresAt: time,
});

const browsed = v.strictObject({ ...content, expiresAt: time });

const scheduled = v.strictObject({ ...content, expiresAt: time, deliverAt: time });

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

const sendResult = v.union([
  v.strictObject({
    id: v.string(),
    duplicate: v.exactOptional(v.literal(true)),
    deliverAt: v.exactOptional(time),
    isPast: v.exactOptional(v.literal(true)),
  }),
  v.strictObject({
    error: v.strictObject({ code, detail: v.string(), retryable: v.boolean() }),
  }),
]);

const failure = v.strictObject({ code, detail: v.string(), retryable: v.boolean() });
const places = v.exactOptional(v.record(v.string(), v.string()));

const publishResult = v.union([
  v.strictObject({
    id: v.string(),
    queues: v.array(v.string()),
    places,
    duplicate: v.exactOptional(v.literal(true)),
    deliverAt: v.exactOptional(time),
  }),
  v.strictObject({ queues: v.array(v.string()) }),
  v.strictObject({ unroutable: v.literal(true) }),
  v.strictObject({
    error: failure,
    id: v.exactOptional(v.string()),
    queues: v.exactOptional(v.array(v.string())),
    places,
    deliverAt: v.exactOptional(time),
  }),
]);

const exchange = v.strictObject({
  name: v.string(),
  settings: requests.exchangeSettings,
  /** The default exchange has none. */
  createdAt: v.exactOptional(time),
});

const binding = v.strictObject({ id: v.string(), ...requests.bindingFields });

const results = v.strictObject({
  results: v.array(
    v.strictObject({
      status: v.picklist(["done", "gone", "invalid"]),
      receipt: v.exactOptional(v.string()),
    }),
  ),
});

const keyFields = {
  id: v.string(),
  name: v.string(),
  scopes: requests.createKeyRequest.entries.scopes,
  createdAt: time,
  expiresAt: v.exactOptional(time),
};

const cursor = v.exactOptional(v.string());

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
  QueueSettings: requests.queueSettings,
  OutgoingMessage: requests.outgoingMessage,
  Queue: queue,
  Group: group,
  ReceivedMessage: received,
  Message: browsed,
  ScheduledMessage: scheduled,
  SendResult: sendResult,
  PublishedMessage: requests.publishedMessage,
  PublishResult: publishResult,
  Exchange: exchange,
  Binding: binding,
  ReceiptResults: results,
  Problem: problemSchema,
} satisfies Record<string, v.GenericSchema>;

const EXACT = {
  putQueue: {
    body: requests.queueSettings,
    statuses: { 201: "Created.", 200: "Updated." },
    answer: queue,
  },
  patchQueue: { body: requests.queueSettings, statuses: { 200: "Updated." }, answer: queue },
  getQueue: { statuses: { 200: "The queue." }, answer: queue },
  listQueues: {
    query: requests.listQueuesQuery,
    statuses: { 200: "A page of queues; with a cursor, there are more." },
    answer: v.strictObject({ queues: v.array(v.strictObject(summary)), cursor }),
  },
  deleteQueue: { statuses: { 204: "Deleted." } },
  purgeQueue: { statuses: { 204: "Purged." } },
  putGroup: {
    body: requests.groupRequest,
    statuses: { 201: "Created, and where it begins.", 200: "Updated." },
    answer: group,
  },
  getGroup: { statuses: { 200: "The group." }, answer: group },
  listGroups: {
    statuses: { 200: "All groups of the queue, the default one first." },
    answer: v.strictObject({ groups: v.array(v.strictObject(groupSummary)) }),
  },
  deleteGroup: { statuses: { 204: "Deleted." } },
  seekGroup: {
    body: requests.seekRequest,
    statuses: { 200: "The group, and where it has come to stand." },
    answer: group,
  },
  redrive: {
    body: requests.redriveRequest,
    statuses: { 200: "How many were moved, and how many are left." },
    answer: v.strictObject({ moved: count, remaining: count }),
  },
  send: {
    body: requests.sendRequest,
    statuses: { 201: "At least one message was stored; one result a message, in order." },
    answer: v.strictObject({ messages: v.array(sendResult) }),
  },
  receive: {
    body: requests.receiveRequest,
    statuses: { 200: "The messages leased; none, if none came in time." },
    answer: v.strictObject({ messages: v.array(received) }),
  },
  ack: { body: requests.ackRequest, statuses: { 200: "One result a receipt." }, answer: results },
  release: {
    body: requests.releaseRequest,
    statuses: { 200: "One result a receipt." },
    answer: results,
  },
  extend: {
    body: requests.extendRequest,
    statuses: { 200: "One result a receipt, with the new receipt where it changed." },
    answer: results,
  },
  browse: {
    query: requests.browseQuery,
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
    query: requests.listScheduledQuery,
    statuses: { 200: "A page of scheduled messages; with a cursor, there are more." },
    answer: v.strictObject({ messages: v.array(scheduled), cursor }),
  },
  cancelScheduled: { statuses: { 204: "Cancelled; it will not be delivered." } },
  putSchedule: {
    body: v.strictObject({ ...requests.scheduleFields, message: requests.outgoingMessage }),
    statuses: { 201: "Created.", 200: "Replaced." },
    answer: schedule,
  },
  getSchedule: { statuses: { 200: "The schedule." }, answer: schedule },
  listSchedules: {
    query: requests.listScheduledQuery,
    statuses: { 200: "A page of schedules; with a cursor, there are more." },
    answer: v.strictObject({ schedules: v.array(schedule), cursor }),
  },
  deleteSchedule: { statuses: { 204: "Deleted." } },
  putExchange: {
    body: requests.exchangeSettings,
    statuses: { 201: "Created.", 200: "Updated." },
    answer: exchange,
  },
  getExchange: { statuses: { 200: "The exchange." }, answer: exchange },
  listExchanges: {
    query: requests.listQueuesQuery,
    statuses: { 200: "A page of exchanges; with a cursor, there are more." },
    answer: v.strictObject({ exchanges: v.array(exchange), cursor }),
  },
  deleteExchange: { statuses: { 204: "Deleted." } },
  putBinding: {
    body: requests.bindingSettings,
    statuses: { 201: "Created.", 200: "Replaced." },
    answer: binding,
  },
  getBinding: { statuses: { 200: "The binding." }, answer: binding },
  listBindings: {
    query: requests.listBindingsQuery,
    statuses: { 200: "A page of bindings; with a cursor, there are more." },
    answer: v.strictObject({ bindings: v.array(binding), cursor }),
  },
  deleteBinding: { statuses: { 204: "Deleted." } },
  publish: {
    body: requests.publishRequest,
    statuses: {
      201: "At least one message reached a queue; one result a message, in order.",
      200: "No message reached a queue, and nothing failed.",
    },
    answer: v.strictObject({ messages: v.array(publishResult) }),
  },
  createKey: {
    body: requests.createKeyRequest,
    statuses: { 201: "Created; keep the secret, it is not shown again." },
    answer: v.strictObject({ ...keyFields, secret: v.string() }),
  },
  listKeys: {
    query: requests.listKeysQuery,
    statuses: { 200: "A page of keys; with a cursor, there are more." },
    answer: v.strictObject({ keys: v.array(v.strictObject(keyFields)), cursor }),
  },
  deleteKey: { statuses: { 204: "Revoked." } },
  health: {
    statuses: { 200: "The service answers." },
    answer: v.strictObject({ status: v.literal("ok") }),
  },
  openapi: { statuses: { 200: "An OpenAPI 3.1 document." }, answer: v.looseObject({}) },
} satisfies Readonly<Record<Operation, Shape>>;

/** The exact schemas of each operation: the types of the client are made from them. */
export type Shapes = typeof EXACT;

export const SHAPES: Readonly<Record<Operation, Shape>> = EXACT;
