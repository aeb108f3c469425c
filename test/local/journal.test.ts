/** Hunts lines that get lost, halves that are taken for whole, and journals that never go. */
import { appendFile, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as fs from "node:fs";
import { expect, test, vi } from "vitest";
import { callOf } from "../../src/local/engine-client.ts";
import { startEngine } from "../../src/local/engine.ts";
import { Journal } from "../../src/local/journal.ts";
import { openStorage } from "../../src/local/storage.ts";
import { absent, set } from "../../src/store/port.ts";
import { dataFolder } from "./data-folder.ts";

vi.mock("node:fs", { spy: true });
const real = await vi.importActual<typeof fs>("node:fs");

const lines = (journal: Journal): string[] => [...journal.read()];

test("what was appended is read again, over several files, in order", async () => {
  const folder = await dataFolder();
  const journal = new Journal(folder);
  journal.append(["a", "b"]);
  journal.turn();
  journal.append(["c"]);
  const next = new Journal(folder);
  expect(lines(next)).toEqual(["a", "b", "c"]);
  next.append(["d"]);
  expect(lines(new Journal(folder))).toEqual(["a", "b", "c", "d"]);
  next.dropLeft();
  expect(lines(new Journal(folder))).toEqual(["d"]);
});

test("J1: what could not be written whole is taken back, and what comes then is taken", async () => {
  const folder = await dataFolder();
  const journal = new Journal(folder);
  journal.append(["a"]);
  vi.mocked(fs.writeSync).mockImplementationOnce((file, bytes) => {
    real.writeSync(file, (bytes as unknown as Uint8Array).subarray(0, 2));
    throw new Error("no space left");
  });
  expect(() => journal.append(["bcd", "e"])).toThrow("no space left");
  expect(lines(new Journal(folder))).toEqual(["a"]);
  journal.append(["f"]);
  expect(lines(new Journal(folder))).toEqual(["a", "f"]);
});

test("J1: a journal that cannot take it back takes nothing more", async () => {
  const folder = await dataFolder();
  const journal = new Journal(folder);
  journal.append(["a"]);
  const fails = (): never => {
    throw new Error("I/O error");
  };
  vi.mocked(fs.writeSync).mockImplementationOnce(fails);
  vi.mocked(fs.ftruncateSync).mockImplementationOnce(fails);
  expect(() => journal.append(["b"])).toThrow("I/O error");
  expect(() => journal.append(["c"])).toThrow("cannot be written any more");
  expect(lines(new Journal(folder))).toEqual(["a"]);
});

test("J2: a line that is not whole ends it", async () => {
  for (const tail of ['{"a', '{"a\n', "\n", '{"a":1}\n']) {
    const folder = await dataFolder();
    new Journal(folder).append(["one"]);
    const [name = ""] = await readdir(folder);
    await appendFile(join(folder, name), tail);
    const next = new Journal(folder);
    next.append(["behind"]);
    expect(lines(next), JSON.stringify(tail)).toEqual(["one"]);
  }
});

test("other files in the folder are left alone, and its own are their owner's", async () => {
  const folder = await dataFolder();
  await writeFile(join(folder, "note"), "mine");
  const journal = new Journal(folder);
  journal.append(["a"]);
  if (process.platform !== "win32")
    expect((await stat(join(folder, "000000001.log"))).mode & 0o077).toBe(0);
  journal.turn();
  journal.dropEnded();
  expect(await readdir(folder)).toEqual(["note"]);
});

const KEY = { pk: "cursor#q#0", sk: "-" };
const ENTRY = { pk: "log#q#0", sk: "1", body: new Uint8Array([0, 255]), count: 1 };

test("a storage that stopped cleanly has left nothing in the journal, and all in the engine", async () => {
  const data = await dataFolder();
  const first = await openStorage({ data });
  await first.commits?.put("lanes", { ...KEY, n: 0, s: new Set(["a"]) });
  await first.commits?.update("lanes", KEY, [set(["n"], 1)]);
  expect(await readdir(join(data, "journal"))).toHaveLength(1);
  await first.close();
  expect(await readdir(join(data, "journal"))).toEqual([]);
  const second = await openStorage({ data });
  const found = await second.store().get("lanes", KEY, { consistent: true });
  await second.close();
  expect(found).toEqual({ ...KEY, n: 1, s: new Set(["a"]) });
});

test("it is kept where the storage cannot be opened, until it can", async () => {
  const data = await dataFolder();
  const first = await openStorage({ data });
  await first.commits?.put("lanes", { ...KEY, n: 0 });
  await first.commits?.update("lanes", KEY, [set(["n"], 1)]);
  const name = join(data, "journal", "000000001.log");
  const left = await readFile(name);
  const format = { pk: "format", sk: "-" };
  const known = await first.store().get("catalog", format, { consistent: true });
  await first.store().put("catalog", { ...format, version: 99 });
  await first.store().delete("lanes", KEY);
  await first.close();
  await writeFile(name, left);
  await expect(openStorage({ data })).rejects.toThrow("format 99");
  expect(await readFile(name)).toEqual(left);
  const engine = await startEngine({ data });
  const back = callOf(
    { catalog: "lanemq-catalog", lanes: "lanemq-lanes" },
    { table: "catalog", key: format, item: known },
  );
  expect(await engine.call(back)).toMatchObject({ status: 200 });
  await engine.close();
  const second = await openStorage({ data });
  const found = await second.store().get("lanes", KEY, { consistent: true });
  await second.close();
  expect(found).toEqual({ ...KEY, n: 1 });
});

test("what a process has left there goes to the engine, and the last state of each item counts", async () => {
  const data = await dataFolder();
  const first = await openStorage({ data });
  const { commits } = first;
  if (commits === undefined) throw new Error("the embedded engine has commits");
  await commits.put("lanes", { ...KEY, n: 0 });
  await commits.query("lanes", ENTRY.pk, { consistent: true });
  await commits.put("lanes", ENTRY, absent("pk"));
  await commits.update("lanes", KEY, [set(["n"], 1)]);
  await commits.delete("lanes", ENTRY);
  await commits.put("lanes", { ...ENTRY, count: 2 }, absent("pk"));
  await commits.update("lanes", KEY, [set(["n"], 2)]);
  const name = join(data, "journal", "000000001.log");
  const left = await readFile(name);
  await first.close();
  // As if the engine had been given only a part of it.
  const between = await openStorage({ data });
  await between.store().put("lanes", { ...KEY, n: 1 });
  await between.store().delete("lanes", ENTRY);
  await between.close();
  await writeFile(name, left);
  const second = await openStorage({ data });
  const found = await Promise.all(
    [KEY, ENTRY].map((key) => second.store().get("lanes", key, { consistent: true })),
  );
  await second.close();
  expect(found).toEqual([
    { ...KEY, n: 2 },
    { ...ENTRY, count: 2 },
  ]);
  expect(await readdir(join(data, "journal"))).toEqual([]);
});
