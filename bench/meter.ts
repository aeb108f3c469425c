/** Adds up what the storage engine says it consumed. */
import type { StoreRequest } from "../src/store/port.ts";

export interface Units {
  readonly writeUnits: number;
  readonly readUnits: number;
  readonly items: number;
  readonly requests: number;
}

export const NONE: Units = { writeUnits: 0, readUnits: 0, items: 0, requests: 0 };

export class Meter {
  #units = NONE;

  readonly record = (request: StoreRequest): void => {
    // `items` of a write is the item written; what a receive reads is asked for here.
    const read = request.action === "Query" || request.action === "GetItem";
    this.#units = plus(this.#units, {
      writeUnits: request.writeUnits,
      readUnits: request.readUnits,
      items: read ? request.items : 0,
      requests: 1,
    });
  };

  /** What came since the last call. */
  take(): Units {
    const units = this.#units;
    this.#units = NONE;
    return units;
  }
}

export const plus = (a: Units, b: Units): Units => ({
  writeUnits: a.writeUnits + b.writeUnits,
  readUnits: a.readUnits + b.readUnits,
  items: a.items + b.items,
  requests: a.requests + b.requests,
});
