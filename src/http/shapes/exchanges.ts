/** Calls about exchanges and bindings, and publishing. */
import * as v from "valibot";
import type { Operation } from "../routes.ts";
import {
  bindingFields,
  bindingSettings,
  exchangeSettings,
  publishRequest,
} from "../schemas/exchanges.ts";
import { pageQuery, prefixQuery } from "../schemas/fields.ts";
import { cursor, failure, time } from "./fields.ts";
import type { Shape } from "./shape.ts";

const places = v.exactOptional(v.record(v.string(), v.string()));

export const publishResult = v.union([
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

export const exchange = v.strictObject({
  name: v.string(),
  settings: exchangeSettings,
  /** The default exchange has none. */
  createdAt: v.exactOptional(time),
});

export const binding = v.strictObject({ id: v.string(), ...bindingFields });

export const EXCHANGE_SHAPES = {
  putExchange: {
    body: exchangeSettings,
    statuses: { 201: "Created.", 200: "Updated." },
    answer: exchange,
  },
  getExchange: { statuses: { 200: "The exchange." }, answer: exchange },
  listExchanges: {
    query: prefixQuery,
    statuses: { 200: "A page of exchanges; with a cursor, there are more." },
    answer: v.strictObject({ exchanges: v.array(exchange), cursor }),
  },
  deleteExchange: { statuses: { 204: "Deleted." } },
  putBinding: {
    body: bindingSettings,
    statuses: { 201: "Created.", 200: "Replaced." },
    answer: binding,
  },
  getBinding: { statuses: { 200: "The binding." }, answer: binding },
  listBindings: {
    query: pageQuery,
    statuses: { 200: "A page of bindings; with a cursor, there are more." },
    answer: v.strictObject({ bindings: v.array(binding), cursor }),
  },
  deleteBinding: { statuses: { 204: "Deleted." } },
  publish: {
    body: publishRequest,
    statuses: {
      201: "At least one message reached a queue; one result a message, in order.",
      200: "No message reached a queue, and nothing failed.",
    },
    answer: v.strictObject({ messages: v.array(publishResult) }),
  },
} satisfies Partial<Record<Operation, Shape>>;
