/**
 * The time of a real deployment: the machine's, some times faster, so that leases and time-outs of
 * seconds run out within a test. Once it is set to jump, a sleeping caller moves it forward instead of
 * waiting.
 */
export class FastClock {
  #speed: number;
  #base: number;
  #since: number;

  constructor(startMs: number, speed: number) {
    this.#base = startMs;
    this.#speed = speed;
    this.#since = performance.now();
  }

  get now(): number {
    return this.#base + (performance.now() - this.#since) * this.#speed;
  }

  /** What the machine calls this long. */
  machineMs(ms: number): number {
    return ms / this.#speed;
  }

  /** As fast as the machine's from now on. */
  slowDown(): void {
    this.#base = this.now;
    this.#since = performance.now();
    this.#speed = 1;
  }

  jump(ms: number): void {
    this.#base += Math.max(0, ms);
  }
}
