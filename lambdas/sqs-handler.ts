/** The handler of the function that SQS clients reach: the SQS face over one instance's service. */
import type { AuthMode } from "../src/http/authorise.ts";
import type { Face } from "../src/http/face.ts";
import { createSqsFace } from "../src/sqs/face.ts";
import { faceLog } from "./api-handler.ts";
import { createInstance, environment, type World } from "./instance.ts";

/** What AWS gives otherwise. */
interface SqsWorld extends World {
  readonly account: string;
  readonly region: string;
  readonly auth: AuthMode;
}

export function createSqsHandler(world?: SqsWorld): Face {
  const { service, logger, now, ready } = createInstance({ createsFormat: true }, world);
  return createSqsFace({
    service,
    log: faceLog(logger),
    relaxed: false,
    now,
    ready,
    account: world?.account ?? environment("LANEMQ_ACCOUNT"),
    region: world?.region ?? environment("AWS_REGION"),
    auth: world?.auth ?? { mode: "deployed" },
  });
}
