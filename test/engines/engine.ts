import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Store, StoreRequest } from "../../src/store/port.ts";
import { createDynamoDbStore } from "../../src/store/dynamodb.ts";
import { ensureTables } from "../../src/store/tables.ts";

/** A store under test. */
export interface Engine {
  readonly store: Store;
  /** What it reported of its requests; absent where it reports none. */
  readonly requests?: StoreRequest[];
  close(): Promise<void>;
}

export const TABLES = { catalog: "lanemq-catalog", lanes: "lanemq-lanes" } as const;

export const freshSocketPath = (): string =>
  join(tmpdir(), `lanemq-${randomBytes(6).toString("hex")}.sock`);

export const wait = async (ms: number): Promise<void> => sleep(ms);

export async function openStore(
  client: DynamoDBClient,
  returnsFoundItem: boolean,
): Promise<Omit<Engine, "close">> {
  await ensureTables(client, TABLES, wait);
  const requests: StoreRequest[] = [];
  const store = createDynamoDbStore({
    client,
    tables: TABLES,
    sleep: wait,
    random: Math.random,
    returnsFoundItem,
    onRequest: (request) => requests.push(request),
  });
  return { store, requests };
}
