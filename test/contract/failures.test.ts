/**
 * What is said of a write that failed (P3), and that it leaves once (P4): a put to the log that the
 * adapter quietly sent twice would meet itself and be taken for a conflict.
 */
import { afterEach, describe, expect, test } from "vitest";
import { absent } from "../../src/store/port.ts";
import type { Store } from "../../src/store/port.ts";
import { startScripted, refusal } from "../engines/scripted.ts";
import type { Answer, ScriptedEngine } from "../engines/scripted.ts";

const KEY = { pk: "log#q#0", sk: "1" };
const DONE: Answer = { status: 200, body: {} };

const WRITES: readonly [name: string, act: (store: Store) => Promise<unknown>][] = [
  ["PutItem", async (store) => store.put("lanes", KEY, absent("pk"))],
  ["UpdateItem", async (store) => store.update("lanes", KEY, [])],
  ["DeleteItem", async (store) => store.delete("lanes", KEY)],
];
const READS: readonly [name: string, act: (store: Store) => Promise<unknown>][] = [
  ["GetItem", async (store) => store.get("lanes", KEY, { consistent: true })],
  ["Query", async (store) => store.query("lanes", KEY.pk, { consistent: true })],
];

const UNSURE: readonly [name: string, answer: Answer][] = [
  ["a broken connection", "reset"],
  ["an internal error of the engine", refusal("InternalServerError", 500)],
  ["an unavailable engine", { status: 503, body: "<html>Service Unavailable</html>" }],
  ["a bad gateway", { status: 502, body: "" }],
  ["an answer that cannot be read", { status: 200, body: '{"Attributes":' }],
];

let engine: ScriptedEngine | undefined;
afterEach(async () => {
  await engine?.close();
  engine = undefined;
});

const start = async (...args: Parameters<typeof startScripted>): Promise<ScriptedEngine> => {
  engine = await startScripted(...args);
  return engine;
};

describe.each(WRITES)("%s", (action, act) => {
  test.each(UNSURE)("after %s: sent once, outcome unknown", async (_name, answer) => {
    const { store, arrived } = await start([answer, DONE]);
    await expect(act(store)).rejects.toMatchObject({ code: "outcome-unknown" });
    expect(arrived).toEqual([action]);
  });

  test("without an answer in time: sent once, outcome unknown", async () => {
    const { store, arrived } = await start(["silence"], { requestTimeoutMs: 40 });
    await expect(act(store)).rejects.toMatchObject({ code: "outcome-unknown" });
    expect(arrived).toEqual([action]);
  });

  test("throttled twice: sent again until it is taken, with growing pauses", async () => {
    const throttled = refusal("ProvisionedThroughputExceededException");
    const { store, arrived, naps } = await start([throttled, throttled, DONE]);
    expect(await act(store)).toEqual({ ok: true, old: undefined });
    expect(arrived).toEqual([action, action, action]);
    expect(naps).toHaveLength(2);
    expect(naps[1]).toBeGreaterThan(naps[0] ?? Infinity);
  });

  test.each([
    refusal("ProvisionedThroughputExceededException"),
    refusal("ThrottlingException"),
    refusal("RequestLimitExceeded"),
    { status: 429, body: {} } satisfies Answer,
  ])("throttled throughout: says so after a bounded number of tries", async (answer) => {
    const { store, arrived } = await start([answer]);
    await expect(act(store)).rejects.toMatchObject({ code: "throttled" });
    expect(arrived).toHaveLength(5);
  });

  test("refused as invalid: not sent again", async () => {
    const { store, arrived } = await start([refusal("ValidationException")]);
    await expect(act(store)).rejects.toMatchObject({ code: "internal" });
    expect(arrived).toHaveLength(1);
  });

  test("refused by an answer that cannot be read: sent again, for it was not applied", async () => {
    const { store, arrived } = await start([{ status: 400, body: '{"__type":"com.am' }, DONE]);
    await expect(act(store)).resolves.toMatchObject({ ok: true });
    expect(arrived).toHaveLength(2);
  });

  test("signed by a clock that was wrong: sent again", async () => {
    const { store, arrived } = await start([refusal("InvalidSignatureException"), DONE]);
    await expect(act(store)).resolves.toMatchObject({ ok: true });
    expect(arrived).toHaveLength(2);
  });

  test("to an engine that is not there: nothing was changed", async () => {
    const { store } = await start([DONE]);
    await engine?.close();
    engine = undefined;
    await expect(act(store)).rejects.toMatchObject({ code: "engine-unavailable" });
  });
});

describe.each(READS)("%s", (action, act) => {
  test.each(UNSURE)("after %s: sent again", async (_name, answer) => {
    const { store, arrived } = await start([answer, answer, DONE]);
    await act(store);
    expect(arrived).toEqual([action, action, action]);
  });

  test.each(UNSURE)("after nothing but %s: the engine is unavailable", async (_name, answer) => {
    const { store, arrived } = await start([answer]);
    await expect(act(store)).rejects.toMatchObject({ code: "engine-unavailable" });
    expect(arrived).toHaveLength(5);
  });

  test("throttled throughout: says so", async () => {
    const { store } = await start([refusal("ThrottlingException")]);
    await expect(act(store)).rejects.toMatchObject({ code: "throttled" });
  });
});

describe("a refused put", () => {
  const found = { pk: { S: KEY.pk }, sk: { S: KEY.sk }, writer: { S: "other" } };
  const refused = (extra: object) => refusal("ConditionalCheckFailedException", 400, extra);

  test("takes what it found from the refusal, without a read", async () => {
    const { store, arrived } = await start([refused({ Item: found })]);
    expect(await store.put("lanes", KEY, absent("pk"))).toEqual({
      ok: false,
      found: { ...KEY, writer: "other" },
    });
    expect(arrived).toEqual(["PutItem"]);
  });

  test("found nothing where the engine would have shown it", async () => {
    const { store, arrived } = await start([refused({})]);
    expect(await store.put("lanes", KEY, absent("pk"))).toEqual({ ok: false, found: undefined });
    expect(arrived).toEqual(["PutItem"]);
  });

  test("reads what it found where the engine does not show it", async () => {
    const answers: [Answer, Answer] = [refused({}), { status: 200, body: { Item: found } }];
    const { store, arrived } = await start(answers, { returnsFoundItem: false });
    expect(await store.put("lanes", KEY, absent("pk"))).toEqual({
      ok: false,
      found: { ...KEY, writer: "other" },
    });
    expect(arrived).toEqual(["PutItem", "GetItem"]);
  });
});
