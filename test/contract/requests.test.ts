/** What leaves for the engine, where no local engine would notice a mistake. */
import { afterEach, expect, test } from "vitest";
import { absent, all, any, discard, equal, exists, set } from "../../src/store/port.ts";
import { refusal, startScripted } from "../engines/scripted.ts";
import type { Answer, ScriptedEngine } from "../engines/scripted.ts";

const KEY = { pk: "log#q#0", sk: "1" };
const DONE: Answer = { status: 200, body: {} };

let engine: ScriptedEngine | undefined;
afterEach(async () => engine?.close());

const start = async (...args: Parameters<typeof startScripted>): Promise<ScriptedEngine> => {
  engine = await startScripted(...args);
  return engine;
};

test("a read is strongly consistent exactly when that is asked for", async () => {
  const { store, inputs } = await start([DONE]);
  await store.get("lanes", KEY, { consistent: true });
  await store.get("lanes", KEY, { consistent: false });
  await store.query("lanes", KEY.pk, { consistent: true });
  await store.query("lanes", KEY.pk, { consistent: false });
  expect(inputs.map((input) => input["ConsistentRead"])).toEqual([true, false, true, false]);
});

test("the read after a refusal is strongly consistent", async () => {
  const answers: [Answer, Answer] = [refusal("ConditionalCheckFailedException"), DONE];
  const { store, inputs } = await start(answers, { returnsFoundItem: false });
  await store.put("lanes", KEY, absent("pk"));
  expect(inputs[1]).toMatchObject({ ConsistentRead: true, Key: { pk: { S: KEY.pk } } });
});

test("a conditional write asks for the item that refuses it; another write does not", async () => {
  const { store, inputs } = await start([DONE]);
  await store.put("lanes", KEY, absent("pk"));
  await store.update("lanes", KEY, [], exists("pk"));
  await store.delete("lanes", KEY, exists("pk"));
  await store.put("lanes", KEY);
  expect(inputs.map((input) => input["ReturnValuesOnConditionCheckFailure"])).toEqual([
    "ALL_OLD",
    "ALL_OLD",
    "ALL_OLD",
    undefined,
  ]);
});

test("consumed capacity is asked for only where somebody meters it", async () => {
  const plain = await start([DONE]);
  await plain.store.put("lanes", KEY);
  expect(plain.inputs[0]).not.toHaveProperty("ReturnConsumedCapacity");
  await plain.close();
  const metered = await start([DONE], { onRequest: () => {} });
  await metered.store.put("lanes", KEY);
  expect(metered.inputs[0]).toMatchObject({ ReturnConsumedCapacity: "TOTAL" });
});

test("names stand behind placeholders, and what occurs twice is sent once", async () => {
  const { store, inputs } = await start([DONE]);
  const members = new Set(["a"]);
  await store.update(
    "lanes",
    KEY,
    [set(["x#l", "until"], 5), set(["head"], 5), discard("p#l", members)],
    all(exists("x#l"), any(equal(["head"], 5), absent("x#l", "until"))),
  );
  expect(inputs[0]).toMatchObject({
    UpdateExpression: "SET #0.#1 = :0, #2 = :0 DELETE #3 :1",
    ConditionExpression: "(attribute_exists(#0) AND (#2 = :0 OR attribute_not_exists(#0.#1)))",
    ExpressionAttributeNames: { "#0": "x#l", "#1": "until", "#2": "head", "#3": "p#l" },
    ExpressionAttributeValues: { ":0": { N: "5" }, ":1": { SS: ["a"] } },
  });
});

test("a number and the text of it are not taken for one value", async () => {
  const { store, inputs } = await start([DONE]);
  await store.update("lanes", KEY, [set(["a"], 5), set(["b"], "5"), set(["c"], true)]);
  expect(inputs[0]?.["ExpressionAttributeValues"]).toEqual({
    ":0": { N: "5" },
    ":1": { S: "5" },
    ":2": { BOOL: true },
  });
});

test("requests one after another share a connection", async () => {
  const { store, connections } = await start([DONE]);
  for (let turn = 0; turn < 5; turn++) await store.get("lanes", KEY, { consistent: true });
  expect(connections()).toBe(1);
});
