import { createServer } from "node:http";
import { createDynamoDbStore } from "../../src/store/dynamodb.ts";
import type { Store, StoreRequest } from "../../src/store/port.ts";
import { TABLES, freshSocketPath } from "./engine.ts";
import { socketClient } from "./socket.ts";

/** What an engine does with one request. */
export type Answer =
  | { readonly status: number; readonly body: unknown }
  /** Reads the request and then breaks the connection. */
  | "reset"
  /** Never answers. */
  | "silence";

export interface ScriptedEngine {
  readonly store: Store;
  /** The operations that arrived. */
  readonly arrived: string[];
  /** Their inputs. */
  readonly inputs: Record<string, unknown>[];
  readonly connections: () => number;
  /** How long the store slept, each time. */
  readonly naps: number[];
  close(): Promise<void>;
}

export const refusal = (name: string, status = 400, extra: object = {}): Answer => ({
  status,
  body: { __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: name, ...extra },
});

/** An engine that gives these answers in order, the last one for ever. */
export async function startScripted(
  answers: readonly [Answer, ...Answer[]],
  options: {
    returnsFoundItem?: boolean;
    requestTimeoutMs?: number;
    onRequest?: (request: StoreRequest) => void;
  } = {},
): Promise<ScriptedEngine> {
  const socketPath = freshSocketPath();
  const arrived: string[] = [];
  const inputs: Record<string, unknown>[] = [];
  const naps: number[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      inputs.push(JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>);
      const target = String(request.headers["x-amz-target"]);
      const answer = answers[Math.min(arrived.length, answers.length - 1)];
      arrived.push(target.slice(target.indexOf(".") + 1));
      if (answer === "reset") request.socket.destroy();
      else if (typeof answer === "object") {
        response.writeHead(answer.status, { "content-type": "application/x-amz-json-1.0" });
        response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
      }
    });
  });
  server.on("connection", () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const { returnsFoundItem = true, requestTimeoutMs = 30_000 } = options;
  const client = socketClient(socketPath, requestTimeoutMs);
  const store = createDynamoDbStore({
    client,
    tables: TABLES,
    random: () => 0.5,
    sleep: async (ms) => void naps.push(ms),
    returnsFoundItem,
    ...(options.onRequest && { onRequest: options.onRequest }),
  });
  return {
    store,
    arrived,
    inputs,
    connections: () => connections,
    naps,
    async close() {
      client.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}
