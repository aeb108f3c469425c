/** Hunts waits for callers who are not there. */
import { expect, test } from "vitest";
import { Callers } from "../../src/local/callers.ts";

function counted(connections: number) {
  let now = 1_000;
  const callers = new Callers(() => now);
  const sockets = Array.from({ length: connections }, () => ({}));
  return {
    callers,
    come: () => sockets.forEach((one) => callers.came(one)),
    pass: (ms: number) => (now += ms),
  };
}

test("few callers are not waited for, however fast they are", () => {
  const { callers, come } = counted(3);
  for (let call = 0; call < 1_000; call++) come();
  expect(callers.gatherMs()).toBe(0);
});

test("the more call at once, the longer it pays to wait, up to 2 ms", () => {
  const waits = [4, 8, 16, 64].map((connections) => {
    const { callers, come } = counted(connections);
    come();
    return callers.gatherMs();
  });
  expect(waits).toEqual([0.5, 1, 2, 2]);
});

test("who has not called for a tenth of a second does not count", () => {
  const { callers, come, pass } = counted(16);
  come();
  pass(60);
  expect(callers.gatherMs()).toBe(2);
  pass(50);
  expect(callers.gatherMs()).toBe(0);
});

test("a clock that is set back forgets them, and goes on", () => {
  const { callers, come, pass } = counted(16);
  come();
  pass(-3_600_000);
  expect(callers.gatherMs()).toBe(0);
  come();
  expect(callers.gatherMs()).toBe(2);
});
