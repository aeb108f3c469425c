/** Hunts: requests that end the engine, data lost over a restart, two owners of one folder, open doors. */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { callOf, refusalIn } from "../../src/local/engine-client.ts";
import { startEngine } from "../../src/local/engine.ts";
import { explainFolderError, LocalError } from "../../src/local/local-error.ts";
import { openStorage, type StorageOptions } from "../../src/local/storage.ts";
import { absent, equal } from "../../src/store/port.ts";
import { dataFolder } from "./data-folder.ts";

const ITEM = { pk: "log#q#0", sk: "0", count: 1, body: new Uint8Array([0, 255]) };
const KEY = { pk: ITEM.pk, sk: ITEM.sk };

async function opened(options: StorageOptions) {
  const storage = await openStorage(options);
  onTestFinished(() => storage.close());
  return storage;
}

const refusalOf = (options: StorageOptions): Promise<string> =>
  openStorage(options).then(
    async (storage) => {
      await storage.close();
      return "opened";
    },
    (error: unknown) => {
      expect(error).toBeInstanceOf(LocalError);
      return (error as Error).message;
    },
  );

describe("data on disk", () => {
  test("outlives a restart", async () => {
    const data = await dataFolder();
    const first = await openStorage({ data });
    await first.store().put("lanes", ITEM);
    await first.close();
    const second = await opened({ data });
    expect(await second.store().get("lanes", KEY, { consistent: true })).toEqual(ITEM);
  });

  test("belongs to one process: a second one is told so, the first goes on", async () => {
    const data = await dataFolder();
    const first = await opened({ data });
    expect(await refusalOf({ data })).toBe(`another LaneMQ process uses the data folder ${data}`);
    expect(await first.store().put("lanes", ITEM, absent("pk"))).toMatchObject({ ok: true });
  });

  test("of a newer version is refused, and left alone", async () => {
    const data = await dataFolder();
    const newer = await openStorage({ data });
    await newer.store().put("catalog", { pk: "format", sk: "-", version: 99 });
    await newer.close();
    const refusal = await refusalOf({ data });
    expect(refusal).toContain(data);
    expect(refusal).toContain("format 99");
    expect(await refusalOf({ data })).toBe(refusal);
  });

  test("cannot stand where a file is", async () => {
    const data = join(await dataFolder(), "file");
    await writeFile(data, "");
    expect(await refusalOf({ data })).toBe(`the data folder ${data} is not a folder`);
  });

  test("that is damaged is said to be so", async () => {
    const data = await dataFolder();
    await (await openStorage({ data })).close();
    await writeFile(join(data, "db", "CURRENT"), "MANIFEST-nonsense\n");
    expect(await refusalOf({ data })).toMatch(/^the data folder .* (is damaged|cannot be opened)/);
  });

  test("is readable by its owner only", async () => {
    const data = join(await dataFolder(), "new");
    await opened({ data });
    if (process.platform !== "win32") expect((await stat(data)).mode & 0o077).toBe(0);
  });
});

test.each([
  [{ code: "LEVEL_LOCKED", message: "" }, "another LaneMQ process uses the data folder F"],
  [
    { code: "LEVEL_DATABASE_NOT_OPEN", message: "", cause: { code: "LEVEL_LOCKED", message: "" } },
    "another LaneMQ process uses the data folder F",
  ],
  [
    { code: "LEVEL_IO_ERROR", message: "IO error: F/000003.log: No space left on device" },
    "the disk that holds the data folder F is full",
  ],
  [{ code: "ENOSPC", message: "" }, "the disk that holds the data folder F is full"],
  [{ code: "EACCES", message: "" }, "the data folder F is not writable"],
  [{ code: "EROFS", message: "" }, "the data folder F is not writable"],
  [
    { code: "LEVEL_IO_ERROR", message: "IO error: F/LOCK: Permission denied" },
    "the data folder F is not writable",
  ],
])("a folder error %j is explained", (error, line) => {
  expect(explainFolderError(error, "F").message).toBe(line);
});

describe("the engine", () => {
  test("answers 500 to what makes dynalite throw, and goes on", async () => {
    const troubles: string[] = [];
    const engine = await startEngine({
      onTrouble: (message) => troubles.push(message),
      onFailure: (error) => expect.unreachable(error.message),
    });
    onTestFinished(() => engine.close());
    const answer = await engine.call({ action: "GetItem", body: "null" });
    expect(answer).toMatchObject({ status: 500, body: expect.stringContaining("InternalServer") });
    expect(troubles).toHaveLength(1);
    const tables = await engine.call({ action: "ListTables", body: "{}" });
    expect(tables).toEqual({ status: 200, body: '{"TableNames":[]}' });
  });

  test("refuses what is no operation or no JSON as DynamoDB does", async () => {
    const engine = await startEngine();
    onTestFinished(() => engine.close());
    expect(await engine.call({ action: "Drop", body: "{}" })).toMatchObject({
      status: 400,
      body: expect.stringContaining("UnknownOperationException"),
    });
    expect(await engine.call({ action: "GetItem", body: "{" })).toMatchObject({
      status: 400,
      body: expect.stringContaining("SerializationException"),
    });
  });

  test("a write that it refuses is told by its type, and what it has done or could not is not", async () => {
    const engine = await startEngine({ onTrouble: () => {} });
    onTestFinished(() => engine.close());
    const key = { pk: "secret", sk: "secret" };
    const write = callOf({ catalog: "none", lanes: "none" }, { table: "lanes", key, item: key });
    const [refused, failed, done] = await engine.callAll([
      write,
      { action: "GetItem", body: "null" },
      { action: "ListTables", body: "{}" },
    ]);
    expect(refused && refusalIn(refused)).toBe("ResourceNotFoundException");
    expect(failed?.status).toBe(500);
    expect(failed && refusalIn(failed)).toBeUndefined();
    expect(done && refusalIn(done)).toBeUndefined();
  });

  test("that is gone says so at once", async () => {
    const engine = await startEngine();
    await engine.close();
    await expect(engine.call({ action: "ListTables", body: "{}" })).rejects.toThrow(
      "the storage engine is closing",
    );
  });

  test("closes while requests are under way, and says what became of them", async () => {
    const storage = await openStorage({ data: await dataFolder() });
    const store = storage.store();
    const puts = Array.from({ length: 50 }, (_, i) =>
      store.put("lanes", { pk: "p", sk: String(i) }).then(
        () => "stored",
        (error: { code?: string }) => error.code,
      ),
    );
    await storage.close();
    for (const outcome of await Promise.all(puts))
      expect(["stored", "outcome-unknown", "engine-unavailable"]).toContain(outcome);
  });

  test("of two in one process, each has its own data", async () => {
    const [a, b] = await Promise.all([opened({}), opened({ data: await dataFolder() })]);
    await a.store().put("lanes", ITEM);
    expect(await b.store().get("lanes", KEY, { consistent: true })).toBeUndefined();
  });

  test("serves conditional writes of many callers, of which one wins", async () => {
    const store = (await opened({})).store();
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => store.put("lanes", { ...KEY, writer: i }, absent("pk"))),
    );
    const winners = results.flatMap((result, i) => (result.ok ? [i] : []));
    expect(winners).toHaveLength(1);
    const [winner = -1] = winners;
    for (const result of results)
      if (!result.ok) expect(result.found).toEqual({ ...KEY, writer: winner });
    const removed = await store.delete("lanes", KEY, equal(["writer"], winner));
    expect(removed.ok).toBe(true);
  });
});

test("the space of deleted items is given back, however many queries were made", async () => {
  const data = await dataFolder();
  const storage = await opened({ data });
  const store = storage.store();
  const keys = Array.from({ length: 400 }, (_, i) => ({ pk: "p", sk: String(i) }));
  // Random bytes, which LevelDB cannot compress.
  await Promise.all(keys.map((key) => store.put("lanes", { ...key, body: randomBytes(20_000) })));
  for (let i = 0; i < 20; i++) await store.query("lanes", "p", { limit: 2, consistent: true });
  await Promise.all(keys.map((key) => store.delete("lanes", key)));
  const before = await bytesIn(data);
  await storage.compact();
  expect(before).toBeGreaterThan(4_000_000);
  expect(await bytesIn(data)).toBeLessThan(1_000_000);
});

async function bytesIn(data: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(join(data, "db")))
    bytes += (await stat(join(data, "db", name))).size;
  return bytes;
}

test("an endpoint that is no URL, or where nobody answers, is said in one line", async () => {
  expect(await refusalOf({ dynamodb: "localhost:8000" })).toBe(
    "--dynamodb takes an http or https URL, not localhost:8000",
  );
  expect(await refusalOf({ dynamodb: "http://127.0.0.1:1" })).toMatch(
    /^cannot use http:\/\/127.0.0.1:1: .*ECONNREFUSED/,
  );
});

test("the folder may exist already, and others' files in it stay", async () => {
  const data = await dataFolder();
  await mkdir(join(data, "db"));
  await writeFile(join(data, "note"), "mine");
  await opened({ data });
  expect(await readdir(data)).toEqual(["access-keys.key", "db", "journal", "note"]);
});
