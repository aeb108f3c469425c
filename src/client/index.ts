/// <reference lib="esnext.disposable" preserve="true" />
/** `import { LaneMQ } from "lanemq"`: the client. It needs `fetch`, and nothing of Node. */
export { LaneMQ } from "./lanemq.ts";
export type { CallRequest, LaneMQOptions } from "./lanemq.ts";
export { isLaneMQError, LaneMQError } from "./errors.ts";
export type { ClientCode } from "./errors.ts";
export type {
  BrowsedMessage,
  LookedUpMessage,
  Message,
  OutgoingMessage,
  SendOptions,
} from "./message.ts";
export type { Producer, ProducerOptions, Sent } from "./producer.ts";
export type { Queue, QueueOptions, Receipt } from "./queue.ts";
export type { CallOptions, Retries } from "./transport.ts";
export { Discard, RetryAfter } from "./verdict.ts";
export type { RetryDelay } from "./verdict.ts";
export { worker } from "./lanemq.ts";
export type { Handler, Worker, WorkerEvents, WorkerOptions } from "./worker.ts";
export type {
  AnswerOf,
  BodyOf,
  Operation,
  PathOf,
  QueryOf,
  QueueSettings,
  QueueSummary,
  QueueView,
  ReceiptResult,
  ReceiveRequest,
  SendResult,
} from "./wire.ts";
