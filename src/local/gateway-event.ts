/**
 * Requests as API Gateway's HTTP APIs hand them to Lambda: payload format 2.0.
 *
 * Header names are lower-cased and repeated headers joined with commas; cookies stand apart; the path
 * and its parameters are percent-decoded, the query string is not. A body is text for the content
 * types that API Gateway takes for text, and base64 for all others. Objects that a caller names keys
 * of have no prototype, so that `__proto__` is a name like any other.
 */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { APIGatewayProxyEventV2 } from "aws-lambda";

export interface Arrival {
  readonly request: IncomingMessage;
  readonly headers: Headers;
  readonly routeKey: string;
  /** As in the request line, without the query string. */
  readonly path: string;
  readonly query: string;
  readonly pathParameters: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  readonly requestId: string;
  readonly nowMs: number;
}

type Names = Record<string, string>;

/** Cookies stand apart. */
export interface Headers {
  readonly names: Names;
  readonly cookies: readonly string[];
}

export function toEvent(arrival: Arrival): APIGatewayProxyEventV2 {
  const { request, routeKey, path, query, pathParameters, body, requestId, nowMs } = arrival;
  const { names: headers, cookies } = arrival.headers;
  const sourceIp = request.socket.remoteAddress ?? "127.0.0.1";
  headers["x-forwarded-for"] ??= sourceIp;
  headers["x-forwarded-proto"] ??= "http";
  headers["x-forwarded-port"] ??= String(request.socket.localPort ?? "");
  const rawPath = decoded(path);
  const host = headers.host ?? "localhost";
  const isText = body.length > 0 && isTextual(headers) && isUtf8(body);
  const event: APIGatewayProxyEventV2 = {
    version: "2.0",
    routeKey,
    rawPath,
    rawQueryString: query,
    headers,
    requestContext: {
      accountId: "000000000000",
      apiId: "local",
      domainName: host,
      domainPrefix: "local",
      http: {
        method: request.method ?? "GET",
        path: rawPath,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp,
        userAgent: headers["user-agent"] ?? "",
      },
      requestId,
      routeKey,
      stage: "$default",
      time: logTime(nowMs),
      timeEpoch: nowMs,
    },
    isBase64Encoded: body.length > 0 && !isText,
  };
  if (cookies.length > 0) event.cookies = [...cookies];
  if (query !== "") event.queryStringParameters = readQuery(query);
  if (routeKey.includes("{")) event.pathParameters = pathParameters;
  if (body.length > 0) event.body = body.toString(isText ? "utf8" : "base64");
  return event;
}

export function readHeaders(raw: readonly string[]): Headers {
  const names = Object.create(null) as Names;
  const cookies: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? "").toLowerCase();
    const value = raw[i + 1] ?? "";
    if (name === "cookie") cookies.push(...value.split(/;\s*/).filter((cookie) => cookie !== ""));
    else {
      const before = names[name];
      names[name] = before === undefined ? value : `${before},${value}`;
    }
  }
  return { names, cookies };
}

function readQuery(query: string): Names {
  const names = Object.create(null) as Names;
  for (const [name, value] of new URLSearchParams(query)) {
    const before = names[name];
    names[name] = before === undefined ? value : `${before},${value}`;
  }
  return names;
}

/** @throws URIError where the percent-encoding is broken. */
export const decoded = (path: string): string =>
  path.includes("%") ? decodeURIComponent(path) : path;

/**
 * API Gateway goes by the content type alone, and what it does with bytes that are no UTF-8 is not
 * documented; here they are kept, as base64, for the face to refuse.
 */
function isTextual(headers: Names): boolean {
  if (headers["content-encoding"] !== undefined) return false;
  return /^\s*(text\/|application\/(json|javascript|xml)\s*(;|$))/i.test(
    headers["content-type"] ?? "",
  );
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun"].concat([
  "Jul",
  "Aug",
  "Sep",
  "Oct",
  "Nov",
  "Dec",
]);
let lastTime = { second: -1, text: "" };

/** `22/Nov/2026:10:20:00 +0000`; the same for all requests of a second. */
function logTime(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== lastTime.second) {
    const at = new Date(second * 1000);
    const day = String(at.getUTCDate()).padStart(2, "0");
    const time = at.toISOString().slice(11, 19);
    const text = `${day}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}:${time} +0000`;
    lastTime = { second, text };
  }
  return lastTime.text;
}
