/**
 * Stock clients of SQS, one of each protocol, and the embedded service for them. LANEMQ_CLIENTS_ENDPOINT
 * names another service to be driven instead.
 */
import { randomUUID } from "node:crypto";
import * as json from "@aws-sdk/client-sqs";
import * as query from "aws-sdk-client-sqs-query";
import { start } from "../e2e/local-service.ts";

type Sdk = typeof json;

export interface Speaker {
  readonly name: string;
  /** The classes of its own release: errors are instances of these. */
  readonly sdk: Sdk;
}

/** Some calls and members are younger than the query protocol's last release. */
export const JSON_SPEAKER: Speaker = { name: "@aws-sdk/client-sqs, JSON", sdk: json };

export const SPEAKERS: readonly Speaker[] = [
  JSON_SPEAKER,
  // Its calls are a part of the current one's; what they look like is the same.
  { name: "@aws-sdk/client-sqs 3.441.0, query", sdk: query as unknown as Sdk },
];

export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

const elsewhere = process.env["LANEMQ_CLIENTS_ENDPOINT"];

export const startService = (options: Parameters<typeof start>[0] = {}): Promise<Served> =>
  elsewhere === undefined
    ? start(options)
    : Promise.resolve({ url: elsewhere, close: () => Promise.resolve() });

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Without an API key the embedded service takes any. */
const ANY: Credentials = { accessKeyId: "anybody", secretAccessKey: "anything" };

export const connect = (
  { sdk }: Speaker,
  { url }: Served,
  credentials: Credentials = ANY,
): json.SQS => new sdk.SQS({ endpoint: url, region: "us-east-1", credentials, maxAttempts: 1 });

const run = randomUUID().slice(0, 8);
let queues = 0;
/** Distinct over runs, too, for a service elsewhere keeps its queues. */
export const newQueueName = (suffix = ""): string => `clients-${run}-${++queues}${suffix}`;

export async function newQueue(
  sqs: json.SQS,
  attributes: Readonly<Record<string, string>> = {},
): Promise<string> {
  const isFifo = attributes["FifoQueue"] === "true";
  const { QueueUrl } = await sqs.createQueue({
    QueueName: newQueueName(isFifo ? ".fifo" : ""),
    Attributes: attributes,
  });
  if (QueueUrl === undefined) throw new Error("The queue has no URL.");
  return QueueUrl;
}

export async function arnOf(sqs: json.SQS, queueUrl: string): Promise<string> {
  const { Attributes } = await sqs.getQueueAttributes({
    QueueUrl: queueUrl,
    AttributeNames: ["QueueArn"],
  });
  return Attributes?.QueueArn ?? "";
}

/** So many messages, by as few receives as it takes; what is missing after a poll that came back empty is missing. */
export async function receiveAll(
  sqs: json.SQS,
  request: json.ReceiveMessageRequest,
  count: number,
): Promise<json.Message[]> {
  const all: json.Message[] = [];
  while (all.length < count) {
    const { Messages = [] } = await sqs.receiveMessage({
      MaxNumberOfMessages: 10,
      WaitTimeSeconds: 5,
      ...request,
    });
    if (Messages.length === 0) break;
    all.push(...Messages);
  }
  return all;
}

/** The error that a call ends with. */
export async function errorOf(call: Promise<unknown>): Promise<json.SQSServiceException> {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof Error && "$metadata" in outcome)
    return outcome as json.SQSServiceException;
  throw new Error("The call was expected to fail.", { cause: outcome });
}

/** What the service said: release 3.441.0 leaves the text of modelled errors one level down. */
export function textOf(error: json.SQSServiceException): string {
  const { Error: inner } = error as { Error?: { Message?: string } };
  return inner?.Message ?? error.message;
}
