/** The embedded engine behind a proxy that fails: throttling, down, or with its replies lost. */
import { startEngine } from "../../src/local/engine.ts";
import { startFaultProxy, type FaultProxy } from "../engines/fault-proxy.ts";

export type FaultyEngine = FaultProxy;

export async function startFaultyEngine(): Promise<FaultyEngine> {
  const engine = await startEngine();
  const proxy = await startFaultProxy(engine);
  return {
    ...proxy,
    get fault() {
      return proxy.fault;
    },
    set fault(fault) {
      proxy.fault = fault;
    },
    async close() {
      await proxy.close();
      await engine.close();
    },
  };
}
