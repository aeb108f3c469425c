/**
 * Hunts objects that get a hidden class of their own. V8 before Node 22 gives one to every object of a
 * literal that begins with a spread and goes on with what that has not: such objects are slow to make
 * and to read, and their classes are born old, as garbage that only a collection of the whole heap takes
 * away. Begin with what is named, or use `Object.assign({}, …)`.
 */
import { setFlagsFromString } from "node:v8";
import { expect, it, vi } from "vitest";
import { subjectOf } from "../../src/core/pattern.ts";
import type { ReceivedMessage } from "../../src/service/api.ts";
import { LogReader } from "../../src/service/log.ts";
import { createService } from "../../src/service/service.ts";
import { Views } from "../../src/service/view.ts";
import { createWorld, Q, receiptsOf, text } from "./fixture.ts";

setFlagsFromString("--allow-natives-syntax");
// oxlint-disable-next-line typescript/no-implied-eval
const haveSameClass = new Function("a", "b", "return %HaveSameMap(a, b)") as (
  a: object,
  b: object,
) => boolean;

function classesOf(objects: readonly object[]): number {
  const kinds: object[] = [];
  for (const one of objects) if (!kinds.some((kind) => haveSameClass(kind, one))) kinds.push(one);
  return kinds.length;
}

/** The first ones of a kind may differ, until V8 has seen what is stored in them. */
const FEW = 6;
const MANY = 60;

it("knows objects of one class from those of many", () => {
  const same = Array.from({ length: MANY }, (_, n) => ({ n }));
  const different = Array.from({ length: MANY }, (_, n) => ({ [`n${n}`]: n }));
  expect([classesOf(same), classesOf(different)]).toEqual([1, MANY]);
});

it.each(["none", "key"] as const)("what a receive is made of, order %s", async (order) => {
  const world = createWorld();
  const service = world.instance();
  const views = vi.spyOn(Views.prototype, "of");
  await service.putQueue(Q, { lanes: 1, order });
  const received: ReceivedMessage[] = [];
  for (let n = 0; n < MANY; n++) {
    const key = order === "key" ? { key: "k" } : {};
    await service.send(Q, [{ ...text(`${n}`), headers: { n: `${n}` }, ...key }]);
    const messages = await service.receive(Q, { max: 1, group: "default" });
    await service.ack(Q, receiptsOf(messages));
    received.push(...messages);
  }
  const queues = views.mock.calls.map(([queue]) => queue);
  const seen = await Promise.all(views.mock.results.map(({ value }) => value as Promise<object>));
  views.mockRestore();
  expect([received.length, queues.length, seen.length]).toEqual([MANY, MANY, MANY]);
  for (const objects of [received, queues, seen]) expect(classesOf(objects)).toBeLessThan(FEW);
  expect(classesOf(received.map((message) => subjectOf(message)))).toBe(1);
});

it("entries that an instance has stored itself", async () => {
  const world = createWorld();
  const learn = vi.spyOn(LogReader.prototype, "learn");
  const service = createService({ ...world.deps(), gather: async () => {} });
  await service.putQueue(Q, { lanes: 1 });
  for (let n = 0; n < MANY; n++) await service.send(Q, [text(`${n}`)]);
  const learned = learn.mock.calls.map(([, , entry]) => entry);
  learn.mockRestore();
  expect(learned.length).toBeGreaterThanOrEqual(MANY);
  expect(classesOf(learned)).toBeLessThan(FEW);
  expect(classesOf(learned.flatMap(({ messages }) => messages ?? []))).toBeLessThan(FEW);
});
