import type { StoreRequest } from "../../src/store/port.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import { freeze } from "./frozen.ts";
import type { Engine } from "./engine.ts";

export async function startMemory(): Promise<Engine> {
  const requests: StoreRequest[] = [];
  const store = createMemoryStore({
    onRequest: (request) => requests.push(request),
    onKeep: freeze,
  });
  return { store, requests, close: async () => {} };
}
