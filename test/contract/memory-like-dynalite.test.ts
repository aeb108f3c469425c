/**
 * The memory store is what the simulation proves the protocol on, so it must answer as an engine does.
 * Random operations run on both, side by side, and every answer is compared.
 */
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isLaneError } from "../../src/core/errors.ts";
import type { Condition, Edit, Path, QueryRange, Store, Value } from "../../src/store/port.ts";
import { startDynalite } from "../engines/dynalite.ts";
import type { Engine } from "../engines/engine.ts";
import { startMemory } from "../engines/memory.ts";
import { freshPk } from "./fresh.ts";

type Operation =
  | { readonly call: "get"; readonly sk: string }
  | { readonly call: "query"; readonly range: QueryRange }
  | { readonly call: "put"; readonly sk: string; readonly attributes: Record<string, Value> }
  | { readonly call: "update"; readonly sk: string; readonly edits: readonly Edit[] }
  | { readonly call: "delete"; readonly sk: string };
type Step = Operation & { readonly condition: Condition | undefined; readonly wantOld: boolean };

/** Few names and values, so that operations meet each other. */
const sk = fc.constantFrom("1", "2", "3#a", "é");
const name = fc.constantFrom("n", "p#1", "x#1", "map");
const member = fc.constantFrom("a", "b", "c#");
const members = fc.uniqueArray(member, { maxLength: 3 }).map((array) => new Set(array));
const number = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.maxSafeInteger());
const scalar: fc.Arbitrary<Value> = fc.oneof(
  number,
  fc.constantFrom("", "a", "bc"),
  fc.boolean(),
  fc.uint8Array({ maxLength: 2 }),
  members,
);
const value: fc.Arbitrary<Value> = fc.oneof(
  { weight: 3, arbitrary: scalar },
  { weight: 2, arbitrary: fc.dictionary(member, scalar, { maxKeys: 3, noNullPrototype: true }) },
  { weight: 1, arbitrary: fc.array(number, { maxLength: 2 }) },
);
const path: fc.Arbitrary<Path> = fc.oneof(
  fc.tuple(name),
  fc.tuple(fc.constantFrom("map", "n"), member),
);

const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 2 },
    fc.record({ is: fc.constant("exists" as const), path }),
    fc.record({ is: fc.constant("absent" as const), path }),
    fc.record({ is: fc.constant("absent" as const), path: fc.constant(["pk"] as const) }),
    fc.record({ is: fc.constant("equal" as const), path, to: scalar }),
    fc.record({ is: fc.constant("contains" as const), path, member }),
    fc.record({ is: fc.constantFrom("less" as const, "more" as const), path, than: number }),
    fc.record({
      is: fc.constant("all" as const),
      of: fc.array(tie("condition"), { maxLength: 3 }),
    }),
    fc.record({
      is: fc.constant("any" as const),
      of: fc.array(tie("condition"), { minLength: 1, maxLength: 3 }),
    }),
  ),
}));
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ do: fc.constant("set" as const), path, to: value }),
  fc.record({ do: fc.constant("remove" as const), path }),
  fc.record({ do: fc.constant("add" as const), name, members }),
  fc.record({ do: fc.constant("discard" as const), name, members }),
);
const bound = fc.option(fc.constantFrom("1", "2", "3", "é"), { nil: undefined });
const range: fc.Arbitrary<QueryRange> = fc
  .record({
    from: bound,
    to: bound,
    limit: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    reverse: fc.boolean(),
    consistent: fc.boolean(),
  })
  .map(({ from, to, limit, ...rest }) => ({
    ...rest,
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(limit !== undefined && { limit }),
  }));
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ call: fc.constant("get" as const), sk }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constant("query" as const), range }) },
  {
    weight: 3,
    arbitrary: fc.record({
      call: fc.constant("put" as const),
      sk,
      attributes: fc.dictionary(name, value, { maxKeys: 4, noNullPrototype: true }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      call: fc.constant("update" as const),
      sk,
      edits: fc.array(edit, { maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ call: fc.constant("delete" as const), sk }) },
);
const step: fc.Arbitrary<Step> = fc
  .tuple(operation, fc.option(condition, { nil: undefined }), fc.boolean())
  .map(([operation, condition, wantOld]) => ({ ...operation, condition, wantOld }));

let memory: Engine | undefined;
let dynalite: Engine | undefined;
beforeAll(async () => {
  memory = await startMemory();
  dynalite = await startDynalite();
});
afterAll(async () => dynalite?.close());

test("memory answers every sequence of operations as dynalite does", async () => {
  const stores = [memory?.store, dynalite?.store].filter((store) => store !== undefined);
  expect(stores).toHaveLength(2);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const pk = freshPk();
      for (const step of steps) {
        const [ours, theirs] = await Promise.all(stores.map((store) => answer(store, pk, step)));
        expect(ours).toEqual(theirs);
      }
    }),
    { numRuns: 120 },
  );
});

async function answer(store: Store, pk: string, step: Step): Promise<unknown> {
  const { condition, wantOld } = step;
  try {
    switch (step.call) {
      case "get":
        return await store.get("lanes", { pk, sk: step.sk }, { consistent: true });
      case "query":
        return await store.query("lanes", pk, step.range);
      case "put":
        return await store.put("lanes", { ...step.attributes, pk, sk: step.sk }, condition);
      case "update":
        return await store.update("lanes", { pk, sk: step.sk }, step.edits, condition, { wantOld });
      case "delete":
        return await store.delete("lanes", { pk, sk: step.sk }, condition);
      default:
        return step satisfies never;
    }
  } catch (error) {
    if (isLaneError(error)) return error.code;
    throw error;
  }
}
