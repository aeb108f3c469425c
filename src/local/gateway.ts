/**
 * A local HTTP server that plays API Gateway's HTTP API in front of the faces: it routes by the same
 * table as the stack, makes payload-format-2.0 events and plays the results back.
 *
 * G1  What AWS enforces is enforced: 10 MB of payload, 10,240 bytes of request line and headers, 6 MB
 *     of Lambda event and of answer, 30 s. Its own answers look like API Gateway's: `{ message }`.
 * G2  Without a key, only loopback names and origins are served (`gateway-guard.ts`).
 * G3  Closing ends long waits, lets requests under way finish and closes their connections after it;
 *     what has not arrived whole by then is dropped, and nothing of it was stored.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import findMyWay from "find-my-way";
import { LIMITS } from "../core/limits.ts";
import type { Signal } from "../core/signal.ts";
import { routeKey, type FaceName, type Route } from "../http/routes.ts";
import { CallerSignal, Closing } from "./caller-signal.ts";
import { decoded, readHeaders, toEvent } from "./gateway-event.ts";
import { refusal } from "./gateway-guard.ts";
import { LocalError } from "./local-error.ts";
import { Roster } from "./roster.ts";

export type Face = (
  event: APIGatewayProxyEventV2,
  context?: { readonly signal?: Signal },
) => Promise<APIGatewayProxyStructuredResultV2>;

export interface GatewayOptions {
  readonly routes: readonly (Pick<Route, "method" | "path"> & { readonly role: FaceName })[];
  readonly faces: Readonly<Partial<Record<FaceName, Face>>>;
  /** True: no key is asked for (G2). */
  readonly open: boolean;
  readonly now: () => number;
  /** A request came on this connection; what it returns is called when the answer has gone. */
  readonly onCall?: (connection: object) => () => void;
  readonly requestId: () => string;
  /** Runs `run` after `ms`; what it returns cancels that. */
  readonly after: (ms: number, run: () => void) => () => void;
  readonly log: (message: string, error: unknown) => void;
}

export interface Gateway {
  /** @throws LocalError if the port cannot be had. */
  listen(port: number, host: string): Promise<{ port: number }>;
  close(): Promise<void>;
}

/** API Gateway, HTTP APIs: maximum integration timeout. */
const INTEGRATION_TIMEOUT_MS = 30_000;
/** API Gateway, HTTP APIs: total combined size of request line and header values. */
const HEADER_BYTES = 10_240;
/** Faces that wait for messages: who hangs up must not be given leases. */
const WAITING: ReadonlySet<FaceName> = new Set(["receive", "sqs"]);
/** How long a stopping gateway waits for the rest of a request. */
const ARRIVAL_MS = 2_000;
/** No text grows more than this in JSON: one byte becomes `\u0000`. */
const JSON_GROWTH_MAX = 6;

interface Target {
  readonly key: string;
  readonly role: FaceName;
}

export function createGateway(options: GatewayOptions): Gateway {
  const find = router(options.routes);
  const closing = new Closing();
  const arriving = new Roster<IncomingMessage>();
  let underWay = 0;
  let drained: (() => void) | undefined;

  const server = createServer({ maxHeaderSize: 4 * HEADER_BYTES, keepAliveTimeout: 65_000 });
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    underWay += 1;
    const answered = options.onCall?.(request.socket);
    response.once("close", () => {
      answered?.();
      underWay -= 1;
      if (underWay === 0) drained?.();
    });
    if (closing.hasBegun) response.shouldKeepAlive = false;
    accept(request, response);
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
    const tooLarge = error.code === "HPE_HEADER_OVERFLOW";
    const status = tooLarge ? "431 Request Header Fields Too Large" : "400 Bad Request";
    const body = JSON.stringify({ message: status.slice(4) });
    socket.end(
      `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    return undefined;
  });

  function accept(request: IncomingMessage, response: ServerResponse): void {
    const requestId = options.requestId();
    const refuse = (status: number, message: string): void => {
      // What is still to come of the request is not worth reading.
      if (!request.complete) response.shouldKeepAlive = false;
      play(response, requestId, { statusCode: status, ...json({ message }) });
    };
    const headers = readHeaders(request.rawHeaders);
    const refused = options.open ? refusal(headers.names) : undefined;
    if (refused !== undefined) return refuse(403, refused);
    if (headerBytes(request) > HEADER_BYTES) return refuse(431, "Request Header Fields Too Large");
    if (Number(headers.names["content-length"] ?? 0) > LIMITS.gatewayBytes)
      return refuse(413, "Request Entity Too Large");
    const { path, query } = splitUrl(request.url ?? "/");
    const route = find(request.method ?? "", path);
    if (route === "bad") return refuse(400, "Bad Request");
    if (route === undefined) return refuse(404, "Not Found");

    const chunks: Buffer[] = [];
    let bytes = 0;
    request.once("close", arriving.add(request));
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= LIMITS.gatewayBytes) chunks.push(chunk);
      else if (!response.headersSent) {
        chunks.length = 0;
        refuse(413, "Request Entity Too Large");
      }
    });
    request.on("error", () => response.destroy());
    request.on("end", () => {
      if (response.headersSent) return;
      const body = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, bytes);
      const event = toEvent({
        request,
        headers,
        routeKey: route.target.key,
        path,
        query,
        pathParameters: route.params,
        body,
        requestId,
        nowMs: options.now(),
      });
      if (tooLargeForLambda(event.body, event)) refuse(413, "Request Entity Too Large");
      else void invoke(route.target.role, event, requestId, response);
    });
    return undefined;
  }

  async function invoke(
    role: FaceName,
    event: APIGatewayProxyEventV2,
    requestId: string,
    response: ServerResponse,
  ): Promise<void> {
    const cancel = options.after(INTEGRATION_TIMEOUT_MS, () =>
      play(response, requestId, { statusCode: 503, ...json({ message: "Service Unavailable" }) }),
    );
    let result: APIGatewayProxyStructuredResultV2;
    try {
      const face = options.faces[role];
      if (face === undefined) throw new Error(`there is no face for ${role}`);
      result = await (WAITING.has(role)
        ? face(event, { signal: new CallerSignal(response, closing) })
        : face(event));
      if (tooLargeForLambda(result.body, result)) throw new Error("the answer is above 6 MB");
    } catch (error) {
      options.log("a handler failed", error);
      result = { statusCode: 500, ...json({ message: "Internal Server Error" }) };
    }
    cancel();
    play(response, requestId, result);
  }

  return {
    async listen(port, host) {
      await listening(server, port, host);
      const address = server.address();
      return { port: typeof address === "object" && address !== null ? address.port : port };
    },
    async close() {
      if (!server.listening) return;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      closing.begin();
      const cancel = options.after(ARRIVAL_MS, () => {
        for (const request of arriving.all()) if (!request.complete) request.destroy();
      });
      if (underWay > 0) await new Promise<void>((resolve) => (drained = resolve));
      cancel();
      server.closeAllConnections();
      await closed;
    },
  };
}

const json = (body: object): { headers: Record<string, string>; body: string } => ({
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

type Found = { readonly target: Target; readonly params: Record<string, string | undefined> };

function router(
  routes: GatewayOptions["routes"],
): (method: string, path: string) => Found | "bad" | undefined {
  // Names that are too long are the face's to refuse, by their code.
  const tree = findMyWay({ maxParamLength: HEADER_BYTES });
  for (const route of routes)
    tree.on(route.method, route.path.replace(/\{(\w+)\}/g, ":$1"), () => {}, {
      key: routeKey(route),
      role: route.role,
    } satisfies Target);
  return (method, path) => {
    try {
      decoded(path);
    } catch {
      return "bad";
    }
    const found = tree.find(method as "GET", path);
    // A parameter is never empty.
    if (found === null || Object.values(found.params).includes("")) return undefined;
    return { target: found.store as Target, params: found.params };
  };
}

function splitUrl(url: string): { path: string; query: string } {
  const at = url.indexOf("?");
  return at < 0 ? { path: url, query: "" } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

function headerBytes(request: IncomingMessage): number {
  let bytes = (request.method?.length ?? 0) + (request.url?.length ?? 0) + " HTTP/1.1".length;
  for (const text of request.rawHeaders) bytes += text.length;
  return bytes;
}

/** Lambda's cap is on the JSON, which is only made where the body could reach it. */
function tooLargeForLambda(body: string | undefined, whole: object): boolean {
  if (body === undefined || body.length * JSON_GROWTH_MAX < LIMITS.lambdaPayloadBytes) return false;
  return Buffer.byteLength(JSON.stringify(whole)) > LIMITS.lambdaPayloadBytes;
}

/** Does nothing where the time-out has answered, or the caller is gone. */
function play(
  response: ServerResponse,
  requestId: string,
  result: APIGatewayProxyStructuredResultV2,
): void {
  if (response.headersSent || response.destroyed) return;
  const status = result.statusCode ?? 200;
  // As a string, the body leaves in one write with the headers.
  const text = result.body ?? "";
  const body = result.isBase64Encoded === true ? Buffer.from(text, "base64") : text;
  const headers: Record<string, string | number | string[]> = { "apigw-requestid": requestId };
  for (const [name, value] of Object.entries(result.headers ?? {}))
    headers[name.toLowerCase()] = String(value);
  if (result.cookies !== undefined) headers["set-cookie"] = result.cookies;
  if (status !== 204 && status !== 304) {
    headers["content-length"] = Buffer.byteLength(body);
    headers["content-type"] ??= "text/plain; charset=utf-8";
  }
  response.writeHead(status, headers);
  response.end(body);
}

async function listening(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE")
        reject(new LocalError(`port ${port} of ${host} is taken`, error));
      else if (error.code === "EACCES")
        reject(new LocalError(`port ${port} may not be used without more rights`, error));
      else if (error.code === "EADDRNOTAVAIL" || error.code === "ENOTFOUND")
        reject(new LocalError(`this machine has no address ${host}`, error));
      else reject(new LocalError(`cannot listen on ${host}:${port}: ${error.message}`, error));
    });
    server.listen(port, host, resolve);
  });
}
