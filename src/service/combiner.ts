/**
 * Group commit: while one operation on a key is under way, what arrives for the same key waits, and
 * then goes as one.
 *
 * A Lambda instance has one caller at a time and never waits here; the embedded server has many, and
 * makes one write of what they ask.
 *
 * Where many call, a run may wait a moment for those who are on the way, which costs less than a run of
 * its own for every few.
 *
 * G1  At most one run per key is under way, so that an instance never conflicts with itself.
 * G2  Every caller gets its own answer, or the error of the run that carried its request.
 */
interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export class Combiner<Request, Answer> {
  readonly #queues = new Map<string, Waiting<Request, Answer>[]>();
  readonly #run: (requests: readonly Request[]) => Promise<readonly Answer[]>;
  readonly #weigh: (request: Request) => number;
  readonly #maxWeight: number;
  readonly #gather: (() => Promise<void>) | undefined;

  /**
   * `run` answers in the order of the requests; a run carries requests up to `maxWeight`, and always one.
   * `gather`: whom else to wait for.
   */
  constructor(
    run: (requests: readonly Request[]) => Promise<readonly Answer[]>,
    options: {
      weigh: (request: Request) => number;
      maxWeight: number;
      gather?: (() => Promise<void>) | undefined;
    },
  ) {
    this.#run = run;
    this.#weigh = options.weigh;
    this.#maxWeight = options.maxWeight;
    this.#gather = options.gather;
  }

  submit(key: string, request: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const waiting = { request, resolve, reject };
      const queue = this.#queues.get(key);
      if (queue !== undefined) {
        queue.push(waiting);
        return;
      }
      this.#queues.set(key, [waiting]);
      void this.#drain(key);
    });
  }

  async #drain(key: string): Promise<void> {
    for (
      let queue = this.#queues.get(key);
      queue !== undefined && queue.length > 0;
      queue = this.#queues.get(key)
    ) {
      if (this.#gather !== undefined) await this.#gather();
      const batch = this.#take(queue);
      try {
        const answers = await this.#run(batch.map((waiting) => waiting.request));
        batch.forEach((waiting, index) => waiting.resolve(answers[index] as Answer));
      } catch (error) {
        for (const waiting of batch) waiting.reject(error);
      }
    }
    this.#queues.delete(key);
  }

  #take(queue: Waiting<Request, Answer>[]): Waiting<Request, Answer>[] {
    let weight = 0;
    let count = 0;
    for (const { request } of queue) {
      weight += this.#weigh(request);
      if (count > 0 && weight > this.#maxWeight) break;
      count += 1;
    }
    return queue.splice(0, count);
  }
}
