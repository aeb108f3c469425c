import { openStorage } from "../../src/local/storage.ts";
import { startDynalite } from "./dynalite.ts";
import { findDynamoDbLocal, startDynamoDbLocal } from "./dynamodb-local.ts";
import type { Engine } from "./engine.ts";
import { startMemory } from "./memory.ts";

export interface EngineUnderTest {
  readonly name: string;
  /** Absent: it cannot run here; the name says why. */
  readonly start?: () => Promise<Engine>;
}

/** As `npm start` has it, in memory: group commit by item over the engine in its worker. */
async function startEmbedded(): Promise<Engine> {
  const storage = await openStorage({});
  return { store: storage.commits ?? storage.store(), close: () => storage.close() };
}

/** Every adapter on every engine that runs here. */
export async function enginesUnderTest(): Promise<readonly EngineUnderTest[]> {
  const local = await findDynamoDbLocal();
  return [
    { name: "memory", start: startMemory },
    { name: "dynalite", start: startDynalite },
    { name: "the embedded engine", start: startEmbedded },
    "home" in local
      ? { name: "DynamoDB Local", start: () => startDynamoDbLocal(local.home) }
      : { name: `DynamoDB Local (skipped: ${local.missing})` },
  ];
}
