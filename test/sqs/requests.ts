/** Requests of SQS clients as API Gateway hands them on, and a face to ask. */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { createSqsFace, type SqsFaceOptions } from "../../src/sqs/face.ts";
import { createWorld } from "../service/fixture.ts";

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export function requestOf(request: Sent): APIGatewayProxyEventV2 {
  const { method = "POST", path = "/", query = "", headers = {}, body = "" } = request;
  const [account, queue] = path.split("/").slice(1);
  const hasQueue = account !== undefined && queue !== undefined;
  const routeKey = `${method} ${hasQueue ? "/{account}/{queue}" : "/"}`;
  return {
    version: "2.0",
    routeKey,
    rawPath: path,
    rawQueryString: query,
    headers: { host: "localhost:9324", "x-forwarded-proto": "http", ...headers },
    ...(hasQueue ? { pathParameters: { account, queue } } : {}),
    requestContext: {
      accountId: "1",
      apiId: "api",
      domainName: "localhost",
      domainPrefix: "localhost",
      http: { method, path, protocol: "HTTP/1.1", sourceIp: "127.0.0.1", userAgent: "test" },
      requestId: "request-1",
      routeKey,
      stage: "$default",
      time: "",
      timeEpoch: 0,
    },
    ...(body === "" ? {} : { body: Buffer.from(body).toString("base64") }),
    isBase64Encoded: body !== "",
  };
}

export const jsonRequest = (action: string, input: unknown = {}): APIGatewayProxyEventV2 =>
  requestOf({
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": `AmazonSQS.${action}`,
    },
    body: typeof input === "string" ? input : JSON.stringify(input),
  });

export const queryRequest = (
  action: string,
  parameters: Readonly<Record<string, string>> = {},
  path = "/",
): APIGatewayProxyEventV2 =>
  requestOf({
    path,
    headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
    body: new URLSearchParams({ Action: action, Version: "2012-11-05", ...parameters }).toString(),
  });

export interface SqsReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

function sqsReply(result: APIGatewayProxyStructuredResultV2): SqsReply {
  const encoding = result.isBase64Encoded === true ? "base64" : "utf8";
  return {
    status: result.statusCode ?? 0,
    headers: result.headers ?? {},
    text: Buffer.from(result.body ?? "", encoding).toString("utf8"),
  };
}

/** The face over a real service in memory, with a clock that only the test moves. */
export function sqsFixture(options: Partial<SqsFaceOptions> = {}) {
  const world = createWorld();
  const logged: Record<string, unknown>[] = [];
  const service = options.service ?? world.instance();
  const face = createSqsFace({
    service,
    auth: { mode: "open" },
    log: { error: (message, details) => logged.push({ message, ...details }) },
    relaxed: false,
    now: () => world.now(),
    account: "000000000000",
    region: "us-east-1",
    ...options,
  });
  const ask = async (event: APIGatewayProxyEventV2): Promise<SqsReply> =>
    sqsReply(await world.through(face(event)));
  /** By the JSON protocol; the answer, parsed. */
  const call = async (action: string, input: object = {}): Promise<Record<string, unknown>> => {
    const reply = await ask(jsonRequest(action, input));
    return reply.text === "" ? {} : (JSON.parse(reply.text) as Record<string, unknown>);
  };
  return { world, service, face, ask, call, logged };
}
