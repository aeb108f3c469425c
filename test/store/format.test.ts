/** Hunts an older LaneMQ that reads, or writes over, what a newer one has stored. */
import { expect, it } from "vitest";
import { checkFormat, FORMAT_VERSION } from "../../src/store/format.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import type { Store, Value } from "../../src/store/port.ts";

const KEY = { pk: "format", sk: "-" };
const stored = (store: Store) => store.get("catalog", KEY, { consistent: true });
const put = (store: Store, version: Value) => store.put("catalog", { ...KEY, version });

it("puts the version where there is none, and accepts it from then on", async () => {
  const store = createMemoryStore();
  await checkFormat(store);
  expect(await stored(store)).toMatchObject({ version: FORMAT_VERSION });
  await checkFormat(store);
});

it("writes nothing for a role that may not write the catalog", async () => {
  const store = createMemoryStore();
  await checkFormat(store, { create: false });
  expect(await stored(store)).toBeUndefined();
});

it("refuses a newer version with a message that names both, and leaves it as it is", async () => {
  const store = createMemoryStore();
  await put(store, FORMAT_VERSION + 1);
  for (const create of [true, false])
    await expect(checkFormat(store, { create })).rejects.toThrow(
      `format ${FORMAT_VERSION + 1}; this version of LaneMQ knows formats up to ${FORMAT_VERSION}`,
    );
  expect(await stored(store)).toMatchObject({ version: FORMAT_VERSION + 1 });
});

it("refuses a record that it cannot read", async () => {
  const store = createMemoryStore();
  await put(store, "two");
  await expect(checkFormat(store)).rejects.toThrow("cannot read");
});

it("refuses when a newer instance was first by a moment", async () => {
  const memory = createMemoryStore();
  const overtaken: Store = {
    ...memory,
    put: async (table, item, condition) => {
      await put(memory, FORMAT_VERSION + 1);
      return memory.put(table, item, condition);
    },
  };
  await expect(checkFormat(overtaken)).rejects.toThrow(`format ${FORMAT_VERSION + 1}`);
});

it("accepts when another instance of this version was first by a moment", async () => {
  const memory = createMemoryStore();
  const overtaken: Store = {
    ...memory,
    put: async (table, item, condition) => {
      await put(memory, FORMAT_VERSION);
      return memory.put(table, item, condition);
    },
  };
  await checkFormat(overtaken);
});
