/** Hunts writes that get lost, or are answered before they are safe, where callers meet on one item. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LaneError } from "../../src/core/errors.ts";
import { createItemCommits } from "../../src/local/item-commits.ts";
import type { Journal } from "../../src/local/journal.ts";
import { WriteBehind } from "../../src/local/write-behind.ts";
import type { Change } from "../../src/local/write-behind.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import { absent, add, discard, equal, set } from "../../src/store/port.ts";
import type { Item, QueryPage, Store } from "../../src/store/port.ts";

const KEY = { pk: "cursor#q#0", sk: "-" };
const OLD = { wantOld: true };
const UNKNOWN = new LaneError("outcome-unknown", "the reply was lost");

/** A store whose requests are applied and answered when the test says so, behind a journal in memory. */
function watched() {
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
  const timers: { ms: number; run: () => void }[] = [];
  const after = (ms: number, run: () => void) => {
    const timer = { ms, run };
    timers.push(timer);
    return () => void timers.splice(timers.indexOf(timer), 1);
  };
  const lines = new Map<string, Change>();
  const kept: Change[][] = [];
  const disk = { isFull: false };
  /** What the engine waits for before it carries anything out. */
  const gate = { opens: Promise.resolve() };
  const journal = {
    bytes: 0,
    hasEnded: false,
    append(all: readonly string[]) {
      if (disk.isFull) throw new Error("no space left");
      kept.push(all.flatMap((line) => lines.get(line) ?? []));
    },
    turn() {},
    dropEnded() {},
    *read() {},
  };
  const behind = new WriteBehind({
    journal: journal as unknown as Journal,
    encode(change) {
      const line = `${lines.size}`;
      lines.set(line, change);
      return line;
    },
    subject: (line) => line,
    async carry(all) {
      await gate.opens;
      for (const line of all) {
        const { table, key, item } = lines.get(line) ?? {};
        if (table === undefined || key === undefined) throw new Error("an unknown line");
        if (item === undefined) await memory.delete(table, key);
        else await memory.put(table, item);
      }
      return all.map(() => true);
    },
    sync: () => Promise.resolve(true),
    after,
    onTrouble: () => {},
  });
  const commits = createItemCommits({ store, behind, timeoutMs: 5_000, after, soon: setImmediate });
  const settled = async <T>(work: T): Promise<T> => {
    await sent();
    return work;
  };
  return {
    commits,
    behind,
    memory,
    asked,
    kept,
    disk,
    gate,
    underWay,
    timeOut: () => settled(timers.filter(({ ms }) => ms === 5_000).forEach((timer) => timer.run())),
    /** Until the engine has all. */
    flush: () => behind.close(),
    /** Ends the oldest request. */
    apply: async () => settled(await underWay.shift()?.apply()),
    fail: async (isApplied: boolean) => settled(await underWay.shift()?.fail(isApplied)),
  };
}

/** Until what was asked has gone to the engine. */
const sent = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** With the item known, as after its first write. */
async function known() {
  const world = watched();
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

describe("of an item that is known", () => {
  test("all that is asked at once is decided in order, and journaled as one state", async () => {
    const { commits, memory, asked, kept, flush } = await known();
    const all = [
      commits.update("lanes", KEY, [set(["n"], 1)], equal(["n"], 0)),
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
    const middle = { ...KEY, n: 2, s: new Set(["a", "b"]) };
    expect(await Promise.all(all)).toEqual([
      { ok: true, old: undefined },
      { ok: true, old: { ...KEY, n: 1 } },
      { ok: false, found: middle },
      { ok: true, old: middle },
    ]);
    const left = { ...KEY, n: 2, s: new Set(["b"]) };
    expect(asked).toEqual([]);
    expect(kept.map((changes) => changes.map(({ item }) => item))).toEqual([[left]]);
    await flush();
    expect(memory.peek("lanes", KEY)).toEqual(left);
  });

  test("may be deleted and made again", async () => {
    const { commits, memory, flush } = await known();
    const all = [
      commits.delete("lanes", KEY, equal(["n"], 0)),
      commits.put("lanes", { ...KEY, n: 5 }, absent("pk")),
      commits.delete("lanes", KEY, equal(["n"], 0)),
    ];
    expect((await Promise.all(all)).map(({ ok }) => ok)).toEqual([true, true, false]);
    await flush();
    expect(memory.peek("lanes", KEY)).toEqual({ ...KEY, n: 5 });
    await commits.delete("lanes", KEY);
    await flush();
    expect(memory.peek("lanes", KEY)).toBeUndefined();
  });

  test("what DynamoDB refuses fails alone, too large an item included", async () => {
    const { commits } = await known();
    const all = [
      commits.update("lanes", KEY, [set(["n"], 2), set(["n"], 3)]),
      commits.update("lanes", KEY, [set(["x"], "y".repeat(500_000))]),
      commits.update("lanes", KEY, [set(["n"], 4)], equal(["n"], 0)),
    ].map(outcome);
    expect(await Promise.all(all)).toMatchObject(["internal", "internal", { ok: true }]);
  });

  test("nothing is shown or answered before the journal has it (I3)", async () => {
    const { commits, kept } = await known();
    let answers = 0;
    const write = commits.update("lanes", KEY, [set(["n"], 1)]).then(() => (answers += 1));
    const read = await commits.get("lanes", KEY, { consistent: true });
    expect([read, answers, kept]).toEqual([{ ...KEY, n: 0 }, 0, []]);
    await write;
    expect(await commits.get("lanes", KEY, { consistent: true })).toEqual({ ...KEY, n: 1 });
  });

  test("a journal that cannot be written fails them all, and nothing of it counts", async () => {
    const { commits, disk, memory, flush } = await known();
    disk.isFull = true;
    const all = [
      commits.update("lanes", KEY, [set(["n"], 1)]),
      commits.put("lanes", KEY, absent("pk")),
    ].map(outcome);
    expect(await Promise.all(all)).toEqual(["engine-unavailable", "engine-unavailable"]);
    disk.isFull = false;
    expect(await commits.get("lanes", KEY, { consistent: true })).toEqual({ ...KEY, n: 0 });
    await flush();
    expect(memory.peek("lanes", KEY)).toEqual({ ...KEY, n: 0 });
  });

  test("one that has become large goes to the engine, and is read from there", async () => {
    const { commits, asked, apply, memory } = watched();
    const large = { ...KEY, x: "y".repeat(40_000) };
    const first = commits.put("lanes", large);
    await apply();
    await first;
    const next = commits.update("lanes", KEY, [set(["n"], 1)], equal(["x"], large.x));
    await apply();
    expect(await next).toMatchObject({ ok: true });
    expect(asked).toEqual(["put", "update"]);
    expect(memory.peek("lanes", KEY)).toEqual({ ...large, n: 1 });
  });

  test("what the journal holds stays with the journal, however large it becomes (J5)", async () => {
    const { commits, asked, apply, kept, flush } = await known();
    await commits.update("lanes", KEY, [set(["n"], 1)]);
    await commits.update("lanes", KEY, [set(["x"], "y".repeat(40_000))]);
    await flush();
    const next = commits.update("lanes", KEY, [set(["n"], 2)], equal(["n"], 1));
    await apply();
    expect(await next).toMatchObject({ ok: true });
    expect(asked).toEqual(["get"]);
    expect(kept.map(([change]) => change?.item?.["n"])).toEqual([1, 1, 2]);
  });
});

describe("a query", () => {
  test("shows what waits for the engine, too (I5)", async () => {
    const { commits, memory, apply, asked } = await known();
    await commits.update("lanes", KEY, [set(["n"], 1)]);
    const page = commits.query("lanes", KEY.pk, { consistent: true });
    await sent();
    await apply();
    expect((await page).items).toEqual([{ ...KEY, n: 1 }]);
    expect(memory.peek("lanes", KEY)).not.toMatchObject({ n: 1 });
    expect(asked).toEqual(["query"]);
  });

  test("shows what goes to the engine while it is under way, though that has not seen it yet", async () => {
    const { commits, memory, behind, flush } = await known();
    await commits.update("lanes", KEY, [set(["n"], 1)]);
    let answer: (page: QueryPage) => void = () => {};
    const slow = createItemCommits({
      store: { ...memory, query: () => new Promise((resolve) => (answer = resolve)) },
      behind,
      timeoutMs: 5_000,
      after: () => () => {},
      soon: setImmediate,
    });
    const page = slow.query("lanes", KEY.pk, { consistent: true });
    await flush();
    answer({ items: [{ ...KEY, n: 0 }], more: false });
    expect((await page).items).toEqual([{ ...KEY, n: 1 }]);
  });

  test.each([
    [false, "1", "2"],
    [true, "4", "3"],
  ] as const)("has no empty page before its last, reversed %s", async (reverse, gone, left) => {
    const { commits, memory, apply, asked } = watched();
    for (const sk of ["1", "2", "3", "4"]) await memory.put("lanes", { pk: KEY.pk, sk });
    const range = { consistent: true, limit: 1, reverse };
    const read = commits.get("lanes", { pk: KEY.pk, sk: gone }, { consistent: true });
    await apply();
    await read;
    const page = commits.query("lanes", KEY.pk, range);
    await commits.delete("lanes", { pk: KEY.pk, sk: gone });
    await apply();
    await apply();
    expect(await page).toMatchObject({ items: [{ sk: left }], more: true });
    // Asked with what has gone in mind, once is enough.
    const again = commits.query("lanes", KEY.pk, range);
    await apply();
    expect(await again).toMatchObject({ items: [{ sk: left }], more: true });
    expect(asked).toEqual(["get", "query", "query", "query"]);
  });

  test("shows where the partition ends: what is put behind it is known to be new (K1)", async () => {
    const { commits, apply, asked } = watched();
    const pk = "log#q#0";
    const page = commits.query("lanes", pk, { consistent: true, reverse: true, limit: 1 });
    await apply();
    await page;
    const put = () => commits.put("lanes", { pk, sk: "1", body: new Uint8Array(1) }, absent("pk"));
    expect(await put()).toMatchObject({ ok: true });
    expect(await put()).toMatchObject({ ok: false });
    expect(asked).toEqual(["query"]);
  });
});

describe("of keys that share all up to their last #", () => {
  const segment = (start: number) => ({ pk: "cursor#q#0", sk: `group#0#${start}` });
  const get = (commits: Store, start: number) =>
    commits.get("lanes", segment(start), { consistent: true });

  /** Asked for the first segment, which is absent; where there are others is learnt beside it. */
  async function begun() {
    const all = watched();
    const absentYet = get(all.commits, 1);
    await all.apply();
    expect(await absentYet).toBeUndefined();
    await all.apply();
    expect(all.asked.splice(0)).toEqual(["get", "query"]);
    return all;
  }

  test("those behind the last are known to be new", async () => {
    const { commits, asked } = await begun();
    expect(await get(commits, 5)).toBeUndefined();
    await commits.update("lanes", segment(5), [set(["n"], 1)], absent("n"));
    expect(await get(commits, 5)).toMatchObject({ n: 1 });
    expect(await get(commits, 7)).toBeUndefined();
    expect(asked).toEqual([]);
  });

  test("those before it are asked for", async () => {
    const { commits, asked, apply } = await begun();
    await commits.update("lanes", segment(5), [set(["n"], 1)], absent("n"));
    const read = get(commits, 3);
    await apply();
    expect(await read).toBeUndefined();
    expect(asked).toEqual(["get"]);
  });

  test("a query that begins behind it has been answered", async () => {
    const { commits, asked } = await begun();
    await commits.update("lanes", segment(5), [set(["n"], 1)], absent("n"));
    const range = { from: segment(6).sk, to: segment(9).sk, consistent: true };
    expect(await commits.query("lanes", KEY.pk, range)).toEqual({ items: [], more: false });
    expect(asked).toEqual([]);
  });

  test("where the end cannot be learnt, each is asked for, and the end again", async () => {
    const { commits, asked, apply, fail } = watched();
    const first = get(commits, 1);
    await apply();
    expect(await first).toBeUndefined();
    await fail(false);
    const second = get(commits, 2);
    await apply();
    expect(await second).toBeUndefined();
    expect(asked).toEqual(["get", "query", "get", "query"]);
  });
});

test("what is put where there was nothing is put once, and seen by whoever looks after it", async () => {
  const keys = ["a#0#1", "a#0#2", "a#0#3", "a#1#1", "b#0#1"].map((sk) => ({
    pk: "cursor#q#0",
    sk,
  }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 6 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 99 })),
      async (callers, chances) => {
        const { commits, memory, underWay, apply, fail, flush } = watched();
        const draw = (below: number): number => (chances.next().value as number) % below;
        const put = new Map<string, string>();
        const doubtful = new Set<string>();
        const call = async (caller: number, steps: number): Promise<void> => {
          for (let step = 0; step < steps; step++) {
            const key = keys[draw(keys.length)] ?? KEY;
            const isThere = put.has(key.sk);
            const what = draw(4);
            if (what === 0) {
              const range = { from: key.sk, to: `${key.sk}~`, consistent: true };
              const page = await commits.query("lanes", key.pk, range).catch(() => undefined);
              if (isThere && page !== undefined) expect(page.items[0]?.sk).toBe(key.sk);
            } else if (what === 1) {
              const item = await commits.get("lanes", key, { consistent: true }).catch(() => "?");
              if (isThere && item !== "?") expect(item).toMatchObject({ sk: key.sk });
            } else {
              const by = `${caller}.${step}`;
              const outcome = await commits
                .put("lanes", { ...key, by }, absent("pk"))
                .catch(() => doubtful.add(by));
              if (outcome instanceof Set || !outcome.ok) continue;
              expect(put.get(key.sk)).toBeUndefined();
              put.set(key.sk, by);
            }
          }
        };
        const work = Promise.all(callers.map((steps, caller) => call(caller, steps)));
        const state = { isDone: false };
        const done = work.finally(() => (state.isDone = true));
        for (let turn = 0; turn < 2_000 && !state.isDone; turn++) {
          await sent();
          if (underWay.length === 0) continue;
          const chance = draw(10);
          if (chance <= 1) await fail(chance === 0);
          else await apply();
        }
        await done;
        await flush();
        for (const key of keys) {
          const by = memory.peek("lanes", key)?.["by"];
          const expected = put.get(key.sk);
          if (expected === undefined)
            expect(by === undefined || doubtful.has(by as string)).toBe(true);
          else expect(by).toBe(expected);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("what is put while a query is under way stays, and is shown (K1, I5)", async () => {
  const { commits, apply, flush } = watched();
  const pk = "log#q#0";
  const later = { pk, sk: "2", body: new Uint8Array(1) };
  const absentYet = commits.get("lanes", later, { consistent: true });
  await apply();
  await absentYet;
  const before = commits.put("lanes", { pk, sk: "1" }, absent("pk"));
  await apply();
  await before;
  const page = commits.query("lanes", pk, { consistent: true });
  expect(await commits.put("lanes", later, absent("pk"))).toMatchObject({ ok: true });
  await sent();
  await apply();
  expect((await page).items).toHaveLength(2);
  await flush();
  const again = commits.put("lanes", later, absent("pk"));
  await sent();
  await apply();
  expect(await again).toMatchObject({ ok: false });
});

describe("after a write that failed (I4)", () => {
  test.each([true, false])("applied: %s, the item is read", async (isApplied) => {
    const { commits, asked, apply, fail } = watched();
    const write = outcome(commits.put("lanes", { ...KEY, n: 1 }));
    await fail(isApplied);
    expect(await write).toBe("outcome-unknown");
    const read = commits.get("lanes", KEY, { consistent: true });
    await apply();
    expect(await read).toEqual(isApplied ? { ...KEY, n: 1 } : undefined);
    expect(asked).toEqual(["put", "get"]);
  });
});

describe("an engine that is slow", () => {
  test("a request under way may have been applied, those that wait were not, and are not", async () => {
    const { commits, memory, asked, apply, timeOut, flush } = watched();
    const under = outcome(commits.put("lanes", { ...KEY, n: 1 }));
    const waiting = outcome(commits.update("lanes", KEY, [set(["n"], 2)]));
    await timeOut();
    expect([await under, await waiting]).toEqual(["outcome-unknown", "engine-unavailable"]);
    const later = commits.update("lanes", KEY, [set(["n"], 3)], equal(["n"], 1), OLD);
    await sent();
    expect(asked).toEqual(["put"]);
    await apply();
    expect(await later).toMatchObject({ ok: true, old: { n: 1 } });
    await flush();
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

test("callers who add and take away, with replies lost, lose nothing that was confirmed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 12 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 9 })),
      async (callers, chances) => {
        const { commits, memory, underWay, disk, apply, fail, flush } = watched();
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
          const chance = draw();
          disk.isFull = chance === 2;
          if (underWay.length === 0) continue;
          if (chance === 0) await fail(true);
          else if (chance === 1) await fail(false);
          else await apply();
        }
        expect(state.isDone).toBe(true);
        await flush();
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
