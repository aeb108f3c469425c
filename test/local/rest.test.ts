/** Hunts sleep that is none, that keeps somebody waiting, or that does not count as idle. */
import { expect, test } from "vitest";
import { createRest } from "../../src/local/rest.ts";

test("it sleeps as long as asked, which is time with nothing to do", () => {
  const rest = createRest(() => false);
  const idleMs = rest.idleMs();
  const from = performance.now();
  expect(rest.sleep(20)).toBe(true);
  // Clocks differ in their last digit.
  expect(performance.now() - from).toBeGreaterThan(19);
  expect(rest.idleMs() - idleMs).toBeGreaterThan(19);
});

test("it does not sleep while something is awaited", () => {
  const rest = createRest(() => true);
  const idleMs = rest.idleMs();
  expect(rest.sleep(60_000)).toBe(false);
  expect(rest.idleMs() - idleMs).toBeLessThan(60_000);
});

test("waiting for an event is time with nothing to do, too", async () => {
  const rest = createRest(() => false);
  const idleMs = rest.idleMs();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(rest.idleMs()).toBeGreaterThan(idleMs);
});
