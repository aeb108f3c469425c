/**
 * What ends a long wait: its caller has gone, or the server is closing.
 *
 * Not an object with a getter of its own: V8 gives each of those a hidden class of its own, which is born old
 * and keeps the getter, and with it the request, until the whole heap is collected.
 */
import type { ServerResponse } from "node:http";
import type { Signal } from "../core/signal.ts";
import { Roster } from "./roster.ts";

/** Whether a server is closing, and who wants to know. */
export class Closing {
  readonly #waiting = new Roster<() => void>();
  #hasBegun = false;

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** What it returns cancels that. */
  onBegin(run: () => void): () => void {
    return this.#waiting.add(run);
  }

  begin(): void {
    this.#hasBegun = true;
    for (const run of this.#waiting.all()) run();
  }
}

export class CallerSignal implements Signal {
  readonly #response: ServerResponse;
  readonly #closing: Closing;
  readonly #listeners: (() => void)[] = [];
  #cancel: (() => void) | undefined;

  constructor(response: ServerResponse, closing: Closing) {
    this.#response = response;
    this.#closing = closing;
  }

  /** An answer that has gone has nobody waiting for it, either. */
  get aborted(): boolean {
    return this.#closing.hasBegun || this.#response.destroyed || this.#response.closed;
  }

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.push(listener);
    this.#cancel ??= this.#listen();
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
    if (this.#listeners.length === 0) this.#stop();
  }

  #listen(): () => void {
    const fire = (): void => {
      this.#stop();
      for (const listener of this.#listeners.splice(0)) listener();
    };
    this.#response.once("close", fire);
    const cancel = this.#closing.onBegin(fire);
    return () => {
      this.#response.off("close", fire);
      cancel();
    };
  }

  #stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
