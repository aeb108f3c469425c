/**
 * The one table of routes. The CDK stack, the local gateway, the face and the OpenAPI document are
 * made from it and name no route of their own.
 *
 * H1  `role` names the Lambda function that serves a route; a face made for a role serves no other.
 * H2  `auth` says who lets a caller in: `key` the face, by an API key; `iam` API Gateway, before the
 *     face is called; `none` nobody.
 */
import type { Action } from "../service/api.ts";

export type Role = "send" | "receive" | "ack" | "admin";
/** What answers requests: the roles of this table, and the SQS face, which has routes of its own. */
export type FaceName = Role | "sqs";
type Method = "GET" | "PUT" | "PATCH" | "POST" | "DELETE";

export interface Route {
  readonly method: Method;
  /** As API Gateway writes it: `/v1/queues/{queue}`. */
  readonly path: string;
  readonly operation: string;
  readonly role: Role;
  readonly auth: "key" | "iam" | "none";
  /** What a key needs on the queue, or the exchange, of the path. `any`: some action on it. Absent: a valid key. */
  readonly action?: Action | "any";
  readonly summary: string;
}

const QUEUE = "/v1/queues/{queue}";
const GROUP = `${QUEUE}/groups/{group}` as const;
const SCHEDULE = "/v1/schedules/{schedule}";
const EXCHANGE = "/v1/exchanges/{exchange}";

const TABLE = [
  {
    method: "PUT",
    path: QUEUE,
    operation: "putQueue",
    role: "admin",
    auth: "key",
    action: "manage",
    summary: "Create a queue, or replace the whole of its settings.",
  },
  {
    method: "PATCH",
    path: QUEUE,
    operation: "patchQueue",
    role: "admin",
    auth: "key",
    action: "manage",
    summary: "Change the settings given, and no other.",
  },
  {
    method: "GET",
    path: QUEUE,
    operation: "getQueue",
    role: "admin",
    auth: "key",
    action: "any",
    summary: "Read a queue's settings, depth and the age of its oldest ready message.",
  },
  {
    method: "GET",
    path: "/v1/queues",
    operation: "listQueues",
    role: "admin",
    auth: "key",
    summary: "List queues by name; a key sees those that it may do something with.",
  },
  {
    method: "DELETE",
    path: QUEUE,
    operation: "deleteQueue",
    role: "admin",
    auth: "key",
    action: "manage",
    summary: "Delete a queue and all of its messages; its name is free again after 60 s.",
  },
  {
    method: "POST",
    path: `${QUEUE}/purge`,
    operation: "purgeQueue",
    role: "admin",
    auth: "key",
    action: "manage",
    summary: "Drop all messages that are in the queue now.",
  },
  {
    method: "PUT",
    path: GROUP,
    operation: "putGroup",
    role: "admin",
    auth: "key",
    action: "manage",
    summary: "Create a consumer group, or replace its settings; an existing one stays where it is.",
  },
  {
    method: "GET",
    path: GROUP,
    operation: "getGroup",
    role: "admin",
    auth: "key",
    action: "any",
    summary: "Read a consumer group's settings and its lag.",
  },
  {
    method: "GET",
    path: `${QUEUE}/groups`,
    operation: "listGroups",
    role: "admin",
    auth: "key",
    action: "any",
    summary: "List the consumer groups of a queue, the default one first.",
  },
  {
    method: "DELETE",
    path: GROUP,
    operation: "deleteGroup",
    role: "admin",
    auth: "key",
    action: "manage",
    summary: "Delete a consumer group; its name is free again after 60 s.",
  },
  {
    method: "POST",
    path: `${GROUP}/seek`,
    operation: "seekGroup",
    role: "admin",
    auth: "key",
    action: "manage",
    summary: "Move a consumer group to another place: what stands there comes anew, acked or not.",
  },
  {
    method: "POST",
    path: `${QUEUE}/redrive`,
    operation: "redrive",
    role: "admin",
    auth: "key",
    action: "manage",
    summary: "Move dead-lettered messages back to where they came from, or to another queue.",
  },
  {
    method: "POST",
    path: `${QUEUE}/messages`,
    operation: "send",
    role: "send",
    auth: "key",
    action: "send",
    summary: "Send one message or a batch.",
  },
  {
    method: "POST",
    path: `${QUEUE}/receive`,
    operation: "receive",
    role: "receive",
    auth: "key",
    action: "receive",
    summary: "Lease messages, waiting for some if there are none.",
  },
  {
    method: "POST",
    path: `${QUEUE}/ack`,
    operation: "ack",
    role: "ack",
    auth: "key",
    action: "receive",
    summary: "Say that leased messages are done with.",
  },
  {
    method: "POST",
    path: `${QUEUE}/release`,
    operation: "release",
    role: "ack",
    auth: "key",
    action: "receive",
    summary: "Give leased messages back, now or after a delay.",
  },
  {
    method: "POST",
    path: `${QUEUE}/extend`,
    operation: "extend",
    role: "ack",
    auth: "key",
    action: "receive",
    summary: "Keep leased messages for longer.",
  },
  {
    method: "GET",
    path: `${QUEUE}/messages`,
    operation: "browse",
    role: "admin",
    auth: "key",
    action: "browse",
    summary: "Read messages without leasing them.",
  },
  {
    method: "GET",
    path: `${QUEUE}/messages/{id}`,
    operation: "lookUp",
    role: "admin",
    auth: "key",
    action: "browse",
    summary: "Read one message and its state.",
  },
  {
    method: "GET",
    path: `${QUEUE}/scheduled`,
    operation: "listScheduled",
    role: "admin",
    auth: "key",
    action: "browse",
    summary: "List the messages that wait on a schedule, in the order in which they are due.",
  },
  {
    method: "DELETE",
    path: `${QUEUE}/scheduled/{id}`,
    operation: "cancelScheduled",
    role: "admin",
    auth: "key",
    action: "send",
    summary: "Cancel a scheduled message, at least 10 s before it is due.",
  },
  {
    method: "PUT",
    path: EXCHANGE,
    operation: "putExchange",
    role: "admin",
    auth: "key",
    action: "manage",
    summary: "Create an exchange, or replace the whole of its settings; its type stays.",
  },
  {
    method: "GET",
    path: EXCHANGE,
    operation: "getExchange",
    role: "admin",
    auth: "key",
    action: "any",
    summary: "Read an exchange's settings.",
  },
  {
    method: "GET",
    path: "/v1/exchanges",
    operation: "listExchanges",
    role: "admin",
    auth: "key",
    summary: "List exchanges by name; a key sees those that it may do something with.",
  },
  {
    method: "DELETE",
    path: EXCHANGE,
    operation: "deleteExchange",
    role: "admin",
    auth: "key",
    action: "manage",
    summary: "Delete an exchange and its bindings.",
  },
  {
    method: "PUT",
    path: `${EXCHANGE}/bindings/{id}`,
    operation: "putBinding",
    role: "admin",
    auth: "key",
    action: "manage",
    summary: "Bind a queue or another exchange, or replace the binding of this id.",
  },
  {
    method: "GET",
    path: `${EXCHANGE}/bindings/{id}`,
    operation: "getBinding",
    role: "admin",
    auth: "key",
    action: "any",
    summary: "Read one binding.",
  },
  {
    method: "GET",
    path: `${EXCHANGE}/bindings`,
    operation: "listBindings",
    role: "admin",
    auth: "key",
    action: "any",
    summary: "List the bindings of an exchange.",
  },
  {
    method: "DELETE",
    path: `${EXCHANGE}/bindings/{id}`,
    operation: "deleteBinding",
    role: "admin",
    auth: "key",
    action: "manage",
    summary: "Take a binding away.",
  },
  {
    method: "POST",
    path: `${EXCHANGE}/messages`,
    operation: "publish",
    role: "send",
    auth: "key",
    action: "send",
    summary: "Publish one message or a batch; the exchange routes each to queues.",
  },
  {
    method: "PUT",
    path: SCHEDULE,
    operation: "putSchedule",
    role: "admin",
    auth: "key",
    summary:
      "Create a recurring schedule, or replace it; a key needs to be allowed to send to its target.",
  },
  {
    method: "GET",
    path: SCHEDULE,
    operation: "getSchedule",
    role: "admin",
    auth: "key",
    summary: "Read a recurring schedule and when it is due next.",
  },
  {
    method: "GET",
    path: "/v1/schedules",
    operation: "listSchedules",
    role: "admin",
    auth: "key",
    summary:
      "List recurring schedules by name; a key sees those of targets that it may do something with.",
  },
  {
    method: "DELETE",
    path: SCHEDULE,
    operation: "deleteSchedule",
    role: "admin",
    auth: "key",
    summary: "Delete a recurring schedule; what it has sent stays.",
  },
  {
    method: "POST",
    path: "/v1/keys",
    operation: "createKey",
    role: "admin",
    auth: "iam",
    summary: "Create an API key; its secret is shown only here.",
  },
  {
    method: "GET",
    path: "/v1/keys",
    operation: "listKeys",
    role: "admin",
    auth: "iam",
    summary: "List API keys, without their secrets.",
  },
  {
    method: "DELETE",
    path: "/v1/keys/{id}",
    operation: "deleteKey",
    role: "admin",
    auth: "iam",
    summary: "Revoke an API key; it is refused after at most 60 s.",
  },
  {
    method: "GET",
    path: "/healthz",
    operation: "health",
    role: "admin",
    auth: "none",
    summary: "Say whether the service answers.",
  },
  {
    method: "GET",
    path: "/openapi.json",
    operation: "openapi",
    role: "admin",
    auth: "key",
    summary: "This document.",
  },
] as const satisfies readonly Route[];

export type Operation = (typeof TABLE)[number]["operation"];

/** The row of an operation, literally: for types that are made from its method and path. */
export type RouteOf<O extends Operation> = Extract<(typeof TABLE)[number], { operation: O }>;

export const ROUTES: readonly (Route & { readonly operation: Operation })[] = TABLE;

/** What API Gateway puts into `event.routeKey`. */
export const routeKey = (route: Pick<Route, "method" | "path">): string =>
  `${route.method} ${route.path}`;
