/**
 * How SQS names queues: URLs, which carry the host that the client used, and ARNs.
 *
 * J3  A queue is found by the last part of its URL's path, or by its bare name: neither host nor
 *     account nor region of what a client says matters, for one deployment is one account.
 */
import { isQueueName } from "../core/types.ts";
import type { QueueName } from "../core/types.ts";
import { missing, SqsError } from "./errors.ts";

export interface Where {
  /** As the client used it, without a slash at its end: `https://host:port`. */
  readonly endpoint: string;
  /** 12 digits. */
  readonly account: string;
  readonly region: string;
}

export const queueUrl = ({ endpoint, account }: Where, name: QueueName): string =>
  `${endpoint}/${account}/${name}`;

export const queueArn = ({ region, account }: Omit<Where, "endpoint">, name: QueueName): string =>
  `arn:aws:sqs:${region}:${account}:${name}`;

const SCHEME_AND_HOST = /^[a-z]+:\/\/[^/]*/i;

/** @throws SqsError `MissingParameter`, `InvalidAddress` */
export function queueOfUrl(text: string | undefined): QueueName {
  if (text === undefined || text === "") throw missing("QueueUrl");
  const path = text.slice(SCHEME_AND_HOST.exec(text)?.[0].length ?? 0);
  let end = path.length;
  while (path.charAt(end - 1) === "/") end -= 1;
  const name = path.slice(path.lastIndexOf("/", end - 1) + 1, end);
  if (isQueueName(name)) return name;
  throw new SqsError(
    "InvalidAddress",
    `The address ${text.slice(0, 200)} is not valid for this endpoint.`,
  );
}

const ARN = /^arn:aws[a-z-]*:sqs:[a-z0-9-]*:\d{12}:([A-Za-z0-9_.-]{1,80})$/;

/** `undefined`: not an ARN of a queue. */
export function queueOfArn(text: string): QueueName | undefined {
  const name = ARN.exec(text)?.[1];
  return name !== undefined && isQueueName(name) ? name : undefined;
}
