/** The embedded service for a test file, and a caller that speaks plain HTTP to it. */
import { startLocal, type Local, type LocalOptions } from "../../src/local/runtime.ts";

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON of the answer; `{}` where it is none. */
  readonly json: Json;
}

// What is expected of an answer is stated by the test that reads it.
interface Json {
  readonly [name: string]: unknown;
  readonly messages?: readonly ReceivedJson[];
  readonly results?: readonly { readonly status: string; readonly receipt?: string }[];
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
}

interface ReceivedJson {
  readonly [name: string]: unknown;
  readonly id: string;
  readonly receipt: string;
  readonly body: unknown;
  readonly receives: number;
}

export type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Reply>;

/** `body`: text and bytes go as they are, anything else as JSON. */
export const caller =
  (url: string, always: Readonly<Record<string, string>> = {}): Call =>
  async (method, path, body, headers = {}) => {
    const raw = typeof body === "string" || body instanceof Uint8Array;
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...always,
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson ? (JSON.parse(text) as Json) : {},
    };
  };

export async function start(options: Partial<LocalOptions> = {}): Promise<Local> {
  return startLocal({ host: "127.0.0.1", port: 0, relaxed: true, ...options });
}

let queues = 0;
export const newName = (prefix = "q"): string => `${prefix}-${++queues}`;

/** Receives and acks until nothing is left; the bodies, in the order they came. */
export async function drain(call: Call, queue: string, max = 100): Promise<unknown[]> {
  const bodies: unknown[] = [];
  for (;;) {
    const { json } = await call("POST", `/v1/queues/${queue}/receive`, { max });
    const messages = json.messages ?? [];
    if (messages.length === 0) return bodies;
    bodies.push(...messages.map(({ body }) => body));
    await call("POST", `/v1/queues/${queue}/ack`, {
      receipts: messages.map(({ receipt }) => receipt),
    });
  }
}
