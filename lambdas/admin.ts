/** Queues, API keys, browsing, redriving, health, and the OpenAPI document. */
import { OPENAPI } from "../src/http/openapi-document.ts";
import { createApiHandler } from "./api-handler.ts";
import { secretBoxOfEnvironment } from "./kms-secret-box.ts";

export const handler = createApiHandler("admin", {
  openapi: OPENAPI,
  secretBox: secretBoxOfEnvironment(),
});
