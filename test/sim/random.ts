/** The one source of chance: a small generator (sfc32) with a seed, and the draws made from it. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    this.#c = 0x9e3779b9;
    for (let round = 0; round < 15; round += 1) this.bits();
  }

  /** 32 random bits. */
  bits(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + sum) | 0;
    return sum >>> 0;
  }

  /** In [0, 1). */
  unit(): number {
    return this.bits() / 2 ** 32;
  }

  chance(probability: number): boolean {
    return probability > 0 && this.unit() < probability;
  }

  /** An integer from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1));
  }

  between(low: number, high: number): number {
    return low + this.unit() * (high - low);
  }

  /** Spread evenly over orders of magnitude: many short, a few long. */
  skewed(low: number, high: number): number {
    return low * (high / low) ** this.unit();
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new RangeError("nothing to pick from");
    return from[Math.floor(this.unit() * from.length)] as T;
  }

  shuffle<T>(list: T[]): T[] {
    for (let at = list.length - 1; at > 0; at -= 1) {
      const other = this.int(0, at);
      const kept = list[at] as T;
      list[at] = list[other] as T;
      list[other] = kept;
    }
    return list;
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; at += 1) bytes[at] = this.bits();
    return bytes;
  }

  /** A generator of its own, so that one consumer's draws do not move another's. */
  fork(): Random {
    return new Random(this.bits() + this.int(0, 2 ** 20) * 2 ** 32);
  }
}
