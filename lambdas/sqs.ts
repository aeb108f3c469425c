/** For clients of SQS: every action, in both of its protocols. */
import { createSqsHandler } from "./sqs-handler.ts";

export const handler = createSqsHandler();
