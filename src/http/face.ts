/**
 * The HTTP face: API Gateway v2 events in, Lambda results out.
 *
 * F1  API Gateway has routed already: a route is found by `event.routeKey` and nothing else.
 * F2  The caller is known, and may act on the queue, before the body is unpacked or read.
 * F3  Every answer has an `x-request-id`; none says more of an unexpected error than that there was
 *     one, which is logged.
 */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { LaneError } from "../core/errors.ts";
import type { Service } from "../service/api.ts";
import type { Signal } from "../core/signal.ts";
import { problem } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { authenticate, demand, demandOn } from "./authorise.ts";
import type { AuthMode } from "./authorise.ts";
import { exchangeOf, queueOf } from "./call.ts";
import { OPERATIONS } from "./operations.ts";
import { ROUTES, routeKey } from "./routes.ts";
import type { Operation, Role, Route } from "./routes.ts";
import { invalid, joinPath } from "./validate.ts";

export interface Log {
  error(message: string, details: Record<string, unknown>): void;
}

export interface FaceOptions {
  readonly service: Service;
  /** Serves the routes of this role only. Absent: all. */
  readonly role?: Role;
  readonly auth: AuthMode;
  readonly log: Log;
  /** What `x-request-id` says. Absent: API Gateway's own id. */
  readonly requestId?: (event: APIGatewayProxyEventV2) => string;
  /** The text of `/openapi.json`; only the admin role needs it. */
  readonly openapi?: string;
}

/** `signal` ends a long wait when the caller is gone; Lambda has none. */
export type Face = (
  event: APIGatewayProxyEventV2,
  context?: { readonly signal?: Signal },
) => Promise<APIGatewayProxyStructuredResultV2>;

export function createFace(options: FaceOptions): Face {
  const { service, auth, log, openapi } = options;
  const requestId = options.requestId ?? ((event) => event.requestContext.requestId);
  const routes = new Map(
    ROUTES.filter((route) => options.role === undefined || route.role === options.role).map(
      (route) => [routeKey(route), route],
    ),
  );

  const handle = async (
    event: APIGatewayProxyEventV2,
    signal: Signal | undefined,
  ): Promise<Answer> => {
    const route = routes.get(event.routeKey);
    if (route === undefined) throw new LaneError("not-found", "There is no such route.");
    const caller = await authenticate(auth, route, event, service);
    if (route.action !== undefined) {
      const actions = route.action === "any" ? "any" : [route.action];
      if (route.path.includes("{exchange}")) demandOn(caller, actions, exchangeOf({ event }));
      else demand(caller, actions, queueOf({ event }));
    }
    refuseQuery(route, event);
    return OPERATIONS[route.operation]({ service, event, caller, openapi, signal });
  };

  return async (event, context) => {
    const id = requestId(event);
    let answer: Answer;
    try {
      answer = await handle(event, context?.signal);
    } catch (error) {
      const known =
        error instanceof LaneError ? error : new LaneError("internal", "", { cause: error });
      if (known.code === "internal") {
        log.error("request failed", { requestId: id, route: event.routeKey, error });
      }
      answer = problem(known);
    }
    answer.headers["x-request-id"] = id;
    return answer;
  };
}

/** These read the query themselves. */
const WITH_QUERY: ReadonlySet<Operation> = new Set([
  "send",
  "listScheduled",
  "listSchedules",
  "publish",
  "listQueues",
  "listExchanges",
  "listBindings",
  "listKeys",
  "browse",
]);

function refuseQuery(
  route: Route & { readonly operation: Operation },
  event: APIGatewayProxyEventV2,
): void {
  if (WITH_QUERY.has(route.operation)) return;
  const [name] = Object.keys(event.queryStringParameters ?? {});
  if (name === undefined) return;
  throw invalid([{ path: joinPath("query", name), message: "is not a known parameter here" }]);
}
