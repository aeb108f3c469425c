/**
 * Trace context (W3C) in the headers of messages, and spans, if the application has OpenTelemetry's
 * API package. Names and attributes follow its conventions for messaging.
 *
 * O1  Without the package nothing is added, and nothing fails.
 */

/** As much of `@opentelemetry/api` as is used here. */
export interface Telemetry {
  readonly context: {
    active(): unknown;
    with(context: never, run: () => unknown): unknown;
  };
  readonly propagation: {
    inject(context: never, carrier: unknown): void;
    extract(context: never, carrier: unknown): unknown;
  };
  readonly trace: {
    getTracer(name: string): {
      startSpan(name: string, options: object, context: never): Span;
    };
    setSpan(context: never, span: never): unknown;
  };
}

interface Span {
  recordException(exception: string): unknown;
  setStatus(status: { code: number; message?: string }): unknown;
  end(): void;
}

/** Of the API's SpanKind and SpanStatusCode. */
const PRODUCER = 3;
const CONSUMER = 4;
const ERROR = 2;

export type Headers = Readonly<Record<string, string>>;

export interface Tracing {
  /** `run` gets the headers to send along. */
  sending<T>(queue: string, count: number, run: (headers: Headers) => Promise<T>): Promise<T>;
  /** Runs within the trace that the message's headers name. */
  processing<T>(
    queue: string,
    message: { readonly id: string; readonly headers: Headers },
    run: () => Promise<T>,
  ): Promise<T>;
}

const NONE: Tracing = {
  sending: (_queue, _count, run) => run({}),
  processing: (_queue, _message, run) => run(),
};

/** `undefined`: with the package, if it is there. */
export async function tracingWith(given: Telemetry | false | undefined): Promise<Tracing> {
  const telemetry = given === undefined ? await installed() : given;
  return telemetry === false || telemetry === undefined ? NONE : tracingOf(telemetry);
}

async function installed(): Promise<Telemetry | undefined> {
  // Not a literal: bundlers are not to look for what need not be there.
  const name = "@opentelemetry/api";
  try {
    return (await import(/* webpackIgnore: true */ /* @vite-ignore */ name)) as Telemetry;
  } catch {
    return undefined;
  }
}

function tracingOf({ context, propagation, trace }: Telemetry): Tracing {
  const within = async <T>(
    what: { operation: string; queue: string; kind: number; attributes: object },
    parent: unknown,
    run: (context: unknown) => Promise<T>,
  ): Promise<T> => {
    const attributes = {
      "messaging.system": "lanemq",
      "messaging.destination.name": what.queue,
      "messaging.operation.name": what.operation,
      "messaging.operation.type": what.operation,
      ...what.attributes,
    };
    const options = { kind: what.kind, attributes };
    const name = `${what.operation} ${what.queue}`;
    const span = trace.getTracer("lanemq").startSpan(name, options, parent as never);
    const inside = trace.setSpan(parent as never, span as never);
    try {
      return await (context.with(inside as never, () => run(inside)) as Promise<T>);
    } catch (error) {
      span.recordException(String(error));
      span.setStatus({ code: ERROR, message: String(error) });
      throw error;
    } finally {
      span.end();
    }
  };
  return {
    sending: (queue, count, run) =>
      within(
        {
          operation: "send",
          queue,
          kind: PRODUCER,
          attributes: count > 1 ? { "messaging.batch.message_count": count } : {},
        },
        context.active(),
        (inside) => {
          const headers: Record<string, string> = {};
          propagation.inject(inside as never, headers);
          return run(headers);
        },
      ),
    processing: (queue, { id, headers }, run) =>
      within(
        {
          operation: "process",
          queue,
          kind: CONSUMER,
          attributes: { "messaging.message.id": id },
        },
        propagation.extract(context.active() as never, headers),
        run,
      ),
  };
}
