/**
 * The SQS face: API Gateway v2 events in, Lambda results out, in the protocol of the request.
 *
 * J6  The caller is known before the body is parsed; each action asks for the right that it takes.
 * J7  Every answer has an `x-amzn-requestid`; none says more of an unexpected error than that there
 *     was one, which is logged.
 */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import * as v from "valibot";
import { LaneError } from "../core/errors.ts";
import type { EpochMs } from "../core/types.ts";
import { problem } from "../http/answer.ts";
import type { Answer } from "../http/answer.ts";
import type { AuthMode } from "../http/authorise.ts";
import type { Face, Log } from "../http/face.ts";
import { bodyOf } from "../http/request-body.ts";
import type { Service } from "../service/api.ts";
import type { Action } from "./action.ts";
import { ACTIONS } from "./actions.ts";
import { authenticateSqs } from "./authenticate.ts";
import { fromLaneError, missing, noAction, SqsError } from "./errors.ts";
import { JSON_PROTOCOL } from "./json-protocol.ts";
import type { Protocol } from "./protocol.ts";
import { QUERY_PROTOCOL } from "./query-protocol.ts";
import type { Where } from "./queue-url.ts";

export interface SqsFaceOptions extends Omit<Where, "endpoint"> {
  readonly service: Service;
  readonly auth: AuthMode;
  readonly log: Log;
  /** Drops the 60 s waits after a deletion and a purge. */
  readonly relaxed: boolean;
  readonly now: () => EpochMs;
  /** Resolves once requests may be served. */
  readonly ready?: () => Promise<void>;
  readonly actions?: Readonly<Record<string, Action>>;
}

/** What stands before a queue's name: an account, or what other emulators put there. */
const ACCOUNT = /^(\d{12}|queue)$/;

export function createSqsFace(options: SqsFaceOptions): Face {
  const { service, auth, log, actions = ACTIONS } = options;

  const run = async (
    event: APIGatewayProxyEventV2,
    protocol: Protocol,
    requestId: string,
    context: Parameters<Face>[1],
  ): Promise<Answer> => {
    await options.ready?.();
    const body = bodyOf(event);
    const caller = await authenticateSqs(auth, event, body, service, options.now());
    const request = protocol.read(event, body);
    const action = Object.hasOwn(actions, request.action) ? actions[request.action] : undefined;
    if (action === undefined) throw noAction(request.action);
    const { account, region, relaxed, now } = options;
    const endpoint = endpointOf(event);
    const trace = traceOf(event);
    const call = {
      service,
      caller,
      endpoint,
      account,
      region,
      relaxed,
      now,
      trace,
      signal: context?.signal,
    };
    const output = await action.run(call, checked(action, request.input));
    return protocol.answer(request.action, output ?? undefined, requestId);
  };

  return async (event, context): Promise<APIGatewayProxyStructuredResultV2> => {
    const { requestId } = event.requestContext;
    const { account } = event.pathParameters ?? {};
    let answer: Answer;
    if (account !== undefined && !ACCOUNT.test(account)) {
      answer = problem(new LaneError("not-found", "There is no such route."));
      answer.headers["x-request-id"] = requestId;
      return answer;
    }
    const protocol = isJson(event) ? JSON_PROTOCOL : QUERY_PROTOCOL;
    try {
      answer = await run(event, protocol, requestId, context);
    } catch (error) {
      const known = fromLaneError(error);
      if (known.name === "InternalFailure")
        log.error("request failed", { requestId, route: event.routeKey, error: known.cause });
      answer = protocol.refuse(known, requestId);
    }
    answer.headers["x-amzn-requestid"] = requestId;
    return answer;
  };
}

const isJson = ({ headers }: APIGatewayProxyEventV2): boolean =>
  headers["x-amz-target"] !== undefined ||
  (headers["content-type"] ?? "").toLowerCase().startsWith("application/x-amz-json");

/** Queue URLs are as the client reached the service (J3). */
function endpointOf({ headers, requestContext }: APIGatewayProxyEventV2): string {
  const scheme = headers["x-forwarded-proto"] === "http" ? "http" : "https";
  return `${scheme}://${headers["host"] ?? requestContext.domainName}`;
}

/** API Gateway gives every request such a header; a client's own names the span that it is part of. */
function traceOf({ headers }: APIGatewayProxyEventV2): string | undefined {
  const trace = headers["x-amzn-trace-id"];
  return trace?.includes("Parent=") === true ? trace : undefined;
}

function checked(action: Action, input: unknown): unknown {
  const result = v.safeParse(action.schema, input);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = (issue.path ?? []).map(({ key }) => String(key)).join(".");
  if (issue.input === undefined) throw missing(path);
  throw new SqsError("MalformedInput", `The parameter ${path} is malformed: ${issue.message}`);
}
