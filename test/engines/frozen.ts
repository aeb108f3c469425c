/** Makes whoever changes an item that a store has handed out fail at once (P5). */
import type { Item } from "../../src/store/port.ts";

/** Bytes alone cannot be frozen. */
export function freeze(item: Item): void {
  freezeDeeply(item);
}

function freezeDeeply(value: unknown): void {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
  if (value instanceof Set) {
    for (const name of ["add", "delete", "clear"])
      Object.defineProperty(value, name, { value: refuse });
    return;
  }
  Object.freeze(value);
  for (const part of Object.values(value)) freezeDeeply(part);
}

function refuse(): never {
  throw new TypeError("P5: what a store has handed out was changed");
}
