/** Who calls the SQS face. */
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { ADMIN } from "../core/scope.ts";
import type { Caller } from "../core/scope.ts";
import type { EpochMs } from "../core/types.ts";
import type { AuthMode } from "../http/authorise.ts";
import type { Service } from "../service/api.ts";
import { SqsError } from "./errors.ts";

/** `body`: as it was signed. */
export async function authenticateSqs(
  auth: AuthMode,
  _event: APIGatewayProxyEventV2,
  _body: Uint8Array,
  _service: Service,
  _now: EpochMs,
): Promise<Caller> {
  if (auth.mode === "open") return ADMIN;
  throw new SqsError(
    "InvalidClientTokenId",
    "The security token included in the request is invalid.",
  );
}
