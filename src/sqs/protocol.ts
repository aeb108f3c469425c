/** A protocol of SQS: how a request is read and how an answer is written. */
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import type { Answer } from "../http/answer.ts";
import type { SqsError } from "./errors.ts";

interface SqsRequest {
  /** As AWS calls the action; "" where the request names none. */
  readonly action: string;
  readonly input: Readonly<Record<string, unknown>>;
}

export interface Protocol {
  /** @throws SqsError `MalformedInput`, LaneError */
  read(event: APIGatewayProxyEventV2, body: string | Buffer): SqsRequest;
  /** `output` absent: the action answers nothing. */
  answer(action: string, output: object | undefined, requestId: string): Answer;
  refuse(error: SqsError, requestId: string): Answer;
}

/** Whether a member of an answer says nothing, and is left out. */
export function isEmpty(value: unknown): boolean {
  if (value === undefined) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
