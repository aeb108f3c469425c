/** Queues, API keys, browsing, redriving, health, and the OpenAPI document. */
import { createApiHandler } from "./api-handler.ts";

export const handler = createApiHandler("admin");
