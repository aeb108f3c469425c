/**
 * Wakes long waits of this process when something was sent or released here. Other instances are
 * found by looking again; a bell only saves the wait.
 */
import type { QueueId } from "../core/types.ts";
import type { Deps } from "./deps.ts";
import type { Signal } from "../core/signal.ts";

export class Bell {
  readonly #deps: Pick<Deps, "sleep">;
  readonly #waiting = new Map<QueueId, Set<AbortController>>();

  constructor(deps: Pick<Deps, "sleep">) {
    this.#deps = deps;
  }

  ring(queue: QueueId): void {
    for (const controller of this.#waiting.get(queue) ?? []) controller.abort();
  }

  /** Until the bell rings, the signal fires or `ms` have passed. */
  async wait(queue: QueueId, ms: number, signal?: Signal): Promise<void> {
    const controller = new AbortController();
    const stop = () => controller.abort();
    const waiting = this.#waiting.get(queue) ?? new Set();
    this.#waiting.set(queue, waiting.add(controller));
    signal?.addEventListener("abort", stop);
    if (signal?.aborted === true) stop();
    await this.#deps.sleep(ms, controller.signal);
    signal?.removeEventListener("abort", stop);
    waiting.delete(controller);
    if (waiting.size === 0) this.#waiting.delete(queue);
  }
}
