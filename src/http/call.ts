/** A call as handlers get it, and how they read its path and its body. */
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import type * as v from "valibot";
import { LaneError } from "../core/errors.ts";
import { exchangeName, queueName } from "../core/types.ts";
import type { ExchangeName, QueueName } from "../core/types.ts";
import type { Service } from "../service/api.ts";
import type { Signal } from "../core/signal.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "../core/scope.ts";
import { isObject } from "./message-rules.ts";
import { bodyOf, isUtf8, mediaType, parseJson, strictText } from "./request-body.ts";
import { invalid, validate } from "./validate.ts";

export interface Call {
  readonly service: Service;
  readonly event: APIGatewayProxyEventV2;
  readonly caller: Caller;
  readonly openapi: string | undefined;
  readonly signal: Signal | undefined;
}

export type Handler = (call: Call) => Promise<Answer>;

export const queueOf = ({ event }: Pick<Call, "event">): QueueName =>
  queueName(event.pathParameters?.["queue"] ?? "");

export const exchangeOf = ({ event }: Pick<Call, "event">): ExchangeName =>
  exchangeName(event.pathParameters?.["exchange"] ?? "");

export const idOf = ({ event }: Call): string => (event.pathParameters?.["id"] ?? "").slice(0, 512);

export function bodyAs<S extends v.GenericSchema>(schema: S, call: Call): v.InferOutput<S> {
  return validate(schema, objectOf(call));
}

/** The JSON object of the body; an absent body stands for an empty one. */
export function objectOf({ event }: Call): Record<string, unknown> {
  const body = bodyOf(event);
  if (body.length === 0) return {};
  const type = mediaType(event);
  if ((type.type !== "application/json" && type.type !== "") || !isUtf8(type)) {
    throw new LaneError("unsupported-media-type", "The body must be application/json, in UTF-8.");
  }
  const value = parseJson(strictText(body));
  if (!isObject(value)) throw invalid([{ path: "", message: "must be a JSON object" }]);
  return value;
}
