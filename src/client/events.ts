/** Listeners by event. A listener that throws fails nobody but itself. */

export class Events<E extends Record<string, unknown>> {
  readonly #listeners = new Map<keyof E, Set<(event: never) => unknown>>();

  /** What it returns takes the listener off again. */
  on<K extends keyof E>(name: K, listener: (event: E[K]) => unknown): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  emit<K extends keyof E>(name: K, event: E[K]): void {
    for (const listener of this.#listeners.get(name) ?? []) void call(listener, event);
  }
}

async function call(listener: (event: never) => unknown, event: unknown): Promise<void> {
  try {
    await listener(event as never);
  } catch {
    // There is nobody to tell who would not have heard it here.
  }
}
