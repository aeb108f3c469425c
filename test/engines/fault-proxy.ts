/**
 * Stands between the SDK and an engine and fails as a network and DynamoDB may. What happens to a
 * request is asked for each anew, so that a test decides it by count, by action or by chance.
 *
 * X1  A request is applied as a whole or not at all, and never twice.
 */
import { createServer, request as httpRequest } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Fault =
  /** Refused as DynamoDB refuses what is too fast. Not applied. */
  | "throttled"
  /** Answered with 500. Not applied. */
  | "error"
  /** Applied, and answered with 500 all the same. */
  | "errorAfter"
  /** The connection is cut before the request has gone on. Not applied. */
  | "reset"
  /** Applied; the connection is cut before the reply. */
  | "lost"
  /** Applied; the connection is cut in the middle of the reply. */
  | "torn"
  /** Applied after a while, and answered. */
  | { readonly slowMs: number }
  /** Applied after a while; nobody is told. */
  | { readonly lateMs: number };

export type Target = { readonly socketPath: string } | { readonly port: number };

export interface FaultProxy {
  readonly url: string;
  /** What happens to a request of this action (`PutItem`…); called once for each. */
  fault: (action: string) => Fault | undefined;
  /** Cuts all connections, whatever is under way on them. */
  cut(): void;
  /** No connection is taken any more. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Once nothing is under way, late ones included. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

const ERRORS = {
  throttled: [400, "ProvisionedThroughputExceededException"],
  error: [500, "InternalServerError"],
} as const;

export async function startFaultProxy(target: Target): Promise<FaultProxy> {
  const underWay = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const action = String(request.headers["x-amz-target"]).replace(/^.*\./, "");
    const chunks: Buffer[] = [];
    request.on("error", () => {});
    response.on("error", () => {});
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const work = serve(proxy.fault(action), request, response, Buffer.concat(chunks));
      underWay.add(work);
      void work.finally(() => underWay.delete(work));
    });
  });
  server.keepAliveTimeout = 0;
  const port = await listen(server, 0);

  async function serve(
    fault: Fault | undefined,
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
  ): Promise<void> {
    if (fault === "reset") return void request.socket.destroy();
    if (fault === "throttled" || fault === "error") return refuse(response, fault);
    if (typeof fault === "object") await delay("slowMs" in fault ? fault.slowMs : fault.lateMs);
    const answer = await forward(target, request, body).catch(() => undefined);
    if (
      answer === undefined ||
      fault === "lost" ||
      (typeof fault === "object" && "lateMs" in fault)
    )
      return void request.socket.destroy();
    if (fault === "errorAfter") return refuse(response, "error");
    response.writeHead(answer.status, answer.headers);
    if (fault !== "torn") return void response.end(answer.body);
    await new Promise<void>((resolve) => {
      response.once("close", resolve);
      response.write(answer.body.subarray(0, answer.body.length / 2), () => resolve());
    });
    request.socket.destroy();
    return undefined;
  }

  const proxy: FaultProxy = {
    url: `http://127.0.0.1:${port}`,
    fault: () => undefined,
    cut: () => server.closeAllConnections(),
    async down() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
    async up() {
      await listen(server, port);
    },
    async idle() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
    async close() {
      if (server.listening) await proxy.down();
      await proxy.idle();
    },
  };
  return proxy;
}

function refuse(response: ServerResponse, fault: keyof typeof ERRORS): void {
  const [status, name] = ERRORS[fault];
  response.writeHead(status, { "content-type": "application/x-amz-json-1.0" });
  response.end(
    JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: "by the proxy" }),
  );
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

function forward(target: Target, request: IncomingMessage, body: Buffer): Promise<Answer> {
  const { headers, method = "POST", url: path = "/" } = request;
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", ...target, headers, path, method };
    const forwarded = httpRequest(options, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("error", reject);
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () =>
        resolve({
          status: answer.statusCode ?? 500,
          headers: answer.headers,
          body: Buffer.concat(chunks),
        }),
      );
    });
    forwarded.on("error", reject);
    forwarded.end(body);
  });
}

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}
