/** Hunts writes that the engine refuses for good and nobody hears of. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startLocal } from "../../src/local/runtime.ts";
import { dataFolder } from "./data-folder.ts";

test("a write in the journal that the engine refuses is named, without what it was to store", async () => {
  const data = await dataFolder();
  await mkdir(join(data, "journal"), { recursive: true });
  const line = 'PutItem {"TableName":"none","Item":{"pk":{"S":"secret"},"sk":{"S":"secret"}}}';
  await writeFile(join(data, "journal", "000000001.log"), `${line}\u0000\n`);
  const said: string[] = [];
  const log = (message: string, error: unknown) => void said.push(`${message}: ${String(error)}`);
  await expect(startLocal({ port: 0, host: "127.0.0.1", data, log })).rejects.toThrow(
    /data folder/,
  );
  expect(said).toEqual([
    "the storage engine refuses a write, which stays in the journal: LocalError: ResourceNotFoundException",
  ]);
});
