/** A gateway in front of faces that keep the events they were given. */
import { request as httpRequest, type OutgoingHttpHeaders } from "node:http";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { onTestFinished } from "vitest";
import { createGateway, type Face, type GatewayOptions } from "../../src/local/gateway.ts";

export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

export const STUB_ROUTES: GatewayOptions["routes"] = [
  { method: "POST", path: "/v1/queues/{queue}/messages", role: "send" },
  { method: "POST", path: "/v1/queues/{queue}/receive", role: "receive" },
  { method: "GET", path: "/v1/queues/{queue}/messages/{id}", role: "admin" },
  { method: "GET", path: "/v1/queues", role: "admin" },
];

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  readonly text: string;
}

export async function stubGateway(options: Partial<GatewayOptions> & { face?: Face } = {}) {
  const events: APIGatewayProxyEventV2[] = [];
  const timers: { ms: number; run: () => void }[] = [];
  const logged: unknown[] = [];
  const answerOk: Face = async (): Promise<APIGatewayProxyStructuredResultV2> => ({
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  const face: Face = (event, context) => {
    events.push(event);
    return (options.face ?? answerOk)(event, context);
  };
  let ids = 0;
  const gateway = createGateway({
    routes: STUB_ROUTES,
    faces: { send: face, receive: face, ack: face, admin: face },
    open: true,
    now: () => NOW_MS,
    requestId: () => `request-${++ids}`,
    after: (ms, run) => {
      const timer = { ms, run };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
    log: (_message, error) => logged.push(error),
    ...options,
  });
  const { port } = await gateway.listen(0, "127.0.0.1");
  onTestFinished(() => gateway.close());
  return { gateway, port, events, timers, logged };
}

/** A request as given, header by header, with nothing added but what HTTP needs. */
export function call(
  port: number,
  method: string,
  path: string,
  options: { headers?: OutgoingHttpHeaders; body?: string | Buffer; chunked?: boolean } = {},
): Promise<Answer> {
  const { headers = {}, body = "" } = options;
  const length = options.chunked === true ? {} : { "content-length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: "127.0.0.1", port, method, path, agent: false, headers: { ...length, ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          const whole = Buffer.concat(chunks);
          const { statusCode: status = 0, headers } = response;
          resolve({ status, headers, body: whole, text: whole.toString() });
        });
      },
    );
    // The server may refuse, and hang up, before it has read all of the body.
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (!["EPIPE", "ECONNRESET"].includes(error.code ?? "")) reject(error);
    });
    request.end(body);
  });
}
