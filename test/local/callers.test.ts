/** Hunts waits for callers who are not there, callers who are not waited for, and sleep that keeps them waiting. */
import { expect, test } from "vitest";
import { Callers } from "../../src/local/callers.ts";

function counted(connections: number) {
  let now = 1_000;
  const timers = new Map<() => void, number>();
  const turn: (() => void)[] = [];
  /** This thread: for how long it has had nothing to do, how long it slept each time, and whether it may. */
  const thread = { idleMs: 0, slept: [] as number[], isAwaited: false };
  const callers = new Callers({
    now: () => now,
    after: (ms, run) => {
      timers.set(run, ms);
      return () => timers.delete(run);
    },
    soon: (run) => void turn.push(run),
    rest: {
      sleep(ms) {
        thread.slept.push(ms);
        return !thread.isAwaited;
      },
      idleMs: () => thread.idleMs,
    },
  });
  const sockets = Array.from({ length: connections }, () => ({}));
  const call = (some = sockets) => some.map((one) => callers.came(one));
  return {
    callers,
    sockets,
    call,
    /** All call and are answered, so often. */
    calls: (times = 50) => {
      for (let time = 0; time < times; time++) for (const answered of call()) answered();
    },
    pass: (ms: number) => (now += ms),
    /** All who are here have been heard; how many wanted to know. */
    endTurn: () => {
      const all = turn.splice(0);
      for (const run of all) run();
      return all.length;
    },
    /** How long is waited for those who do not come; 0: nobody is. */
    waitMs: () => {
      const wait = callers.gather();
      const [ms] = [...timers.values()];
      for (const run of timers.keys()) run();
      for (const run of turn.splice(0)) run();
      expect([timers.size, ms !== undefined]).toEqual([0, wait !== undefined]);
      return ms ?? 0;
    },
    timers,
    thread,
  };
}

/** So many call once each 50 ms, in which this thread is idle for as long as said; then it waits for them. */
function gathered(connections: number, idleMs: number) {
  const all = counted(connections);
  for (let window = 0; window < 3; window++) {
    all.calls(1);
    all.thread.idleMs += idleMs;
    all.pass(50);
  }
  all.calls(1);
  all.call(all.sockets.slice(0, 1));
  const wait = all.callers.gather();
  return { ...all, wait };
}

test("few callers are not waited for, however fast they are", () => {
  const { calls, waitMs } = counted(3);
  calls(1_000);
  expect(waitMs()).toBe(0);
});

test("the more call, the longer they are waited for, up to 4 ms", () => {
  const waits = [4, 8, 16, 64].map((connections) => {
    const { calls, waitMs } = counted(connections);
    calls();
    return waitMs();
  });
  expect(waits).toEqual([1, 2, 4, 4]);
});

test("nobody waits longer than until half of the callers are here", async () => {
  const { callers, sockets, calls, call, endTurn, timers } = counted(16);
  calls();
  call(sockets.slice(0, 4));
  let isOver = false;
  const wait = callers.gather()?.then(() => (isOver = true));
  call(sockets.slice(4, 7));
  await Promise.resolve();
  expect([isOver, timers.size]).toEqual([false, 1]);
  call(sockets.slice(7, 8));
  endTurn();
  await wait;
  expect([isOver, timers.size]).toEqual([true, 0]);
  expect(callers.gather()).toBeUndefined();
});

test("who makes them half, and who comes with it, is heard before they go on", async () => {
  const { callers, sockets, calls, call, endTurn, timers } = counted(16);
  calls();
  let isOver = false;
  void callers.gather()?.then(() => (isOver = true));
  call(sockets.slice(0, 8));
  await Promise.resolve();
  expect(isOver).toBe(false);
  call(sockets.slice(8, 10));
  endTurn();
  await Promise.resolve();
  expect([isOver, timers.size]).toEqual([true, 0]);
});

test("a wait that is over in time lets nobody go on for it later", async () => {
  const { callers, sockets, calls, call, endTurn, timers } = counted(16);
  calls();
  const wait = callers.gather();
  for (const run of timers.keys()) run();
  endTurn();
  await wait;
  call(sockets.slice(0, 8));
  expect(endTurn()).toBe(0);
});

test("who came before a wait was over in time, and was not heard yet, is heard first", async () => {
  const { callers, calls, endTurn, timers } = counted(16);
  calls();
  let isOver = false;
  void callers.gather()?.then(() => (isOver = true));
  for (const run of timers.keys()) run();
  await Promise.resolve();
  expect(isOver).toBe(false);
  endTurn();
  await Promise.resolve();
  expect(isOver).toBe(true);
});

test("callers who are still to be answered are not on the way", () => {
  const { call, waitMs } = counted(16);
  for (let time = 0; time < 50; time++) call();
  expect(waitMs()).toBe(0);
});

test("callers who come seldom are not waited for", () => {
  const { calls, waitMs } = counted(16);
  calls(1);
  // 16 in 50 ms are 1.28 in 4 ms.
  expect(waitMs()).toBe(0);
  calls(1);
  expect(waitMs()).toBe(4);
});

test("who has not called for a tenth of a second does not count", () => {
  const { calls, pass, waitMs } = counted(16);
  calls();
  pass(60);
  expect(waitMs()).toBe(4);
  pass(50);
  expect(waitMs()).toBe(0);
});

test("a clock that is set back forgets them, and goes on", () => {
  const { calls, pass, waitMs } = counted(16);
  calls();
  pass(-3_600_000);
  expect(waitMs()).toBe(0);
  calls();
  expect(waitMs()).toBe(4);
});

test("the thread sleeps until half of them may be here, and again if they are not", () => {
  const { sockets, call, endTurn, thread } = gathered(50, 5);
  // 24 of 50 are missing, and 10 come in an idle ms.
  endTurn();
  expect(thread.slept).toEqual([2]);
  call(sockets.slice(1, 16));
  endTurn();
  expect(thread.slept.map((ms) => ms.toFixed(3))).toEqual(["2.000", "0.900"]);
  call(sockets.slice(16, 21));
  endTurn();
  // 4 are missing: that is not worth it.
  expect(thread.slept).toHaveLength(2);
});

test("it stays awake once they are enough", () => {
  const { sockets, call, endTurn, thread } = gathered(50, 50);
  call(sockets.slice(1, 25));
  endTurn();
  expect(thread.slept).toEqual([]);
});

test("it stays awake where nobody waits any more", () => {
  const { endTurn, thread, timers } = gathered(50, 50);
  for (const run of timers.keys()) run();
  endTurn();
  expect(thread.slept).toEqual([]);
});

test("it stays awake where it is what the callers wait for", () => {
  const { endTurn, thread, timers } = gathered(50, 0.5);
  endTurn();
  expect([thread.slept, timers.size]).toEqual([[], 1]);
});

test("it tries once while something is awaited", () => {
  const { endTurn, thread } = gathered(50, 50);
  thread.isAwaited = true;
  endTurn();
  endTurn();
  expect(thread.slept).toHaveLength(1);
});
