/**
 * Branded scalars. They are made only by the parsers below (at the edges) or by arithmetic in core;
 * a plain string or number never becomes one by accident.
 */
import { LaneError } from "./errors.ts";

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** 1–80 characters of `A-Z a-z 0-9 _ - .`; what users call a queue. */
export type QueueName = Branded<string, "QueueName">;
/** As a queue's name; what users call an exchange. */
export type ExchangeName = Branded<string, "ExchangeName">;
/** New for every creation of a queue, so that nothing of a deleted one is ever taken for its own. */
export type QueueId = Branded<string, "QueueId">;
/** A message's place in its lane. Below 2^53: runs start at ms × 1024 (L7), which lasts until 2248. */
export type Offset = Branded<number, "Offset">;
/** Milliseconds since 1970, by the caller's clock. */
export type EpochMs = Branded<number, "EpochMs">;
/** One log of a queue; a small integer that is never used again (L9). */
export type LaneId = Branded<number, "LaneId">;
/** Id of a consumer group, new for every creation; `default` for the one that every queue has. */
export type GroupId = Branded<string, "GroupId">;
/** 1–80 characters of `A-Z a-z 0-9 _ - .`; what users call a consumer group. */
export type GroupName = Branded<string, "GroupName">;

/** What users call a recurring schedule; as a queue's name. */
export type ScheduleName = Branded<string, "ScheduleName">;

const QUEUE_NAME = /^[A-Za-z0-9_.-]{1,80}$/;

export const DEFAULT_GROUP = "default" as GroupId;
/** RabbitMQ's is the empty name, which no URL can hold. */
export const DEFAULT_EXCHANGE = "default" as ExchangeName;

export const isQueueName = (text: string): text is QueueName => QUEUE_NAME.test(text);

/** @throws LaneError `invalid-request` */
export function queueName(text: string, path = "queue"): QueueName {
  if (isQueueName(text)) return text;
  throw badName("queue", path);
}

/** @throws LaneError `invalid-request` */
export function groupName(text: string, path = "group"): GroupName {
  if (QUEUE_NAME.test(text)) return text as GroupName;
  throw badName("group", path);
}

const badName = (what: string, path: string): LaneError =>
  new LaneError("invalid-request", `A ${what} name is 1 to 80 characters of A-Z a-z 0-9 _ - .`, {
    errors: [{ path, message: "must be 1 to 80 characters of A-Z a-z 0-9 _ - ." }],
  });

export function exchangeName(text: string, path = "exchange"): ExchangeName {
  if (QUEUE_NAME.test(text)) return text as ExchangeName;
  throw badName("exchange", path);
}

export function scheduleName(text: string, path = "schedule"): ScheduleName {
  if (QUEUE_NAME.test(text)) return text as ScheduleName;
  throw badName("schedule", path);
}

export const offset = (value: number): Offset => value as Offset;
export const epochMs = (value: number): EpochMs => value as EpochMs;
export const laneId = (value: number): LaneId => value as LaneId;
export const queueId = (value: string): QueueId => value as QueueId;
export const groupId = (value: string): GroupId => value as GroupId;
