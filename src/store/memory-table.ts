/**
 * The memory store's shelves: items sorted by sort key within a partition, each with its size.
 * Records are never changed in place, so a page may be cut from them without copying first.
 */
import type { Item } from "./port.ts";
import { compareKeys } from "./values.ts";

export interface Row {
  readonly item: Item;
  readonly bytes: number;
}

export class Partition {
  readonly #keys: string[] = [];
  readonly #rows: Row[] = [];

  get size(): number {
    return this.#keys.length;
  }

  get(sk: string): Row | undefined {
    const at = this.firstFrom(sk);
    return this.#keys[at] === sk ? this.#rows[at] : undefined;
  }

  row(index: number): Row | undefined {
    return this.#rows[index];
  }

  rows(): readonly Row[] {
    return this.#rows;
  }

  set(sk: string, row: Row): void {
    const last = this.#keys[this.#keys.length - 1];
    if (last === undefined || compareKeys(last, sk) < 0) {
      this.#keys.push(sk);
      this.#rows.push(row);
      return;
    }
    const at = this.firstFrom(sk);
    if (this.#keys[at] === sk) this.#rows[at] = row;
    else {
      this.#keys.splice(at, 0, sk);
      this.#rows.splice(at, 0, row);
    }
  }

  delete(sk: string): void {
    const at = this.firstFrom(sk);
    if (this.#keys[at] !== sk) return;
    this.#keys.splice(at, 1);
    this.#rows.splice(at, 1);
  }

  /** Index of the first key that is `sk` or comes after it. */
  firstFrom(sk: string): number {
    return this.#bound((key) => compareKeys(key, sk) < 0);
  }

  /** Index of the first key that comes after `sk`. */
  firstAfter(sk: string): number {
    return this.#bound((key) => compareKeys(key, sk) <= 0);
  }

  #bound(isBefore: (key: string) => boolean): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(this.#keys[middle] ?? "")) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
