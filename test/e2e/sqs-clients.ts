/** SQS's own SDK, in both of its protocols: the current one speaks JSON, an older one the query protocol. */
import { SQS } from "@aws-sdk/client-sqs";
import { SQS as QuerySqs } from "aws-sdk-client-sqs-query";

/** What stands before a queue's name, embedded. */
export const ARN = "arn:aws:sqs:us-east-1:000000000000";

const config = (endpoint: string) => ({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "any", secretAccessKey: "any" },
  maxAttempts: 1,
});

/** The older one's types are its own; what it is asked here is the same. */
export const PROTOCOLS: readonly [string, (endpoint: string) => SQS][] = [
  ["JSON", (endpoint) => new SQS(config(endpoint))],
  ["query", (endpoint) => new QuerySqs(config(endpoint)) as unknown as SQS],
];

/** Code and message of the error that a call ends with; of some the older SDK keeps the message inside. */
export async function faultOf(call: Promise<unknown>): Promise<unknown[]> {
  try {
    return ["done", await call];
  } catch (error) {
    const {
      name,
      message,
      Error: details,
    } = error as {
      name: string;
      message: string;
      Error?: { Code?: string; Message?: string };
    };
    return [details?.Code ?? name, details?.Message ?? message];
  }
}
