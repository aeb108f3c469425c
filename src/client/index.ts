/// <reference lib="esnext.disposable" preserve="true" />
/** `import { LaneMQ } from "lanemq"`: the client. It needs `fetch`, and nothing of Node. */
export { LaneMQ } from "./lanemq.ts";
export type { CallRequest, LaneMQOptions } from "./lanemq.ts";
export type { Exchange, PublishedMessage, PublishOptions } from "./exchange.ts";
export type { Group, GroupSettings, GroupView } from "./group.ts";
export { isLaneMQError, LaneMQError } from "./errors.ts";
export type { ClientCode } from "./errors.ts";
export type {
  BrowsedMessage,
  LookedUpMessage,
  Message,
  OutgoingMessage,
  ScheduledMessage,
  SendOptions,
} from "./message.ts";
export type { Producer, ProducerOptions, Sent } from "./producer.ts";
export type { Queue, QueueOptions, Receipt } from "./queue.ts";
export type { Schedule, ScheduleSettings, ScheduleView } from "./schedule.ts";
export type { CallOptions, Retries } from "./transport.ts";
export type { SendCallOptions } from "./send.ts";
export { Discard, RetryAfter } from "./verdict.ts";
export type { RetryDelay } from "./verdict.ts";
export { worker } from "./lanemq.ts";
export type { Worker } from "./worker.ts";
export type { Handler, WorkerEvents, WorkerOptions } from "./worker-options.ts";
export type {
  AnswerOf,
  BodyOf,
  Operation,
  PathOf,
  PublishResult,
  QueryOf,
  QueueSettings,
  QueueSummary,
  QueueView,
  ReceiptResult,
  ReceiveRequest,
  SendResult,
} from "./wire.ts";
