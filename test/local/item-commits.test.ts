/** Hunts writes that get lost, or are answered before they are safe, where callers meet on one item. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LaneError } from "../../src/core/errors.ts";
import { createItemCommits } from "../../src/local/item-commits.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import { absent, add, discard, equal, set } from "../../src/store/port.ts";
import type { Item, Store } from "../../src/store/port.ts";

const KEY = { pk: "cursor#q#0", sk: "-" };
const OLD = { wantOld: true };
const UNKNOWN = new LaneError("outcome-unknown", "the reply was lost");

/** A store whose requests are applied and answered when the test says so. */
function watched({ gatherMs = 0 } = {}) {
  const memory = createMemoryStore();
  const asked: string[] = [];
  const underWay: { apply(): Promise<void>; fail(isApplied: boolean): Promise<void> }[] = [];
  const gated =
    <Args extends unknown[], T>(what: string, run: (...args: Args) => Promise<T>) =>
    (...args: Args): Promise<T> => {
      asked.push(what);
      return new Promise((resolve, reject) => {
        underWay.push({
          apply: () => run(...args).then(resolve, reject),
          async fail(isApplied) {
            if (isApplied) await run(...args);
            reject(UNKNOWN);
          },
        });
      });
    };
  const store: Store = {
    get: gated("get", (...args) => memory.get(...args)),
    query: gated("query", (...args) => memory.query(...args)),
    put: gated("put", (...args) => memory.put(...args)),
    update: gated("update", (...args) => memory.update(...args)),
    delete: gated("delete", (...args) => memory.delete(...args)),
  };
  let now = 0;
  const naps: { ms: number; end: () => void }[] = [];
  const timers: (() => void)[] = [];
  const commits = createItemCommits({
    store,
    timeoutMs: 5_000,
    gatherMs: () => gatherMs,
    now: () => now,
    sleep: (ms) => new Promise((end) => naps.push({ ms, end })),
    after: (_ms, run) => {
      timers.push(run);
      return () => timers.splice(timers.indexOf(run), 1);
    },
  });
  const settled = async <T>(work: T): Promise<T> => {
    await new Promise((resolve) => setImmediate(resolve));
    return work;
  };
  return {
    commits,
    memory,
    asked,
    underWay,
    naps,
    pass: (ms: number) => (now += ms),
    timeOut: () => settled(timers.splice(0).forEach((run) => run())),
    /** Ends the oldest request. */
    apply: async () => settled(await underWay.shift()?.apply()),
    fail: async (isApplied: boolean) => settled(await underWay.shift()?.fail(isApplied)),
  };
}

/** Until what was asked has gone to the engine. */
const sent = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** With the item known, as after its first write. */
async function known(options: { gatherMs?: number } = {}) {
  const world = watched(options);
  const first = world.commits.put("lanes", { ...KEY, n: 0 });
  await world.apply();
  await first;
  world.asked.length = 0;
  return world;
}

const outcome = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    (value) => value,
    (error: LaneError) => error.code,
  );

describe("of an item that is not known", () => {
  test("the first write decides by its own condition, and what it leaves is known", async () => {
    const { commits, memory, asked, apply } = watched();
    await memory.put("lanes", { ...KEY, n: 1, s: new Set(["a"]) });
    const write = commits.update("lanes", KEY, [set(["n"], 2)], equal(["n"], 1), OLD);
    await apply();
    expect(await write).toMatchObject({ ok: true, old: { n: 1 } });
    const left = { ...KEY, n: 2, s: new Set(["a"]) };
    expect(await commits.get("lanes", KEY, { consistent: true })).toEqual(left);
    expect(asked).toEqual(["update"]);
  });

  test("a refusal shows it as well, and so does a read, even where there is none", async () => {
    for (const there of [true, false]) {
      const { commits, memory, asked, apply } = watched();
      if (there) await memory.put("lanes", { ...KEY, n: 1 });
      const write = there
        ? commits.put("lanes", KEY, absent("pk"))
        : commits.get("lanes", KEY, { consistent: true });
      await apply();
      await write;
      const found = await commits.get("lanes", KEY, { consistent: true });
      expect(found).toEqual(there ? { ...KEY, n: 1 } : undefined);
      expect(asked).toHaveLength(1);
    }
  });
});

describe("what comes while a write of the item is under way", () => {
  test("goes as one write, each decided after the one before it", async () => {
    const { commits, memory, asked, apply } = await known();
    const first = commits.update("lanes", KEY, [set(["n"], 1)], equal(["n"], 0));
    await sent();
    const waiting = [
      commits.update(
        "lanes",
        KEY,
        [set(["n"], 2), add("s", new Set(["a", "b"]))],
        equal(["n"], 1),
        OLD,
      ),
      commits.update("lanes", KEY, [set(["n"], 9)], equal(["n"], 1)),
      commits.update("lanes", KEY, [discard("s", new Set(["a", "x"]))], undefined, OLD),
    ];
    await apply();
    expect(await first).toMatchObject({ ok: true });
    await apply();
    const middle = { ...KEY, n: 2, s: new Set(["a", "b"]) };
    expect(await Promise.all(waiting)).toEqual([
      { ok: true, old: { ...KEY, n: 1 } },
      { ok: false, found: middle },
      { ok: true, old: middle },
    ]);
    expect(asked).toEqual(["put", "put"]);
    expect(memory.peek("lanes", KEY)).toEqual({ ...KEY, n: 2, s: new Set(["b"]) });
  });

  test("may delete it and make it again", async () => {
    const { commits, memory, asked, apply } = await known();
    const first = commits.delete("lanes", KEY, equal(["n"], 0));
    await sent();
    const all = [
      first,
      commits.put("lanes", { ...KEY, n: 5 }, absent("pk")),
      commits.delete("lanes", KEY, equal(["n"], 0)),
    ];
    await apply();
    await apply();
    expect((await Promise.all(all)).map(({ ok }) => ok)).toEqual([true, true, false]);
    expect(asked).toEqual(["delete", "put"]);
    expect(memory.peek("lanes", KEY)).toEqual({ ...KEY, n: 5 });
  });

  test("fails alone where it asks for what DynamoDB refuses", async () => {
    const { commits, apply } = await known();
    const first = commits.update("lanes", KEY, [set(["n"], 1)]);
    await sent();
    const wrong = outcome(commits.update("lanes", KEY, [set(["n"], 2), set(["n"], 3)]));
    const right = commits.update("lanes", KEY, [set(["n"], 4)], undefined, OLD);
    await apply();
    await apply();
    expect(await wrong).toBe("internal");
    expect([await first, await right]).toMatchObject([{ ok: true }, { ok: true, old: { n: 1 } }]);
  });

  test("does not fail with one that would make the item too large, as DynamoDB has it", async () => {
    const { commits, memory, asked, apply } = await known();
    const first = commits.update("lanes", KEY, [set(["n"], 1)]);
    await sent();
    const all = [
      commits.update("lanes", KEY, [set(["n"], 2)]),
      commits.update("lanes", KEY, [set(["x"], "y".repeat(500_000))]),
      commits.update("lanes", KEY, [set(["n"], 9)], equal(["n"], 1)),
    ].map(outcome);
    for (let step = 0; step < 6; step++) await apply();
    await first;
    expect(await Promise.all(all)).toMatchObject([
      { ok: true },
      "internal",
      { ok: false, found: { n: 2 } },
    ]);
    expect(asked).toEqual(["put", "put", "update", "update", "update"]);
    expect(memory.peek("lanes", KEY)).toEqual({ ...KEY, n: 2 });
  });

  test("is not answered before the engine has confirmed it, refusals included (I3)", async () => {
    const { commits, apply } = await known();
    let answers = 0;
    const count = <T>(value: T): T => ((answers += 1), value);
    const write = commits.update("lanes", KEY, [set(["n"], 1)]).then(count);
    await sent();
    const read = await commits.get("lanes", KEY, { consistent: true });
    const refused = commits.put("lanes", KEY, absent("pk")).then(count);
    expect([read, answers]).toEqual([{ ...KEY, n: 0 }, 0]);
    await apply();
    await Promise.all([write, refused]);
    expect(await commits.get("lanes", KEY, { consistent: true })).toEqual({ ...KEY, n: 1 });
  });
});

describe("after a write that failed (I4)", () => {
  test.each([true, false])(
    "applied: %s, whoever it carried is told, and the item is read",
    async (isApplied) => {
      const { commits, asked, apply, fail } = await known();
      const first = commits.update("lanes", KEY, [set(["n"], 1)]);
      await sent();
      const carried = [
        outcome(commits.update("lanes", KEY, [set(["n"], 2)], equal(["n"], 1))),
        outcome(commits.update("lanes", KEY, [set(["n"], 3)], equal(["n"], 1))),
      ];
      await apply();
      await first;
      await fail(isApplied);
      expect(await Promise.all(carried)).toEqual(["outcome-unknown", "outcome-unknown"]);
      const read = commits.get("lanes", KEY, { consistent: true });
      await apply();
      expect(await read).toEqual({ ...KEY, n: isApplied ? 2 : 1 });
      expect(asked).toEqual(["put", "put", "get"]);
    },
  );
});

describe("an engine that is slow", () => {
  test("a request under way may have been applied, those that wait were not, and are not", async () => {
    const { commits, memory, asked, apply, timeOut } = await known();
    const under = outcome(commits.update("lanes", KEY, [set(["n"], 1)]));
    await sent();
    const waiting = outcome(commits.update("lanes", KEY, [set(["n"], 2)]));
    await timeOut();
    expect([await under, await waiting]).toEqual(["outcome-unknown", "engine-unavailable"]);
    const later = commits.update("lanes", KEY, [set(["n"], 3)], equal(["n"], 1), OLD);
    await sent();
    expect(asked).toEqual(["put"]);
    await apply();
    await apply();
    expect(await later).toMatchObject({ ok: true, old: { n: 1 } });
    expect(memory.peek("lanes", KEY)).toEqual({ ...KEY, n: 3 });
  });

  test("a query that takes too long says so, too", async () => {
    const { commits, timeOut } = watched();
    const page = outcome(commits.query("lanes", KEY.pk, { consistent: true }));
    await timeOut();
    expect(await page).toBe("engine-unavailable");
  });

  test("a read that takes too long says that the engine is not there", async () => {
    const { commits, timeOut } = watched();
    const read = outcome(commits.get("lanes", KEY, { consistent: true }));
    await timeOut();
    expect(await read).toBe("engine-unavailable");
  });
});

describe("I5: where many call", () => {
  test("the writes of an item keep a distance, and those of others do not wait for it", async () => {
    const { commits, asked, naps, pass, apply } = await known({ gatherMs: 2 });
    pass(0.5);
    const one = commits.update("lanes", KEY, [set(["n"], 1)]);
    const other = commits.put("lanes", { pk: "log#q#0", sk: "1" }, absent("pk"));
    const two = commits.update("lanes", KEY, [set(["n"], 2)], undefined, OLD);
    expect([asked, naps.map(({ ms }) => ms)]).toEqual([["put"], [1.5]]);
    await apply();
    expect(await other).toMatchObject({ ok: true });
    naps.shift()?.end();
    await sent();
    await apply();
    expect([await one, await two]).toMatchObject([{ ok: true }, { ok: true, old: { n: 1 } }]);
    expect(asked).toEqual(["put", "put"]);
  });

  test("who comes later than that goes at once, on a clock that was set back, too", async () => {
    for (const ms of [2, 10_000]) {
      const { commits, asked, pass, apply } = await known({ gatherMs: 2 });
      pass(ms);
      const write = commits.update("lanes", KEY, [set(["n"], 1)]);
      await sent();
      expect(asked).toEqual(["put"]);
      await apply();
      await write;
    }
    const { commits, naps, pass } = await known({ gatherMs: 2 });
    pass(-3_600_000);
    void commits.update("lanes", KEY, [set(["n"], 1)]);
    expect(naps.map(({ ms }) => ms)).toEqual([2]);
  });
});

test("callers who add and take away, with replies lost, lose nothing that was confirmed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 12 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 9 })),
      async (callers, chances) => {
        const { commits, memory, underWay, apply, fail } = watched();
        const draw = (): number => chances.next().value as number;
        const confirmed: string[] = [];
        const taken: string[] = [];
        const doubtful: string[] = [];
        const call = async (caller: number, steps: number): Promise<void> => {
          for (let step = 0; step < steps; step++) {
            const member = `${caller}.${step}`;
            const item: Item | undefined = await commits
              .get("lanes", KEY, { consistent: true })
              .catch(() => undefined);
            const version = (item?.["version"] as number | undefined) ?? 0;
            const edits = [add("s", new Set([member])), set(["version"], version + 1)];
            const guard = version === 0 ? absent("version") : equal(["version"], version);
            const added = await commits.update("lanes", KEY, edits, guard).catch(() => "unknown");
            if (typeof added === "string") doubtful.push(member);
            else if (added.ok) {
              confirmed.push(member);
              const mine = confirmed.filter((one) => one.startsWith(`${caller}.`));
              const gone = mine[draw() % mine.length] ?? member;
              const back = await commits
                .update("lanes", KEY, [discard("s", new Set([gone]))])
                .catch(() => undefined);
              if (back === undefined) doubtful.push(gone);
              else taken.push(gone);
            }
          }
        };
        const work = Promise.all(callers.map((steps, caller) => call(caller, steps)));
        const state = { isDone: false };
        void work.then(() => (state.isDone = true));
        for (let turn = 0; turn < 2_000 && !state.isDone; turn++) {
          await sent();
          if (underWay.length === 0) continue;
          const chance = draw();
          if (chance === 0) await fail(true);
          else if (chance === 1) await fail(false);
          else await apply();
        }
        expect(state.isDone).toBe(true);
        const left =
          (memory.peek("lanes", KEY)?.["s"] as ReadonlySet<string> | undefined) ?? new Set();
        for (const member of confirmed)
          if (!taken.includes(member) && !doubtful.includes(member)) expect(left).toContain(member);
        for (const member of taken) expect(left).not.toContain(member);
        for (const member of left) expect([...confirmed, ...doubtful]).toContain(member);
        const read = commits.get("lanes", KEY, { consistent: true });
        await apply();
        expect(await read).toEqual(memory.peek("lanes", KEY));
      },
    ),
    { numRuns: 200 },
  );
});
