/** The handler of a function that serves routes: the face for its role over one instance's service. */
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import type { Logger } from "@aws-lambda-powertools/logger";
import { LaneError } from "../src/core/errors.ts";
import { problem } from "../src/http/answer.ts";
import { createFace, type Log } from "../src/http/face.ts";
import type { Role } from "../src/http/routes.ts";
import type { SecretBox } from "../src/service/secret-box.ts";
import { describeError } from "./describe-error.ts";
import { createInstance, type World } from "./instance.ts";

type Handler = (event: APIGatewayProxyEventV2) => Promise<APIGatewayProxyStructuredResultV2>;

export function createApiHandler(
  role: Role,
  { secretBox, ...options }: { openapi?: string; secretBox?: SecretBox | undefined } = {},
  world?: World,
): Handler {
  const { service, logger, ready } = createInstance(
    { createsFormat: role === "admin", secretBox },
    world,
  );
  const log = faceLog(logger);
  const face = createFace({ service, role, auth: { mode: "deployed" }, log, ...options });
  return async (event) => {
    try {
      await ready();
    } catch (error) {
      return notReady(error, event, log);
    }
    return face(event);
  };
}

export const faceLog = (logger: Logger): Log => ({
  error: (message, { error, ...details }) =>
    logger.error(message, { ...details, failure: describeError(error) }),
});

function notReady(
  error: unknown,
  event: APIGatewayProxyEventV2,
  log: Log,
): APIGatewayProxyStructuredResultV2 {
  const { requestId } = event.requestContext;
  log.error("the stored format could not be checked", { requestId, error });
  const answer = problem(
    error instanceof LaneError ? error : new LaneError("internal", "", { cause: error }),
  );
  answer.headers["x-request-id"] = requestId;
  return answer;
}
