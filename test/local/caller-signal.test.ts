/** Hunts waits that go on for callers who have gone, and what a wait leaves behind. */
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { CallerSignal, Closing } from "../../src/local/caller-signal.ts";
import { sleep } from "../../src/store/sleep.ts";

class Response extends EventEmitter {
  closed = false;
  destroyed = false;

  close(): void {
    this.closed = this.destroyed = true;
    this.emit("close");
  }
}

function waiting() {
  const response = new Response();
  const closing = new Closing();
  const signal = new CallerSignal(response as unknown as ServerResponse, closing);
  const fired: string[] = [];
  const listener = (name: string) => () => void fired.push(name);
  return { response, closing, signal, fired, listener };
}

test("has fired once its caller has gone, though nobody listened", () => {
  const { response, signal } = waiting();
  expect(signal.aborted).toBe(false);
  response.close();
  expect(signal.aborted).toBe(true);
});

test("has fired once the server is closing", () => {
  const { closing, signal } = waiting();
  closing.begin();
  expect(signal.aborted).toBe(true);
});

test.each(["response", "closing"] as const)("tells all listeners, each once: %s", (first) => {
  const { response, closing, signal, fired, listener } = waiting();
  signal.addEventListener("abort", listener("a"));
  signal.addEventListener("abort", listener("b"));
  if (first === "closing") closing.begin();
  response.close();
  closing.begin();
  expect(fired).toEqual(["a", "b"]);
});

test("who has stopped listening is not told, and leaves nothing behind", () => {
  const { response, closing, signal, fired, listener } = waiting();
  const [a, b] = [listener("a"), listener("b")];
  signal.addEventListener("abort", a);
  signal.addEventListener("abort", b);
  signal.removeEventListener("abort", a);
  expect(response.listenerCount("close")).toBe(1);
  signal.removeEventListener("abort", b);
  signal.removeEventListener("abort", b);
  expect(response.listenerCount("close")).toBe(0);
  closing.begin();
  response.close();
  expect(fired).toEqual([]);
});

test("who listens again is told", () => {
  const { response, signal, fired, listener } = waiting();
  const a = listener("a");
  signal.addEventListener("abort", a);
  signal.removeEventListener("abort", a);
  signal.addEventListener("abort", a);
  response.close();
  expect(fired).toEqual(["a"]);
});

test("ends a sleep at once", async () => {
  const { response, signal } = waiting();
  const slept = sleep(60_000, signal);
  response.close();
  await slept;
  await sleep(60_000, signal);
  expect(response.listenerCount("close")).toBe(0);
});
