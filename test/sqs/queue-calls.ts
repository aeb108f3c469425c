/** The SQS face as callers of queue actions see it. */
import { jsonRequest, sqsFixture } from "./requests.ts";

export type Input = Readonly<Record<string, unknown>>;

/** The face, with calls that give what a client gets: an answer, or `[status, code, message]`. */
export function sqs(options: Parameters<typeof sqsFixture>[0] = {}) {
  const fixture = sqsFixture(options);
  const call = async (action: string, input: Input = {}): Promise<unknown> => {
    const reply = await fixture.ask(jsonRequest(action, input));
    const body = reply.text === "" ? undefined : (JSON.parse(reply.text) as Input);
    if (reply.status === 200) return body;
    return [reply.status, String(body?.["__type"]).split("#")[1], body?.["message"]];
  };
  const create = (QueueName: string, Attributes: Input = {}, tags: Input = {}) =>
    call("CreateQueue", { QueueName, Attributes, tags });
  const attributes = async (QueueUrl: string, ...AttributeNames: string[]): Promise<Input> => {
    const names = AttributeNames.length === 0 ? ["All"] : AttributeNames;
    const answer = await call("GetQueueAttributes", { QueueUrl, AttributeNames: names });
    return ((answer as Input)["Attributes"] ?? answer) as Input;
  };
  const set = (QueueUrl: string, Attributes: Input) =>
    call("SetQueueAttributes", { QueueUrl, Attributes });
  return { ...fixture, call, create, attributes, set };
}
