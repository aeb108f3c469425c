/**
 * Who calls the SQS face: whoever signed the request with an access key.
 *
 * S7  Fails closed: only where everybody may do everything is nothing checked. A key's scopes are the
 *     caller's, and an access key ends when its key does.
 */
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { ADMIN, callerWith } from "../core/scope.ts";
import type { Caller } from "../core/scope.ts";
import type { EpochMs } from "../core/types.ts";
import type { AuthMode } from "../http/authorise.ts";
import type { Service } from "../service/api.ts";
import { SqsError } from "./errors.ts";
import { claimOf } from "./sigv4-claim.ts";
import { isSignedBy } from "./sigv4.ts";
import type { Credentials } from "./sigv4.ts";

/** Access key id of the embedded service's admin key, whose secret is that key. */
const ADMIN_ACCESS_KEY = "lanemq";

/**
 * `body`: as it was signed.
 * @throws SqsError
 */
export async function authenticateSqs(
  auth: AuthMode,
  event: APIGatewayProxyEventV2,
  body: string | Uint8Array,
  service: Pick<Service, "accessKey">,
  now: EpochMs,
): Promise<Caller> {
  if (auth.mode === "open") return ADMIN;
  const { headers, rawPath: path, rawQueryString: query, requestContext } = event;
  const request = {
    method: requestContext.http.method,
    path,
    query,
    headers,
    body: typeof body === "string" ? Buffer.from(body) : body,
  };
  const claim = claimOf(request, now);
  const signer =
    claim.sessionToken === undefined
      ? await signerOf(auth, claim.accessKeyId, service)
      : // Temporary credentials are none that LaneMQ issues.
        undefined;
  if (signer === undefined)
    throw new SqsError(
      "InvalidClientTokenId",
      "The security token included in the request is invalid.",
    );
  if (!isSignedBy(signer.credentials, request, claim))
    throw new SqsError(
      "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
    );
  return signer.caller;
}

interface Signer {
  readonly credentials: Credentials;
  readonly caller: Caller;
}

async function signerOf(
  auth: AuthMode,
  accessKeyId: string,
  service: Pick<Service, "accessKey">,
): Promise<Signer | undefined> {
  if (auth.mode === "admin-key" && accessKeyId === ADMIN_ACCESS_KEY)
    return { credentials: { secretAccessKey: auth.key }, caller: ADMIN };
  const found = await service.accessKey(accessKeyId);
  return found && { credentials: found, caller: callerWith(found.key.scopes) };
}
