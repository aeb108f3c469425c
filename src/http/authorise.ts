/**
 * Who calls, and whether they may.
 *
 * Z1  The face fails closed: deployed, a route that API Gateway should have authorised is refused
 *     when the event does not say that it did.
 * Z2  The admin key is compared in constant time, whatever its length.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { LaneError } from "../core/errors.ts";
import type { ExchangeName, QueueName } from "../core/types.ts";
import { ADMIN, callerWith } from "../core/scope.ts";
import type { Action, Caller } from "../core/scope.ts";
import type { QueueSettings, Service } from "../service/api.ts";
import type { Route } from "./routes.ts";

/**
 * `open`: anyone may do anything (embedded, on the loopback address). `admin-key`: one key may do
 * anything, others what their scopes say (embedded with a key). `deployed`: keys by their scopes,
 * IAM for the rest.
 */
export type AuthMode =
  | { readonly mode: "open" }
  | { readonly mode: "admin-key"; readonly key: string }
  | { readonly mode: "deployed" };

export async function authenticate(
  auth: AuthMode,
  route: Route,
  event: APIGatewayProxyEventV2,
  service: Pick<Service, "authenticate">,
): Promise<Caller> {
  if (auth.mode === "open" || route.auth === "none") return ADMIN;
  if (auth.mode === "deployed" && route.auth === "iam") {
    if (wasAuthorisedByIam(event)) return ADMIN;
    throw new LaneError("unauthorized", "This call must be signed with AWS credentials.");
  }
  const secret = /^Bearer +(\S{1,512}) *$/i.exec(event.headers["authorization"] ?? "")?.[1];
  if (secret === undefined) {
    throw new LaneError("unauthorized", "Send an API key, as in: Authorization: Bearer KEY.");
  }
  if (auth.mode === "admin-key" && isSame(secret, auth.key)) return ADMIN;
  const key = await service.authenticate(secret);
  if (key === undefined) {
    throw new LaneError("unauthorized", "The API key is unknown, revoked or expired.");
  }
  if (route.auth === "iam") {
    throw new LaneError("forbidden", "API keys are managed with the admin key only.");
  }
  return callerWith(key.scopes);
}

export function demand(caller: Caller, actions: readonly Action[] | "any", queue: QueueName): void {
  if (caller.may(actions, queue)) return;
  const what = actions === "any" ? "nothing" : `no "${actions.join('" or "')}"`;
  throw new LaneError("forbidden", `The API key allows ${what} on queue ${queue}.`);
}

export function demandOn(
  caller: Caller,
  actions: readonly Action[] | "any",
  exchange: ExchangeName,
): void {
  if (caller.mayOn(actions, exchange)) return;
  const what = actions === "any" ? "nothing" : `no "${actions.join('" or "')}"`;
  throw new LaneError("forbidden", `The API key allows ${what} on exchange ${exchange}.`);
}

/** Who has messages moved must be allowed to send where they go. */
export function demandDeadLetter(
  caller: Caller,
  target: QueueSettings["deadLetter"] | undefined,
): void {
  if (target?.queue !== undefined) demand(caller, ["send", "manage"], target.queue);
  else if (target?.exchange !== undefined) demandOn(caller, ["send", "manage"], target.exchange);
}

const isSame = (given: string, key: string): boolean =>
  timingSafeEqual(
    createHash("sha256").update(given).digest(),
    createHash("sha256").update(key).digest(),
  );

function wasAuthorisedByIam(event: APIGatewayProxyEventV2): boolean {
  const { authorizer } = event.requestContext as {
    authorizer?: { iam?: { userArn?: unknown } | null };
  };
  return typeof authorizer?.iam?.userArn === "string";
}
