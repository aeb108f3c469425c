/** For clients of SQS: every action, in both of its protocols. */
import { secretBoxOfEnvironment } from "./kms-secret-box.ts";
import { createSqsHandler } from "./sqs-handler.ts";

export const handler = createSqsHandler({ secretBox: secretBoxOfEnvironment() });
