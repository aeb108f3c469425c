/** Hunts values that outlive what LevelDB has. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ValueCache } from "../../src/local/value-cache.ts";

/** A database whose requests are applied, and answered, when the test says so. */
function slow() {
  const stored = new Map<string, unknown>();
  const steps: (() => void)[] = [];
  const later = <T>(run: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      steps.push(() => {
        try {
          const value = run();
          steps.push(() => resolve(value));
        } catch (error) {
          steps.push(() => reject(error));
        }
      });
    });
  const cache = new ValueCache();
  let reads = 0;
  return {
    stored,
    steps,
    reads: () => reads,
    get: (key: string) =>
      cache.get(key, () => {
        reads += 1;
        return later(() => stored.get(key));
      }),
    put: (key: string, value: unknown) =>
      cache.put(key, value, (json) => later(() => void stored.set(key, JSON.parse(json)))),
    del: (key: string) => cache.delete(key, () => later(() => void stored.delete(key))),
    fail: (key: string, value: unknown) =>
      cache.put(key, value, () =>
        later(() => {
          stored.set(key, value);
          throw new Error("full");
        }),
      ),
    settle: async (): Promise<void> => {
      for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
        step();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

test("what was written or read is not read again", async () => {
  const { stored, get, put, reads, settle } = slow();
  stored.set("a", { n: 1 });
  const first = get("a");
  const written = put("b", { n: 2 });
  await settle();
  expect([await first, await written]).toEqual([{ n: 1 }, undefined]);
  expect([await get("a"), await get("b"), reads()]).toEqual([{ n: 1 }, { n: 2 }, 1]);
});

test("what is handed out can be changed without harm", async () => {
  const { get, put, settle } = slow();
  const written = put("a", { n: 1 });
  await settle();
  await written;
  ((await get("a")) as { n: number }).n = 9;
  expect(await get("a")).toEqual({ n: 1 });
});

test("E8: after a write that failed the value is read", async () => {
  const { fail, get, put, reads, settle } = slow();
  const before = put("a", 1);
  await settle();
  await before;
  const failed = fail("a", 2).catch((error: Error) => error.message);
  await settle();
  expect(await failed).toBe("full");
  const read = get("a");
  await settle();
  expect([await read, reads()]).toEqual([2, 1]);
});

test("E8, E9: whatever meets, once all is still the cache tells what the database has", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          what: fc.constantFrom("get", "put", "del", "fail", "step", "step", "step"),
          at: fc.nat(),
        }),
        { maxLength: 60 },
      ),
      async (actions) => {
        const db = slow();
        const results: Promise<unknown>[] = [];
        // As dynalite does it: writes of a key one after the other, reads at any time.
        let turn: Promise<unknown> = Promise.resolve();
        let count = 0;
        for (const { what, at } of actions) {
          if (what === "get") results.push(db.get("k"));
          else if (what === "step") db.steps.splice(at % Math.max(1, db.steps.length), 1)[0]?.();
          else {
            const value = (count += 1);
            const write = () =>
              what === "put"
                ? db.put("k", value)
                : what === "del"
                  ? db.del("k")
                  : db.fail("k", value);
            turn = turn.then(write).catch(() => undefined);
          }
          await new Promise((resolve) => setImmediate(resolve));
        }
        for (let round = 0; round < 200 && db.steps.length > 0; round++) await db.settle();
        await Promise.all([turn, ...results]);
        const last = db.get("k");
        await db.settle();
        expect(await last).toEqual(db.stored.get("k"));
      },
    ),
    { numRuns: 150 },
  );
});
