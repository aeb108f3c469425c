import { createJanitorHandler } from "./janitor-handler.ts";

export const handler = createJanitorHandler();
