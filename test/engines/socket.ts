import { Agent } from "node:http";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { createDynamoDbClient } from "../../src/store/dynamodb-client.ts";

/** A client of an engine that listens on a unix domain socket. */
export function socketClient(socketPath: string, requestTimeoutMs = 30_000): DynamoDBClient {
  // Node's own types leave it out.
  const agent: object = { keepAlive: true, socketPath };
  const handler = new NodeHttpHandler({
    requestTimeout: requestTimeoutMs,
    throwOnRequestTimeout: true,
    httpAgent: new Agent(agent),
  });
  return createDynamoDbClient({ handler, requestTimeoutMs });
}
