/** Load over HTTP, by autocannon: sends, and receives each followed by the ack of what came. */
import autocannon from "autocannon";
import { payloads } from "./payloads.ts";

export interface Load {
  readonly url: string;
  readonly queue: string;
  /** Messages a request. */
  readonly batch: number;
  readonly seconds?: number;
  /** Requests in all, instead of a time. */
  readonly amount?: number;
  readonly connections?: number;
}

export interface Outcome {
  readonly messages: number;
  readonly perSecond: number;
  /** Of one request, in ms. */
  readonly p50: number;
  readonly p99: number;
}

const CONNECTIONS = 64;
const JSON_HEADERS = { "content-type": "application/json" };

/** Bodies of send requests; made beforehand, as the load generator shares the processors. */
export function sendBodies(batch: number, messages: number): Buffer[] {
  const payload = payloads(200);
  return Array.from({ length: Math.ceil(messages / batch) }, (_, request) => {
    const list = Array.from(
      { length: batch },
      (_, index) => `{"body":${payload(request * batch + index)}}`,
    );
    return Buffer.from(batch === 1 ? (list[0] ?? "") : `{"messages":[${list.join()}]}`);
  });
}

export async function sendLoad(load: Load, bodies: readonly Buffer[]): Promise<Outcome> {
  let next = 0;
  let stored = 0;
  const result = await run(load, [
    {
      method: "POST",
      path: `/v1/queues/${load.queue}/messages`,
      headers: JSON_HEADERS,
      setupRequest: (request) => ({ ...request, body: bodies[next++ % bodies.length] ?? "" }),
      onResponse(status, body) {
        if (status !== 201 || body.includes(`"error"`)) throw new Error(`send: ${status} ${body}`);
        stored += load.batch;
      },
    },
  ]);
  return outcome(result, stored, result.duration);
}

/** Until the time is over or nothing more comes; the rate is that of the time in which something came. */
export async function drainLoad(load: Load): Promise<Outcome> {
  let acked = 0;
  const startedAt = performance.now();
  let lastAt = startedAt;
  const result = await run(load, [
    {
      method: "POST",
      path: `/v1/queues/${load.queue}/receive`,
      headers: JSON_HEADERS,
      body: JSON.stringify({ max: load.batch, leaseSeconds: 600 }),
      onResponse(status, body, context) {
        if (status !== 200) throw new Error(`receive: ${status} ${body}`);
        const { messages } = JSON.parse(body) as { messages: { receipt: string }[] };
        Object.assign(context, { receipts: messages.map(({ receipt }) => receipt) });
      },
    },
    {
      method: "POST",
      path: `/v1/queues/${load.queue}/ack`,
      headers: JSON_HEADERS,
      setupRequest(request, context) {
        const { receipts } = context as { receipts: string[] };
        // Nothing to ack: autocannon begins anew with the receive.
        if (receipts.length === 0) return undefined as never;
        return { ...request, body: JSON.stringify({ receipts }) };
      },
      onResponse(status, body) {
        if (status !== 200) throw new Error(`ack: ${status} ${body}`);
        const { results } = JSON.parse(body) as { results: { status: string }[] };
        acked += results.filter(({ status }) => status === "done").length;
        lastAt = performance.now();
      },
    },
  ]);
  return outcome(result, acked, (lastAt - startedAt) / 1000);
}

async function run(load: Load, requests: autocannon.Request[]): Promise<autocannon.Result> {
  const { url, seconds, amount, connections = CONNECTIONS } = load;
  const result = await autocannon({
    url,
    connections,
    requests,
    timeout: 30,
    ...(amount === undefined ? { duration: seconds ?? 1 } : { amount }),
  });
  if (result.errors > 0) throw new Error(`${result.errors} requests had no answer`);
  return result;
}

const outcome = ({ latency }: autocannon.Result, messages: number, seconds: number): Outcome => ({
  messages,
  perSecond: messages / seconds,
  p50: latency.p50,
  p99: latency.p99,
});
