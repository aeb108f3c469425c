/** The client: where the service is, who calls, and what can be called. */
import { REAL } from "./effects.ts";
import type { Effects } from "./effects.ts";
import { Exchange } from "./exchange.ts";
import { after, pages } from "./pages.ts";
import { Queue } from "./queue.ts";
import type { Client, QueueOptions } from "./queue.ts";
import { Schedule } from "./schedule.ts";
import type { ScheduleView } from "./schedule.ts";
import { tracingWith } from "./tracing.ts";
import type { Telemetry, Tracing } from "./tracing.ts";
import { Transport } from "./transport.ts";
import type { CallOptions, Retries } from "./transport.ts";
import type { AnswerOf, BodyOf, Operation, PathOf, QueryOf, QueueSummary } from "./wire.ts";
import type { Worker } from "./worker.ts";
import type { Handler, WorkerOptions } from "./worker-options.ts";

export interface LaneMQOptions {
  /** URL of the service; http://127.0.0.1:9324, where `lanemq start` listens. */
  readonly endpoint?: string;
  readonly apiKey?: string;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How long one attempt may take, waits aside; 30. */
  readonly timeoutSeconds?: number;
  /** Attempts after the first, and their pauses; 4, from 100 ms to 5 s. */
  readonly retries?: Partial<Retries>;
  /**
   * Whether sends get an idempotency key, so that they can be repeated when an answer was lost; true.
   * It costs one write unit a request.
   */
  readonly sendsOnce?: boolean;
  /** In place of the global one. */
  readonly fetch?: typeof fetch;
  /** OpenTelemetry's API. Absent: used if it is installed. `false`: not used. */
  readonly telemetry?: Telemetry | false;
}

/** What an operation takes; a member that it does not have is left out. */
export type CallRequest<O extends Operation> = {
  readonly path: PathOf<O>;
  readonly query?: QueryOf<O>;
  readonly body?: BodyOf<O>;
} & CallOptions;

const DEFAULT_RETRIES: Retries = { retries: 4, initialMs: 100, maxMs: 5_000 };

export class LaneMQ {
  readonly #client: Client;

  constructor(options: LaneMQOptions = {}, effects: Effects = REAL) {
    const endpoint = new URL(options.endpoint ?? "http://127.0.0.1:9324");
    const transport = new Transport({
      endpoint: endpoint.href.replace(/\/+$/, ""),
      apiKey: options.apiKey,
      headers: options.headers ?? {},
      timeoutSeconds: options.timeoutSeconds ?? 30,
      retries: { ...DEFAULT_RETRIES, ...options.retries },
      sendsOnce: options.sendsOnce ?? true,
      effects: options.fetch === undefined ? effects : { ...effects, fetch: options.fetch },
    });
    let tracing: Promise<Tracing> | undefined;
    this.#client = {
      transport,
      tracing: () => (tracing ??= tracingWith(options.telemetry)),
      call: (operation, request) => this.call(operation, request),
    };
  }

  /**
   * A queue of this name, whether it exists or not.
   * @param options with a schema, bodies are checked when they are sent and when they are received
   */
  queue<In = unknown, Out = In>(name: string, options: QueueOptions<In, Out> = {}): Queue<In, Out> {
    return new Queue(this.#client, name, options);
  }

  /** The queues that the key may do something with, page by page as far as you read on. */
  async *queues(
    query: QueryOf<"listQueues"> = {},
    options: CallOptions = {},
  ): AsyncGenerator<QueueSummary, void, undefined> {
    const page = (cursor = query.cursor) =>
      this.call("listQueues", { ...options, path: {}, query: { ...query, ...after(cursor) } });
    for await (const { queues } of pages(page)) yield* queues;
  }

  /** An exchange of this name, whether it exists or not. */
  exchange<In = unknown>(name: string): Exchange<In> {
    return new Exchange(this.#client, name);
  }

  /** The exchanges that the key may do something with. */
  async *exchanges(
    query: QueryOf<"listExchanges"> = {},
    options: CallOptions = {},
  ): AsyncGenerator<AnswerOf<"listExchanges">["exchanges"][number], void, undefined> {
    const page = (cursor = query.cursor) =>
      this.call("listExchanges", { ...options, path: {}, query: { ...query, ...after(cursor) } });
    for await (const { exchanges } of pages(page)) yield* exchanges;
  }

  /** A recurring schedule of this name, whether it exists or not. */
  schedule(name: string): Schedule {
    return new Schedule(this.#client, name);
  }

  /** The recurring schedules whose targets the key may do something with. */
  async *schedules(options: CallOptions = {}): AsyncGenerator<ScheduleView, void, undefined> {
    const page = (cursor: string | undefined) =>
      this.call("listSchedules", { ...options, path: {}, query: after(cursor) });
    for await (const { schedules } of pages(page)) yield* schedules;
  }

  /**
   * Any operation of the API, by its name there.
   * @throws LaneMQError, or the reason of a signal that fired
   */
  async call<O extends Operation>(operation: O, request: CallRequest<O>): Promise<AnswerOf<O>> {
    const { path, query, body, ...options } = request;
    const answer = await this.#client.transport.request(
      operation,
      {
        path: path as Readonly<Record<string, string>>,
        query,
        body: body === undefined ? undefined : JSON.stringify(body),
      },
      options,
    );
    return answer as AnswerOf<O>;
  }
}

/** Starts a worker on a queue: the same as `queue.worker(handler, options)`. */
export const worker = <T>(
  queue: { worker(handler: Handler<T>, options: WorkerOptions): Worker<T> },
  handler: Handler<T>,
  options: WorkerOptions = {},
): Worker<T> => queue.worker(handler, options);
