/** Hunts callers of the engine who wait for ever, and answers that reach another. */
import { expect, test, vi } from "vitest";
import { EnginePort, engineHandler } from "../../src/local/engine-port.ts";
import type { EngineCall } from "../../src/local/engine-port.ts";
import { faultOf } from "../../src/store/dynamodb-errors.ts";

const CALL: EngineCall = { action: "GetItem", body: "{}" };

function posted() {
  const calls: number[] = [];
  return { calls, port: new EnginePort((id) => calls.push(id)) };
}

test("answers reach those who asked, in any order", async () => {
  const { calls, port } = posted();
  const both = [port.call(CALL), port.call(CALL)];
  const [first = 0, second = 0] = calls;
  port.answered(second, [{ status: 200, body: "second" }]);
  port.answered(first, [{ status: 400, body: "first" }]);
  port.answered(first, [{ status: 200, body: "nobody" }]);
  expect(await Promise.all(both)).toEqual([
    { status: 400, body: "first" },
    { status: 200, body: "second" },
  ]);
});

test("E7: whoever waits when the worker goes is told, and who comes later at once", async () => {
  const { calls, port } = posted();
  const waits = port.call(CALL);
  port.end(new Error("gone"));
  port.end(new Error("again"));
  await expect(waits).rejects.toThrow("gone");
  const late = port.call(CALL).catch((error: unknown) => error);
  expect(await late).toMatchObject({ message: "gone" });
  expect(faultOf(await late)).toBe("unreached");
  expect(calls).toHaveLength(1);
});

test("E6: a time-out ends the waiting, as one on a network", async () => {
  vi.useFakeTimers();
  try {
    const { port } = posted();
    const handler = engineHandler((call) => port.call(call), 5_000);
    const headers = { "x-amz-target": "DynamoDB_20120810.GetItem" };
    const request = { headers, body: "{}" } as unknown as Parameters<typeof handler.handle>[0];
    const waits = handler.handle(request);
    const outcome = waits.then(
      () => "answered",
      (error: Error) => error.name,
    );
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await outcome).toBe("TimeoutError");
  } finally {
    vi.useRealTimers();
  }
});
