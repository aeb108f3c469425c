/** An engine behind a proxy that fails as DynamoDB may: throttling, down, or with its replies lost. */
import { createServer, request as httpRequest, type Server } from "node:http";
import { startEngine } from "../../src/local/engine.ts";

export type Fault = "throttled" | "reset" | "lost" | undefined;

export interface FaultyEngine {
  readonly url: string;
  /** What happens to a request of this action (`PutItem`…); called once for each. */
  fault: (action: string) => Fault;
  /** No connection is taken any more. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

export async function startFaultyEngine(): Promise<FaultyEngine> {
  const engine = await startEngine();
  const server = createServer((request, response) => {
    const action = String(request.headers["x-amz-target"]).replace(/^.*\./, "");
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const fault = faulty.fault(action);
      if (fault === "reset") return void request.socket.destroy();
      if (fault === "throttled") {
        const type = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
        response.writeHead(400, { "content-type": "application/x-amz-json-1.0" });
        return void response.end(JSON.stringify({ __type: type, message: "too fast" }));
      }
      const { headers, method, url: path = "/" } = request;
      const options = { socketPath: engine.socketPath, headers, path, method: method ?? "POST" };
      const forwarded = httpRequest(options, (answer) => {
        if (fault === "lost") {
          answer.resume();
          answer.on("end", () => request.socket.destroy());
          return;
        }
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      forwarded.end(Buffer.concat(chunks));
      return undefined;
    });
  });
  server.keepAliveTimeout = 0;
  const port = await listen(server, 0);
  const faulty: FaultyEngine = {
    url: `http://127.0.0.1:${port}`,
    fault: () => undefined,
    async down() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
    async up() {
      await listen(server, port);
    },
    async close() {
      if (server.listening) await faulty.down();
      await engine.close();
    },
  };
  return faulty;
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}
