/** A face over a service that records what reaches it, driven by events as API Gateway makes them. */
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { LaneError } from "../../src/core/errors.ts";
import type { Exchange, ExchangeSettings } from "../../src/core/exchange.ts";
import type { OutgoingMessage } from "../../src/core/message.ts";
import { DEFAULT_SETTINGS } from "../../src/core/queue.ts";
import { epochMs, exchangeName, groupName, queueName } from "../../src/core/types.ts";
import { createFace } from "../../src/http/face.ts";
import type { FaceOptions } from "../../src/http/face.ts";
import { routeKey, ROUTES } from "../../src/http/routes.ts";
import type { Operation } from "../../src/http/routes.ts";
import type {
  GroupSettings,
  QueueSettings,
  ReceivedMessage,
  Service,
} from "../../src/service/api.ts";

export const SETTINGS: QueueSettings = DEFAULT_SETTINGS;

export const NOW = epochMs(Date.UTC(2026, 0, 2, 3, 4, 5, 6));

export const queueView = (name: string, settings: Partial<QueueSettings> = {}) => ({
  name: queueName(name),
  settings: { ...SETTINGS, ...settings },
  createdAt: NOW,
  modifiedAt: NOW,
  sqs: {},
  clearedAt: undefined,
  depth: { ready: 3, leased: 2, delayed: 1 },
  oldestReadyAgeSeconds: 7,
  lanes: 1,
});

export const groupView = (name: string, settings: GroupSettings = {}) => ({
  name: groupName(name),
  settings,
  createdAt: NOW,
  depth: { ready: 3, leased: 2, delayed: 1 },
  oldestReadyAgeSeconds: 7,
});

export const exchangeOf = (name: string, settings: Partial<ExchangeSettings> = {}): Exchange => ({
  name: exchangeName(name),
  exchangeId: "abcdefghijkl",
  settings: { type: "direct", alternate: null, mandatory: false, ...settings },
  createdAt: NOW,
  revision: "r",
});

export const receivedMessage = (content: OutgoingMessage): ReceivedMessage => ({
  ...content,
  id: "abcdefghijkl-1-2",
  receipt: "receipt-1",
  sentAt: NOW,
  expiresAt: epochMs(NOW + 60_000),
  firstReceivedAt: epochMs(NOW + 1000),
  receives: 1,
  leaseExpiresAt: epochMs(NOW + 30_000),
});

export interface Request {
  readonly queue?: string;
  readonly group?: string;
  readonly exchange?: string;
  readonly id?: string;
  readonly headers?: Record<string, string>;
  readonly query?: Record<string, string>;
  /** A value is sent as JSON; a string and bytes as they are. */
  readonly body?: unknown;
  readonly iam?: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
  readonly isBase64Encoded: boolean;
  /** The body, parsed. */
  json(): Record<string, unknown>;
  /** Of a problem: `[status, code, path of the first finding]`. */
  fault(): [number, unknown, unknown];
}

export function fixture(
  parts: Partial<Service> = {},
  options: Partial<Omit<FaceOptions, "service">> = {},
) {
  const calls: { method: string; args: unknown[] }[] = [];
  const logged: Record<string, unknown>[] = [];
  const service = new Proxy({} as Service, {
    get:
      (_, method: keyof Service) =>
      async (...args: unknown[]) => {
        calls.push({ method, args });
        const part = (parts[method] ?? DEFAULTS[method]) as
          ((...a: unknown[]) => unknown) | undefined;
        if (part === undefined) throw new Error(`the test has no ${method}`);
        return part(...args);
      },
  });
  const face = createFace({
    service,
    auth: { mode: "open" },
    log: { error: (message, details) => logged.push({ message, ...details }) },
    ...options,
  });

  const call = async (operation: Operation, request: Request = {}): Promise<Reply> =>
    replyOf(await face(eventOf(operation, request)));

  /** What the service was asked to send. */
  const sent = (): OutgoingMessage[] =>
    calls
      .filter(({ method }) => method === "send")
      .flatMap(({ args }) => args[1] as OutgoingMessage[]);

  return { call, face, calls, logged, sent };
}

const DEFAULTS: Partial<Service> = {
  send: async (_, messages) => messages.map((_message, index) => ({ id: `id-${index}` })),
  receive: async () => [],
  ack: async (_, receipts) => receipts.map(() => ({ status: "done" as const })),
  release: async (_, receipts) => receipts.map(() => ({ status: "done" as const })),
  extend: async (_, receipts) => receipts.map(() => ({ status: "done" as const })),
  putQueue: async (name, settings) => ({ created: true, queue: queueView(name, settings) }),
  patchQueue: async (name, settings) => queueView(name, settings),
  getQueue: async (name) => queueView(name),
  deleteQueue: async () => undefined,
  purgeQueue: async () => undefined,
  putGroup: async (_, name, { settings }) => ({
    group: groupView(name, settings),
    begins: "earliest",
  }),
  getGroup: async (_, name) => groupView(name),
  listGroups: async () => [groupView("default"), groupView("audit")],
  deleteGroup: async () => undefined,
  seekGroup: async (_, name) => ({ group: groupView(name), begins: "within" }),
  redrive: async () => ({ moved: 2, remaining: 1 }),
  browse: async () => ({ messages: [] }),
  listScheduled: async () => ({ messages: [] }),
  cancelScheduled: async () => undefined,
  listQueues: async () => ({ queues: [] }),
  putExchange: async (name, settings) => ({ created: true, exchange: exchangeOf(name, settings) }),
  getExchange: async (name) => exchangeOf(name),
  listExchanges: async () => ({ exchanges: [] }),
  deleteExchange: async () => undefined,
  putBinding: async (_, id, settings) => ({ created: true, binding: { ...settings, id } }),
  getBinding: async (_, id) => ({ queue: queueName("orders"), id }),
  listBindings: async () => ({ bindings: [] }),
  deleteBinding: async () => undefined,
  publish: async (_, messages) =>
    messages.map((_message, index) => ({ id: `id-${index}`, queues: ["orders"] })),
  listKeys: async () => ({ keys: [] }),
  deleteKey: async () => undefined,
  authenticate: async () => undefined,
};

export function eventOf(operation: Operation, request: Request): APIGatewayProxyEventV2 {
  const route = ROUTES.find((one) => one.operation === operation);
  if (route === undefined) throw new LaneError("internal", `no route ${operation}`);
  const { body } = request;
  const bytes = body instanceof Uint8Array ? Buffer.from(body) : undefined;
  const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
  const isJson = body !== undefined && typeof body !== "string" && bytes === undefined;
  const pathParameters: Record<string, string> = {};
  if (route.path.includes("{queue}")) pathParameters["queue"] = request.queue ?? "orders";
  if (route.path.includes("{group}")) pathParameters["group"] = request.group ?? "audit";
  if (route.path.includes("{exchange}")) pathParameters["exchange"] = request.exchange ?? "events";
  if (route.path.includes("{schedule}")) pathParameters["schedule"] = request.id ?? "daily";
  if (route.path.includes("{id}")) pathParameters["id"] = request.id ?? "abcdefghijkl-1-2";
  const iam = request.iam === undefined ? {} : { authorizer: { iam: { userArn: request.iam } } };
  const payload = bytes?.toString("base64") ?? text;
  return {
    version: "2.0",
    routeKey: routeKey(route),
    rawPath: route.path,
    rawQueryString: "",
    headers: { ...(isJson ? { "content-type": "application/json" } : {}), ...request.headers },
    ...(request.query === undefined ? {} : { queryStringParameters: request.query }),
    pathParameters,
    requestContext: {
      accountId: "1",
      apiId: "api",
      domainName: "localhost",
      domainPrefix: "localhost",
      http: {
        method: route.method,
        path: route.path,
        protocol: "HTTP/1.1",
        sourceIp: "127.0.0.1",
        userAgent: "test",
      },
      requestId: "request-1",
      routeKey: routeKey(route),
      stage: "$default",
      time: "",
      timeEpoch: 0,
      ...iam,
    },
    ...(payload === undefined ? {} : { body: payload }),
    isBase64Encoded: bytes !== undefined,
  };
}

function replyOf(result: Awaited<ReturnType<ReturnType<typeof createFace>>>): Reply {
  const isBase64Encoded = result.isBase64Encoded ?? false;
  const text = Buffer.from(result.body ?? "", isBase64Encoded ? "base64" : "utf8").toString("utf8");
  const json = (): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;
  return {
    status: result.statusCode ?? 0,
    headers: result.headers ?? {},
    text,
    isBase64Encoded,
    json,
    fault: () => {
      const { code, errors } = json() as { code: unknown; errors?: { path: unknown }[] };
      return [result.statusCode ?? 0, code, errors?.[0]?.path];
    },
  };
}

export const JSON_TYPE = { "content-type": "application/json" };
export const utf8 = (bytes: Uint8Array | undefined): string =>
  Buffer.from(bytes ?? []).toString("utf8");
