/** Creates the two tables on an engine that has no stack to do it: embedded and tests. */
import {
  CreateTableCommand,
  DescribeTableCommand,
  ResourceInUseException,
  ResourceNotFoundException,
} from "@aws-sdk/client-dynamodb";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { LaneError } from "../core/errors.ts";
import type { TableName } from "./port.ts";

const POLL_MS = 50;
const POLLS = 600;

/** Resolves once both tables take requests. Safe to call again, and by several at once. */
export async function ensureTables(
  client: DynamoDBClient,
  names: Readonly<Record<TableName, string>>,
  sleep: (ms: number) => Promise<void>,
): Promise<void> {
  await Promise.all(
    Object.values(names).map(async (name) => {
      if ((await statusOf(client, name)) === undefined) await create(client, name);
      for (let poll = 0; (await statusOf(client, name)) !== "ACTIVE"; poll++) {
        if (poll >= POLLS) {
          throw new LaneError("engine-unavailable", `The table ${name} does not become active.`);
        }
        await sleep(POLL_MS);
      }
    }),
  );
}

async function statusOf(client: DynamoDBClient, name: string): Promise<string | undefined> {
  try {
    const { Table: table } = await client.send(new DescribeTableCommand({ TableName: name }));
    return table?.TableStatus;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

async function create(client: DynamoDBClient, name: string): Promise<void> {
  try {
    await client.send(
      new CreateTableCommand({
        TableName: name,
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: [
          { AttributeName: "pk", AttributeType: "S" },
          { AttributeName: "sk", AttributeType: "S" },
        ],
        KeySchema: [
          { AttributeName: "pk", KeyType: "HASH" },
          { AttributeName: "sk", KeyType: "RANGE" },
        ],
      }),
    );
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error;
  }
}
