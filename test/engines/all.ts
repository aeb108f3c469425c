import { startDynalite } from "./dynalite.ts";
import { findDynamoDbLocal, startDynamoDbLocal } from "./dynamodb-local.ts";
import type { Engine } from "./engine.ts";
import { startMemory } from "./memory.ts";

export interface EngineUnderTest {
  readonly name: string;
  /** Absent: it cannot run here; the name says why. */
  readonly start?: () => Promise<Engine>;
}

/** Every adapter on every engine that runs here. */
export async function enginesUnderTest(): Promise<readonly EngineUnderTest[]> {
  const local = await findDynamoDbLocal();
  return [
    { name: "memory", start: startMemory },
    { name: "dynalite", start: startDynalite },
    "home" in local
      ? { name: "DynamoDB Local", start: () => startDynamoDbLocal(local.home) }
      : { name: `DynamoDB Local (skipped: ${local.missing})` },
  ];
}
