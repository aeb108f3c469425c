/** Hunts waits for callers who are not there, and callers who are not waited for. */
import { expect, test } from "vitest";
import { Callers } from "../../src/local/callers.ts";

function counted(connections: number) {
  let now = 1_000;
  const timers = new Map<() => void, number>();
  const turn: (() => void)[] = [];
  const callers = new Callers({
    now: () => now,
    after: (ms, run) => {
      timers.set(run, ms);
      return () => timers.delete(run);
    },
    soon: (run) => void turn.push(run),
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
      expect([timers.size, ms !== undefined]).toEqual([0, wait !== undefined]);
      return ms ?? 0;
    },
    timers,
  };
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
  await wait;
  call(sockets.slice(0, 8));
  expect(endTurn()).toBe(0);
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
