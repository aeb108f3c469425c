/**
 * One request and its repetitions. Knows HTTP and the table of routes, and nothing of queues.
 *
 * T1  A call is repeated where its error says that nothing was changed (`retryable`), and where the
 *     outcome is unknown only if the call may be repeated: by its method, by R below, or by an
 *     idempotency key, which all of its attempts share.
 * T2  A signal that fires ends the call at once, pauses included, with the signal's own reason.
 * T3  Every answer is read to its end, so that its connection can be used again.
 */
import { ROUTES } from "../http/routes.ts";
import { errorOfAnswer, isOutcomeUnknown, LaneMQError } from "./errors.ts";
import { pauseMs, sleep } from "./effects.ts";
import type { Backoff, Effects } from "./effects.ts";
import type { Operation } from "./wire.ts";

export interface Retries extends Backoff {
  /** Attempts beside the first one. */
  readonly retries: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long one attempt may take. */
  readonly timeoutSeconds?: number | undefined;
  /** Attempts beside the first one. */
  readonly retries?: number | undefined;
}

export interface TransportOptions {
  readonly endpoint: string;
  readonly apiKey: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly retries: Retries;
  /** Whether sends get an idempotency key of their own. */
  readonly sendsOnce: boolean;
  readonly effects: Effects;
}

export interface Request {
  readonly path: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  /** JSON text. */
  readonly body?: string | undefined;
  readonly idempotencyKey?: string | undefined;
}

/** R: POSTs that are harmless to repeat. A receive whose answer was lost leases anew; what it leased comes again. */
const REPEATABLE: ReadonlySet<Operation> = new Set(["receive", "ack", "release", "extend"]);

const BY_OPERATION = new Map(ROUTES.map((route) => [route.operation, route]));

export class Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  get effects(): Effects {
    return this.#options.effects;
  }

  get retries(): Retries {
    return this.#options.retries;
  }

  get sendsOnce(): boolean {
    return this.#options.sendsOnce;
  }

  /** The JSON of the answer; `undefined` where there is none. @throws LaneMQError, or the signal's reason */
  async request(operation: Operation, request: Request, options: CallOptions): Promise<unknown> {
    const { effects, retries } = this.#options;
    const { signal } = options;
    const most = options.retries ?? retries.retries;
    for (let failures = 0; ; failures++) {
      signal?.throwIfAborted();
      try {
        return await this.#attempt(operation, request, options);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof LaneMQError) || failures >= most) throw error;
        if (!error.retryable && !(isOutcomeUnknown(error) && mayRepeat(operation, request))) {
          throw error;
        }
        const asked = (error.retryAfterSeconds ?? 0) * 1000 * (1 + effects.random() / 4);
        await sleep(effects, Math.max(asked, pauseMs(retries, failures, effects.random())), signal);
      }
    }
  }

  async #attempt(operation: Operation, request: Request, options: CallOptions): Promise<unknown> {
    const { effects } = this.#options;
    const { method, url, headers } = this.#address(operation, request);
    const seconds = options.timeoutSeconds ?? this.#options.timeoutSeconds;
    const ends = new AbortController();
    const hangUp = (): void => ends.abort();
    options.signal?.addEventListener("abort", hangUp);
    const cancel = effects.after(seconds * 1000, hangUp);
    let response: Response;
    let text: string;
    try {
      response = await effects.fetch(url, {
        method,
        headers,
        signal: ends.signal,
        ...(request.body === undefined ? {} : { body: request.body }),
      });
      text = await response.text();
    } catch (cause) {
      const why = ends.signal.aborted ? `no answer within ${seconds} s` : reasonOf(cause);
      throw new LaneMQError("unreachable", `${method} ${url}: ${why}`, { cause });
    } finally {
      cancel();
      options.signal?.removeEventListener("abort", hangUp);
    }
    if (!response.ok) throw errorOfAnswer(response.status, (n) => response.headers.get(n), text);
    return answerOf(text, `${method} ${url}`);
  }

  #address(
    operation: Operation,
    { path, query, body, idempotencyKey }: Request,
  ): { method: string; url: string; headers: Record<string, string> } {
    const route = BY_OPERATION.get(operation);
    if (route === undefined) throw new TypeError(`There is no call ${operation}.`);
    const { apiKey, endpoint } = this.#options;
    const filled = route.path.replace(/\{(\w+)\}/g, (_, name: string) => segment(name, path[name]));
    return {
      method: route.method,
      url: endpoint + filled + queryOf(query),
      headers: {
        ...this.#options.headers,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
      },
    };
  }
}

function mayRepeat(operation: Operation, { idempotencyKey }: Request): boolean {
  const method = BY_OPERATION.get(operation)?.method;
  return method !== "POST" || REPEATABLE.has(operation) || idempotencyKey !== undefined;
}

/** `.` and `..` would be taken for steps in the path. */
function segment(name: string, value: string | undefined): string {
  if (value === undefined || value === "" || value === "." || value === "..") {
    throw new TypeError(`"${value ?? ""}" cannot be a ${name}.`);
  }
  return encodeURIComponent(value);
}

function queryOf(query: Readonly<Record<string, unknown>> = {}): string {
  const pairs = Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`);
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

function answerOf(text: string, what: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new LaneMQError("unreachable", `${what}: the answer is not JSON: is this LaneMQ?`, {
      cause,
    });
  }
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  const { code } = cause as { code?: unknown };
  return cause.message === "" && typeof code === "string" ? code : cause.message;
}
