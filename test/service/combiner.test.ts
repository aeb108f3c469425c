/** Hunts callers that wait for nobody, and runs that leave out who was there in time. */
import { describe, expect, it } from "vitest";
import { Combiner } from "../../src/service/combiner.ts";

/** A combiner whose runs and pauses end when the test says so. */
function watched(options: { maxWeight?: number } = {}) {
  const runs: number[][] = [];
  const ends: (() => void)[] = [];
  const pauses: (() => void)[] = [];
  const combiner = new Combiner<number, number>(
    async (requests) => {
      runs.push([...requests]);
      await new Promise<void>((resolve) => ends.push(resolve));
      return requests.map((request) => -request);
    },
    {
      weigh: () => 1,
      maxWeight: options.maxWeight ?? 100,
      gather: () => new Promise((resolve) => pauses.push(resolve)),
    },
  );
  const submit = (...requests: number[]) =>
    requests.map((request) => combiner.submit("key", request));
  const next = async (list: (() => void)[]) => {
    list.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { runs, pauses, submit, end: () => next(ends), go: () => next(pauses) };
}

describe("a run", () => {
  it("begins at once where nobody is to be waited for", async () => {
    const runs: number[][] = [];
    const run = async (requests: readonly number[]) => {
      runs.push([...requests]);
      return requests.map((request) => -request);
    };
    const combiner = new Combiner<number, number>(run, { weigh: () => 1, maxWeight: 100 });
    for (const request of [1, 2, 3]) expect(await combiner.submit("key", request)).toBe(-request);
    expect(runs).toEqual([[1], [2], [3]]);
  });

  it("waits a moment for more, and takes who has come", async () => {
    const { runs, pauses, submit, end, go } = watched();
    const answers = submit(1);
    expect([runs, pauses.length]).toEqual([[], 1]);
    answers.push(...submit(2));
    await go();
    expect(runs).toEqual([[1, 2]]);
    answers.push(...submit(3, 4));
    await end();
    expect([runs.length, pauses.length]).toEqual([1, 1]);
    answers.push(...submit(5, 6));
    await go();
    expect(runs).toEqual([
      [1, 2],
      [3, 4, 5, 6],
    ]);
    await end();
    expect(await Promise.all(answers)).toEqual([-1, -2, -3, -4, -5, -6]);
  });

  it("G1: is the only one, pauses included", async () => {
    const { runs, submit, end, go } = watched({ maxWeight: 2 });
    const answers = submit(1, 2, 3, 4, 5, 6);
    for (let step = 0; step < 8; step++) {
      await go();
      await end();
    }
    expect(runs).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(await Promise.all(answers)).toEqual([-1, -2, -3, -4, -5, -6]);
  });
});
