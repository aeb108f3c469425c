/**
 * The SDK's client as the store needs it: no retries of its own (P4: a repeated put to the log must
 * be checked first), a request time-out that really throws (L6 counts on it), warm connections.
 */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { NodeHttpHandler } from "@smithy/node-http-handler";

/** What carries the SDK's requests. */
export type RequestHandler = Pick<
  NodeHttpHandler,
  "handle" | "destroy" | "updateHttpClientConfig" | "httpHandlerConfigs"
>;

export interface DynamoDbClientOptions {
  /** Another endpoint than AWS's own: DynamoDB Local, say. */
  readonly endpoint?: string;
  readonly region?: string;
  readonly requestTimeoutMs: number;
  /** Takes the requests in place of the network: the embedded engine's. They are not really signed. */
  readonly handler?: RequestHandler;
  /** Default: the SDK's chain (environment, profile, role). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

const CONNECTION_TIMEOUT_MS = 1_500;
const MAX_SOCKETS = 64;
/** Below the 5 s after which node's servers, and so engines off AWS, close an idle connection. */
const IDLE_MS = 4_000;
/** A frozen Lambda instance wakes with connections that the other side has closed. */
const IDLE_TLS_MS = 20_000;

export function createDynamoDbClient(options: DynamoDbClientOptions): DynamoDBClient {
  const { handler, requestTimeoutMs } = options;
  const endpoint = handler === undefined ? options.endpoint : "http://localhost";
  const region = options.region ?? (endpoint === undefined ? undefined : "us-east-1");
  const credentials = handler === undefined ? options.credentials : LOCAL_CREDENTIALS;
  const client = new DynamoDBClient({
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(credentials !== undefined && { credentials }),
    ...(handler !== undefined && { signer: LOCAL_SIGNER }),
    maxAttempts: 1,
    cacheMiddleware: true,
    requestHandler: handler ?? networkHandler(requestTimeoutMs),
  });
  for (const name of IDLE_MIDDLEWARE) client.middlewareStack.remove(name);
  return client;
}

function networkHandler(requestTimeoutMs: number): NodeHttpHandler {
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS };
  return new NodeHttpHandler({
    requestTimeout: requestTimeoutMs,
    throwOnRequestTimeout: true,
    connectionTimeout: Math.min(CONNECTION_TIMEOUT_MS, requestTimeoutMs),
    httpAgent: new HttpAgent({ ...agent, timeout: IDLE_MS }),
    httpsAgent: new HttpsAgent({ ...agent, timeout: IDLE_TLS_MS }),
  });
}

/** A log that nobody reads and a header for AWS's statistics take a tenth of a request's time. */
const IDLE_MIDDLEWARE = ["loggerMiddleware", "getUserAgentMiddleware"];

const LOCAL_CREDENTIALS = { accessKeyId: "local", secretAccessKey: "local" };

/** dynalite wants the form of a signature and never checks it; computing one would cost more than the call. */
const LOCAL_SIGNER = {
  sign: async <T extends { headers: Record<string, string> }>(request: T): Promise<T> => {
    request.headers["authorization"] =
      "AWS4-HMAC-SHA256 Credential=local/20200101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=none";
    request.headers["x-amz-date"] = "20200101T000000Z";
    return request;
  },
};
