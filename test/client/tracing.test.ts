/** Hunts: traces that end at the queue, and spans that nobody asked for. */
import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { LaneMQOptions } from "../../src/client/index.ts";
import { world } from "./fake.ts";

const exporter = new InMemorySpanExporter();

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  );
});
beforeEach(() => exporter.reset());
afterAll(() => {
  trace.disable();
  propagation.disable();
  context.disable();
});

interface Sent {
  readonly headers?: Record<string, string>;
}

/** Sends a message within a span, and lets a worker work on what was sent. */
async function sendAndWork(options: LaneMQOptions, fails = false): Promise<Sent[]> {
  const sent: Sent[] = [];
  let given = 0;
  const { client, pass } = world(async ({ path, body }, sleep) => {
    if (path.endsWith("/messages")) {
      sent.push(...(body["messages"] as Sent[]));
      return { status: 201, json: { messages: [{ id: "m" }] } };
    }
    if (!path.endsWith("/receive")) return { json: { results: [{ status: "done" }] } };
    const messages = sent.slice(given, given + 1).map(({ headers = {} }) => ({
      id: "m",
      receipt: "r",
      body: "b",
      contentType: "text/plain",
      headers,
      receives: 1,
    }));
    given += messages.length;
    return (messages.length === 0 ? await sleep(20_000) : undefined) ?? { json: { messages } };
  }, options);
  const queue = client.queue("orders");
  await trace.getTracer("app").startActiveSpan("request", async (span) => {
    await queue.send("b", { headers: { own: "1" } });
    span.end();
  });
  const worker = queue.worker(async () => {
    trace.getTracer("app").startSpan("inside").end();
    if (fails) throw new Error("no");
  });
  await pass(50);
  await worker.stop();
  return sent;
}

test("with the package there, the handler runs in the trace of the one who sent", async () => {
  const sent = await sendAndWork({ telemetry: undefined as never });
  expect(sent[0]?.headers).toMatchObject({ own: "1", traceparent: expect.stringMatching(/^00-/) });
  const spans = exporter.getFinishedSpans();
  expect(spans.map(({ name }) => name).sort()).toEqual([
    "inside",
    "process orders",
    "request",
    "send orders",
  ]);
  expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1);
  const process = spans.find(({ name }) => name === "process orders");
  const send = spans.find(({ name }) => name === "send orders");
  expect(process?.parentSpanContext?.spanId).toBe(send?.spanContext().spanId);
  expect(process?.attributes).toMatchObject({
    "messaging.system": "lanemq",
    "messaging.destination.name": "orders",
    "messaging.message.id": "m",
  });
});

test("a handler that throws has a span that says so", async () => {
  await sendAndWork({ telemetry: { context, propagation, trace } }, true);
  const span = exporter.getFinishedSpans().find(({ name }) => name === "process orders");
  expect(span?.status).toMatchObject({ code: 2, message: "Error: no" });
});

test("with `telemetry: false` there are neither headers nor spans", async () => {
  const sent = await sendAndWork({ telemetry: false });
  expect(sent[0]?.headers).toEqual({ own: "1" });
  expect(
    exporter
      .getFinishedSpans()
      .map(({ name }) => name)
      .sort(),
  ).toEqual(["inside", "request"]);
});
