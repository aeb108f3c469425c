/** The embedded engine behind a proxy that fails: throttling, down, or with its replies lost. */
import { startEngine } from "../../src/local/engine.ts";
import { startEngineFront } from "../engines/engine-front.ts";
import { startFaultProxy, type FaultProxy } from "../engines/fault-proxy.ts";

export type FaultyEngine = FaultProxy;

export async function startFaultyEngine(): Promise<FaultyEngine> {
  const engine = await startEngine();
  const front = await startEngineFront(engine);
  const proxy = await startFaultProxy(front);
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
      await front.close();
      await engine.close();
    },
  };
}
