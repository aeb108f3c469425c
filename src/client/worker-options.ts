/** What a worker can be told, and what it tells. */
import type { FieldError } from "../core/errors.ts";
import type { Message } from "./message.ts";
import type { Discard, RetryDelay } from "./verdict.ts";

/** `signal` fires when the lease is lost, or the worker no longer waits for the handler. */
export type Handler<T = unknown> = (
  message: Message<T>,
  context: { readonly signal: AbortSignal },
) => unknown;

export interface WorkerOptions {
  /** Handlers at once; 10. */
  readonly concurrency?: number;
  /** The consumer group; "default". */
  readonly group?: string;
  /** Length of a lease, which is extended while its handler runs; 30. At least 3. */
  readonly leaseSeconds?: number;
  /** Most messages that one receive takes; as many as can be started. */
  readonly batch?: number;
  /** Most seconds that one receive waits; 20. Shorter where connections do not last so long. */
  readonly waitSeconds?: number;
  /** When a message comes again after its handler failed. */
  readonly retry?: RetryDelay;
  /** How long handlers may go on after the worker was told to stop; 25. */
  readonly graceSeconds?: number;
  /** Stops the worker when it fires. */
  readonly signal?: AbortSignal;
}

export interface WorkerEvents<T = unknown> extends Record<string, unknown> {
  /** Its handler starts. */
  started: { readonly message: Message<T> };
  /** Handled and acked. */
  done: { readonly message: Message<T> };
  /** Its handler threw; it comes again after `delaySeconds`. */
  failed: {
    readonly message: Message<T>;
    readonly error: unknown;
    readonly delaySeconds: number;
  };
  /** Its handler threw `Discard`; it was acked. */
  discarded: { readonly message: Message<T>; readonly error: Discard };
  /** Its lease was lost: somebody else may work on it, too. */
  lost: { readonly message: Message<T> };
  /** It did not fit the queue's schema, and was put aside. */
  invalid: { readonly message: Message; readonly errors: readonly FieldError[] };
  /** A call failed, and is tried again later. */
  error: { readonly error: unknown; readonly while: "receive" | "extend" | "settle" };
  stopped: undefined;
}
