/**
 * What travels, as types: made from the route table and from the schemas that the service validates
 * by, so that a new call or field is known here as soon as it is known there.
 */
import type * as v from "valibot";
import type { Shapes } from "../http/openapi-shapes.ts";
import type { Operation, RouteOf } from "../http/routes.ts";

export type { Operation };

export type PathOf<O extends Operation> = Flat<Parameters<RouteOf<O>["path"]>>;

export type QueryOf<O extends Operation> = Shapes[O] extends {
  readonly query: infer Q extends v.GenericSchema;
}
  ? { [K in keyof v.InferOutput<Q>]?: v.InferOutput<Q>[K] }
  : undefined;

export type BodyOf<O extends Operation> = Shapes[O] extends {
  readonly body: infer B extends v.GenericSchema;
}
  ? Flat<v.InferInput<B>>
  : undefined;

/** `undefined`: the call answers nothing but that it was done. */
export type AnswerOf<O extends Operation> = Shapes[O] extends {
  readonly answer: infer A extends v.GenericSchema;
}
  ? Flat<v.InferOutput<A>>
  : undefined;

export type QueueSettings = BodyOf<"putQueue">;
export type QueueView = AnswerOf<"getQueue">;
export type QueueSummary = AnswerOf<"listQueues">["queues"][number];
export type SendResult = AnswerOf<"send">["messages"][number];
export type ReceiveRequest = BodyOf<"receive">;
export type ReceivedJson = AnswerOf<"receive">["messages"][number];
export type BrowsedJson = AnswerOf<"browse">["messages"][number];
export type ScheduledJson = AnswerOf<"listScheduled">["messages"][number];
export type LookedUpJson = AnswerOf<"lookUp">;
export type ReceiptResult = AnswerOf<"ack">["results"][number];
export type OutgoingJson = Exclude<BodyOf<"send">, { readonly messages: unknown }>;

export type PublishedJson = Exclude<BodyOf<"publish">, { readonly messages: unknown }>;
export type PublishResult = AnswerOf<"publish">["messages"][number];

/** The names in braces of a path. */
type Parameters<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? { readonly [K in Name]: string } & Parameters<Rest>
  : unknown;

/** One object instead of an intersection, to be read in an editor; unions stay unions. */
type Flat<T> = T extends object ? { [K in keyof T]: T[K] } : T;
