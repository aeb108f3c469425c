/** What SQS errors say, for tests. */
import { SqsError } from "../../src/sqs/errors.ts";

/** Name and message of the error that a check throws. */
export function faultOf(check: () => unknown): [string, string] | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof SqsError) return [error.name, error.message];
    throw error;
  }
}
