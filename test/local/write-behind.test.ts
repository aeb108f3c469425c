/** Hunts states that overtake each other on their way to the engine, and journals dropped too early. */
import { expect, test } from "vitest";
import type { Journal } from "../../src/local/journal.ts";
import { WriteBehind } from "../../src/local/write-behind.ts";

const KEY = { pk: "p", sk: "-" };
const NAME = "lanes/p/-";

/** An engine that answers when the test says so; lines are the numbers that items have. */
function world() {
  const carried: string[][] = [];
  const answers: ((done: boolean) => void)[] = [];
  const timers: (() => void)[] = [];
  const log: string[] = [];
  const state = { bytes: 0, hasEnded: false, synced: true };
  const journal = {
    get bytes() {
      return state.bytes;
    },
    get hasEnded() {
      return state.hasEnded;
    },
    append: () => {},
    turn() {
      state.bytes = 0;
      state.hasEnded = true;
      log.push("turn");
    },
    dropEnded() {
      state.hasEnded = false;
      log.push("drop");
    },
  };
  const behind = new WriteBehind({
    journal: journal as unknown as Journal,
    encode: ({ item }) =>
      typeof item?.["x"] === "string" ? item["x"] : JSON.stringify(item?.["n"]),
    subject: (line) => line,
    carry(lines) {
      carried.push([...lines]);
      return new Promise((resolve) => answers.push((done) => resolve(lines.map(() => done))));
    },
    sync: () => Promise.resolve(state.synced),
    after(_ms, run) {
      timers.push(run);
      return () => {};
    },
    onTrouble: () => {},
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const tick = async (): Promise<void> => {
    timers.shift()?.();
    await turn();
  };
  const answer = async (done = true): Promise<void> => {
    answers.shift()?.(done);
    await turn();
  };
  return {
    behind,
    carried,
    log,
    state,
    tick,
    answer,
    commit: (n: number, pk = "p") =>
      behind.commit([
        { name: `lanes/${pk}/-`, table: "lanes", key: { ...KEY, pk }, item: { ...KEY, pk, n } },
      ]),
  };
}

test("J3, J4: a later state waits for the flush under way, and stands here until the engine has it", async () => {
  const { behind, carried, commit, tick, answer } = world();
  commit(1);
  commit(2);
  await tick();
  commit(3);
  await tick();
  expect(carried).toEqual([["2"]]);
  await answer();
  expect(behind.get(NAME)).toMatchObject({ item: { n: 3 } });
  expect(behind.changes("lanes", "p", {})).toEqual(new Map([["-", { ...KEY, n: 3 }]]));
  expect(behind.changes("lanes", "p", { from: "0" }).size).toBe(0);
  expect(behind.changes("lanes", "other", {}).size).toBe(0);
  await tick();
  expect(carried).toEqual([["2"], ["3"]]);
  await answer();
  expect([behind.get(NAME), behind.changes("lanes", "p", {}).size]).toEqual([undefined, 0]);
});

test("what the engine has refused stays, and is tried again", async () => {
  const { behind, carried, commit, tick, answer } = world();
  commit(1);
  await tick();
  await answer(false);
  expect(behind.get(NAME)).toMatchObject({ item: { n: 1 } });
  await tick();
  await answer();
  expect(behind.get(NAME)).toBeUndefined();
  expect(carried).toEqual([["1"], ["1"]]);
});

test("J5, J6: a journal goes once the engine has synced all of it, and names its items until then", async () => {
  const { behind, commit, state, log, tick, answer } = world();
  commit(1);
  state.bytes = 9 * 1024 * 1024;
  await tick();
  expect(log).toEqual(["turn"]);
  commit(2, "later");
  await answer(false);
  expect(log).toEqual(["turn"]);
  await tick();
  state.synced = false;
  await answer();
  await tick();
  expect(log).toEqual(["turn"]);
  expect([behind.get(NAME), behind.isJournaled(NAME)]).toEqual([undefined, true]);
  state.synced = true;
  commit(3, "later");
  await tick();
  await answer();
  expect(log).toEqual(["turn", "drop"]);
  expect([NAME, "lanes/later/-"].map((name) => behind.isJournaled(name))).toEqual([false, true]);
});

test("J7: where much waits, callers wait for the engine", async () => {
  const { behind, tick, answer } = world();
  expect(behind.room()).toBeUndefined();
  behind.commit([
    {
      name: NAME,
      table: "lanes",
      key: KEY,
      item: { ...KEY, x: "x".repeat(17 * 1024 * 1024) },
    },
  ]);
  let entered = false;
  void behind.room()?.then(() => (entered = true));
  await tick();
  expect(entered).toBe(false);
  await answer();
  expect([entered, behind.room()]).toEqual([true, undefined]);
});
