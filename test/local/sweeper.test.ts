/** Hunts: deletions of what still lives, expired items that stay, rounds that read a whole backlog. */
import { ScanCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openStorage, type Storage } from "../../src/local/storage.ts";
import { runSweeper, sweep, type SweeperOptions } from "../../src/local/sweeper.ts";
import { remove, set, type Item, type Store } from "../../src/store/port.ts";

const NOW_S = 1_800_000_000;
const forever = new AbortController().signal;

let storage: Storage;
let store: Store;
let rests: number[];
let options: SweeperOptions;

beforeAll(async () => {
  storage = await openStorage({});
  store = storage.store();
});
afterAll(() => storage.close());
beforeEach(async () => {
  rests = [];
  options = {
    client: storage.client,
    table: storage.tables.lanes,
    store,
    now: () => NOW_S * 1000,
    sleep: async (ms) => void rests.push(ms),
    log: (_message, error) => expect.unreachable(String(error)),
  };
  for (const { pk, sk } of await contents()) await store.delete("lanes", { pk, sk });
});

async function contents(): Promise<Item[]> {
  const { Items = [] } = await storage.client.send(
    new ScanCommand({ TableName: storage.tables.lanes }),
  );
  return Items.map(({ pk, sk }) => ({ pk: pk?.S ?? "", sk: sk?.S ?? "" }));
}

const names = async (): Promise<string[]> =>
  (await contents()).map(({ pk, sk }) => `${pk} ${sk}`).sort();

test("deletes what has expired, and nothing else", async () => {
  await store.put("lanes", { pk: "dedup#q#a", sk: "-", ttl: NOW_S - 1 });
  await store.put("lanes", { pk: "dedup#q#b", sk: "-", ttl: NOW_S });
  await store.put("lanes", { pk: "dedup#q#c", sk: "-", ttl: NOW_S + 1 });
  await store.put("lanes", { pk: "anchor#q#0", sk: "-", base: 1 });
  await store.put("lanes", { pk: "cursor#q#0", sk: "default#0", ttl: "no number" });
  expect(await sweep(options, forever)).toEqual({ read: 5, deleted: 1 });
  expect(await names()).toEqual([
    "anchor#q#0 -",
    "cursor#q#0 default#0",
    "dedup#q#b -",
    "dedup#q#c -",
  ]);
});

test("spares an item whose ttl was raised, or taken away, after it was read", async () => {
  for (const id of ["raised", "kept", "plain"])
    await store.put("lanes", { pk: `dedup#q#${id}`, sk: "-", ttl: NOW_S - 1 });
  let first = true;
  const late: Pick<Store, "delete"> = {
    async delete(...call) {
      if (first) {
        first = false;
        const key = (id: string) => ({ pk: `dedup#q#${id}`, sk: "-" });
        await store.update("lanes", key("raised"), [set(["ttl"], NOW_S + 1)]);
        await store.update("lanes", key("kept"), [remove("ttl")]);
      }
      return store.delete(...call);
    },
  };
  expect(await sweep({ ...options, store: late }, forever)).toEqual({ read: 3, deleted: 1 });
  expect(await names()).toEqual(["dedup#q#kept -", "dedup#q#raised -"]);
});

test("deletes the expired part of long logs without reading their backlog", async () => {
  const puts: Promise<unknown>[] = [];
  for (const lane of [0, 1])
    for (let i = 0; i < 1_000; i++) {
      const sk = String(i).padStart(16, "0");
      const ttl = i < 250 ? NOW_S - 5 : NOW_S + i;
      puts.push(store.put("lanes", { pk: `log#q#${lane}`, sk, ttl }));
    }
  puts.push(store.put("lanes", { pk: "dedup#q#a", sk: "-", ttl: NOW_S - 1 }));
  await Promise.all(puts);
  const { read, deleted } = await sweep(options, forever);
  expect(deleted).toBe(501);
  expect(read).toBeLessThan(900);
  expect((await names()).filter((name) => /0000(249|250)$/.test(name))).toEqual([
    "log#q#0 0000000000000250",
    "log#q#1 0000000000000250",
  ]);
  expect((await sweep(options, forever)).deleted).toBe(0);
});

test("reads little of logs of which nothing has expired, for their entries are large", async () => {
  const puts = Array.from({ length: 300 }, (_, i) =>
    store.put("lanes", { pk: `log#q#${i % 3}`, sk: String(i).padStart(16, "0"), ttl: NOW_S + 1 }),
  );
  await Promise.all(puts);
  expect(await sweep(options, forever)).toEqual({ read: 12, deleted: 0 });
});

test("rests no longer where the engine is slow because others use it", async () => {
  await store.put("lanes", { pk: "log#q#0", sk: "0", ttl: NOW_S + 1 });
  await store.put("lanes", { pk: "log#q#1", sk: "0", ttl: NOW_S + 1 });
  let now = NOW_S * 1000;
  await sweep({ ...options, now: () => (now += 60_000) }, forever);
  expect(Math.max(0, ...rests)).toBeLessThanOrEqual(200);
});

test("rests between pages, but not while everything it reads has to go", async () => {
  const put = (lane: number, count: number, ttl: number) =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        store.put("lanes", { pk: `part#q#${lane}`, sk: String(i), ttl }),
      ),
    );
  await put(0, 350, NOW_S - 1);
  await sweep(options, forever);
  expect(rests.length).toBeLessThanOrEqual(1);
  rests.length = 0;
  await put(0, 350, NOW_S + 1);
  await sweep(options, forever);
  expect(rests).toHaveLength(6);
});

test("a round ends when it is told to stop", async () => {
  await Promise.all(
    Array.from({ length: 250 }, (_, i) => store.put("lanes", { pk: "part#q#0", sk: String(i) })),
  );
  const stop = new AbortController();
  const sleep = async (): Promise<void> => stop.abort();
  expect(await sweep({ ...options, sleep }, stop.signal)).toEqual({ read: 4, deleted: 0 });
});

test("goes on after a failure, and gives space back once much was deleted", async () => {
  await Promise.all(
    Array.from({ length: 1_000 }, (_, i) =>
      store.put("lanes", { pk: "part#q#0", sk: String(i), ttl: 1 }),
    ),
  );
  const stop = new AbortController();
  const seen: string[] = [];
  let calls = 0;
  const client = new Proxy(storage.client, {
    get: (target, name) =>
      name === "send"
        ? (command: ScanCommand) =>
            ++calls === 1 ? Promise.reject(new Error("down")) : target.send(command)
        : (Reflect.get(target, name) as unknown),
  });
  await runSweeper(
    {
      ...options,
      client,
      compact: async () => void seen.push("compacted"),
      log: (_message, error) => seen.push(String(error)),
      sleep: async (ms) => {
        if (ms === 30_000 && calls > 1) stop.abort();
      },
    },
    stop.signal,
  );
  expect(seen).toEqual(["Error: down", "compacted"]);
  expect(await names()).toEqual([]);
});

test("W2: does not read the timers that wait, and finds those that nobody promoted in time", async () => {
  const timer = (at: number, ttl: number) =>
    store.put("lanes", { pk: "timer#q#0", sk: `${at}#tag`, ttl });
  await store.put("lanes", { pk: "timer#q#0", sk: "-", version: 1 });
  for (let at = 1_000; at < 1_005; at++) await timer(at, NOW_S - 1);
  for (let at = 2_000; at < 3_000; at++) await timer(at, NOW_S + at);
  const { read, deleted } = await sweep(options, forever);
  expect(deleted).toBe(5);
  expect(read).toBeLessThan(500);
});
