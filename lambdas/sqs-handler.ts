/** The handler of the function that SQS clients reach: the SQS face over one instance's service. */
import type { Face } from "../src/http/face.ts";
import type { SecretBox } from "../src/service/secret-box.ts";
import { createSqsFace } from "../src/sqs/face.ts";
import { faceLog } from "./api-handler.ts";
import { createInstance, environment, type World } from "./instance.ts";

/** What AWS gives otherwise. */
interface SqsWorld extends World {
  readonly account: string;
  readonly region: string;
}

export function createSqsHandler(
  options: { secretBox?: SecretBox | undefined } = {},
  world?: SqsWorld,
): Face {
  const instance = createInstance({ createsFormat: true, ...options }, world);
  const { service, logger, now, ready } = instance;
  return createSqsFace({
    service,
    log: faceLog(logger),
    relaxed: false,
    now,
    ready,
    account: world?.account ?? environment("LANEMQ_ACCOUNT"),
    region: world?.region ?? environment("AWS_REGION"),
    auth: { mode: "deployed" },
  });
}
