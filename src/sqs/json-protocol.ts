/**
 * AWS JSON 1.0: `POST /` with the action in `x-amz-target`.
 *
 * J4  An answer's content type is exactly `application/x-amz-json-1.0`; an action that answers
 *     nothing has no body. Errors carry their code of the query protocol in `x-amzn-query-error`,
 *     which SDKs go by.
 */
import { parseJson, strictText } from "../http/request-body.ts";
import { payload } from "../http/answer.ts";
import { isObject } from "../http/message-rules.ts";
import { SqsError } from "./errors.ts";
import { isEmpty } from "./protocol.ts";
import type { Protocol } from "./protocol.ts";

const TARGET = /^AmazonSQS\.(\w{1,64})$/;
const HEADERS = { "content-type": "application/x-amz-json-1.0" };

export const JSON_PROTOCOL: Protocol = {
  read(event, body) {
    const action = TARGET.exec(event.headers["x-amz-target"] ?? "")?.[1] ?? "";
    if (body.length === 0) return { action, input: {} };
    let input: unknown;
    try {
      input = parseJson(strictText(body));
    } catch (error) {
      throw new SqsError("MalformedInput", "The request body is not valid JSON.", { cause: error });
    }
    if (!isObject(input)) throw new SqsError("MalformedInput", "The request body is no object.");
    return { action, input };
  },

  answer: (_action, output) => ({
    statusCode: 200,
    headers: { ...HEADERS },
    ...(output === undefined ? { body: "" } : payload(written(output))),
  }),

  refuse: (error) => ({
    statusCode: error.status,
    headers: {
      ...HEADERS,
      "x-amzn-query-error": `${error.queryCode};${error.isSenderFault ? "Sender" : "Receiver"}`,
    },
    ...payload(JSON.stringify({ __type: error.type, message: error.message })),
  }),
};

/** Having JSON ask of each member is slow, and mostly there is nothing to leave out. */
const written = (output: object): string =>
  hasEmptyMember(output) ? JSON.stringify(output, dropped) : JSON.stringify(output);

/** What is `undefined` JSON leaves out by itself. */
function hasEmptyMember(value: object): boolean {
  if (Array.isArray(value)) return value.some(hasEmpty);
  for (const name in value) if (hasEmpty((value as Record<string, unknown>)[name])) return true;
  return false;
}

const hasEmpty = (value: unknown): boolean =>
  typeof value === "object" && value !== null && (isEmpty(value) || hasEmptyMember(value));

/** An empty answer itself is `{}`. */
const dropped = (name: string, value: unknown): unknown =>
  name !== "" && isEmpty(value) ? undefined : value;
